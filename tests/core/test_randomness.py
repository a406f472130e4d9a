"""Random numbers inside the losses: new at each call, and the same for any number of replicas."""

import random

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core.randomness import Randomness, seeded


def draws(rows=6, replica=0, replicas=1, seed=(3, 4)):
    stream = Randomness()
    stream.begin(np.array(seed, np.int32), rows, replica, replicas)
    return [stream.normal((2,)).numpy(), stream.normal((2,)).numpy(), stream.uniform().numpy()]


def test_replicas_share_one_draw():
    whole = draws(rows=6)
    halves = [draws(rows=3, replica=r, replicas=2) for r in range(2)]
    for one, *parts in zip(whole, *halves, strict=True):
        np.testing.assert_array_equal(one, np.concatenate(parts))


def test_calls_and_seeds_differ_and_a_seed_repeats():
    first, second, _ = draws()
    assert np.abs(first - second).min() > 0
    assert np.abs(first - draws(seed=(3, 5))[0]).min() > 0
    np.testing.assert_array_equal(first, draws()[0])


def test_distributions():
    normal, _, uniform = draws(rows=40_000)
    np.testing.assert_allclose([normal.mean(), normal.std()], [0, 1], atol=0.02)
    assert uniform.shape == (40_000,) and uniform.min() > 0 and uniform.max() < 1
    np.testing.assert_allclose([uniform.mean(), uniform.std()], [0.5, 12**-0.5], atol=0.01)


def test_uniform_is_never_0_or_1_and_seldom_twice_the_same():
    """The middles of 2²³ equal cells: of 40,000 some 95 fall where another one is."""
    uniform = draws(rows=40_000)[2]
    np.testing.assert_array_equal(uniform * 2.0**24 % 2, 1)
    assert 39_850 < len(np.unique(uniform)) < 39_960


def test_xla_takes_the_seed_as_an_argument():
    """A constant of the compiled program would make XLA compile every step anew."""

    @tf.function(jit_compile=True)
    def draw(key):
        stream = Randomness()
        stream.begin(key[:2], 3, key[2], 2)
        return stream.normal((2,))

    program = draw.experimental_get_compiler_ir(tf.constant([3, 4, 1]))(stage="hlo")
    assert "s32[3]{0} parameter(0)" in program
    here = draws(rows=3, replica=1, replicas=2)[0]
    np.testing.assert_allclose(draw(tf.constant([3, 4, 1])), here, rtol=1e-5)


def test_seeded_repeats_and_leaves_the_global_generators_as_they_were():
    def draw():
        return [
            random.random(),
            np.random.random(),
            float(tf.random.normal(())),
            float(keras.random.normal(())),
            keras.initializers.GlorotUniform()((2, 2)).numpy().tolist(),
        ]

    def draw_after(block):
        keras.utils.set_random_seed(5)
        same_seed = tf.function(lambda: tf.random.normal((), seed=3))
        first = draw(), float(same_seed())
        with block:
            inside = draw()
        return first, inside, draw(), float(same_seed())

    with_it, again = draw_after(seeded(1)), draw_after(seeded(1))
    assert with_it == again
    without = draw_after(seeded(2))
    assert (with_it[0], *with_it[2:]) == (without[0], *without[2:]) and with_it[1] != without[1]
    keras.utils.set_random_seed(5)
    assert with_it[0][0] == draw() and with_it[2] == draw()
    keras.utils.set_random_seed(1)
    assert with_it[1] == draw()  # the initial weights are those of Keras's own function
