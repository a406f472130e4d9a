"""A lower bound of the time of one step on this machine.

It counts a step's matrix products (convolutions as equivalent products), each at the speed that the
machine reaches on it alone, and Adam's memory traffic at the memory bandwidth. Activations, batch
norm, casts, input and Python are not counted.
"""

import time
from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import ours
from benchmarks.setting import Setting

# Adam reads w, m, v and the gradient, and writes w, m, v: float32 each.
ADAM_BYTES = 7 * 4
# Products with different right sides in one call, so that the overhead of calls is small.
PRODUCTS_A_CALL = 8


class Product(NamedTuple):
    """[rows, inner] @ [inner, columns]."""

    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.inner * self.columns

    def weight_gradient(self) -> "Product":
        """[inner, rows] @ [rows, columns]."""
        return Product(self.inner, self.rows, self.columns)

    def input_gradient(self) -> "Product":
        """[rows, columns] @ [columns, inner]."""
        return Product(self.rows, self.columns, self.inner)


class LayerProduct(NamedTuple):
    """A layer's product in the forward pass, and the dependencies of its left side."""

    product: Product
    on_weights: bool
    on_inputs: frozenset[int]


def forward(network, batch: int, *input_shapes: tuple[int, ...]) -> list[LayerProduct]:
    """The products of a network's forward pass on `batch` rows, from its traced graph."""
    specs = [tf.TensorSpec((batch, *shape)) for shape in input_shapes]
    function = tf.function(lambda *xs: network(xs if len(xs) > 1 else xs[0], training=True))
    graph = function.get_concrete_function(*specs).graph
    position = {tensor.op.name: i for i, tensor in enumerate(graph.inputs[: len(specs)])}
    products, sources = [], {}
    for op in graph.get_operations():  # in the order of creation: a op's inputs come before it
        on = frozenset().union(*(sources[tensor.op.name] for tensor in op.inputs))
        if op.name in position:
            on = frozenset({position[op.name]})
        elif op.type in _PRODUCTS:
            product, left = _PRODUCTS[op.type](op)
            on_left = sources[left.op.name]
            products.append(LayerProduct(product, WEIGHTS in on_left, on_left - {WEIGHTS}))
            on = on | {WEIGHTS}
        sources[op.name] = on
    return products


# The output of a product depends on a weight; batch norm's weights always come after a product.
WEIGHTS = -1


def _matmul(op):
    (rows, inner), (_, columns) = op.inputs[0].shape, op.inputs[1].shape
    return Product(rows, inner, columns), op.inputs[0]


def _conv(op):
    height, width, inner, columns = op.inputs[1].shape
    positions = int(np.prod(op.outputs[0].shape[:3]))
    return Product(positions, height * width * inner, columns), op.inputs[0]


def _transposed_conv(op):
    kernel, maps = op.inputs[1].shape, op.inputs[2]
    return Product(int(np.prod(maps.shape[:3])), maps.shape[3], int(np.prod(kernel[:3]))), maps


_PRODUCTS = {"MatMul": _matmul, "Conv2D": _conv, "Conv2DBackpropInput": _transposed_conv}


def step_products(setting: Setting) -> Counter:
    """{product: minimal count} of one simultaneous step.

    E and G have one batch each, D has two, which can be joined in one product. A gradient with
    respect to a product's input is needed if that input depends on trained weights.
    """
    model, batch = ours.make(setting), setting.batch
    x, z = setting.image_shape, (setting.latent,)
    counter = Counter()
    for layers in (
        forward(model.encoder, batch, x),
        forward(model.generator, batch, z),
        forward(model.discriminator, 2 * batch, x, z),
    ):
        for layer in layers:
            counter[layer.product] += 1
            counter[layer.product.weight_gradient()] += 1
            if layer.on_weights:
                counter[layer.product.input_gradient()] += 1
    # The loss of E and G is backpropagated through D to z_hat (real rows) and x_fake (fake rows).
    to_x, to_z = 0, 1
    for layer in forward(model.discriminator, batch, x, z):
        for target in (to_x, to_z):
            if target in layer.on_inputs:
                counter[layer.product.input_gradient()] += 1
    return counter


class Limit:
    """Measures the machine, with the interface of a variant.

    dtype: "float32" or "bfloat16", of the products; Adam always uses float32.
    """

    def __init__(self, setting: Setting, dtype: str):
        self.products = step_products(setting)
        rng = np.random.default_rng(0)

        def operand(*shape):
            return tf.cast(tf.constant(rng.normal(size=shape), tf.float32), dtype)

        self.calls = {}
        for product in self.products:
            left = operand(product.rows, product.inner)
            rights = [operand(product.inner, product.columns) for _ in range(PRODUCTS_A_CALL)]
            # A CPU's products use oneDNN without XLA, Eigen with it: the faster one counts.
            self.calls[product] = [
                partial(_compiled(xla, left, rights), left, rights) for xla in (False, True)
            ]
        # As many bytes as Adam's four arrays, which may fit into a cache.
        model = ours.make(setting)
        self.weights = sum(int(np.prod(v.shape)) for vs in ours.weights(model).values() for v in vs)
        self.memory = tf.Variable(tf.zeros(2 * self.weights))
        self.addend = tf.ones(2 * self.weights)

    def flops(self) -> int:
        """Floating-point operations of a step's products."""
        return sum(product.flops * count for product, count in self.products.items())

    def seconds_of(self, steps: int) -> float:
        """Seconds that `steps` steps would take; each part is measured for a similar time."""
        products = 0.0
        for product, count in self.products.items():
            times = -(-steps * count // PRODUCTS_A_CALL)
            seconds = min(_seconds_a_call(call, times) for call in self.calls[product])
            products += count * seconds / PRODUCTS_A_CALL
        # x += y reads two arrays and writes one.
        seconds_a_byte = _seconds_a_call(self._add, steps) / (3 * 4 * 2 * self.weights)
        return steps * (products + ADAM_BYTES * self.weights * seconds_a_byte)

    def _add(self):
        self.memory.assign_add(self.addend)


def _multiply(left, rights):
    return [tf.matmul(left, right) for right in rights]


def _compiled(xla: bool, left, rights):
    return tf.function(_multiply, jit_compile=xla).get_concrete_function(left, rights)


def _seconds_a_call(call, times: int) -> float:
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    tf.test.experimental.sync_devices()  # a GPU runs asynchronously
    return (time.perf_counter() - start) / times
