"""InfoGAN: interpretable representations by maximising information (Chen et al. 2016)."""

import math

import keras
import numpy as np
import tensorflow as tf

from tf_bigan import augmentation
from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.losses import paired_information
from tf_bigan.networks.normalization import discriminate, unchanged_statistics
from tf_bigan.priors import Categorical, Concatenation, Prior, Uniform


@keras.saving.register_keras_serializable("tf_bigan")
class InfoGAN(AdversarialModel):
    """A GAN whose images determine the codes c in their latents z = (noise, c_1, c_2, ...).

        min_{G,Q} max_D  V(D, G) - λ L_I(G, Q)                                          (eq. 6)
        L_I(G, Q) = E[log Q(c | G(z))] + H(c)  <=  I(c; G(z))                           (eq. 5)

    V is the non-saturating GAN loss: D minimises softplus(-l(x)) + softplus(l(G(z))), G minimises
    softplus(-l(G(z))). Q is a head on D's last hidden layer and belongs to player D. As in the
    official code both losses contain -λ L_I, so that D's layers learn for Q too.

    A term of D that is not the paper's, -invariance · (I(c; c') + balance · H(c)), keeps Q from
    reading styles as classes. c and c' are the classes of a real image and of a view of it, with
    Q's probabilities p and p', distributed as E[p p'ᵀ] made symmetric (Ji et al. 2019, eq. 3).
    Without the entropy H, classes of unequal size come first and stay: two share a digit.

    The prior's first part is noise, the others are codes. For a categorical code Q gives logits,
    for other codes the mean of a Gaussian with σ fixed to 1, as in the official code.

    Hyperparameters:
        lambda_categorical, lambda_continuous: λ of the two kinds of codes.
        invariance, balance: the weights of that term and of its entropy, of a replica's own rows.
        views: the `augmentation` of views, as text; "none" is that of `compile`.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x -> logits
    [B, 1] through `features` and `head`; recognition (Q) features -> [B, latent_dim], in z's order.
    """

    players = {"D": ("discriminator", "recognition"), "G": ("generator",)}
    moves = (("D",), ("G",))
    network_methods = {"discriminator": "features"}

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        recognition: keras.Model,
        prior: Prior,
        *,
        lambda_categorical: NonNegative = 1.0,
        lambda_continuous: NonNegative = 1.0,
        invariance: NonNegative = 0.0,
        balance: NonNegative = 0.0,
        views: augmentation.Views = "none",
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            recognition=recognition,
            lambda_categorical=lambda_categorical,
            lambda_continuous=lambda_continuous,
            invariance=invariance,
            balance=balance,
            views=views,
        )
        self._views = augmentation.of_views(views)

    @classmethod
    def check_options(cls, prior, **options):
        super().check_options(prior, **options)
        if not isinstance(prior, Concatenation) or isinstance(prior.parts[0], Categorical):
            raise UserError("infogan needs noise, then codes: prior=normal62+categorical10")

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        discriminator = make("image_discriminator")
        width = discriminator.logit.kernel.shape[0]
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": discriminator,
            "recognition": make(
                "perceptron", inputs=width, outputs=latent_dim, units=128, hidden=1, norm="batch"
            ),
        }

    def player_losses(self, batch, z, training):
        x, x_fake = batch["image"], self.generator(z, training=training)
        (logits_real, features_real), (logits_fake, features_fake) = self.judge(
            self._logits_and_features, x, x_fake, training=training
        )
        guess, (views, entropy) = self._guesses(x, features_real, features_fake, training)
        categorical, continuous = self._information(z, guess)
        bound = self.lambda_categorical * categorical + self.lambda_continuous * continuous
        loss, invariant = self.adversarial_loss, self.invariance * (views + self.balance * entropy)
        losses = {
            "D": loss.discriminator(logits_real, logits_fake) - bound - invariant,
            "G": loss.generator(logits_real, logits_fake) - bound,
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake) | {
            "information_categorical": categorical,
            "information_continuous": continuous,
            "information_views": views,
        }

    def _logits_and_features(self, x, training):
        features = self.discriminator.features(x, training=training)
        return self.discriminator.head(features), features

    def _guesses(self, x, features_real, features_fake, training):
        """Q of generated rows [B, latent_dim], and `_in_common` of x and a view of it."""
        if not self.invariance:
            return self.recognition(features_fake, training=training), (tf.zeros(()), tf.zeros(()))
        view = self.augmented(x, training, by=self._views)
        with unchanged_statistics(self.discriminator):  # `codes` are of images as they are
            features_view = self.discriminator.features(view, training=training)
        guess_real, guess_view, guess = discriminate(
            self.recognition, features_real, features_view, features_fake, training=training
        )
        return guess, self._in_common(guess_real, guess_view)

    def _information(self, z, guess):
        """L_I in nats, summed over the categorical codes and over the others: two scalars."""
        categorical, continuous = tf.zeros(()), tf.zeros(())
        for part, c, q in self._codes(z, guess):
            if isinstance(part, Categorical):  # log Q = Σ c log softmax(q), H = log K
                log_q = -tf.nn.softmax_cross_entropy_with_logits(c, q)
                categorical += tf.reduce_mean(log_q) + math.log(part.dim)
            else:  # log Q = Σ log N(c; q, 1); H = log 2 an entry of U(-1, 1), ½ log 2πe of N(0, 1)
                log_q = -0.5 * tf.reduce_sum((c - q) ** 2 + math.log(2 * math.pi), -1)
                h = math.log(2) if isinstance(part, Uniform) else math.log(2 * math.pi * math.e) / 2
                continuous += tf.reduce_mean(log_q) + part.dim * h
        return categorical, continuous

    def _in_common(self, guess, guess_view):
        """I(c; c') and H(c) of the classes that Q sees in rows and their views, of all codes."""
        each = [(tf.zeros(()), tf.zeros(()))] + [
            paired_information(tf.nn.softmax(q), tf.nn.softmax(q_view))
            for part, q, q_view in self._codes(guess, guess_view)
            if isinstance(part, Categorical)
        ]
        return tuple(tf.add_n(terms) for terms in zip(*each, strict=True))

    def _codes(self, *vectors):
        """(part of the prior, its slice of each vector) for each code."""
        return list(zip(self.prior.parts, *map(self.prior.split, vectors), strict=True))[1:]

    def code_estimates(self, x, training) -> list[tf.Tensor]:
        """Q(c | x) for each code: class logits, or means of continuous codes."""
        features = self.discriminator.features(x, training)
        return [q for _, q in self._codes(self.recognition(features, training=training))]

    def assign(self, images, batch_size: int = 256) -> np.ndarray:
        """The most probable class of the first categorical code: integers [N], of `codes`."""
        for part, q in zip(self.prior.parts[1:], self.codes(images, batch_size), strict=True):
            if isinstance(part, Categorical):
                return q.argmax(-1)
        raise UserError("assign needs a categorical code, as in prior=normal50+categorical10")

    def codes(self, images, batch_size: int = 256) -> list[np.ndarray]:
        """`code_estimates` of images [N, H, W, C] in [0, 1]: one array [N, dim] per code."""
        return self.in_batches(None, images, batch_size, method="code_estimates")
