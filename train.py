"""Trains an adversarial model on images: python train.py --dataset=mnist. See --help."""

import dataclasses
import shlex
import sys
import time
from functools import partial

from tf_bigan.quiet import load_tensorflow

load_tensorflow()

from absl import flags  # noqa: E402

from tf_bigan import NonFiniteLoss, callbacks, experiment  # noqa: E402
from tf_bigan.flags import config_from_flags, define_config_flags, run  # noqa: E402
from tf_bigan.workdir import Workdir, environment  # noqa: E402

FLAGS = flags.FLAGS
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "directory of the run, which is resumed if it has begun [runs/PRESET or runs/DATASET]",
    module_name="run",
)
DRY_RUN = flags.DEFINE_boolean(
    "dry_run",
    False,
    "check everything, print options, sizes and the time an epoch takes; train nothing",
    module_name="run",
)
define_config_flags()


def main() -> int:
    config = config_from_flags()
    workdir = Workdir(WORKDIR.value or f"runs/{FLAGS.preset or config.dataset.partition(':')[0]}")
    train = experiment.load_split(config, "train")
    split = experiment.held_out_split(config)
    held_out = experiment.in_memory(experiment.load_split(config, split))
    batches = train.batches(config.batch_size, seed=config.seed)
    if DRY_RUN.value:
        return dry_run(config, batches)
    workdir.prepare(config, environment())
    if callbacks.latest(workdir.checkpoints) is not None:
        model, path = callbacks.restore(workdir.checkpoints)
        print(f"resuming at step {int(model.step.numpy()):,} from {path}")
    else:
        model, why = experiment.build_model(config, train.image_shape, batches.steps_per_epoch)
        print(f"training {config.model} in {why}")
    return fit(config, workdir, model, train, held_out, batches)


def fit(config, workdir, model, train, held_out, batches) -> int:
    """Trains from the model's step to the last epoch, and says where everything is."""
    steps = batches.steps_per_epoch
    epoch, step = divmod(int(model.step.numpy()), steps)
    if epoch >= config.epochs:
        print(f"{workdir.root} is trained already: {epoch} epochs (--epochs=N to go on)")
    try:
        with callbacks.StopOnSignal() as stop:
            model.fit(
                batches,
                epochs=config.epochs,
                initial_epoch=epoch,
                initial_step=step,
                verbose=0,
                callbacks=[*run_callbacks(config, workdir, train, held_out, steps), stop],
            )
    except NonFiniteLoss as error:
        last = callbacks.latest(workdir.checkpoints)
        print(
            f"train.py: {error}: training stopped. The last good checkpoint is "
            f"{last or 'none'}. Try a lower --learning_rate or --precision=float32",
            file=sys.stderr,
        )
        return 1
    if stop.received is not None:
        print(f"stopped and saved. Resume with:\n  {command_to_resume(workdir)}")
        return 128 + stop.received
    model.calibrate(train.batches(config.batch_size, seed=config.seed + 1).dataset())
    callbacks.save_model(model, workdir.model)
    print(
        f"\nfinished. Look next at\n"
        f"  pictures:    {workdir.samples}\n"
        f"  curves:      tensorboard --logdir={workdir.logs}\n"
        f"  evaluation:  python evaluate.py --workdir={workdir.root}"
    )
    return 0


def run_callbacks(config, workdir, train, held_out, steps) -> list:
    """What watches a run, in the order in which it sees an epoch's end."""
    few = experiment.picks(held_out, experiment.QUICK_EXAMPLES)
    shown, probe = few.take(32).as_float(), few.take(config.batch_size).as_float()
    watch = [
        callbacks.SampleGrid(workdir.samples, every=config.picture_every),
        callbacks.ReconstructionGrid(shown, workdir.samples, every=config.picture_every),
        callbacks.InterpolationGrid(shown, workdir.samples, every=config.picture_every),
        callbacks.Dashboard(
            workdir.logs,
            few.as_float(),
            few.labels,
            config=dataclasses.asdict(config),
            every_epochs=config.picture_every,
            batch_size=config.batch_size,
        ),
        callbacks.Guard(probe),
        callbacks.Progress(config.epochs, steps, config.batch_size),
        callbacks.Checkpoint(
            workdir.checkpoints,
            every_steps=config.checkpoint_steps or None,
            keep=config.keep,
            monitor=config.monitor if config.eval_every else None,
            monitor_every=config.eval_every or 1,
        ),
    ]
    if config.eval_every:
        measure = partial(experiment.measure_quickly, train=train, held_out=few)
        watch.insert(0, callbacks.Evaluation(measure, workdir.history, every=config.eval_every))
    return watch


def dry_run(config, batches) -> int:
    """Prints what a run would be, and times a few steps of a model that is thrown away."""
    steps, few = batches.steps_per_epoch, 2 * config.steps_per_execution
    model, why = experiment.build_model(config, batches.image_shape, steps)
    print(config.to_json())
    print(f"precision: {why}")
    for network in model.network_names():
        print(f"{network}: {getattr(model, network).count_params():,} weights")
    model.fit(batches, steps_per_epoch=few, verbose=0)  # compiles
    start = time.perf_counter()
    model.fit(batches, steps_per_epoch=few, verbose=0)
    seconds = (time.perf_counter() - start) / few * steps
    print(
        f"{steps:,} steps an epoch, about {seconds:.1f} s; {config.epochs} epochs about "
        f"{seconds * config.epochs / 60:.1f} minutes"
    )
    return 0


def command_to_resume(workdir) -> str:
    """The command line of this run; the workdir in it makes it resume."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--workdir")]
    return " ".join(["python train.py", f"--workdir={workdir.root}", *map(shlex.quote, arguments)])


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, __doc__.partition(": ")[0] + "."))
