"""The compiled loop: many steps per call, XLA on each replica, under any tf.distribute strategy.

Stock `fit` of Keras 3 compiles around `strategy.run`, cannot start in the middle of an epoch, and
may run past the end of the data. Here each call makes a given number of steps, as many as fit into
a second, so that signals, callbacks and the progress bar do not wait long.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.constraints import Count, check
from tf_bigan.core import workers
from tf_bigan.core.hardware import without_remapper
from tf_bigan.core.statistics import logs_and_gradient_norms, rows_of
from tf_bigan.data.pipeline import ArrayBatches, Batches, user_errors
from tf_bigan.data.pixels import tensor_to_unit_range, to_unit_range
from tf_bigan.errors import UserError

if TYPE_CHECKING:
    from tf_bigan.core.model import AdversarialModel

CALL_SECONDS = 1.0  # the target time of a call with several steps
BATCH_SIZE = 32  # default for arrays, as in Keras


class NonFiniteLoss(ArithmeticError):
    """A logged value became NaN or infinite; the message names the step and the value."""


class Trainer:
    """`fit` and `evaluate` of a compiled model; holds its compiled functions.

    A model gets a new one whenever it is compiled.
    """

    def __init__(self, model: "AdversarialModel"):
        self.model = model
        self.strategy = model.distribute_strategy
        xla = model.uses_xla()
        self.gradients: dict[str, Callable] = {}
        for group in model.moves:
            function = partial(model.gradients, group)
            # Code with communication between replicas is not compiled separately.
            if not model.synchronises_in_step():
                function = tf.function(function, jit_compile=xla)
            self.gradients["+".join(group)] = function
        self.update_average = model.update_average
        if not model.synchronises_in_step():
            self.update_average = tf.function(partial(model.update_average), jit_compile=xla)
        self.diagnose = tf.function(
            partial(lambda batch: self.strategy.run(logs_and_gradient_norms, args=(model, batch)))
        )
        # Partials per model, because TensorFlow warns of many tracings of one function. Without
        # reduce_retracing: one function for two batch sizes would not know the number of rows.
        self._train_steps = tf.function(partial(self._steps))
        self._test_step = tf.function(partial(self._one_test_step))
        self._log_names: dict[str, list[str]] = {}

    def fit(
        self,
        x,
        y,
        *,
        batch_size,
        epochs,
        verbose,
        callbacks,
        validation_split,
        validation_data,
        initial_epoch,
        initial_step,
        steps_per_epoch,
        validation_steps,
        validation_batch_size,
    ) -> keras.callbacks.History:
        """See `AdversarialModel.fit`."""
        model, strategy = self.model, self.strategy
        model.check_optimizers()
        check("validation_split", validation_split, Annotated[float, "[0, 1)"])
        check("epochs", epochs, Annotated[int, "[0, inf)"])
        check("initial_epoch", initial_epoch, Annotated[int, "[0, inf)"])
        if validation_split and validation_data is None:  # which goes before it, as in Keras
            (x, y), validation_data = _split(x, y, validation_split)
        start = int(model.step.numpy())
        source, steps = _batches(x, y, batch_size, steps_per_epoch)
        dataset = self._distributed(source, start)
        self._check_entries(dataset)
        if not 0 <= initial_step < steps:
            raise ValueError(
                f"initial_step={initial_step}: an epoch has the steps 0 to {steps - 1}"
            )
        validate = None
        if validation_data is not None:
            validation_batch_size = validation_batch_size or batch_size
            validate = self._validation(validation_data, validation_batch_size, validation_steps)
        # Workers that differ would wait for each other forever.
        workers.check_same(str(start), "the step at which they begin to train", strategy)
        plan = [initial_epoch, initial_step, epochs, steps, model.steps_per_execution]
        plan += [getattr(x, "num_examples", None), validation_data is not None]
        workers.check_same(str(plan), "their data, or in the arguments of fit", strategy)
        listeners = self._callback_list(callbacks, verbose, epochs, steps)
        iterator, pace = iter(dataset), _Pace(model.steps_per_execution, strategy)
        model.stop_training = False
        listeners.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            listeners.on_epoch_begin(epoch)
            mean = _RunningMean()
            done = initial_step
            while done < steps:
                model.steps_of_call = pace.steps(done, steps)
                listeners.on_train_batch_begin(done)
                with pace.measured(model.steps_of_call):
                    names, rows = self._run_steps(iterator, model.steps_of_call)
                done += model.steps_of_call
                mean.add(names, rows)
                model.last_logs = dict(zip(names, rows.mean(axis=0).tolist(), strict=True))
                listeners.on_train_batch_end(done - 1, mean.result())
                if self._all_stop():
                    break
            initial_step = 0
            logs = mean.result()
            if validate is not None and done == steps:  # a whole epoch
                listeners.on_test_begin()
                values = validate()
                listeners.on_test_end(values)
                logs |= {f"val_{name}": value for name, value in values.items()}
            listeners.on_epoch_end(epoch, logs)
            if self._all_stop():
                break
        listeners.on_train_end()
        return model.history

    def _validation(self, data, batch_size, steps) -> Callable[[], dict[str, float]]:
        """`evaluate` on the validation data. Checks its arguments, before the first epoch."""
        pair = isinstance(data, list) and len(data) == 2  # as Keras takes [x, y]
        held_out = tuple(data) if pair or isinstance(data, tuple) else (data,)
        if len(held_out) > 2:
            raise UserError(
                f"validation_data has {len(held_out)} parts: give images, or (images, labels)"
            )
        validate = partial(
            self.evaluate,
            *held_out,
            batch_size=batch_size if _arrays(*held_out) is not None else None,
            steps=steps,
            steps_name="validation_steps",
        )
        validate(dry=True)
        return validate

    def evaluate(
        self, x, y=None, *, batch_size=None, steps=None, steps_name="steps", dry=False
    ) -> dict[str, float]:
        """See `AdversarialModel.evaluate`. `dry` only checks the arguments."""
        if steps is not None:
            check(steps_name, steps, Count)
        dataset = self._distributed(
            _one_pass(x, y, batch_size, steps, steps_name, self.strategy.num_replicas_in_sync)
        )
        self._check_entries(dataset, rows_known=False)
        mean = _RunningMean()
        if dry:
            return mean.result()
        with user_errors():
            for number, batch in enumerate(dataset):
                if number == steps:
                    break
                kind = "test" + _entries(batch)
                rows, values = self._test_step(batch, tf.constant(number))
                mean.add(self._log_names[kind], values.numpy()[None], int(rows))
        if not mean.count:
            raise ValueError("there are no examples to evaluate on")
        return mean.result()

    def on_batch(self, kind: str, x, y=None, return_dict: bool = True) -> dict[str, float]:
        """One "train" or "test" step on a batch: an array with optional labels y, or a dict.

        Raises ValueError unless `return_dict` is True, because there are several losses.
        """
        if not return_dict:
            raise ValueError(f"{kind}_on_batch gives a dict of losses: leave return_dict out")
        arrays = _arrays(x, y)
        if arrays is None:
            raise ValueError(f"{kind}_on_batch takes arrays, not {type(x).__name__}")
        rows = len(arrays["image"])
        if kind == "test":
            return self.evaluate(arrays, batch_size=rows)
        self.model.check_optimizers()
        images = {n: to_unit_range(array) for n, array in arrays.items() if n.endswith("image")}
        dataset = self._distributed(tf.data.Dataset.from_tensors(arrays | images).repeat())
        self._check_entries(dataset)
        names, values = self._run_steps(iter(dataset), 1)
        return dict(zip(names, values[0].tolist(), strict=True))

    # --- compiled steps ---------------------------------------------------------------------

    def _run_steps(self, iterator, count: int) -> tuple[list[str], np.ndarray]:
        """Runs `count` training steps: (the names of the logs, their values [count, names])."""
        step_before = int(self.model.step.numpy())
        with user_errors(), without_remapper():
            rows = self._train_steps(iterator, tf.constant(count)).numpy()
        names = self._log_names["train" + _entries(iterator.element_spec)]
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise NonFiniteLoss(
                f"{names[column]} became {rows[row, column]} in step {step_before + row + 1}"
            )
        return names, rows

    def _steps(self, iterator, count):
        """`count` training steps on every replica; the mean logs [count, names]."""
        kind = "train" + _entries(iterator.element_spec)
        rows = tf.TensorArray(tf.float32, size=count)
        for i in tf.range(count):
            logs = self.strategy.run(self._packed(self.model.train_step, kind), (next(iterator),))
            rows = rows.write(i, self.strategy.reduce("MEAN", logs, axis=None))
        return rows.stack()

    def _one_test_step(self, batch, number):
        """(rows over all replicas, the mean logs [names]) of a batch."""
        step = self._packed(self.model.test_step, "test" + _entries(batch))
        logs = self.strategy.run(step, (batch, number))
        rows = self.strategy.run(lambda part: tf.constant(rows_of(part)), (batch,))
        mean = self.strategy.reduce("MEAN", logs, axis=None)
        return self.strategy.reduce("SUM", rows, axis=None), mean

    def _packed(self, step: Callable, kind: str) -> Callable:
        """A step whose logs are one vector [names]; the names are stored under `kind`."""

        def packed(*arguments):
            logs = step(*arguments)
            # A compiled function returns its logs sorted by name; the losses come first again.
            names = sorted(logs, key=lambda name: (not name.startswith("loss"), name))
            self._log_names[kind] = names
            return tf.stack([logs[name] for name in names])

        return packed

    # --- data -------------------------------------------------------------------------------

    def _distributed(self, source: "Callable | tf.data.Dataset", start: int = 0):
        """Distributes the batches of a dataset, or of `source(start, context)`, to the replicas."""
        if isinstance(source, tf.data.Dataset):
            return self.strategy.experimental_distribute_dataset(self._of_known_classes(source))
        return self.strategy.distribute_datasets_from_function(
            lambda context: self._of_known_classes(source(start, context))
        )

    def _of_known_classes(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches. A label that a system cannot learn raises UserError when it comes."""
        names = [name for name in dataset.element_spec if name.endswith("label")]
        if not names or not hasattr(self.model, "class_logits"):
            return dataset
        classes = self._classes

        @tf.autograph.experimental.do_not_convert
        def checked(batch):
            labels = tf.concat([batch[name] for name in names], 0)
            message = f"UserError: labels must be from 0 to {classes - 1}, of {classes} classes"
            known = tf.reduce_all((labels >= 0) & (labels < classes))
            with tf.control_dependencies([tf.debugging.Assert(known, [message])]):
                return tf.nest.map_structure(tf.identity, batch)

        return dataset.map(checked)

    @cached_property
    def _classes(self) -> int:
        """The number of classes of a system that classifies."""
        # Traced and not run: in a run on several workers all of them would have to take part.
        class_logits = tf.function(partial(self.model.class_logits, training=False))
        images = tf.TensorSpec((None, *self.model.image_shape), tf.float32)
        return class_logits.get_concrete_function(images).structured_outputs.shape[-1]

    def _check_entries(self, dataset, rows_known: bool = True):
        model = self.model
        for name in model.requires:  # an entry may exist for the labelled images only
            if not {name, f"labelled_{name}"} & set(dataset.element_spec):
                raise ValueError(
                    f"{type(model).__name__} needs batches with {name}, these have "
                    f"{', '.join(dataset.element_spec)}"
                )
        for name, spec in dataset.element_spec.items():
            if name.endswith("image"):
                # The specs of all replicas are equal: use the first.
                shape = tuple(tf.nest.flatten(spec, expand_composites=True)[0].shape)
                fits = tf.TensorShape(shape[1:]).is_compatible_with(model.image_shape)
                if len(shape) != 4 or not fits or (rows_known and shape[0] is None):
                    expected = ", ".join(map(str, model.image_shape))
                    raise ValueError(
                        f"batches of {name} must be [B, {expected}], B a multiple of the "
                        f"replicas, not {list(shape)}"
                    )

    # --- callbacks --------------------------------------------------------------------------

    def _callback_list(self, callbacks, verbose, epochs: int, steps: int):
        if isinstance(callbacks, keras.callbacks.CallbackList):
            return callbacks
        chief = workers.is_chief(self.strategy)
        usable = _usable_callbacks(callbacks)
        return keras.callbacks.CallbackList(
            [c for c in usable if chief or not getattr(c, "chief_only", False)],
            add_history=True,
            add_progbar=chief and verbose not in (0, "0"),
            verbose=1 if verbose == "auto" else verbose,
            epochs=epochs,
            steps=steps,
            model=self.model,
        )

    def _all_stop(self) -> bool:
        """Whether any worker wants to stop; then all workers stop after the same step."""
        self.model.stop_training = any(
            workers.over_workers(self.model.stop_training, self.strategy)
        )
        return self.model.stop_training


# Callbacks that rely on stock `fit` or its one optimizer, and their replacements.
_WITHOUT_EFFECT = {
    keras.callbacks.BackupAndRestore: "callbacks.Checkpoint, and callbacks.restore to resume",
    keras.callbacks.LearningRateScheduler: "a schedule as the learning rate of an optimizer",
    keras.callbacks.ReduceLROnPlateau: "a schedule as the learning rate of an optimizer",
    keras.callbacks.SwapEMAWeights: "compile(ema=...)",
}


def _usable_callbacks(callbacks) -> list:
    listed = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in listed:
        for kind, instead in _WITHOUT_EFFECT.items():
            if isinstance(callback, kind):
                raise ValueError(f"{kind.__name__} needs stock Keras; use {instead}")
        if getattr(callback, "write_steps_per_second", False):  # which asks the one optimizer
            raise ValueError(
                "TensorBoard's write_steps_per_second=True needs stock Keras; use "
                "callbacks.Dashboard"
            )
        unsure = getattr(callback, "mode", None) == "auto"
        if unsure and callback.monitor.removeprefix("val_").startswith("loss"):
            callback.mode = "min"  # Keras's "auto" knows only the name "loss"
    return listed


def _entries(batch: Mapping) -> str:
    """The names in a batch, as text: an exported model may only hold dicts with text keys."""
    return " " + ",".join(sorted(batch))


class _Pace:
    """The number of steps per call: as many as fit into `CALL_SECONDS`, by the last call's time.

    The first call, which also traces and compiles, makes one step. Calls end at multiples of
    `most`, so that callbacks see the same steps on every machine where steps are fast.
    """

    def __init__(self, most: int, strategy: tf.distribute.Strategy):
        self.most, self.strategy, self.affordable = most, strategy, 1

    def steps(self, done: int, of: int) -> int:
        """Steps of the next call in a pass of `of` steps; the same on every worker."""
        affordable = min(workers.over_workers(self.affordable, self.strategy))
        return min(affordable, self.most - done % self.most, of - done)

    @contextlib.contextmanager
    def measured(self, count: int) -> Iterator[None]:
        """Times a block that makes `count` steps."""
        begin = time.monotonic()
        yield
        seconds = (time.monotonic() - begin) / count
        self.affordable = max(1, int(min(CALL_SECONDS / max(seconds, 1e-9), self.most)))


class _RunningMean:
    """The running mean of rows of logs, weighted by their numbers of examples."""

    def __init__(self):
        self.names: list[str] = []
        self.total: Any = 0.0
        self.count = 0

    def add(self, names: list[str], rows: np.ndarray, weight: int = 1):
        self.names = names
        self.total = self.total + weight * rows.sum(axis=0, dtype=np.float64)
        self.count += weight * len(rows)

    def result(self) -> dict[str, float]:
        if not self.count:
            return {}
        return dict(zip(self.names, (self.total / self.count).tolist(), strict=True))


# --- any data that `fit` takes --------------------------------------------------------------


def _arrays(x, y=None) -> dict[str, np.ndarray] | None:
    """{"image": [N, H, W, C] float32 in [0, 1] or uint8, ...} of arrays; None for other data."""
    if isinstance(x, (np.ndarray, tf.Tensor, list)):
        x = {"image": np.asarray(x)}
    if not isinstance(x, Mapping):
        return None
    arrays = {name: np.asarray(value) for name, value in x.items()}
    if y is not None:
        arrays["label"] = np.asarray(y)
    if "image" not in arrays:
        raise UserError(f"x: a dict needs the key image, not only {', '.join(arrays)}")
    for name, array in arrays.items():
        if name.endswith("image"):
            if array.ndim != 4:
                raise UserError(f"images must be an array [N, H, W, C], not {list(array.shape)}")
            arrays[name] = array if array.dtype == np.uint8 else to_unit_range(array)
        elif name.endswith("label"):
            integers = array.ndim == 1 and np.issubdtype(array.dtype, np.integer)
            if not integers or array.size and array.min() < 0:
                raise UserError(
                    f"{name}s must be integers from 0, [N], not {array.dtype} {list(array.shape)}"
                )
            arrays[name] = array.astype(np.int64)
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"the arrays differ in length: {lengths}")
    return arrays


def _split(x, y, share: float) -> tuple[tuple[dict, None], tuple[dict]]:
    """The first rows of arrays for training, and the last fraction `share` for validation."""
    arrays = _arrays(x, y)
    if arrays is None:
        raise UserError(f"validation_split={share}: only for arrays; use validation_data")
    first = int(len(arrays["image"]) * (1.0 - share))
    train = {name: array[:first] for name, array in arrays.items()}
    return (train, None), ({name: array[first:] for name, array in arrays.items()},)


def _batches(x, y, batch_size, steps) -> tuple["Callable | tf.data.Dataset", int]:
    """Endless training batches, and the number of steps per epoch."""
    if steps is not None:
        check("steps_per_epoch", steps, Count)
    x = _array_batches(x, y, batch_size)
    if isinstance(x, Batches):
        batches = x

        def pipeline(start, context):
            return batches.dataset(
                start,
                replicas=context.num_replicas_in_sync,
                pipelines=context.num_input_pipelines,
                pipeline=context.input_pipeline_id,
            )

        return pipeline, steps or batches.steps_per_epoch
    dataset = _elements(x, y, batch_size)
    if steps is None:
        steps = _cardinality(dataset, "steps_per_epoch")
    rows = dataset.element_spec["image"].shape[0]
    if rows is None:  # without drop_remainder, or from image_dataset_from_directory
        with user_errors():
            rows = next((len(batch["image"]) for batch in dataset.take(1)), 0)
        dataset = dataset.repeat().rebatch(rows, drop_remainder=True)
        return dataset, steps
    return dataset.repeat(), steps


def _one_pass(x, y, batch_size, steps, steps_name, replicas) -> "Callable | tf.data.Dataset":
    """Batches for evaluation, with each example once."""
    arrays = _arrays(x, y)
    if arrays is not None and batch_size is not None:
        batch_size = min(batch_size, max(1, len(arrays["image"])))
    x = _array_batches(x, y, batch_size)
    if isinstance(x, Batches):
        batches = x

        def pipeline(_, context):
            return batches.one_pass(
                replicas=context.num_replicas_in_sync,
                pipelines=context.num_input_pipelines,
                pipeline=context.input_pipeline_id,
            )

        return pipeline
    dataset = _elements(x, y, batch_size)
    if steps is None:
        _cardinality(dataset, steps_name)
    if replicas > 1:
        return dataset.rebatch(_rows_for(dataset, replicas), drop_remainder=True)
    return dataset


def _rows_for(dataset: tf.data.Dataset, replicas: int) -> int:
    """The largest multiple of the number of replicas that fits into the first batch."""
    rows = next((len(batch["image"]) for batch in dataset.take(1)), 0)
    return max(1, rows // replicas) * replicas


def _array_batches(x, y, batch_size):
    """Batches of arrays; other data is returned unchanged."""
    arrays = _arrays(x, y)
    if arrays is None:
        return x
    if batch_size is None:
        batch_size = max(1, min(BATCH_SIZE, len(arrays["image"])))
    return ArrayBatches(arrays, batch_size)


def _elements(x, y, batch_size) -> tf.data.Dataset:
    """A user's dataset as one of {"image": float in [0, 1], ...}."""
    if not isinstance(x, tf.data.Dataset):
        raise UserError(
            "x must be an array of images, a dict of arrays, a batched tf.data.Dataset or "
            f"tf_bigan.data batches, not {type(x).__name__}"
        )
    if y is not None or batch_size is not None:
        raise UserError("y and batch_size are for arrays: a tf.data.Dataset has its own")
    return x.map(_as_batch)


def _cardinality(dataset: tf.data.Dataset, name: str) -> int:
    steps = int(dataset.cardinality())
    if steps == 0:
        raise UserError("the dataset has no whole batch: use a smaller batch size")
    if steps < 0:
        raise UserError(f"{name}=N is needed for a dataset of unknown length")
    return steps


@tf.autograph.experimental.do_not_convert
def _as_batch(*element: Any) -> dict[str, tf.Tensor]:
    """A dataset's element (images, (images, labels) or a dict) as {"image": float in [0, 1]}."""
    first = element[0]
    if isinstance(first, Mapping) and len(element) == 1:
        batch = dict(first)
    elif len(element) <= 2 and not isinstance(first, Mapping):
        batch = dict(zip(("image", "label"), element, strict=False))
    else:
        raise UserError("a batch must be images, (images, labels) or a dict of them")
    return {name: _usable(name, value) for name, value in batch.items()}


def _usable(name: str, value: tf.Tensor) -> tf.Tensor:
    if name.endswith("label"):
        if value.shape.rank not in (1, None) or not value.dtype.is_integer:
            raise UserError(
                f"{name} must be integers [B], one for each image, not {value.dtype.name} "
                f"{value.shape}"
            )
        return tf.cast(value, tf.int64)
    return tensor_to_unit_range(value, name) if name.endswith("image") else value
