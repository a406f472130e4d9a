"""Distances from a row to the nearest training rows, and local densities."""

import functools

import numpy as np
import tensorflow as tf

from tf_bigan.estimators.anomaly.arrays import Arrays, rows_at_once

LEAST = 1e-12  # a lower bound, so that logarithms and ratios of distances are finite
SAME = 1e-3  # a row this close, relative to its usual distance, is the same row up to rounding
NEAREST = 3  # neighbours of a distance; `n_neighbors` are those of a density
SEARCHED = 64  # principal coordinates in which neighbours of longer rows are searched
GROUP = 32  # reference rows whose nearest one decides whether they are looked at singly
FARTHEST = np.finfo(np.float32).max


class Neighbours(Arrays):
    """Nearest-neighbour distances to reference rows.

    Long rows are searched by their first principal coordinates and the norms of what these leave
    out; the distances to those found are exact.

    Args:
        rows: [N, F], N >= 2.
        n_neighbors: k, at most N - 1 are used.
    """

    def __init__(self, rows: np.ndarray, n_neighbors: int):
        rows = np.asarray(rows, np.float32)
        # Of a mean, one row that is far away leaves float32 no digits for the others.
        centre = np.median(rows, axis=0)
        axes = np.zeros((0, 0), np.float32)
        if rows.shape[1] > SEARCHED:
            from sklearn.decomposition import PCA

            components = min(SEARCHED, len(rows))
            solver = "randomized" if components < 0.8 * min(rows.shape) else "full"
            sample = rows[:: max(1, len(rows) // 5000)]
            components = min(components, len(sample))
            with np.errstate(invalid="ignore"):  # shares of the variance of equal rows, which is 0
                pca = PCA(components, svd_solver=solver, random_state=0).fit(sample)
            axes = pca.components_.T.astype(np.float32)
        short, rest = _searched(rows - centre, axes)
        # 2ab - ‖b‖² as one product with the row (a, 1); the columns at the end are of no row.
        bank = np.append(2.0 * short, -((short**2).sum(axis=1) + rest)[:, None], axis=1).T
        bank = np.pad(bank, [(0, 0), (0, -len(rows) % GROUP)])
        bank[-1, len(rows) :] = -FARTHEST
        k = min(n_neighbors, len(rows) - 1)
        super().__init__(
            rows=rows,
            centre=centre,
            axes=axes,
            bank=bank,
            usual=np.ones(len(rows), np.float32),
            k=k,
        )
        # A partial, because TensorFlow warns of many tracings of one method.
        search = tf.function(functools.partial(self.search))
        distances = []
        count = rows_at_once(rows.shape[1])
        for start in range(0, len(rows), count):
            found, nearest = (part.numpy() for part in search(rows[start : start + count]))
            own = np.arange(start, start + len(found))[:, None]
            # A row is not its own neighbour. With many equal rows, it may not be found at all.
            itself = np.where(
                (nearest == own).any(axis=1),
                (nearest == own).argmax(axis=1),
                0,
            )
            keep = np.arange(found.shape[1])[None] != itself[:, None]
            distances.append(found[keep].reshape(len(found), k))
        self.usual.assign(np.maximum(np.concatenate(distances).mean(axis=1), LEAST))

    def measure(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compares rows [M, F] with the reference rows.

        A reference row does not count as its own neighbour; it would look more normal than new
        rows.

        Returns:
            distance  mean Euclidean distance to the `NEAREST` nearest rows, [M]
            density   mean distance to the k nearest rows, divided by its mean over these k rows,
                      [M]: a local outlier factor (Breunig et al. 2000) without reachability
                      distances; about 1 for an inlier
            nearest   the number of the reference row that is nearest, int32 [M]
            itself    whether that is the row itself, bool [M]
        """
        distances, nearest = self.search(rows)
        usual = tf.convert_to_tensor(self.usual)  # see `search`
        itself = distances[:, :1] <= SAME * tf.gather(usual, nearest[:, :1])
        others = tf.where(itself, distances[:, 1:], distances[:, :-1])
        usual = tf.gather(usual, tf.where(itself, nearest[:, 1:], nearest[:, :-1]))
        mean = tf.maximum(tf.reduce_mean(others, axis=1), LEAST)
        return {
            "distance": tf.maximum(tf.reduce_mean(others[:, :NEAREST], axis=1), LEAST),
            "density": mean / tf.reduce_mean(usual, axis=1),
            "nearest": nearest[:, 0],
            "itself": itself[:, 0],
        }

    def search(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(distances, numbers) of the k + 1 nearest reference rows, [M, k + 1], ascending.

        A reference row is among its own.
        """
        centred = rows - self.centre
        short = centred if self.axes.shape[0] == 0 else centred @ self.axes
        # -‖a - b‖² without ‖a‖², the same for all b. The rest of a is taken as orthogonal to b's.
        near = tf.pad(short, [[0, 0], [0, 1]], constant_values=1.0) @ self.bank
        nearest = _largest(near, self.k + 1)
        # The tensor, because TensorFlow gathers from a variable even where no result needs it.
        apart = tf.gather(tf.convert_to_tensor(self.rows), nearest) - rows[:, None]
        distances = tf.sqrt(tf.reduce_sum(apart**2, axis=2))
        order = tf.argsort(distances, axis=1, stable=True)
        return tf.gather(distances, order, batch_dims=1), tf.gather(nearest, order, batch_dims=1)


def _largest(values: tf.Tensor, k: int) -> tf.Tensor:
    """The columns of the k largest values of each row, [M, N] -> int32 [M, k].

    They are in the k groups of columns whose largest values are largest. N is a multiple of
    `GROUP`. One top_k of all columns takes several times as long.
    """
    groups = values.shape[1] // GROUP
    largest = tf.reduce_max(tf.reshape(values, (-1, GROUP, groups)), axis=1)
    _, chosen = tf.math.top_k(largest, min(k, groups))
    columns = chosen[:, None, :] + groups * tf.range(GROUP)[None, :, None]
    columns = tf.reshape(columns, (-1, GROUP * min(k, groups)))
    _, places = tf.math.top_k(tf.gather(values, columns, batch_dims=1), k)
    return tf.gather(columns, places, batch_dims=1)


def _searched(centred: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(coordinates to search by [N, S], squared norm of what they leave out [N])."""
    if axes.size == 0:
        return centred, np.zeros(len(centred), np.float32)
    short = centred @ axes
    return short, np.maximum((centred**2).sum(axis=1) - (short**2).sum(axis=1), 0.0)
