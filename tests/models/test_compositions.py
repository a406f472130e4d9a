"""Every system with every loss, penalty and augmentation: that they compose, and how."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_dataset, make_system, step_eagerly
from tests.small import as_it_was, state_of
from tf_bigan import losses, penalties
from tf_bigan.errors import UserError

WITHOUT_DISCRIMINATOR = ("autoencoder", "dann")
JUDGING = [name for name in tb.models.names() if name not in WITHOUT_DISCRIMINATOR]
WITH_LOGITS = [name for name in JUDGING if tb.models.find(name).default_loss is not None]
# All rows of r1: batch statistics of the two that it would take of eight are rounding alone.
PENALTIES = ("r1:every_row=1", "gradient", "dragan:every_row=2,every_step=2", "r1r2:every_row=2")
AUGMENTATIONS = (None, "translation+cutout+color+flip+thickness:probability=0.7")
ADAPTIVE = "translation+color:probability=0.5,target=0.6,images=100"


def losses_of(name):
    return tuple(losses.LOSSES) if name in WITH_LOGITS else (None,)


def all_of(name):
    """(loss, penalty, augmentation): every combination."""
    return list(itertools.product(losses_of(name), PENALTIES, AUGMENTATIONS))


def one_of(name):
    """One combination: those of all systems together have every loss, penalty, augmentation."""
    combinations = all_of(name)
    return combinations[7 * JUDGING.index(name) % len(combinations)]


def some_of(name):
    """One combination of each penalty, with an adaptive augmentation where there are logits."""
    index, kinds = JUDGING.index(name), losses_of(name)
    for i, penalty in enumerate(PENALTIES):
        adaptive = ADAPTIVE if name in WITH_LOGITS else AUGMENTATIONS[1]
        yield kinds[(2 * i + index) % len(kinds)], penalty, (None, adaptive)[(i + index) % 2]


def compiled(model, loss, penalty, augmentation, **arguments):
    defaults = {"jit_compile": False, "seed": 3, "steps_per_execution": 2}
    optimizer = arguments.pop("optimizer", None) or tb.optimizers.Adam(1e-3, beta_1=0.5)
    game = {"loss": loss, "penalty": penalty, "augmentation": augmentation}
    model.compile(optimizer, **game, **defaults | arguments)
    return model


@functools.cache
def _bigan():
    model = make_system("bigan")
    return model, [v.numpy() for v in model.variables]


def new_bigan(loss=None, penalty="none", **arguments):
    """`make_system("bigan")`, built once and compiled anew, always with the same weights."""
    model, new = _bigan()
    for variable, value in zip(model.variables, new, strict=True):
        variable.assign(value)
    return compiled(model, loss, penalty, None, **arguments)


def penalised(model) -> set[str]:
    """The players that move and own a discriminator."""
    players = {player for group in model.moves for player in group}
    return players & {"D", "C"} if isinstance(model, tb.models.ALICE) else players & {"D"}


def assert_a_good_step(model, batch, what):
    logs = step_eagerly(model, batch)
    assert all(np.isfinite(value).all() for value in logs.values()), (what, logs)
    assert {f"penalty_{p}" for p in penalised(model)} == {k for k in logs if "penalty_" in k}, what
    assert {f"loss_{p}" for group in model.moves for p in group} <= set(logs), what
    assert float(logs["penalty_D"]) > 0, what
    assert all(np.isfinite(v.numpy()).all() for v in model.trainable_variables), what


@pytest.mark.parametrize("name", JUDGING)
def test_a_step_of_one_combination(name):
    what = one_of(name)
    options = dict(zip(("loss", "penalty", "augmentation"), what, strict=True))
    model = make_system(name, options={k: v for k, v in options.items() if v is not None})
    assert_a_good_step(model, make_batch(), what)


def test_the_combinations_above_cover_all_parts():
    for index, parts in enumerate((losses.LOSSES, PENALTIES, AUGMENTATIONS)):
        assert {one_of(name)[index] for name in JUDGING} - {None} == set(parts) - {None}


# Of each kind of game one is compiled; the others are left to -m exhaustive.
SOME = [
    pytest.param(n, marks=pytest.mark.slow if n in ("bigan", "vae_gan") else pytest.mark.exhaustive)
    for n in JUDGING
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["mlp", "conv"])
@pytest.mark.parametrize("name", JUDGING)
def test_a_step_of_every_combination(name, family):
    model = make_system(name, options={"networks": family, "width": 4})
    new = [v.numpy() for v in model.variables]
    for what in all_of(name):
        compiled(model, *what)
        for variable, value in zip(model.variables, new, strict=True):
            if variable is not model.augmentation_probability:
                variable.assign(value)
        assert_a_good_step(model, make_batch(), what)


@pytest.mark.parametrize("name", SOME)
def test_xla_gives_the_same_steps(name):
    """Two small ones: all that they change, against how far it moves.

    One of the combinations: what XLA compiles stays in memory, some 200 MB each.
    """
    what = list(some_of(name))[JUDGING.index(name) % len(PENALTIES)]
    model = compiled(make_system(name), *what, optimizer=keras.optimizers.SGD(1e-4))
    new = [v.numpy() for v in state_of(model)]
    for seed in (0, 1):
        step_eagerly(model, make_batch(seed=seed))
    expected = [v.numpy() for v in state_of(model)]
    as_it_was(model, new)
    model.jit_compile = True
    model._forget_compiled()
    model.fit(make_dataset(2), verbose=0)
    for variable, before, after in zip(state_of(model), new, expected, strict=True):
        atol = 0.01 * np.abs(np.subtract(after, before, dtype=np.float64)).max() + 1e-6
        what_and_where = f"{what} {variable.path}"
        np.testing.assert_allclose(variable.numpy(), after, 0, atol, err_msg=what_and_where)


@pytest.mark.parametrize("family", ["mlp", "conv"])
@pytest.mark.parametrize("name", SOME)
def test_a_resumed_run_has_the_same_bits(name, family, tmp_path):
    for what in some_of(name):
        options = {"networks": family, "width": 4}
        model = compiled(make_system(name, options=options), *what, ema=0.9)
        step_eagerly(model, make_batch())
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        for part in ("adversarial_loss", "penalty", "augmentation"):
            mine, its = getattr(model, part), getattr(loaded, part)
            assert type(its) is type(mine)
            assert mine is None or its.get_config() == mine.get_config()
        for one in (model, loaded):
            step_eagerly(one, make_batch(seed=1))
        for a, b in zip(state_of(model), state_of(loaded), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=f"{what} {a.path}")


@pytest.mark.parametrize("name", WITHOUT_DISCRIMINATOR)
def test_a_system_without_a_discriminator_refuses_a_penalty(name):
    system = tb.models.find(name).__name__
    model = make_system(name, penalty="none")
    assert model.penalty is None
    with pytest.raises(
        UserError, match=f"^penalty: {system} has no discriminator .* use penalty='none'$"
    ):
        model.compile(penalty="r1")
    with pytest.raises(
        UserError, match=f"^augmentation: {system} has no discriminator .* use augmentation='none'$"
    ):
        model.compile(augmentation="flip")


@keras.saving.register_keras_serializable("tests")
class PastJudge(tb.models.GAN):
    """Calls its discriminator past `judge`, where no penalty sees it."""

    def player_losses(self, batch, z, training):
        judged = self.discriminator(batch["image"], training=training)
        fake = self.discriminator(self.generator(z, training=training), training=training)
        loss = self.adversarial_loss
        return {"D": loss.discriminator(judged, fake), "G": loss.generator(judged, fake)}, {}


def test_a_penalty_that_would_see_nothing_is_not_ignored():
    gan = make_system("gan")
    parts = {"generator": gan.generator, "discriminator": gan.discriminator, "prior": gan.prior}
    model = PastJudge(**parts)
    model.compile(jit_compile=False)
    step_eagerly(model, make_batch())
    model.compile(penalty="r1", jit_compile=False)
    with pytest.raises(UserError, match="^penalty: PastJudge has no discriminator that judge"):
        step_eagerly(model, make_batch())


class Critic(tb.models.GAN):
    """Its D belongs to a player of another name."""

    players = {"Critic": ("discriminator",), "G": ("generator",)}
    moves = (("Critic",), ("G",))

    def player_losses(self, batch, z, training):
        x_fake = self.generator(z, training=training)
        real, fake = self.judge(
            self.discriminator, batch["image"], x_fake, training=training, player=self.asked
        )
        loss = self.adversarial_loss
        return {"Critic": loss.discriminator(real, fake), "G": loss.generator(real, fake)}, {}


def test_logits_are_float32_and_features_as_they_are():
    model = make_system("gan")

    def judgement(x, training):
        logits = tf.cast(model.discriminator(x, training=training), tf.bfloat16)
        return logits, {"features": logits}

    image = make_batch()["image"]
    for logits, others in model.judge(judgement, image, image, training=False):
        assert logits.dtype == tf.float32 and others["features"].dtype == tf.bfloat16


def test_a_penalty_follows_the_player_that_owns_d():
    gan = make_system("gan")
    model = Critic(generator=gan.generator, discriminator=gan.discriminator, prior=gan.prior)
    model.compile(penalty="r1:gamma=100", jit_compile=False)
    model.asked = "D"
    with pytest.raises(UserError, match=r"^Critic has no player D: give judge\(player=NAME\)"):
        step_eagerly(model, make_batch())
    model.asked = "Critic"
    assert float(step_eagerly(model, make_batch())["penalty_Critic"]) > 0


@pytest.mark.parametrize("name", [n for n in tb.models.names() if n not in WITH_LOGITS])
def test_a_systems_own_loss_is_not_replaced(name):
    system = tb.models.find(name)
    with pytest.raises(UserError, match=f"^loss=hinge: {system.__name__} has a loss of its own"):
        make_system(name, loss="hinge")


# --- what a step minimises --------------------------------------------------------------------


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_system_plays_with_the_loss_it_is_given(name):
    """BiGAN's players have half of it, whether by name or as an object."""
    batch = make_batch()
    for loss in (name, losses.get(name)):
        model = new_bigan(loss)
        z = model.prior.sample(8, 5)
        got, logs = model.player_losses(batch, z, training=False)
        pair = logs["logits_real"], logs["logits_fake"]
        expected = losses.LOSSES[name]()
        assert float(got["D"]) == pytest.approx(0.5 * float(expected.discriminator(*pair)))
        assert float(got["EG"]) == pytest.approx(0.5 * float(expected.encoder_generator(*pair)))


def test_the_penalty_is_ds_alone():
    """In a step at once, D's weights differ by it; E's and G's moves are those without."""
    steps = {}
    for penalty in ("none", "r1:gamma=50,every_row=1"):
        model = new_bigan(penalty=penalty, optimizer=keras.optimizers.SGD(0.1))
        logs = step_eagerly(model, make_batch())
        steps[penalty] = {
            player: [v.numpy() for v in model.player_variables(player)] for player in ("D", "EG")
        }
        assert ("penalty_D" in logs) == (penalty != "none")
    a, b = steps.values()
    for before, after in zip(a["EG"], b["EG"], strict=True):
        np.testing.assert_array_equal(before, after)
    assert any(np.abs(x - y).max() > 1e-4 for x, y in zip(a["D"], b["D"], strict=True))


def test_r1_of_pairs_against_the_gradient_by_hand():
    """½γ E[‖∇_x l‖² + ‖∇_z l‖²] at real pairs, as D's own gradient descent has it."""
    options = {"networks": "conv", "width": 4}
    model = make_system("bigan", options=options, penalty="r1:gamma=3,every_row=2")
    batch = make_batch()
    x, z_hat = batch["image"], model.encoder(batch["image"], training=True)
    with tf.GradientTape() as tape:
        tape.watch([x, z_hat])
        total = tf.reduce_sum(model.discriminator([x, z_hat])[::2])
    of_x, of_z = tape.gradient(total, [x, z_hat])
    squares = tf.reduce_sum(of_x**2, (1, 2, 3)) + tf.reduce_sum(of_z**2, 1)
    expected = 0.5 * 3 * float(tf.reduce_mean(squares[::2]))
    logs = step_eagerly(model, batch)
    assert float(logs["penalty_D"]) == pytest.approx(expected, rel=1e-4)


def test_each_discriminator_of_a_player_is_penalised():
    """ALAD's three: the penalty is the sum of theirs."""
    model = make_system("alad", penalty="r1:gamma=1,every_row=1")
    batch = make_batch()
    iterate = tf.function(model._power_iteration)
    for _ in range(100):  # the step makes one more, which then changes nothing
        iterate()
    z, key = model._draw(batch, 0)
    model._begin(batch, key)
    model.player_losses(batch, z, training=True)
    expected = 0.0
    assert len(model._judged.calls) == 3
    for one in model._judged.calls:
        with tf.GradientTape() as tape:
            tape.watch(one.real)
            total = tf.reduce_sum(one.function(one.real, training=True))
        slopes = tf.nest.flatten(tape.gradient(total, one.real))
        expected += 0.5 * sum(float(tf.reduce_sum(s**2)) for s in slopes) / 8
    model._begin(batch, key)
    logs = step_eagerly(model, batch)
    assert float(logs["penalty_D"]) == pytest.approx(expected, rel=1e-4)


def test_a_penalty_does_not_touch_batch_statistics():
    """They are those of whole batches of real rows, with and without it."""
    states = []
    for penalty in ("none", "gradient"):
        model = new_bigan(penalty=penalty)
        step_eagerly(model, make_batch())
        states.append([v.numpy() for v in model.discriminator.non_trainable_variables])
    assert states[0]
    for a, b in zip(*states, strict=True):
        assert_close(a, b)


def test_a_lazy_penalty_follows_the_steps():
    model = make_system("gan", penalty="r1:every_step=2")
    values = [float(step_eagerly(model, make_batch())["penalty_D"]) for _ in range(4)]
    assert values[1] == values[3] == 0 and values[0] > 0 and values[2] > 0


def test_what_compile_leaves_out_is_the_systems_own():
    """`compile` without arguments keeps the system's own; "none" takes a penalty away."""
    model = make_system("wgan_gp")
    assert type(model.penalty) is penalties.GradientPenalty
    model.compile(penalty="none", loss="hinge", augmentation="flip", jit_compile=False)
    assert model.penalty is None and type(model.adversarial_loss) is losses.Hinge
    config = model.get_compile_config()
    model.compile_from_config(config)
    assert model.penalty is None and type(model.adversarial_loss) is losses.Hinge
    assert model.augmentation.kinds == ("flip",)
    model.compile(jit_compile=False)
    assert type(model.penalty) is penalties.GradientPenalty and model.augmentation is None


def test_an_evaluation_has_no_penalty(eagerly):
    """Its losses are the players' own."""
    x = make_batch()["image"].numpy()
    with_one, without = (make_system("gan", penalty=p) for p in ("r1:gamma=50", "none"))
    a, b = with_one.evaluate(x), without.evaluate(x)
    assert a == b and not any("penalty" in key for key in a)


@pytest.mark.parametrize("name", ["vae_gan", "triple_gan"])
def test_a_relativistic_game_compares_all_groups(name):
    """A constant added to D's logits changes no player's loss, unlike in the logistic game."""
    model = make_system(name, options={"networks": "conv", "width": 4})
    batch, bias = make_batch(), model.discriminator.logit.bias
    z = model.prior.sample(len(batch["image"]), seed=1)
    before, changed = bias.numpy(), {}
    for loss in ("logistic", "relativistic"):
        compiled(model, loss, "none", None)
        values = []
        for constant in (0.0, 3.0):
            bias.assign(before + constant)
            model.random.begin(tf.constant([1, 2]), len(batch["image"]))
            values.append(model.player_losses(batch, z, training=False)[0])
        changed[loss] = {k: abs(float(values[1][k] - values[0][k])) for k in ("D", "G")}
    assert all(value < 1e-4 for value in changed["relativistic"].values())
    assert all(value > 0.1 for value in changed["logistic"].values())


def test_groups_judged_jointly_have_the_same_augmentation():
    """VAE-GAN compares D's features of x and of its reconstruction, row by row."""
    model = make_system("vae_gan", options={"augmentation": "translation+color"})
    x = tf.constant(make_batch()["image"])

    def seen(group, training):
        return tf.reduce_mean(group, (1, 2, 3)), group

    for jointly in (True, False):
        model.random.begin(tf.constant([1, 2]), len(x))
        first, second = (
            images for _, images in model.judge(seen, x, x, training=True, jointly=jointly)
        )
        assert np.abs(first - x).max() > 0.1
        assert (np.abs(first - second).max() > 0.1) != jointly
