"""TensorBoard logs of the training."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_bigan.callbacks.periodic import Periodic
from tf_bigan.callbacks.pictures import (
    interpolation_picture,
    reconstruction_picture,
    sample_picture,
)
from tf_bigan.callbacks.projector import write_projector
from tf_bigan.core.statistics import diagnose
from tf_bigan.data.pixels import to_unit_range

_DIAGNOSED = 128  # images in the batch for histograms and gradient norms
_SHOWN = 32  # images in a picture


class Dashboard(Periodic):
    """Writes curves, histograms, pictures and an embedding for TensorBoard.

    After each call of the training loop: losses and accuracies ("train/..."), speed and learning
    rates. Every few epochs: histograms of logits, gradient norms, pictures. After each epoch:
    validation values, and metrics that callbacks listed before this one added to the logs. At the
    end: the embedding projector. The x-axis is the number of steps, also in a resumed run.

    Args:
        log_dir: the directory of the event files.
        images: real images [N, H, W, C], uint8 or float in [0, 1]: up to 1,000 for the projector,
            the first 32 for pictures.
        labels: their labels [N].
        batch: a batch as in `player_losses`, for histograms and gradient norms. Default: the first
            128 images and labels.
        config: shown as a text table.
        every_epochs: epochs between two sets of histograms and pictures.
        batch_size: global batch size, over all replicas. If given, speed is in images per second,
            else in steps per second.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        images: np.ndarray,
        labels: Sequence | None = None,
        batch: Mapping | None = None,
        config: Mapping | None = None,
        every_epochs: int = 1,
        batch_size: int | None = None,
    ):
        super().__init__(every_epochs)
        images = to_unit_range(images)
        self.log_dir, self.images, self.labels = os.fspath(log_dir), images, labels
        self.config, self.batch_size = config, batch_size
        self._batch = {"image": images[:_DIAGNOSED]}
        if labels is not None:
            self._batch["label"] = np.asarray(labels[:_DIAGNOSED])
        self._batch = dict(batch or self._batch)
        self._train_names: set[str] = set()
        self._writer: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._writer = None  # another callback may still reject the training
        self._call_is_first = True  # it includes compilation, so its speed is not logged

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(os.fsencode(self.log_dir))
            if self.config is not None:
                rows = [f"| {name} | `{value}` |" for name, value in self.config.items()]
                text = "\n".join(["| | |", "|-|-|", *rows])
                with self._writer.as_default(self.step):
                    # A path that is not UTF-8 has characters that cannot be encoded.
                    tf.summary.text("config", text.encode(errors="backslashreplace"))
        super().on_epoch_begin(epoch, logs)
        self._write_metrics(logs or {})

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._first, self._begin = batch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        super().on_train_batch_end(batch, logs)
        speed = (batch + 1 - self._first) / (time.perf_counter() - self._begin)
        values: Any = getattr(self.model, "last_logs", logs)
        self._train_names.update(values)
        with self._writer.as_default(self.step):
            for name, value in values.items():
                tf.summary.scalar(f"train/{name}", value)
            for player in self.model.players:
                rate = self.model.optimizer_of(player).learning_rate
                tf.summary.scalar(f"learning_rate/{player}", rate)
            if not self._call_is_first:
                unit = "steps" if self.batch_size is None else "images"
                tf.summary.scalar(f"speed/{unit}_per_second", speed * (self.batch_size or 1))
        self._call_is_first = False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._write_metrics(logs or {})

    def run(self, epoch: int, logs: dict) -> None:
        pictures = {
            "samples": sample_picture(self.model),
            "reconstructions": reconstruction_picture(self.model, self.images[:_SHOWN]),
            "interpolations": interpolation_picture(self.model, self.images[:_SHOWN]),
        }
        with self._writer.as_default(self.step):
            for name, picture in pictures.items():
                if picture is not None:
                    tf.summary.image(name, picture[None])
            for name, values in diagnose(self.model, self._batch).items():
                if name.startswith("gradient_norm/"):
                    tf.summary.scalar(name, values)
                elif values.dtype != bool:
                    tf.summary.histogram(name, values)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._writer is None:  # there was no epoch to train
            return
        if hasattr(self.model, "encoder"):
            write_projector(self.model, self.log_dir, self.images, self.labels)
        self._writer.close()

    def _write_metrics(self, logs: dict) -> None:
        with self._writer.as_default(self.step):
            for name in logs.keys() - self._train_names:
                group = "validation" if name.startswith("val_") else "metrics"
                tf.summary.scalar(f"{group}/{name.removeprefix('val_')}", logs[name])
        self._writer.flush()
