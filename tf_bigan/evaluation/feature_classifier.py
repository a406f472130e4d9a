"""A small classifier of the data set's own classes, whose features replace those of Inception.

FID, KID and the Inception Score use a network trained on ImageNet photographs. For the FID-like,
KID-like and Inception-Score-like metrics here, a classifier of the data's own classes is used: its
features suit digits better, and need no download.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from tf_bigan.atomic import atomically
from tf_bigan.constraints import Count, Seed, check
from tf_bigan.errors import UserError
from tf_bigan.evaluation.checks import (
    Unmeasurable,
    as_class_labels,
    as_images,
    check_same_image_shape,
)
from tf_bigan.evaluation.frechet import frechet_distance

_BATCH, _LEARNING_RATE = 128, 2e-3
_FEATURES = 64
_LEAST_IMAGES = 20
_MOST_VALIDATION = 5000  # images, enough to measure an accuracy to a fraction of a percent
_BLOCK_PIXELS = 1_000_000  # pixels per block


@dataclass(frozen=True)
class FeatureClassifier:
    """A trained classifier, its accuracy and a digest that identifies it.

    Attributes:
        model: images [B, H, W, C] in [0, 1] -> features [B, 64] and logits [B, K].
        classes: the label of each output, [K] integers, ascending.
        accuracy: accuracy in percent on held-out training images.
        seed: random seed of the split, the weights and the order of the images.
        digest: 16 hexadecimal digits of the SHA-256 of the weights. Values measured with different
            classifiers, even if only the seed differs, are not comparable.
    """

    model: keras.Model
    classes: np.ndarray
    accuracy: float
    seed: int
    digest: str

    def __call__(self, images: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Features [N, 64] and class probabilities [N, K], both float32.

        Args:
            images: [N, H, W, C] in [0, 1], of the size of the training images.

        Raises:
            Unmeasurable: a wrong rank, range or size, or NaN.
        """
        images = as_images(images, "images")
        if images.shape[1:] != self.model.input_shape[1:]:
            raise Unmeasurable(
                f"images: expected {self.model.input_shape[1:]} as the classifier was trained on, "
                f"got {images.shape[1:]}"
            )
        features, logits = _outputs(self.model, images)
        unnormalised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return features, unnormalised / unnormalised.sum(axis=1, keepdims=True)


def train_feature_classifier(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    seed: Seed = 0,
    steps: Count = 1000,
    path: str | os.PathLike | None = None,
    progress: bool = False,
) -> FeatureClassifier:
    """Trains a small convolutional classifier; the result depends only on the arguments.

    A tenth of the images, at most 5,000, is held out to measure the accuracy. The rest is used for
    training with Adam and a cosine decay of the learning rate; 1,000 steps of 128 images are two
    passes over MNIST.

    Args:
        images: training images [N, H, W, C] in [0, 1], N >= 20.
        labels: their classes [N], integers of at least two classes.
        seed: random seed of the split, the weights and the order of the images.
        steps: number of updates.
        path: a `.keras` file, or a directory with one file for each set of arguments. If the file
            exists, the classifier is read from it, otherwise it is written there. A file trained
            with other arguments is an error. Several programs may use one path.
        progress: show a progress bar on a terminal.

    Raises:
        Unmeasurable: images or labels of a wrong shape, range or number, a single class, or NaN.
        UserError: the file is not a classifier of these images and settings, or cannot be written;
            seed or steps is out of range.
    """
    images = as_images(images, "images")
    labels = as_class_labels(labels, "labels", len(images)).astype(np.int64)
    if len(images) < _LEAST_IMAGES:
        raise Unmeasurable(f"images: expected at least {_LEAST_IMAGES}, got {len(images)}")
    check("seed", seed, Seed)
    check("steps", steps, Count)
    if path is not None and os.path.splitext(path)[1] not in ("", ".keras"):
        raise UserError(f"path={path}: give a name that ends in .keras, or a directory")

    classes, targets = np.unique(labels, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(images))
    validation, training = np.split(order, [min(len(images) // 10, _MOST_VALIDATION)])
    name = f"classifier_{_digest(images, labels, np.array([seed, steps]))}"
    if path is not None:
        path = _file(os.fspath(path), name)
    if path is not None and os.path.exists(path):
        model = _load(path, name)
    else:
        # Opened first: a place that cannot be written is an error before the training.
        with contextlib.nullcontext() if path is None else atomically(path) as temporary:
            model = _build(images.shape[1:], len(classes), seed, name)
            _train(model, images, targets, training, seed, steps, progress)
            if temporary is not None:
                model.save(temporary)
    _, logits = _outputs(model, images[validation])
    return FeatureClassifier(
        model=model,
        classes=classes,
        accuracy=100 * float(np.mean(logits.argmax(axis=1) == targets[validation])),
        seed=seed,
        digest=_digest(*model.get_weights()),
    )


def fd_classifier(
    classifier: FeatureClassifier, images_a: npt.ArrayLike, images_b: npt.ArrayLike
) -> float:
    """FID-like: the Fréchet distance of two sets of images in the features of a classifier.

    Compare only values of the same classifier (the same digest) with the same numbers of images.
    It is not comparable with the FID of the Inception network.

    Args:
        classifier: from `train_feature_classifier`.
        images_a: [N, H, W, C] in [0, 1], N >= 2.
        images_b: [M, H, W, C] in [0, 1], M >= 2.

    Raises:
        Unmeasurable: a wrong rank, range or size, or NaN.
    """
    images_a, images_b = as_images(images_a, "images_a"), as_images(images_b, "images_b")
    check_same_image_shape(images_a, "images_a", images_b, "images_b")
    return frechet_distance(classifier(images_a)[0], classifier(images_b)[0])


def _build(image_shape, classes: int, seed: int, name: str) -> keras.Model:
    """Convolutions with stride 2 until no side is longer than 7, a hidden layer, and the logits."""
    seeds = iter(np.random.default_rng(seed).integers(0, 2**31, 99).tolist())

    # All seeds and the dtype are explicit, because global settings must not change the result.
    def settings():
        initializer = keras.initializers.HeNormal(seed=next(seeds))
        return {"kernel_initializer": initializer, "dtype": "float32"}

    x = inputs = keras.Input(image_shape, dtype="float32")
    for i in range(max(1, math.ceil(math.log2(max(image_shape[:2]) / 7)))):
        channels = min(32 * 2**i, 128)
        x = keras.layers.Conv2D(
            channels,
            3,
            strides=2,
            padding="same",
            data_format="channels_last",
            activation="relu",
            **settings(),
        )(x)
    x = keras.layers.Flatten("channels_last", dtype="float32")(x)
    features = keras.layers.Dense(_FEATURES, activation="relu", **settings())(x)
    logits = keras.layers.Dense(classes, **settings())(features)
    return keras.Model(inputs, [features, logits], name=name)


def _train(model, images, targets, rows, seed, steps, progress) -> None:
    trained = keras.Model(model.input, model.outputs[1])
    trained.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # independent of the machine's default for compilation
    )
    rng = np.random.default_rng(seed)
    order = np.zeros(0, np.int64)
    for _ in tqdm(
        range(steps), "train classifier", leave=False, disable=None if progress else True
    ):
        if len(order) < _BATCH:
            passes = math.ceil(_BATCH / len(rows))
            order = np.concatenate([order, *(rng.permutation(rows) for _ in range(passes))])
        batch, order = np.split(order, [_BATCH])
        trained.train_on_batch(images[batch], targets[batch])


def _outputs(model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and logits, block by block."""
    step = max(1, _BLOCK_PIXELS // math.prod(images.shape[1:3]))
    blocks = [
        model.predict_on_batch(images[start : start + step])
        for start in range(0, len(images), step)
    ]
    features, logits = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return features, logits


def _file(path: str, name: str) -> str:
    """The file itself, or a file of this name in the directory."""
    return path if path.endswith(".keras") else os.path.join(path, f"{name}.keras")


def _load(path: str, name: str) -> keras.Model:
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:
        raise UserError(f"path={path} cannot be read: remove it to train again") from error
    if model.name != name:  # the name identifies its training arguments
        raise UserError(
            f"path={path} holds a classifier of other images, labels, seed or steps: "
            "remove it to train again, or use another path"
        )
    return model


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
