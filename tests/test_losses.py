"""Losses against the formulas of their papers, in NumPy and by hand."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_bigan import losses
from tf_bigan.errors import UserError
from tf_bigan.losses import reconstruction_loss, squared_error

# D says 3/4 and 1/2 of the real rows, 1/4 and 1/5 of the fake ones.
REAL = tf.constant([[math.log(3.0)], [0.0]])
FAKE = tf.constant([[-math.log(3.0)], [-math.log(4.0)]])
# On both sides of the hinges at 1 and -1, and not as many of the one kind as of the other.
SMOOTHED = ("logistic", "minimax", "relativistic")
LOGITS_REAL = np.array([[2.0], [0.5], [-0.3], [-1.7]])
LOGITS_FAKE = np.array([[-2.2], [-0.4], [0.9], [1.6], [0.1]])


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def by_formula(name, smoothing=0.0):
    """(D's loss, a GAN's G's, E's and G's of pairs) of real logits r and generated ones f."""
    r, f = LOGITS_REAL, LOGITS_FAKE
    if name in ("logistic", "minimax"):
        real = -((1 - smoothing) * log_sigmoid(r) + smoothing * log_sigmoid(-r)).mean()
        fake = -log_sigmoid(-f).mean()
        if name == "minimax":
            return real + fake, -fake, -real - fake
        as_real = -((1 - smoothing) * log_sigmoid(f) + smoothing * log_sigmoid(-f)).mean()
        return real + fake, as_real, -log_sigmoid(-r).mean() + as_real
    if name == "hinge":
        d = np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()
        return d, -f.mean(), r.mean() - f.mean()
    if name == "least_squares":
        d = 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean()
        as_real = 0.5 * ((f - 1) ** 2).mean()
        return d, as_real, 0.5 * (r**2).mean() + as_real
    if name == "wasserstein":
        return f.mean() - r.mean(), -f.mean(), r.mean() - f.mean()
    assert name == "relativistic"
    of_real, of_fake = r - f.mean(), f - r.mean()
    smooth = (1 - smoothing) * log_sigmoid(of_real) + smoothing * log_sigmoid(-of_real)
    d = -smooth.mean() - log_sigmoid(-of_fake).mean()
    smooth = (1 - smoothing) * log_sigmoid(of_fake) + smoothing * log_sigmoid(-of_fake)
    opponents = -log_sigmoid(-of_real).mean() - smooth.mean()
    return d, opponents, opponents


@pytest.mark.parametrize(
    ("name", "smoothing"),
    [*((name, 0.0) for name in losses.LOSSES), *((name, 0.1) for name in SMOOTHED)],
)
def test_each_loss_against_numpy(name, smoothing):
    text = f"{name}:label_smoothing={smoothing}" if smoothing else name
    loss, logits = losses.get(text), (tf.constant(LOGITS_REAL), tf.constant(LOGITS_FAKE))
    got = [f(*logits) for f in (loss.discriminator, loss.generator, loss.encoder_generator)]
    assert all(value.shape.rank == 0 for value in got)
    np.testing.assert_allclose(got, by_formula(name, smoothing), rtol=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_row_for_each_term_and_rows_without_an_axis(name):
    """Logits [B] have the values of [B, 1]; a term has the shape of its logits."""
    loss = losses.get(name)
    for term in (loss.real, loss.fake, loss.as_real, loss.as_fake):
        assert term(REAL).shape == (2, 1)
    for f in (loss.discriminator, loss.generator, loss.encoder_generator):
        assert float(f(REAL[:, 0], FAKE[:, 0])) == pytest.approx(float(f(REAL, FAKE)), rel=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_d_gains_where_its_opponents_lose(name):
    """D's gradient raises real logits and lowers generated ones; the opponents' does the reverse.

    Except where a hinge is satisfied; all logits are between the hinges here.
    """
    loss = losses.get(name)
    real, fake = tf.constant([[0.5], [-0.2]]), tf.constant([[0.3], [-0.6]])
    if name == "least_squares":
        fake = tf.constant([[0.3], [0.6]])  # it aims at 0 and 1
        real = fake + 0.1
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d, g = loss.discriminator(real, fake), loss.generator(real, fake)
        eg = loss.encoder_generator(real, fake)
    for value, sign in ((d, 1.0), (eg, -1.0)):
        up, down = tape.gradient(value, [real, fake])
        assert np.all(sign * up < 0) and np.all(sign * down > 0)
    assert np.all(tape.gradient(g, fake) < 0)


def test_an_undecided_discriminator():
    zero = tf.zeros((7, 1))
    d = {name: float(losses.get(name).discriminator(zero, zero)) for name in losses.LOSSES}
    two_logs = 2 * math.log(2)
    expected = {"logistic": two_logs, "minimax": two_logs, "relativistic": two_logs}
    expected |= {"hinge": 2.0, "least_squares": 0.5, "wasserstein": 0.0}
    assert d == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_is_one_sided():
    """The label "real" alone, of D and of its opponents, and not the label "generated"."""
    plain, smooth = losses.Logistic(), losses.Logistic(0.1)
    np.testing.assert_array_equal(smooth.fake(REAL), plain.fake(REAL))
    np.testing.assert_array_equal(smooth.as_real(FAKE), smooth.real(FAKE))
    np.testing.assert_array_equal(smooth.as_fake(FAKE), plain.as_fake(FAKE))
    # Of 3/4: -.9 log .75 - .1 log .25
    expected = -0.9 * math.log(0.75) - 0.1 * math.log(0.25)
    assert float(smooth.real(REAL)[0, 0]) == pytest.approx(expected, rel=1e-6)
    # The best D says 1 - s of a real row.
    with tf.GradientTape() as tape:
        logit = tf.constant([[math.log(0.9 / 0.1)]])
        tape.watch(logit)
        value = smooth.real(logit)
    assert float(tape.gradient(value, logit)[0, 0]) == pytest.approx(0.0, abs=1e-6)


def test_gradients_where_d_is_sure():
    """Of a generated row with D = σ(-10): 1 without saturation, e⁻¹⁰ with it."""
    logit, slopes = tf.constant([[-10.0]]), {}
    for name in ("logistic", "minimax", "hinge", "wasserstein", "least_squares"):
        with tf.GradientTape() as tape:
            tape.watch(logit)
            value = losses.get(name).generator(logit, logit)
        slopes[name] = float(tape.gradient(value, logit)[0, 0])
    sigma = 1 / (1 + math.exp(10))
    assert slopes["logistic"] == pytest.approx(sigma - 1, rel=1e-5)
    assert slopes["minimax"] == pytest.approx(-sigma, rel=1e-4)
    assert slopes["hinge"] == slopes["wasserstein"] == -1
    assert slopes["least_squares"] == pytest.approx(-11.0)


def test_gradients_are_those_of_the_probabilities():
    """d/dl of D's logistic loss is (σ(l) - label) / n, of the others' with swapped labels."""
    logits, loss = tf.constant([[1.5], [-0.5]]), losses.Logistic()
    for function, label in ((loss.discriminator, 1.0), (loss.encoder_generator, 0.0)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = function(logits, FAKE)
        expected = (tf.sigmoid(logits) - label) / 2
        np.testing.assert_allclose(tape.gradient(value, logits), expected, rtol=1e-5)


def test_a_relativistic_game_sees_differences_alone():
    """A constant added to all logits changes nothing, and has no gradient."""
    loss, shift = losses.RelativisticAverage(), tf.constant(0.0)
    for f in (loss.discriminator, loss.generator, loss.encoder_generator):
        moved = f(REAL + 5.0, FAKE + 5.0)
        assert float(moved) == pytest.approx(float(f(REAL, FAKE)), rel=1e-5)
        with tf.GradientTape() as tape:
            tape.watch(shift)
            value = f(REAL + shift, FAKE + shift)
        assert float(tape.gradient(value, shift)) == pytest.approx(0.0, abs=1e-6)
    others = (losses.Logistic(), losses.Hinge(), losses.LeastSquares())
    for other in others:
        assert float(other.discriminator(REAL + 5.0, FAKE + 5.0)) != pytest.approx(
            float(other.discriminator(REAL, FAKE)), rel=1e-2
        )


def test_relativistic_opponents_move_both_terms():
    """G's gradient reaches the real rows' term through the mean of generated rows."""
    loss, real, fake = losses.RelativisticAverage(), REAL, FAKE
    with tf.GradientTape() as tape:
        tape.watch(fake)
        value = loss.generator(real, fake)
    r, f = real.numpy(), fake.numpy()
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    expected = -sigmoid(r - f.mean()).mean() / 2 - (1 - sigmoid(f - r.mean())) / 2
    np.testing.assert_allclose(tape.gradient(value, fake), expected, rtol=1e-5)


def test_several_groups_of_generated_rows_add_up():
    """As VAE-GAN's samples and reconstructions, here of one row each."""
    real, fake, rec = (tf.constant([[value]]) for value in (0.5, -1.0, 2.0))
    hinge = losses.Hinge()
    assert float(hinge.discriminator(real, fake, rec)) == pytest.approx(0.5 + 0.0 + 3.0)
    assert float(hinge.generator(real, fake, rec)) == pytest.approx(1.0 - 2.0)
    softplus = lambda x: math.log1p(math.exp(x))  # noqa: E731
    # Against the mean of both groups, 0.5.
    expected = softplus(-(0.5 - 0.5)) + softplus(-1.0 - 0.5) + softplus(2.0 - 0.5)
    relativistic = losses.RelativisticAverage()
    assert float(relativistic.discriminator(real, fake, rec)) == pytest.approx(expected, rel=1e-5)


def test_rows_in_any_order_and_far_from_zero():
    loss, order = losses.Logistic(), tf.gather(REAL, [1, 0])
    assert float(loss.discriminator(order, FAKE)) == pytest.approx(
        float(loss.discriminator(REAL, FAKE)), rel=1e-5
    )
    far = loss.discriminator(tf.constant([-200.0]), tf.constant([0.0]))
    assert float(far) == pytest.approx(200 + math.log(2), rel=1e-5)
    for name in losses.LOSSES:
        one = losses.get(name)
        for f in (one.discriminator, one.generator, one.encoder_generator):
            assert np.isfinite(f(tf.constant([[1e4]]), tf.constant([[-1e4]])))


def test_the_hinge_holds_at_its_ends():
    """D gains nothing from a real row above 1 or from a generated one below -1."""
    loss = losses.Hinge()
    np.testing.assert_allclose(loss.real(tf.constant([0.0, 1.0, 3.0])), [1, 0, 0])
    np.testing.assert_allclose(loss.fake(tf.constant([0.0, -1.0, -3.0])), [1, 0, 0])
    np.testing.assert_allclose(loss.as_real(tf.constant([3.0, -3.0])), [-3, 3])


def test_losses_by_name_and_from_their_config():
    for name, kind in losses.LOSSES.items():
        assert type(losses.get(name)) is kind
        one = losses.get(name)
        assert losses.get(one) is one
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
        assert type(copy) is kind and copy.get_config() == one.get_config()
    smooth = losses.get("minimax:label_smoothing=0.25")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(smooth))
    assert type(copy) is losses.Minimax and copy.label_smoothing == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hing", "^loss=hing is unknown; did you mean hinge"),
        ("hinge:margin=1", "^loss: no argument margin"),
        ("logistic:smoothing=0.1", "^loss: no argument smoothing; did you mean label_smoothing"),
        ("logistic:label_smoothing=much", "^loss: label_smoothing=much: it must be a float$"),
        ("logistic:label_smoothing", "^loss: label_smoothing=: it must be a float$"),
        ("logistic:label_smoothing=1", r"^loss: label_smoothing=1.0: it must be .* \[0, 1\)$"),
        ("relativistic:label_smoothing=-0.1", r"label_smoothing=-0.1: it must be .* \[0, 1\)$"),
        ("logistic:label_smoothing=nan", "label_smoothing=nan: it must be a float"),
    ],
)
def test_mistakes_in_a_loss(text, message):
    with pytest.raises(UserError, match=message):
        losses.get(text)


def test_a_constructor_checks_too():
    with pytest.raises(UserError, match="^label_smoothing=2: it must be a float"):
        losses.Logistic(2)
    with pytest.raises(UserError, match="^label_smoothing=True: it must be a float"):
        losses.RelativisticAverage(label_smoothing=True)


def test_what_is_logged_of_a_discriminator():
    logs = losses.Logistic().logs(tf.constant(LOGITS_REAL), tf.constant(LOGITS_FAKE))
    np.testing.assert_array_equal(logs["accuracy_real"], LOGITS_REAL > 0)
    np.testing.assert_array_equal(logs["accuracy_fake"], LOGITS_FAKE < 0)
    np.testing.assert_array_equal(logs["logits_real"], LOGITS_REAL)
    np.testing.assert_array_equal(logs["logits_fake"], LOGITS_FAKE)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_an_undecided_discriminator_is_right_of_no_row(name):
    """The border is where D's loss of a constant logit is least, or where all rows are alike."""
    loss = losses.get(name)
    border = tf.fill(
        (4, 1), {"least_squares": 0.5, "wasserstein": 7.0, "relativistic": 7.0}.get(name, 0.0)
    )
    for margins in loss.margins(border, border):
        np.testing.assert_allclose(margins, 0, atol=1e-6)
    logs = loss.logs(border, border)
    assert not logs["accuracy_real"].numpy().any() and not logs["accuracy_fake"].numpy().any()
    step = tf.constant([[0.1], [0.2], [0.1], [0.3]])
    logs = loss.logs(border + step, border - step)
    assert logs["accuracy_real"].numpy().all() and logs["accuracy_fake"].numpy().all()
    logs = loss.logs(border - step, border + step)
    assert not logs["accuracy_real"].numpy().any() and not logs["accuracy_fake"].numpy().any()


def test_the_margins_of_a_critic_are_from_the_middle_of_the_means():
    real, fake, other = tf.constant([[5.0], [3.0]]), tf.constant([[1.0]]), tf.constant([[-3.0]])
    margins = losses.Wasserstein().margins(real, fake, other)  # 4 against -1: 1.5
    assert [np.ravel(m).tolist() for m in margins] == [[3.5, 1.5], [-0.5], [-4.5]]


def test_relativistic_logits_are_right_by_their_difference():
    """However far both are from 0."""
    real, fake = tf.constant([[9.0], [5.0]]), tf.constant([[6.0], [8.0]])  # both means are 7
    logs = losses.RelativisticAverage().logs(real, fake)
    np.testing.assert_array_equal(logs["accuracy_real"], [[True], [False]])
    np.testing.assert_array_equal(logs["accuracy_fake"], [[True], [False]])
    np.testing.assert_array_equal(logs["logits_real"], real)


def test_squared_error_of_each_row():
    x = tf.reshape(tf.range(12.0), (2, 2, 3, 1))
    shift = tf.reshape(tf.constant([1.0, -2.0]), (2, 1, 1, 1))
    np.testing.assert_allclose(squared_error(x, x + shift), [6 * 1.0, 6 * 4.0], rtol=1e-5)


def test_squared_error_of_bfloat16_is_summed_in_float32():
    """Neither 1 - 2⁻⁹ nor 1000 of its squares is a bfloat16."""
    x = tf.ones((2, 1000), tf.bfloat16)
    error = squared_error(x, tf.fill((2, 1000), tf.constant(2.0**-9, tf.bfloat16)))
    assert error.dtype == tf.float32
    np.testing.assert_allclose(error, 1000 * (1 - 2.0**-9) ** 2, rtol=1e-5)


def test_reconstruction_loss_by_hand():
    x = tf.zeros((2, 2, 3, 1))
    x_rec = x + tf.reshape(tf.constant([1.0, -2.0]), (2, 1, 1, 1))
    assert float(reconstruction_loss(x, x_rec, "l1")) == pytest.approx(6 * (1 + 2) / 2)
    assert float(reconstruction_loss(x, x_rec, "l2")) == pytest.approx(6 * (1 + 4) / 2)
    with pytest.raises(UserError, match="^norm=L2 is unknown"):
        reconstruction_loss(x, x_rec, "L2")


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_reconstruction_loss_of_bfloat16_is_float32(norm):
    x = tf.ones((1, 600), tf.bfloat16)  # their sum, 600, is no bfloat16 number
    assert float(reconstruction_loss(x, tf.zeros_like(x), norm)) == 601 - 1
