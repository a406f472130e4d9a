"""Losses of the game between a discriminator and its opponents, and reconstruction losses.

A loss is a function of D's logits [B, 1] or [B] of real and of generated rows, and gives scalars.
`compile(loss="hinge")` chooses one for any system whose D gives logits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import keras
import tensorflow as tf

from tf_bigan.constraints import Rate, check, check_arguments, from_text
from tf_bigan.errors import UserError


class AdversarialLoss:
    """What D minimises, and what its opponents minimise, as means over the rows.

    A subclass gives the four terms of a row. D minimises `real` of real rows and `fake` of
    generated ones; its opponents `as_real` of generated rows and, where they also move what D
    takes for real (E in BiGAN's pairs), `as_fake` of real rows. There may be several groups of
    generated rows, as samples and reconstructions in VAE-GAN: their terms add up.

    Example:
        loss = Hinge()
        loss.discriminator(logits_real, logits_fake)  # of D
        loss.generator(logits_real, logits_fake)  # of a GAN's G
        loss.encoder_generator(logits_real, logits_fake)  # of BiGAN's E and G
    """

    def real(self, logits: tf.Tensor) -> tf.Tensor:
        """D's loss of each real row."""
        raise NotImplementedError

    def fake(self, logits: tf.Tensor) -> tf.Tensor:
        """D's loss of each generated row."""
        raise NotImplementedError

    def as_real(self, logits: tf.Tensor) -> tf.Tensor:
        """The opponents' loss of each generated row: how far D is from taking it for real."""
        return self.real(logits)

    def as_fake(self, logits: tf.Tensor) -> tf.Tensor:
        """The opponents' loss of each real row: how far D is from taking it for generated."""
        return self.fake(logits)

    def compared(self, logits_real: tf.Tensor, *logits_fake: tf.Tensor) -> list[tf.Tensor]:
        """The logits of real and of generated rows as the four terms take them: unchanged."""
        return [logits_real, *logits_fake]

    def margins(self, logits_real: tf.Tensor, *logits_fake: tf.Tensor) -> list[tf.Tensor]:
        """How far D takes each row for real, below 0 for generated: 0 where it is undecided."""
        return self.compared(logits_real, *logits_fake)

    def discriminator(self, logits_real: tf.Tensor, *logits_fake: tf.Tensor) -> tf.Tensor:
        """E[real(l_real)] + Σ E[fake(l_fake)], a scalar."""
        real, *fake = self.compared(logits_real, *logits_fake)
        return _total(self.real, [real]) + _total(self.fake, fake)

    def generator(self, logits_real: tf.Tensor, *logits_fake: tf.Tensor) -> tf.Tensor:
        """Σ E[as_real(l_fake)], a scalar."""
        _, *fake = self.compared(logits_real, *logits_fake)
        return _total(self.as_real, fake)

    def encoder_generator(self, logits_real: tf.Tensor, *logits_fake: tf.Tensor) -> tf.Tensor:
        """E[as_fake(l_real)] + Σ E[as_real(l_fake)], a scalar."""
        real, *fake = self.compared(logits_real, *logits_fake)
        return _total(self.as_fake, [real]) + _total(self.as_real, fake)

    def logs(self, logits_real: tf.Tensor, logits_fake: tf.Tensor) -> dict[str, tf.Tensor]:
        """What to log of D: its logits, and where their margins are right, bool [B, 1]."""
        real, fake = self.margins(logits_real, logits_fake)
        return {
            "logits_real": logits_real,
            "logits_fake": logits_fake,
            "accuracy_real": real > 0,
            "accuracy_fake": fake < 0,
        }

    def get_config(self) -> dict:
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "AdversarialLoss":
        return cls(**config)


@keras.saving.register_keras_serializable("tf_bigan")
class Logistic(AdversarialLoss):
    """The cross entropy of "real" and "generated" (Goodfellow et al. 2014), non-saturating.

    With D(x) = sigmoid(l) it is -log D of real rows and -log(1 - D) of generated ones. D's
    opponents have the same loss with the labels exchanged (section 3). An undecided D has 2 ln 2.

    Args:
        label_smoothing: s in the label 1 - s of "real", for D and its opponents (Salimans et al.
            2016, section 3.4: one-sided label smoothing).
    """

    def __init__(self, label_smoothing: Rate = 0.0):
        check_arguments(Logistic, {"label_smoothing": label_smoothing})
        self.label_smoothing = label_smoothing

    def real(self, logits):
        """-(1 - s) log D - s log(1 - D) = softplus(-l) + s·l."""
        return tf.nn.softplus(-logits) + self.label_smoothing * logits

    def fake(self, logits):
        return tf.nn.softplus(logits)  # -log(1 - sigmoid(l)) without overflow

    def get_config(self) -> dict:
        return {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("tf_bigan")
class Minimax(Logistic):
    """The logistic game of eq. 1 of Goodfellow et al. 2014: opponents maximise D's loss.

    Their gradients vanish where D is sure of itself.
    """

    def as_real(self, logits):
        return -self.fake(logits)

    def as_fake(self, logits):
        return -self.real(logits)


@keras.saving.register_keras_serializable("tf_bigan")
class Hinge(AdversarialLoss):
    """D: max(0, 1 - l) of real, max(0, 1 + l) of generated rows; opponents: -l of generated ones.

    Lim & Ye 2017, eq. 2 and 3; Miyato et al. 2018; BigBiGAN (Donahue & Simonyan 2019, eq. 2).
    """

    def real(self, logits):
        return tf.nn.relu(1.0 - logits)

    def fake(self, logits):
        return tf.nn.relu(1.0 + logits)

    def as_real(self, logits):
        return -logits

    def as_fake(self, logits):
        return logits


@keras.saving.register_keras_serializable("tf_bigan")
class LeastSquares(AdversarialLoss):
    """D: ½(l - 1)² of real, ½l² of generated rows; opponents: ½(l - 1)² of generated ones.

    LSGAN (Mao et al. 2017, eq. 9).
    """

    def real(self, logits):
        return 0.5 * tf.square(logits - 1.0)

    def fake(self, logits):
        return 0.5 * tf.square(logits)

    def margins(self, logits_real, *logits_fake):
        return [logits - 0.5 for logits in (logits_real, *logits_fake)]


@keras.saving.register_keras_serializable("tf_bigan")
class Wasserstein(AdversarialLoss):
    """D: -l of real, l of generated rows; opponents the negative (Arjovsky et al. 2017).

    -D's loss estimates the Wasserstein distance if D is 1-Lipschitz, which a penalty or spectral
    normalisation must ensure.
    """

    def real(self, logits):
        return -logits

    def fake(self, logits):
        return logits

    def margins(self, logits_real, *logits_fake):
        """From the middle between both means: a constant added to all logits changes nothing."""
        middle = 0.5 * (tf.reduce_mean(logits_real) + _mean(logits_fake))
        return [logits - middle for logits in (logits_real, *logits_fake)]


@keras.saving.register_keras_serializable("tf_bigan")
class RelativisticAverage(Logistic):
    """Whether a real row looks more real than the mean generated one, and the reverse.

    Jolicoeur-Martineau 2019, RaSGAN: the logistic game on l_real - E[l_fake] and l_fake -
    E[l_real], in which opponents move both terms. The means are over a replica's rows, so that two
    replicas do not equal one.
    """

    def compared(self, logits_real, *logits_fake):
        mean_real = tf.reduce_mean(logits_real)
        return [logits_real - _mean(logits_fake), *(fake - mean_real for fake in logits_fake)]

    def generator(self, logits_real, *logits_fake):
        return self.encoder_generator(logits_real, *logits_fake)


def _mean(groups: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.reduce_mean(logits) for logits in groups]) / len(groups)


def _total(term: Callable[[tf.Tensor], tf.Tensor], groups: Iterable[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.reduce_mean(term(logits)) for logits in groups])


LOSSES = {
    "logistic": Logistic,
    "minimax": Minimax,
    "hinge": Hinge,
    "least_squares": LeastSquares,
    "wasserstein": Wasserstein,
    "relativistic": RelativisticAverage,
}


def get(loss: "AdversarialLoss | str") -> AdversarialLoss:
    """A loss, or the one that a text names: "hinge", "logistic:label_smoothing=0.1".

    Raises:
        UserError: no such loss or argument, or something else.
    """
    if isinstance(loss, str):
        return from_text("loss", loss, LOSSES)
    if not isinstance(loss, AdversarialLoss):
        raise UserError(f"loss={loss}: give a name, as 'hinge', or an object, as Hinge()")
    return loss


def squared_error(x: tf.Tensor, x_rec: tf.Tensor) -> tf.Tensor:
    """Σ (x - x_rec)² over the entries of each row, [B, ...] twice -> float32 [B]."""
    difference = tf.cast(x, tf.float32) - tf.cast(x_rec, tf.float32)
    return tf.reduce_sum(difference**2, list(range(1, x.shape.rank)))


def absolute_error(x: tf.Tensor, x_rec: tf.Tensor) -> tf.Tensor:
    """Σ |x - x_rec| over the entries of each row, [B, ...] twice -> float32 [B]."""
    difference = tf.cast(x, tf.float32) - tf.cast(x_rec, tf.float32)
    return tf.reduce_sum(tf.abs(difference), list(range(1, x.shape.rank)))


def reconstruction_loss(x: tf.Tensor, x_rec: tf.Tensor, norm: Literal["l1", "l2"]) -> tf.Tensor:
    """E[Σ |x - x_rec|] for norm "l1", E[Σ (x - x_rec)²] for "l2": [B, ...] twice -> float32 [].

    Raises:
        UserError: another norm.
    """
    check("norm", norm, Literal["l1", "l2"])
    error = squared_error if norm == "l2" else absolute_error
    return tf.reduce_mean(error(x, x_rec))


def paired_information(p: tf.Tensor, p_other: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """I(c; c') and H(c) in nats of the classes of paired rows: two scalars from 0 to log K.

    The classes are distributed as E[p p'ᵀ], made symmetric (Ji et al. 2019, IIC, eq. 3).

    Args:
        p, p_other: class probabilities of the two rows of each pair, [B, K].
    """
    joint = tf.reduce_mean(p[:, :, None] * p_other[:, None], 0)
    joint = 0.5 * (joint + tf.transpose(joint)) + 1e-8
    shares = tf.reduce_sum(joint, 0)
    information = tf.reduce_sum(joint * tf.math.log(joint / (shares * shares[:, None])))
    return information, -tf.reduce_sum(shares * tf.math.log(shares))
