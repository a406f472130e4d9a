"""Numbers that the papers and the official programs give, and that the code says it has."""

import keras
import numpy as np
import pytest

from tf_bigan import losses, models, networks
from tf_bigan.optimizers import ConstantThenExponential
from tf_bigan.run import build, presets
from tf_bigan.run.config import Config

HYPERPARAMETERS = {
    # Zhao et al. 2017: the MNIST grid's margin; section 2.4: the weight of PT.
    "ebgan": {"margin": 10.0, "pulling_away": 0.1},
    # Berthelot et al. 2017, section 3.4: γ, λ of k (.001 for images in [-1, 1], whose errors are
    # twice as large); the usual program's rates.
    "began": {"gamma": 0.5, "lambda_k": 0.002, "halve_every": 100_000, "lowest_rate": 2e-5},
    # Wang et al. 2017, the author's code: two epochs of D alone.
    "magan": {"pretraining": 2},
    # Qi 2017, the official code: no loss of real images by itself, a hinge. The margin there, 2e-4,
    # is of 64×64×3 pixels in [-1, 1], and not the default here.
    "loss_sensitive_gan": {"gamma": 0.0, "slope": 0.0},
    # Chen et al. 2016, the official code: λ of both kinds of codes.
    "infogan": {"lambda_categorical": 1.0, "lambda_continuous": 1.0},
    # Donahue et al. 2017, the official train_mnist.sh: the encoder's part of the joint loss.
    "joint_latent_regressor": {"weight": 0.25},
    "sgan": {"supervised": 1.0},
    # Ganin & Lempitsky 2015, section 4: λ rises to 1.
    "dann": {"strength": 1.0},
    # Li et al. 2017, the official code for MNIST.
    "triple_gan": {"entropy": 0.3, "balance": 1e-3, "pseudo": 0.1},
}
DEFAULTS = {
    # Gulrajani et al. 2017, algorithm 1: Adam's α, β₁ and β₂.
    "wgan_gp": {"learning_rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9, "penalty": "gradient"},
    # Chen et al. 2016, appendix C and the official code: the prior, and the rate of G but not of D.
    "infogan": {"player_rates": "D=5e-4,G=1e-3", "prior": "uniform62+categorical10+uniform2"},
    # Donahue & Simonyan 2019: E learns ten times as fast as the others.
    "bigbigan": {"learning_rate": 2e-4, "player_rates": "E=2e-3"},
}
SIMULTANEOUS, IN_TURN = (("D", "EG"),), (("D",), ("G",))
SCHEDULES = {
    "bigan": SIMULTANEOUS,  # Donahue et al. 2017, the official code: one update of all
    "cycle_bigan": SIMULTANEOUS,
    "latent_regressor": (("D", "G", "E"),),
    "joint_latent_regressor": SIMULTANEOUS,
    "autoencoder": (("EG",),),
    "ali": SIMULTANEOUS,  # Dumoulin et al. 2017, algorithm 1
    "alice": (("D", "C", "EG"),),
    "alad": (("D",), ("EG",)),
    "bigbigan": (("D",), ("E", "G")),
    "gan": IN_TURN,  # Radford et al. 2016 in TensorFlow 1: D, then G with the same z
    "wgan_gp": (("D",),) * 5 + (("G",),),  # Gulrajani et al. 2017: n_critic = 5
    "infogan": IN_TURN,  # Chen et al. 2016, the official code
    "sgan": (("D", "G"),),
    "triple_gan": (("D",), ("G",), ("C",)),  # Li et al. 2017, algorithm 1
    "vae_gan": (("E", "G", "D"),),  # Larsen et al. 2016, algorithm 1
    "dann": (("F", "C", "D"),),  # Ganin & Lempitsky 2015: one backward pass
    "ebgan": IN_TURN,
    "loss_sensitive_gan": IN_TURN,  # Qi 2017, the official code
    "began": (("D", "G"),),  # Berthelot et al. 2017, section 3.4
    "magan": IN_TURN,  # Wang et al. 2017, algorithm 1
}
# Whose groups share a draw of z: in the listings of a GAN, and the official code of LS-GAN.
SAME_Z = {"gan", "loss_sensitive_gan"}


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_hyperparameters(name):
    mine, published = models.find(name).hyperparameters(), HYPERPARAMETERS[name]
    assert {key: mine[key] for key in published} == published


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(name):
    mine, published = presets.system(name).options, DEFAULTS[name]
    assert {key: mine[key] for key in published} == published


@pytest.mark.parametrize("name", models.names())
def test_who_moves_when_and_with_which_z(name):
    system = models.find(name)
    assert system.moves == SCHEDULES[name]
    assert system.fresh_z == (name not in SAME_Z)


def test_bigan_on_mnist():
    """Donahue et al. 2017, the official train_mnist.sh and train_gan.py."""
    config = Config.from_dict(presets.preset("paper_mnist"))
    assert (config.dataset, config.model, config.networks) == ("mnist", "bigan", "paper")
    assert (config.prior, config.latent_dim, config.batch_size) == ("uniform", 50, 128)
    assert (config.learning_rate, config.beta_1, config.epsilon) == (2e-4, 0.5, 1e-8)
    assert (config.l2, config.epochs, config.decay_epochs) == (2.5e-5, 400, 400)
    assert (config.validation, config.ema, config.seed) == (10_000, 0.0, 42)


def chosen(preset, **given):
    """The configuration of a preset, or of the default one of a data set, with given flags."""
    start = presets.preset(preset) if preset else presets.default_preset(given["dataset"])
    return Config.from_dict(presets.combined(start, given))


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_wgan_gp_by_its_name(dataset):
    """Gulrajani et al. 2017, algorithm 1: α = 1e-4, β₁ = 0, β₂ = 0.9, λ = 10, five moves of D."""
    config = chosen(None, dataset=dataset, model="wgan_gp", decay_epochs=0)
    assert (config.learning_rate, config.beta_1, config.beta_2) == (1e-4, 0.0, 0.9)
    assert config.player_rates is None
    small = config.replace(width=8, latent_dim=3, precision="float32", ema=0.0)
    model, _ = build.build_model(small, (8, 8, 1), steps_per_epoch=4)
    for player in ("D", "G"):
        adam = model.optimizer_of(player)
        assert (adam.beta_1, adam.beta_2) == (0.0, 0.9)
        assert float(adam.learning_rate) == pytest.approx(1e-4)
    assert model.moves == (("D",),) * 5 + (("G",),)
    assert model.penalty.get_config()["gamma"] == 10
    # The user's flags are above those of the system.
    own = chosen(None, dataset=dataset, model="wgan_gp", learning_rate=3e-4, beta_2=0.99)
    assert (own.learning_rate, own.beta_1, own.beta_2) == (3e-4, 0.0, 0.99)


def test_the_tutorials_gan():
    """The DCGAN lesson of dragen1860's TensorFlow 2 tutorials, lesson 13."""
    config = chosen("tutorial_gan")
    assert (config.dataset, config.model, config.networks) == ("mnist", "gan", "tutorial")
    assert (config.prior, config.latent_dim, config.batch_size) == ("uniform", 100, 128)
    assert (config.learning_rate, config.beta_1, config.beta_2) == (2e-4, 0.5, 0.999)
    assert config.epsilon == 1e-7  # Keras's own
    assert (config.player_rates, config.decay_epochs, config.l2, config.ema) == (None, 0, 0.0, 0.0)
    assert (config.penalty, config.augmentation, config.width) == ("none", None, None)
    # D and G in turn on the same z.
    assert config.moves is None and models.find("gan").moves == IN_TURN
    assert not models.find("gan").fresh_z


def test_the_tutorials_loss():
    """A label of 0.9 where the target is "real": of real images for D, of G's images for G."""
    loss = losses.get(chosen("tutorial_gan").loss)
    real, fake = (np.random.default_rng(seed).normal(size=(5, 1)) for seed in (0, 1))

    def cross_entropy(label, logits):
        p = 1 / (1 + np.exp(-logits))
        return np.mean(-label * np.log(p) - (1 - label) * np.log(1 - p))

    np.testing.assert_allclose(
        loss.discriminator(real, fake), cross_entropy(0.9, real) + cross_entropy(0, fake)
    )
    np.testing.assert_allclose(loss.generator(real, fake), cross_entropy(0.9, fake))


def test_the_optimizer_without_a_word(make_bigan):
    """Radford et al. 2016, section 4, and BiGAN's official code: Adam(2e-4, β₁ = 0.5)."""
    optimizer = make_bigan().optimizer_of("D")
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(2e-4)
    assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


def test_infogans_recognition_has_a_layer_of_128_units():
    """Chen et al. 2016, appendix C.1: FC 128, batch normalised, leaky; then the codes."""
    sizes = {"image_shape": (8, 8, 1), "width": 8}
    parts = models.find("infogan").make_networks(
        lambda role, **more: networks.make("mlp", role, **sizes | more), 74, None
    )
    assert [dense.units for dense in parts["recognition"].dense] == [128]


@pytest.mark.parametrize(
    ("epochs", "fractions"),
    [
        (4, [1, 1, 0.01**0.5, 0.01]),  # the official half and half
        (5, [1, 1, 0.01 ** (1 / 3), 0.01 ** (2 / 3), 0.01]),  # the odd one falls
    ],
)
def test_the_official_schedule_for_any_number_of_epochs(epochs, fractions):
    schedule = ConstantThenExponential(2e-4, epochs=epochs, steps_per_epoch=3)
    rates = [float(schedule(step)) for step in range(3 * epochs)]
    np.testing.assert_allclose(rates, np.repeat(2e-4 * np.array(fractions), 3), rtol=1e-5)
