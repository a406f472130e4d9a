"""Where an image has edges, and in which directions: histograms of oriented gradients."""

import numpy as np
import tensorflow as tf

CELLS = 7  # along each side, at most one per pixel
PIXELS = 8  # of a cell's side; images of twice as many or more are averaged first
DIRECTIONS = 16  # of a full turn: from dark to light is not from light to dark
SHARPNESS = 32.0  # κ of von Mises' distribution: half of its maximum is 12° off
LEAST = 1e-6


def hog(images: tf.Tensor) -> tf.Tensor:
    """The share of an image's edges that each cell has in each direction (HOG, Dalal and Triggs
    2005), as a square root, so that distances are Hellinger's (RootSIFT, Arandjelović and Zisserman
    2012).

    The length of a gradient is shared among the directions by a softmax of κ cos(angle), and among
    the cells around it linearly. So brightness, contrast and how much is drawn do not matter, and
    small shifts and bends matter little.

    Args:
        images: float32 [N, H, W, C]; the histograms of the channels are added.

    Returns:
        float32 [N, F], F at most 7·7·16; the squares of a row sum to 1, or are all 0 for an image
        of one colour.
    """
    factor = max(1, min(images.shape[1:3]) // (CELLS * PIXELS))
    images = tf.nn.avg_pool2d(images, factor, factor, "VALID")
    _, height, width, channels = images.shape
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    # [N, C, directions, pixels] from here on: with directions last it takes twice as long.
    gradient = tf.reshape(tf.stack([down, right]), (2, -1, height * width, channels))
    gradient = tf.transpose(gradient, (1, 3, 0, 2))
    length = tf.norm(gradient, axis=2, keepdims=True)
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    axes = np.stack([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    likeness = tf.exp(axes @ (SHARPNESS * gradient / (length + LEAST)))  # e^κ is a float32
    found = likeness * (length / tf.reduce_sum(likeness, axis=2, keepdims=True))
    found = tf.reshape(tf.reduce_sum(found, axis=1), (-1, DIRECTIONS, height, width))
    rows, columns = _cells(height), _cells(width)
    found = tf.matmul(rows, tf.matmul(found, columns, transpose_b=True))
    found = tf.transpose(found, (0, 2, 3, 1))
    found = tf.reshape(found, (-1, len(rows) * len(columns) * DIRECTIONS))
    return tf.sqrt(found / tf.maximum(tf.reduce_sum(found, axis=1, keepdims=True), LEAST))


def _cells(side: int) -> np.ndarray:
    """The weights of the pixels in each cell, float32 [cells, side]; those of a cell sum to 1.

    A triangle from the middle of the cell before it to the middle of the one after it.
    """
    count = min(CELLS, side)
    size = side / count
    middles = (np.arange(count)[:, None] + 0.5) * size
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(side) + 0.5 - middles) / size)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
