"""Trains an adversarial model on images.

usage: tf-bigan train [--name=value ...]

examples:
  tf-bigan train                                  8x8 digits, without any download
  tf-bigan train --dataset=mnist
  tf-bigan train --dataset=folder:pictures        options chosen from the pictures
  tf-bigan train --dataset=folder:pictures --image_size=32 --networks=dcgan
  tf-bigan train --preset=best_mnist --epochs=5 --workdir=runs/short

The same command again resumes a run. Defaults are in [brackets], but a preset or a system may have
its own: the data sets digits and mnist use the presets of the same names, and for other data some
options are chosen from the images. --dry_run prints the options that are used, without training.
"""

import dataclasses
import os
import shlex
import signal
import sys
import time

import keras
import tensorflow as tf
from absl import flags

import tf_bigan as tb
from tf_bigan.core.statistics import calibrate
from tf_bigan.data import FROM_PATH
from tf_bigan.data.home import expanded
from tf_bigan.data.pipeline import user_errors
from tf_bigan.errors import UserError, counted
from tf_bigan.run import defaults
from tf_bigan.run.config import Config
from tf_bigan.run.flags import (
    Failure,
    config_from_flags,
    define_config_flags,
    first_line,
    flags_given,
    has_preset,
    options_given,
    spelling,
)
from tf_bigan.run.presets import default_preset, preset
from tf_bigan.run.workdir import Workdir, environment

DRY_RUN_SECONDS = 2.0  # duration of the timed steps

FLAGS = flags.FlagValues()
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "directory of the run [runs/PRESET or runs/DATASET, with -MODEL if it is not the preset's]",
    flag_values=FLAGS,
    module_name="run",
)
DRY_RUN = flags.DEFINE_boolean(
    "dry_run",
    False,
    "check everything, print options, sizes and the time per epoch; write nothing but "
    "caches and downloads",
    flag_values=FLAGS,
    module_name="run",
)
define_config_flags(FLAGS)


def main() -> int:
    config = config_from_flags(FLAGS)
    tb.run.build.check(config)
    if WORKDIR.value == "":
        raise UserError("workdir= is empty: give a directory, or leave the option out")
    workdir = Workdir(WORKDIR.value or default_workdir(config))
    for dataset in (config.dataset, config.target_dataset):
        kind, _, path = (dataset or "").partition(":")
        if kind in FROM_PATH and path:
            try:  # of the second one, too, before the first is read
                os.stat(expanded(path))
            except OSError as error:
                raise UserError(f"cannot read {path}: {error.strerror}") from error
        if kind == "folder" and path:
            workdir.check_outside(expanded(path))
    if has_preset(FLAGS):
        workdir.check(config)
    else:
        workdir.check_writable()
    strategy, which = tb.run.cluster.choose(config.strategy, config.join_timeout)
    several = len(tb.core.workers.over_workers(0, strategy)) > 1
    if not tb.core.workers.is_chief(strategy):
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the program
    try:
        if config.init_from and tb.callbacks.latest(workdir.checkpoints) is None:
            tb.run.build.load_start(config.init_from)  # a mistake is found before images are read
        if not has_preset(FLAGS):
            config = config_of_data(config, strategy, workdir)
            workdir.check(config)
        text = config.replace(data_dir=None).to_json()
        tb.core.workers.check_same(text, "the options", strategy)
        return run_or_try(config, workdir, strategy, which)
    except tb.NonFiniteLoss as error:
        last = tb.callbacks.latest(workdir.checkpoints)
        raise Failure(
            f"{error}: training stopped. The last good checkpoint is {last or 'none'}. "
            "Try a lower --learning_rate, or --precision=float32, in another --workdir"
        ) from error
    except (MemoryError, tf.errors.ResourceExhaustedError, TypeError) as error:
        # Keras turns a ResourceExhaustedError in a layer into a TypeError.
        if isinstance(error, TypeError) and "ResourceExhausted" not in str(error):
            raise
        raise Failure(
            f"out of memory or disk space: {first_line(error)}. Try a smaller --batch_size, "
            "--width or --image_size, or free disk space, and start again to resume"
        ) from error
    except tf.errors.OpError as error:
        if not several:
            raise
        raise Failure(
            f"another worker is lost ({first_line(error)}): restart all workers to resume"
        ) from error


def config_of_data(config: Config, strategy: tf.distribute.Strategy, workdir: Workdir) -> Config:
    """The configuration with the options that follow from the data, said in one line.

    Raises:
        UserError: a run to resume has other data, from which other options would follow.
    """
    chief = tb.core.workers.is_chief(strategy)
    if not chief:
        tb.core.workers.over_workers(0, strategy)  # wait for the chief's downloads
    images = tb.run.build.describe(config)
    if chief:
        tb.core.workers.over_workers(0, strategy)
    given = options_given(FLAGS)
    resumed = workdir.config.exists() and tb.callbacks.latest(workdir.checkpoints) is not None
    if resumed:
        fields = {option.name: option for option in dataclasses.fields(Config)}
        kept = {n: v for n, v in given.items() if not fields[n].metadata["may_change"]}
        workdir.check(workdir.read_config().replace(**kept))
        workdir.check_images(images.num_examples, None)
    options = defaults.of_data(images, given)
    config = config_from_flags(FLAGS, options)
    if resumed and (differences := workdir.read_config().differences(config)):
        raise UserError(
            f"{workdir.root} holds a run with other options ({'; '.join(differences)}), some of "
            "which follow from the images: use the same options and images, or another --workdir"
        )
    if chief:
        used = {name: getattr(config, name) for name in options}
        print(defaults.described(images, used), file=sys.stderr)
    return config


def default_workdir(config: Config) -> str:
    """runs/NAME of the preset or data set, with the system if it is not the preset's."""
    name = FLAGS["preset"].value or config.dataset.partition(":")[0]
    start = preset(name) if FLAGS["preset"].value else default_preset(config.dataset)
    if config.model != start.get("model", Config.model):
        name += "-" + config.model.rpartition(".")[2]
    return f"runs/{name}"


def run_or_try(config, workdir, strategy, which) -> int:
    """Runs a new or resumed training, or only describes it with --dry_run."""
    chief = tb.core.workers.is_chief(strategy)
    if not chief:
        tb.core.workers.over_workers(0, strategy)  # wait for the chief's downloads
    train = tb.run.build.load_split(config, "train")
    # Test images are never used. Without validation images the pictures show training images, and
    # there is no evaluation.
    shown = "train" if config.validation == 0 else "validation"
    images = tb.run.build.load_held_out(config, shown)
    held_out = tb.run.build.picks(images, tb.run.measure.QUICK_EXAMPLES)
    batches = tb.run.build.training_batches(config, train)
    if chief:
        tb.core.workers.over_workers(0, strategy)
    held_out = held_out.converted(channels=batches.image_shape[-1])
    held_out = tb.data.renumbered(held_out, train.class_names)  # of a target data set
    batches.dataset(replicas=strategy.num_replicas_in_sync)  # checks that they divide the batch
    last = tb.callbacks.latest(workdir.checkpoints)
    if last is not None:
        workdir.check_images(batches.num_examples, train.fingerprint)
    steps = config.epochs * batches.steps_per_epoch
    if config.profiled and config.profiled[0] >= steps:
        raise UserError(f"profile={config.profile}: the run has only {steps:,} steps, from 0 on")
    tb.core.workers.check_same(
        last or "none",
        f"the newest checkpoint ({last or 'none'}): use a --workdir that all workers share",
        strategy,
    )
    with strategy.scope():
        if last is not None:
            model, path = tb.callbacks.restore(workdir.checkpoints)
            how = f"{model.policy}{' with XLA' if model.jit_compile else ''}"
            start = f"resumed from {path}"
            what = f"resuming at step {int(model.step.numpy()):,} from {path}, in {how}"
        else:
            model, how = tb.run.build.build_model(
                config, batches.image_shape, batches.steps_per_epoch, train.num_classes
            )
            start, what = "a new run", f"training {config.model} in {how}, in {workdir.root}"
    measured = measurement(config, model, train, held_out)
    if DRY_RUN.value:
        print(f"{config.to_json()}\nworkdir: {workdir.root}, {start}\nprecision: {how}; {which}")
        return dry_run(config, batches, model)
    if chief:
        workdir.prepare(
            config, environment(), batches.num_examples, train.fingerprint, train.class_names
        )
    print(f"{what}; {which}")
    try:
        with user_errors():  # images may disappear at any time
            status = train_and_save(config, workdir, model, batches, held_out, measured)
    except UserError as error:  # the command itself was valid
        raise Failure(str(error)) from error
    tb.core.workers.over_workers(0, strategy)  # no worker exits before the chief has written
    return status


def measurement(config, model, train, held_out) -> tuple:
    """(the evaluator during training, the metric that selects the best checkpoint), or Nones."""
    if config.validation == 0:
        return None, None
    return tb.run.measure.while_training(config, model, train, held_out)


def train_and_save(config, workdir, model, batches, held_out, measured) -> int:
    """Trains from the model's step to the last epoch, and prints the paths of the results."""
    steps = batches.steps_per_epoch
    epoch, step = divmod(int(model.step.numpy()), steps)
    if epoch >= config.epochs:
        print(f"{workdir.root} is trained already: {epoch} epochs (--epochs=N to continue)")
    else:
        with tb.callbacks.StopOnSignal() as stop:
            model.fit(
                batches,
                epochs=config.epochs,
                initial_epoch=epoch,
                initial_step=step,
                verbose=0,
                callbacks=[
                    *run_callbacks(config, workdir, model, held_out, batches, measured),
                    stop,
                ],
            )
        if model.stop_training:  # on this or another worker
            print(f"stopped and saved. Resume with:\n  {command_to_resume(workdir)}")
            return 128 + (stop.received or signal.SIGTERM)
    replicas = model.distribute_strategy.num_replicas_in_sync
    parts = batches.dataset(int(model.step.numpy()), replicas=replicas)
    calibrate(model, parts, steps=tb.run.build.calibration_steps(batches))
    if tb.core.workers.is_chief(model.distribute_strategy):
        tb.callbacks.save_model(model, workdir.model)
    print(
        f"\nfinished. Look next at\n"
        f"  pictures:    {workdir.samples}\n"
        f"  curves:      {shlex.join(['tensorboard', f'--logdir={workdir.logs}'])}\n"
        f"  evaluation:  {spelling('evaluate')} {shlex.quote(f'--workdir={workdir.root}')}"
    )
    return 0


def run_callbacks(config, workdir, model, held_out, batches, measured) -> list:
    """The callbacks of a run, in calling order."""
    evaluator, monitor = measured
    shown, replicas = held_out.take(32).as_float(), model.distribute_strategy.num_replicas_in_sync
    probe = next(batches.dataset(replicas=replicas).as_numpy_iterator())  # one replica's part
    watch = [
        tb.callbacks.SampleGrid(workdir.samples, every=config.picture_every),
        tb.callbacks.ReconstructionGrid(shown, workdir.samples, every=config.picture_every),
        tb.callbacks.InterpolationGrid(shown, workdir.samples, every=config.picture_every),
        tb.callbacks.Dashboard(
            workdir.logs,
            held_out.as_float(),
            held_out.classes,
            probe,
            config=dataclasses.asdict(config),
            every_epochs=config.picture_every,
            batch_size=config.batch_size,
        ),
        tb.callbacks.Guard(probe),
        tb.callbacks.Checkpoint(
            workdir.checkpoints,
            every_steps=config.checkpoint_steps or None,
            every_epochs=None if config.checkpoint_steps else 1,
            keep=config.keep,
            monitor=monitor,
            monitor_every=config.eval_every or 1,
        ),
        tb.callbacks.Progress(config.batch_size),
    ]
    if evaluator is not None:
        watch.insert(
            0,
            tb.callbacks.Evaluation(
                tb.run.measure.values_of(evaluator, monitor),
                workdir.history,
                every=config.eval_every,
            ),
        )
    if config.profiled:
        watch.append(tb.callbacks.Profile(workdir.logs, *config.profiled))
    return watch


def dry_run(config, batches, model) -> int:
    """Prints the sizes of the networks and the time of an epoch, by a few steps that are lost."""
    for network in model.network_names():
        print(f"{network}: {getattr(model, network).count_params():,} weights")
    before = int(model.step.numpy())
    model.fit(batches, steps_per_epoch=1, verbose=0)  # compiles
    steps, start = batches.steps_per_epoch, time.perf_counter()

    def stop(step, logs):
        model.stop_training = time.perf_counter() - start > DRY_RUN_SECONDS

    timed = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    model.fit(batches, verbose=0, callbacks=[timed])
    seconds = (time.perf_counter() - start) / (int(model.step.numpy()) - before - 1) * steps
    epochs = max(0, config.epochs - before // steps)
    print(
        f"{counted(steps, 'step')} per epoch, about {_duration(seconds)}; "
        f"{counted(epochs, 'epoch')}{' left' if before else ''} about "
        f"{_duration(seconds * epochs)}, without evaluation and pictures"
    )
    return 0


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} seconds"
    if seconds < 6000:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def command_to_resume(workdir) -> str:
    """The command line that resumes this run."""
    options = [option for option in flags_given(FLAGS) if not option.startswith("--workdir=")]
    return f"{spelling('train')} {shlex.join([f'--workdir={workdir.root}', *options])}"
