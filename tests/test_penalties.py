"""Penalties of discriminators whose slopes are known in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan import losses, penalties
from tf_bigan.core.randomness import Randomness
from tf_bigan.errors import UserError
from tf_bigan.penalties import DRAGAN, R1, R1R2, GradientPenalty

ROWS, SHAPE, LATENT = 8, (4, 3, 2), 5
SEED = tf.constant([3, 5])
KINDS = [R1, R1R2, GradientPenalty, DRAGAN]


def images(seed):
    return tf.constant(np.random.default_rng(seed).random((ROWS, *SHAPE)), tf.float32)


def latents(seed):
    return tf.constant(np.random.default_rng(seed).normal(size=(ROWS, LATENT)), tf.float32)


def random():
    one = Randomness()
    one.begin(SEED, ROWS)
    return one


def linear(w):
    """D(x) = w·x, with the slope w everywhere."""
    return lambda x: tf.reduce_sum(x * w, (1, 2, 3))[:, None]


def half_square(x):
    """D(x) = ½‖x‖², with the slope x."""
    return 0.5 * tf.reduce_sum(x**2, (1, 2, 3))[:, None]


def half_square_of_pairs(pair):
    """D(x, z) = ½‖x‖² + ‖z‖²: the slopes are x and 2z."""
    x, z = pair
    return 0.5 * tf.reduce_sum(x**2, (1, 2, 3)) + tf.reduce_sum(z**2, 1)


def square_norms(*parts):
    return sum((np.asarray(part) ** 2).reshape(ROWS, -1).sum(1) for part in parts)


def of(penalty, score, real, fake, step=0):
    return float(penalty(score, real, fake, random(), tf.constant(step, tf.int64)))


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("every_row", [1, 3])
def test_of_a_linear_discriminator(scale, every_row):
    """½γ‖w‖² and γ(‖w‖ - 1)², whichever rows are taken."""
    w = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    w *= scale / np.linalg.norm(w)
    pair = images(1), images(2)
    got = of(R1(3.0, every_row), linear(w), *pair)
    assert got == pytest.approx(0.5 * 3.0 * scale**2, rel=1e-5)
    for kind in (GradientPenalty, DRAGAN):
        got = of(kind(3.0, every_row), linear(w), *pair)
        assert got == pytest.approx(3.0 * (scale - 1) ** 2, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("every_row", [1, 2, 3, 8, 20])
def test_r1_is_at_every_kth_real_row(every_row):
    real, fake = images(1), images(2)
    expected = 0.5 * 0.7 * square_norms(real)[::every_row].mean()
    assert of(R1(0.7, every_row), half_square, real, fake) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("every_row", [1, 3])
def test_r1r2_is_at_real_and_at_generated_rows(every_row):
    real, fake = images(1), 2 * images(2)
    expected = sum(0.5 * 0.7 * square_norms(x)[::every_row].mean() for x in (real, fake))
    assert of(R1R2(0.7, every_row), half_square, real, fake) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("every_row", [1, 3])
def test_a_gradient_penalty_is_between_real_and_generated_rows(every_row):
    """With one t for each row."""
    real, fake = images(1), images(2)
    t = random().uniform().numpy()
    assert len(set(t)) == ROWS
    t = t.reshape(-1, 1, 1, 1)
    norm = np.sqrt(square_norms(t * real + (1 - t) * fake))[::every_row]
    expected = 7.0 * ((norm - 1) ** 2).mean()
    got = of(GradientPenalty(7.0, every_row), half_square, real, fake)
    assert got == pytest.approx(expected, rel=1e-5)


def test_dragan_is_around_real_rows():
    """At x + t·½σu, u of each entry and σ of the whole batch; generated rows have no part in it."""
    real = images(1)
    source = random()
    t = source.uniform().numpy().reshape(-1, 1, 1, 1)
    u = source.uniform(SHAPE).numpy()
    assert len(set(u.ravel())) == u.size
    points = real + 0.5 * t * np.std(real) * u
    assert 0.01 < np.abs(points - real).max() <= 0.5 * np.std(real)
    expected = 7.0 * ((np.sqrt(square_norms(points)) - 1) ** 2).mean()
    for fake in (images(2), images(3)):
        assert of(DRAGAN(7.0), half_square, real, fake) == pytest.approx(expected, rel=1e-5)


def test_both_parts_of_a_pair_count():
    real, fake = [images(1), latents(1)], [images(2), latents(2)]
    got = of(R1(1.0, 1), half_square_of_pairs, real, fake)
    expected = 0.5 * square_norms(real[0], 2 * real[1]).mean()
    assert got == pytest.approx(expected, rel=1e-5)
    # The same t for both parts.
    t = random().uniform().numpy()
    x = t.reshape(-1, 1, 1, 1) * real[0] + (1 - t.reshape(-1, 1, 1, 1)) * fake[0]
    z = t[:, None] * real[1] + (1 - t[:, None]) * fake[1]
    expected = ((np.sqrt(square_norms(x, 2 * z)) - 1) ** 2).mean()
    got = of(GradientPenalty(1.0), half_square_of_pairs, real, fake)
    assert got == pytest.approx(expected, rel=1e-5)
    # Each part has its own spread and noise.
    source = random()
    t = source.uniform().numpy()
    x = real[0] + 0.5 * t.reshape(-1, 1, 1, 1) * np.std(real[0]) * source.uniform(SHAPE).numpy()
    z = real[1] + 0.5 * t[:, None] * np.std(real[1]) * source.uniform((LATENT,)).numpy()
    expected = ((np.sqrt(square_norms(x, 2 * z)) - 1) ** 2).mean()
    assert of(DRAGAN(1.0), half_square_of_pairs, real, fake) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lazy_penalty_acts_in_one_of_k_steps_and_k_times_as_strong(kind):
    pair = images(1), images(2)
    each = of(kind(2.0), half_square, *pair)
    assert each > 0.1
    values = [of(kind(2.0, every_step=4), half_square, *pair, step) for step in range(9)]
    expected = [4 * each if step % 4 == 0 else 0.0 for step in range(9)]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_halves_in_each_half_life(kind):
    pair, steps = (images(1), images(2)), (0, 1, 4, 8, 32)
    start = of(kind(2.0), half_square, *pair)
    values = [of(kind(2.0, half_life=4), half_square, *pair, step) for step in steps]
    expected = [start, start * 2**-0.25, start / 2, start / 4, start / 256]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    lazy = [of(kind(2.0, 1, 2, half_life=4), half_square, *pair, step) for step in (3, 4)]
    np.testing.assert_allclose(lazy, [0.0, of(kind(2.0, 1), half_square, *pair)], rtol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
def test_its_gradient_in_the_weights(traced):
    """d/dw ½γ‖w‖² = γw, and d/dw γ(‖w‖ - 1)² = 2γ(‖w‖ - 1) w/‖w‖: it pulls from both sides."""
    real, fake = images(1), images(2)

    def gradient(penalty, w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = penalty(linear(w), real, fake, random(), tf.constant(8, tf.int64))
        return tape.gradient(value, w)

    if traced:
        gradient = tf.function(gradient)
    for scale in (0.5, 2.0):
        w = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
        w *= scale / np.linalg.norm(w)
        for every_step in (1, 4):
            of_w = gradient(R1(3.0, every_step=every_step), tf.constant(w))
            assert_close(of_w, every_step * 3.0 * w)
            of_w = gradient(R1R2(3.0, every_step=every_step), tf.constant(w))
            assert_close(of_w, 2 * every_step * 3.0 * w)
            for kind in (GradientPenalty, DRAGAN):
                of_w = gradient(kind(3.0, every_step=every_step), tf.constant(w))
                assert_close(of_w, every_step * 6.0 * (scale - 1) * w / scale, 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_constants(kind):
    """The penalty is D's alone: it has no gradient in what G or E gave."""
    real, fake = images(1), images(2)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = kind()(half_square, real, fake, random(), tf.constant(0, tf.int64))
    assert float(value) > 0
    assert tape.gradient(value, [real, fake]) == [None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_discriminator(kind):
    """Its slope is 0, where a norm has no derivative: value and gradient are finite."""
    w = tf.zeros(SHAPE)
    with tf.GradientTape() as tape:
        tape.watch(w)
        value = kind(3.0)(linear(w), images(1), images(2), random(), tf.constant(0, tf.int64))
    assert float(value) == pytest.approx(0.0 if issubclass(kind, R1) else 3.0, rel=1e-4)
    assert np.isfinite(tape.gradient(value, w)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_rows_than_the_batch(kind):
    """As a system judges that has few labelled rows."""
    real, fake = images(1)[:5], images(2)[:5]
    assert np.isfinite(of(kind(1.0), half_square, real, fake))


def test_scores_of_any_shape_and_dtype():
    """The slope of the sum of what D gives, in float32."""
    real, w = images(1), np.float32(0.25)
    got = of(R1(2.0, 1), lambda x: tf.cast(tf.reduce_sum(x * w, (1, 2)), tf.bfloat16), real, real)
    assert got == pytest.approx(np.prod(SHAPE) * 0.25**2, rel=1e-5)


def test_two_replicas_have_the_points_of_one():
    """Each its rows, t from one draw for the global batch."""
    real, fake = images(1), images(2)
    whole = of(GradientPenalty(1.0), half_square, real, fake)
    parts = []
    for replica in range(2):
        source, rows = Randomness(), slice(4 * replica, 4 * replica + 4)
        source.begin(SEED, 4, replica, 2)
        step = tf.constant(0, tf.int64)
        parts.append(GradientPenalty(1.0)(half_square, real[rows], fake[rows], source, step))
    assert float(sum(parts)) / 2 == pytest.approx(whole, rel=1e-5)


def test_defaults():
    in_time = {"every_step": 1, "half_life": None}
    for kind in (R1, R1R2):
        assert kind().get_config() == {"gamma": 1.0, "every_row": 4} | in_time
    for kind in (GradientPenalty, DRAGAN):
        assert kind().get_config() == {"gamma": 10.0, "every_row": 1} | in_time


def test_penalties_by_name_and_from_their_config():
    assert penalties.get("none") is None and penalties.get(None) is None
    for name, kind in penalties.PENALTIES.items():
        one = penalties.get(f"{name}:gamma=0.3,every_row=2,every_step=16,half_life=500")
        assert type(one) is kind and penalties.get(one) is one
        assert (one.gamma, one.every_row, one.every_step) == (0.3, 2, 16)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
        assert type(copy) is kind and copy.get_config() == one.get_config()
        assert one.half_life == copy.half_life == 500
        assert (copy.gamma, copy.every_row, copy.every_step) == (0.3, 2, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r2", "^penalty=r2 is unknown; did you mean r1"),
        ("r1:gama=1", "^penalty: no argument gama; did you mean gamma"),
        ("r1:gamma=much", "^penalty: gamma=much: it must be a float$"),
        ("r1:gamma=-1", r"^penalty: gamma=-1.0: it must be a float in \[0, inf\)$"),
        ("gradient:every_row=0", r"^penalty: every_row=0: it must be an int in \[1, inf\)$"),
        ("r1:half_life=0", r"^penalty: half_life=0: it must be an int in \[1, inf\)$"),
        ("dragan:every_step=1.5", "^penalty: every_step=1.5: it must be an int$"),
    ],
)
def test_mistakes_in_a_penalty(text, message):
    with pytest.raises(UserError, match=message):
        penalties.get(text)
    with pytest.raises(UserError, match="^every_row=0: it must be an int"):
        R1(every_row=0)


@pytest.mark.parametrize("kind", ["r1", "r1r2", "gradient", "dragan"])
def test_labels_have_no_slope(kind):
    """D of (x, an integer label): the penalty is that of D(·, label)."""
    scales = tf.constant([1.0, 3.0])
    x = tf.reshape(tf.range(12.0), (4, 3)) / 12.0
    label = tf.constant([0, 1, 1, 0])

    def score(inputs):
        rows, of = inputs
        return tf.gather(scales, of) * tf.reduce_sum(rows, 1)

    penalty = penalties.get(f"{kind}:gamma=2,every_row=1")
    random = Randomness()
    random.begin(tf.constant([0, 0]), 4)
    other = tf.constant([1, 1, 1, 0]) if kind == "r1r2" else label
    found = penalty(score, [x, label], [x, other], random, tf.constant(0))
    squares = 3 * np.array([1.0, 9.0, 9.0, 1.0])  # of the norms
    terms = squares / 2 if kind == "r1" else (np.sqrt(squares) - 1) ** 2
    if kind == "r1r2":
        terms = (squares + 3 * np.array([9.0, 9.0, 9.0, 1.0])) / 2
    assert float(found) == pytest.approx(2 * terms.mean(), rel=1e-5)


def test_something_else_is_refused():
    for wrong in (penalties.R1, 1.0):
        with pytest.raises(UserError, match="^penalty=.*: give a name, as 'r1', or an object"):
            penalties.get(wrong)
    with pytest.raises(UserError, match="^loss=.*: give a name, as 'hinge', or an object"):
        losses.get(losses.Hinge)
