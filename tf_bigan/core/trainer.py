"""The compiled loop: many steps a call, XLA on each replica, under any tf.distribute strategy.

Stock `fit` of Keras 3 jits around `strategy.run`, cannot begin an epoch in its middle, and lets
a call of several steps run past the end of the data. Here a call is told how many steps it makes:
as many as fit into a second, so that signals, callbacks and the progress bar need not wait long.
"""

import contextlib
import time
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core import workers
from tf_bigan.data.pipeline import ArrayBatches
from tf_bigan.errors import UserError

CALL_SECONDS = 1.0  # that a call of several steps should take at most


class NonFiniteLoss(ArithmeticError):
    """A loss or another logged value became NaN or infinite; the message names step and value."""


class Loop:
    """`fit` and `evaluate` for a model with a `train_step` and a `test_step` of one replica."""

    def fit(
        self,
        x=None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks=None,
        validation_data=None,
        initial_epoch: int = 0,
        initial_step: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
    ) -> keras.callbacks.History:
        """Trains the model.

        Args:
            x: `tf_bigan.data` batches (`load(...).batches(...)`); or an array of images
                [N, H, W, C], uint8 or float in [0, 1], with `batch_size`; or a batched
                `tf.data.Dataset` of images, (images, labels) or {"image": ..., "label": ...},
                the images uint8 or float in [0, 1].
            batch_size: rows of a batch over all replicas, for an array.
            epochs: the epoch to end at, counted from 0 as in Keras.
            verbose: 0 is silent, 1 a progress bar, 2 a line per epoch.
            callbacks: Keras callbacks. They see the training between calls of at most
                `steps_per_execution` steps and about a second. Of several workers only the chief
                calls those that say `chief_only = True`; no callback of theirs may communicate.
            validation_data: what `evaluate` takes; its values are logged as "val_...".
            initial_epoch, initial_step: where to begin: epochs that are done, and steps of the
                epoch after them that are done. With `tf_bigan.data` batches the examples go on
                from `self.step`, so that a resumed run sees what an undisturbed one would.
            steps_per_epoch, validation_steps: batches of an epoch and of a validation; needed for
                a dataset of unknown length, which must repeat.

        Returns:
            The history: for each logged name one mean per epoch.

        Raises:
            NonFiniteLoss: a logged value is NaN or infinite.
            ValueError: the model is not compiled, the data has no usable form, or a callback needs
                stock Keras.
        """
        self._check_compiled()
        strategy = self.distribute_strategy
        start = int(self.step.numpy())
        dataset, steps = _distribute(x, batch_size, steps_per_epoch, start, strategy)
        self._check_entries(dataset)
        if not 0 <= initial_step < steps:
            raise ValueError(
                f"initial_step={initial_step}: an epoch has the steps 0 to {steps - 1}"
            )
        if validation_data is not None:  # now, and not after an epoch
            data, _ = _distribute(
                validation_data, batch_size, validation_steps, 0, strategy, "validation_steps"
            )
            self._check_entries(data)
        # Workers that differ would wait for each other without end.
        workers.check_same(str(start), "the step at which they begin to train", strategy)
        plan = [initial_epoch, initial_step, epochs, steps, self.steps_per_execution]
        plan += [getattr(x, "num_examples", None), validation_data is not None]
        workers.check_same(str(plan), "their data, or in the arguments of fit", strategy)
        chief = workers.is_chief(strategy)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.callbacks.CallbackList(
                [
                    c
                    for c in _usable_callbacks(callbacks)
                    if chief or not getattr(c, "chief_only", False)
                ],
                add_history=True,
                add_progbar=chief and verbose not in (0, "0"),
                verbose=1 if verbose == "auto" else verbose,
                epochs=epochs,
                steps=steps,
                model=self,
            )
        iterator, pace = iter(dataset), _Pace(self.steps_per_execution, strategy)
        self.stop_training = False
        callbacks.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch)
            mean = _RunningMean()
            done = initial_step
            while done < steps:
                self.steps_of_call = pace.steps(done, steps)
                callbacks.on_train_batch_begin(done)
                with pace.measured(self.steps_of_call):
                    rows = self._run_steps(iterator, self.steps_of_call)
                done += self.steps_of_call
                names = self._names_of("train", iterator)
                mean.add(names, rows)
                self.last_logs = dict(zip(names, rows.mean(axis=0).tolist(), strict=True))
                callbacks.on_train_batch_end(done - 1, mean.result())
                if self._all_stop():
                    break
            initial_step = 0
            logs = mean.result()
            if validation_data is not None and done == steps:  # a whole epoch
                values = self.evaluate(
                    validation_data, batch_size=batch_size, steps=validation_steps
                )
                logs |= {f"val_{name}": value for name, value in values.items()}
            callbacks.on_epoch_end(epoch, logs)
            if self._all_stop():
                break
        callbacks.on_train_end()
        return self.history

    def evaluate(
        self,
        x,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        verbose: int | str = 0,
        return_dict: bool = True,
    ) -> dict[str, float]:
        """The mean losses and logs over data in inference mode, as {name: value}.

        `x` and `batch_size` as in `fit`, `steps` as `validation_steps` there; nothing is updated.
        Each batch has its own z. A last batch that images in memory do not fill is filled up from
        the beginning of their next pass. `verbose` and `return_dict` are Keras's: nothing is
        printed, and a dict is what is returned.
        """
        self._check_compiled()
        dataset, steps = _distribute(x, batch_size, steps, 0, self.distribute_strategy, "steps")
        self._check_entries(dataset)
        iterator, pace = iter(dataset), _Pace(self.steps_per_execution, self.distribute_strategy)
        mean, done = _RunningMean(), 0
        while done < steps:
            count = pace.steps(done, steps)
            with _images_checked(), pace.measured(count):
                rows = self._test_loop(iterator, tf.constant(done), tf.constant(count)).numpy()
            mean.add(self._names_of("test", iterator), rows)
            done += count
        return mean.result()

    def pack_logs(self, kind: str, logs: Mapping) -> tf.Tensor:
        """{name: tensor} of a "train" or "test" step as one float32 vector of means."""
        # A compiled function returns its logs sorted by name; the losses come first again here.
        names = sorted(logs, key=lambda name: (not name.startswith("loss"), name))
        self._log_names[kind + self._traced_entries] = names
        return tf.stack([tf.reduce_mean(tf.cast(logs[name], tf.float32)) for name in names])

    def _names_of(self, kind: str, iterator) -> list[str]:
        """The names of a step's logs, which may depend on what a batch holds."""
        return self._log_names[kind + _entries(iterator)]

    def _check_compiled(self):
        if not self.compiled:
            raise ValueError("compile the model first: model.compile(optimizer=...)")

    def _check_entries(self, dataset):
        for name in self.requires:  # an entry may also come with a part of the images
            if not {name, f"labelled_{name}"} & set(dataset.element_spec):
                raise ValueError(
                    f"{type(self).__name__} needs batches with {name}, these have "
                    f"{', '.join(dataset.element_spec)}"
                )
        for name, spec in dataset.element_spec.items():
            if hasattr(self, "image_shape") and name.endswith("image"):
                # Of several replicas' specs, which are equal, the first.
                shape = tuple(tf.nest.flatten(spec, expand_composites=True)[0].shape)
                fits = tf.TensorShape(shape[1:]).is_compatible_with(self.image_shape)
                if len(shape) != 4 or shape[0] is None or not fits:
                    expected = ", ".join(map(str, self.image_shape))
                    raise ValueError(
                        f"batches of {name} must be [B, {expected}], all of one size B (a "
                        "dataset.batch(n, drop_remainder=True), n a multiple of the replicas), "
                        f"not {list(shape)}"
                    )

    def _forget_compiled(self):
        """Drops the compiled functions; the next call traces them anew."""
        # Not reduce_retracing: one function for two batch sizes would not know its rows.
        self._train_loop = tf.function(self._train_steps)
        self._test_loop = tf.function(self._test_steps)
        self._log_names, self._traced_entries = {}, ""

    def _all_stop(self) -> bool:
        """Whether any worker wants to stop: then all do, after the same step."""
        self.stop_training = any(workers.over_workers(self.stop_training, self.distribute_strategy))
        return self.stop_training

    def _run_steps(self, iterator, count: int) -> np.ndarray:
        """`count` steps; the logs [count, names]. Raises NonFiniteLoss."""
        step_before = int(self.step.numpy())
        with _images_checked():
            rows = self._train_loop(iterator, tf.constant(count)).numpy()
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise NonFiniteLoss(
                f"{self._names_of('train', iterator)[column]} became {rows[row, column]} in step "
                f"{step_before + row + 1}"
            )
        return rows

    def _train_steps(self, iterator, count):
        return self._steps(lambda batch, _: self.train_step(batch), iterator, count)

    def _test_steps(self, iterator, first, count):
        return self._steps(lambda batch, i: self.test_step(batch, first + i), iterator, count)

    def _steps(self, step, iterator, count):
        """`count` calls of step(batch, number) on every replica; the mean logs [count, names]."""
        strategy, self._traced_entries = self.distribute_strategy, _entries(iterator)
        rows = tf.TensorArray(tf.float32, size=count)
        for i in tf.range(count):
            per_replica = strategy.run(step, args=(next(iterator), i))
            rows = rows.write(i, strategy.reduce("MEAN", per_replica, axis=None))
        return rows.stack()


# Callbacks that reach into stock `fit` or its one optimizer, and what does their work here.
_WITHOUT_EFFECT = {
    keras.callbacks.BackupAndRestore: "callbacks.Checkpoint, and callbacks.restore to go on",
    keras.callbacks.LearningRateScheduler: "a schedule as the learning rate of an optimizer",
    keras.callbacks.ReduceLROnPlateau: "a schedule as the learning rate of an optimizer",
    keras.callbacks.SwapEMAWeights: "compile(ema=...)",
}


def _usable_callbacks(callbacks) -> list:
    listed = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in listed:
        for kind, instead in _WITHOUT_EFFECT.items():
            if isinstance(callback, kind):
                raise ValueError(f"{kind.__name__} needs stock Keras; take {instead}")
    return listed


def _entries(iterator) -> str:
    """The names in a batch, as text: a model that is exported may hold no dict with other keys."""
    return " " + ",".join(sorted(iterator.element_spec))


class _Pace:
    """How many steps a call makes: as many as fit into `CALL_SECONDS` by the last call's measure.

    The first call, which also traces and compiles, makes one. Calls end at multiples of `most`, so
    that where steps are fast callbacks see the same steps on every machine.
    """

    def __init__(self, most: int, strategy: tf.distribute.Strategy):
        self.most, self.strategy, self.affordable = most, strategy, 1

    def steps(self, done: int, of: int) -> int:
        """Steps of the next call in a pass of `of` steps; the same in every worker."""
        affordable = min(workers.over_workers(self.affordable, self.strategy))
        return min(affordable, self.most - done % self.most, of - done)

    @contextlib.contextmanager
    def measured(self, count: int):
        """A block that makes `count` steps."""
        begin = time.monotonic()
        yield
        seconds = (time.monotonic() - begin) / count
        self.affordable = max(1, int(min(CALL_SECONDS / max(seconds, 1e-9), self.most)))


class _RunningMean:
    """The mean over an epoch's steps so far, of rows of logs."""

    def __init__(self):
        self.names, self.total, self.count = [], 0.0, 0

    def add(self, names: list[str], rows: np.ndarray):
        self.names = names
        self.total = self.total + rows.sum(axis=0, dtype=np.float64)
        self.count += len(rows)

    def result(self) -> dict[str, float]:
        if not self.count:
            return {}
        return dict(zip(self.names, (self.total / self.count).tolist(), strict=True))


def _distribute(x, batch_size, steps, start, strategy, steps_name="steps_per_epoch"):
    """Any data that `fit` takes, as a distributed dataset of batches, and the steps per epoch."""
    if steps is not None and steps < 1:
        raise ValueError(f"{steps_name} must be at least 1, not {steps}")
    if isinstance(x, np.ndarray):
        x = _array_batches(x, batch_size)
    if hasattr(x, "dataset") and hasattr(x, "steps_per_epoch"):
        steps = steps or x.steps_per_epoch

        def pipeline(context):
            return x.dataset(
                start,
                replicas=context.num_replicas_in_sync,
                pipelines=context.num_input_pipelines,
                pipeline=context.input_pipeline_id,
            )

        return strategy.distribute_datasets_from_function(pipeline), steps
    if not isinstance(x, tf.data.Dataset):
        raise ValueError(
            "x must be tf_bigan.data batches, an array of images or a batched tf.data.Dataset, "
            f"not {type(x).__name__}"
        )
    if steps is None:
        steps = int(x.cardinality())
        if steps == 0:
            raise ValueError("the dataset has no whole batch: use a smaller one")
        if steps < 0:
            raise ValueError(f"{steps_name} is needed for a dataset of unknown length")
    return strategy.experimental_distribute_dataset(x.map(_as_batch).repeat()), steps


def _array_batches(x: np.ndarray, batch_size: int | None) -> ArrayBatches:
    if batch_size is None:
        raise ValueError("batch_size is needed for an array of images")
    if x.ndim != 4:
        raise ValueError(f"images must be an array [N, H, W, C], not {list(x.shape)}")
    if x.dtype != np.uint8:
        x = x.astype(np.float32)
        if x.size and not (x.min() >= 0 and x.max() <= 1):  # NaN fails both comparisons
            raise ValueError(f"images must be in [0, 1], not [{x.min()}, {x.max()}]")
    return ArrayBatches({"image": x}, batch_size)


_OUT_OF_RANGE = "images of a tf.data.Dataset must be uint8, or float in [0, 1]"


def _as_batch(*element):
    """A dataset's element, images or (images, labels) or a dict, as {"image": float in [0, 1]}."""
    if isinstance(element[0], Mapping) and len(element) == 1:
        batch = dict(element[0])
    elif len(element) <= 2 and not isinstance(element[0], Mapping):
        batch = dict(zip(("image", "label"), element, strict=False))
    else:
        raise ValueError(
            "a batch is images, (images, labels) or a dict of them: no weights, nothing else"
        )
    return {name: _usable(name, value) for name, value in batch.items()}


def _usable(name: str, value: tf.Tensor) -> tf.Tensor:
    if name.endswith("label"):
        return tf.cast(value, tf.int64)
    if not name.endswith("image"):
        return value
    if value.dtype == tf.uint8:
        return tf.cast(value, tf.float32) / 255.0
    if not value.dtype.is_floating:
        raise ValueError(f"{name} must be uint8, or float in [0, 1], not {value.dtype.name}")
    value = tf.cast(value, tf.float32)
    within = tf.reduce_all((value >= 0) & (value <= 1))  # NaN fails both comparisons
    with tf.control_dependencies([tf.debugging.Assert(within, [_OUT_OF_RANGE])]):
        return tf.identity(value)


@contextlib.contextmanager
def _images_checked():
    """Makes errors of the user's out of what the pipeline raises: `_usable`, or a file's reader."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if _OUT_OF_RANGE in error.message:
            raise ValueError(_OUT_OF_RANGE) from None
        if "UserError: " in error.message:
            raise UserError(error.message.split("UserError: ")[1].splitlines()[0]) from None
        raise
