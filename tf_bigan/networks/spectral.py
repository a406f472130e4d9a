"""Spectral normalization (Miyato et al., ICLR 2018): kernels divided by their spectral norm."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common.variables import AutocastScope

_FIRST_ITERATIONS = 15  # of a fresh layer, so that its first steps already have a good estimate
_EPSILON = 1e-12


def _right(matrix: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """v = Wᵀu / ‖Wᵀu‖ [inputs] of a matrix W [outputs, inputs]."""
    return tf.math.l2_normalize(tf.linalg.matvec(matrix, u, transpose_a=True), epsilon=_EPSILON)


def _iterated(matrix: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Wv / ‖Wv‖, the next u. A W of zeros has no direction and leaves u as it is."""
    left = tf.linalg.matvec(matrix, _right(matrix, u))
    normalized = tf.math.l2_normalize(left, epsilon=_EPSILON)
    return tf.where(tf.reduce_any(left != 0.0), normalized, u)


@keras.saving.register_keras_serializable("tf_bigan")
class SingularVector(keras.layers.Layer):
    """The power iteration's estimate u [outputs] of a kernel's first left singular vector."""

    def __init__(self, outputs: int, initializer: Any = "random_normal"):
        super().__init__(dtype="float32")
        self.u = self.add_weight(
            name="u", shape=(outputs,), initializer=initializer, trainable=False
        )
        self.built = True

    def iterate(self, matrix: tf.Tensor) -> None:
        """u <- Wv / ‖Wv‖."""
        self.u.assign(_iterated(matrix, self.u.value))

    def norm(self, matrix: tf.Tensor) -> tf.Tensor:
        """σ = uᵀWv, differentiable in W alone (equation 12); 1 for a W of zeros."""
        u = tf.stop_gradient(tf.convert_to_tensor(self.u.value))
        v = tf.stop_gradient(_right(matrix, u))
        sigma = tf.tensordot(u, tf.linalg.matvec(matrix, v), 1)
        return tf.where(sigma > 0.0, sigma, 1.0)


class _Spectral:
    """A linear layer whose kernel W counts as W / σ.

    A call makes no power iteration; `power_iteration` makes one for all layers in a training step.
    """

    _outputs = -1  # the kernel's axis of outputs

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)  # type: ignore[misc]
        outputs = self.kernel.shape[self._outputs]  # type: ignore[attr-defined]
        self.vector = SingularVector(outputs, self._first_vector)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # W / σ times x is W times x / σ, and leaves the stock layer as it is.
        with AutocastScope(None):  # σ in float32, whatever the layer computes in
            sigma = self.vector.norm(self._matrix())
        return super().call(inputs / tf.cast(sigma, inputs.dtype))  # type: ignore[misc]

    def iterate(self) -> None:
        """One power iteration."""
        self.vector.iterate(self._matrix())

    def _first_vector(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        """u of a fresh kernel.

        An initializer, because a network is built by a symbolic call: kernels have values only
        after it, and assignments in it are lost.
        """
        u = tf.math.l2_normalize(keras.initializers.RandomNormal()(shape, dtype))
        if tf.executing_eagerly():  # in the symbolic call, only the shape counts
            matrix = self._matrix()
            for _ in range(_FIRST_ITERATIONS):
                u = _iterated(matrix, u)
        return u

    def _matrix(self) -> tf.Tensor:
        """The kernel as [outputs, inputs]."""
        kernel = tf.convert_to_tensor(self.kernel.value)  # type: ignore[attr-defined]
        kernel = tf.experimental.numpy.moveaxis(kernel, self._outputs, 0)
        return tf.reshape(kernel, (kernel.shape[0], -1))


@keras.saving.register_keras_serializable("tf_bigan")
class SpectralDense(_Spectral, keras.layers.Dense):
    """`keras.layers.Dense` with a spectrally normalized kernel."""


@keras.saving.register_keras_serializable("tf_bigan")
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a spectrally normalized kernel, a matrix [outputs, h·w·inputs]."""


@keras.saving.register_keras_serializable("tf_bigan")
class SpectralConv2DTranspose(_Spectral, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with a spectrally normalized kernel."""

    _outputs = -2


_SPECTRAL = {
    keras.layers.Dense: SpectralDense,
    keras.layers.Conv2D: SpectralConv2D,
    keras.layers.Conv2DTranspose: SpectralConv2DTranspose,
}


def layer_class(layer: type[keras.layers.Layer], norm: str | None) -> type[keras.layers.Layer]:
    """The class of a layer in a network of this `norm`: its spectral form for "spectral"."""
    return _SPECTRAL[layer] if norm == "spectral" else layer


def power_iteration(networks: Iterable[keras.Model]) -> None:
    """One iteration for each spectrally normalized layer of some networks."""
    for network in networks:
        for layer in network._flatten_layers():
            if isinstance(layer, _Spectral):
                layer.iterate()
