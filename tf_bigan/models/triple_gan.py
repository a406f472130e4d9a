"""Triple-GAN: a classifier, a generator and a discriminator of pairs (Li et al. 2017)."""

from typing import Annotated

import keras
import tensorflow as tf

from tf_bigan import augmentation
from tf_bigan.constraints import Fraction, NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.losses import squared_error
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Categorical, Concatenation, Prior


@keras.saving.register_keras_serializable("tf_bigan")
class TripleGAN(AdversarialModel):
    """G makes images for labels, C predicts labels of images, D tells their pairs from real ones.

        min_{C,G} max_D  E_real[log D(x, y)] + α E_x[log(1 - D(x, y_C))]
                         + (1 - α) E_y,z[log(1 - D(G(y, z), y))] + R_L + weight · R_P

    with α = ½, y_C = argmax p_C(y | x), R_L the cross entropy of C on labelled images and R_P that
    on generated images with their labels (section 3). The losses are those of the official code,
    softplus(∓l) with D's logits l; the losses of C and G do not saturate:

        D: -log D(x, y) - ½ log(1 - D(x, y_C)) - ½ log(1 - D(G(y, z), y))
        G: -½ log D(G(y, z), y)
        C: -½ p_C(y_C | x) log D(x, y_C) + R_L + pseudo · R_P
           + entropy · H(p_C(y | x)) + balance · (cross entropy of 1/K and the mean of p_C)
           + consistency · E Σ(p_C(y | T x) - p_C(y | T' x))²

    T x and T' x are views of an image (Laine & Aila 2017, Π-model); C sees views of real images,
    and generated ones as they are. D, G and C move in turn. Without a labelled subset in the batch,
    all images count as labelled. A penalty of D, and an adaptive augmentation, look at the pairs
    (x, y_C), of all images, as the real ones.

    Hyperparameters:
        entropy, balance: weights of C's regularisation on unlabelled images. The mean of p_C is
            taken over a replica's rows, so that it depends on the number of replicas.
        consistency: the weight of that term.
        views: the `augmentation` of views, as text; "none" is that of `compile`.
        pseudo, pseudo_after: the weight of R_P, and the number of initial steps without it.
        predicted_share: the fraction of D's real pairs that are (x, y_C). With 0, as in the paper,
            D overfits 100 labelled images; there the official code uses nearly 1.

    Networks: classifier x -> logits [B, K]; generator z -> x [B, H, W, C] in [0, 1], the last part
    of z a one-hot label; discriminator [x, one-hot label] -> logits [B, 1].
    """

    players = {"D": ("discriminator",), "G": ("generator",), "C": ("classifier",)}
    moves = (("D",), ("G",), ("C",))
    requires = ("image", "label")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        classifier: keras.Model,
        prior: Prior,
        *,
        entropy: NonNegative = 0.3,
        balance: NonNegative = 1e-3,
        pseudo: NonNegative = 0.1,
        pseudo_after: Annotated[int, "[0, inf)"] = 2000,
        predicted_share: Fraction = 0.9,
        consistency: NonNegative = 0.0,
        views: augmentation.Views = "none",
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            discriminator=discriminator,
            generator=generator,
            classifier=classifier,
            entropy=entropy,
            balance=balance,
            pseudo=pseudo,
            pseudo_after=pseudo_after,
            predicted_share=predicted_share,
            consistency=consistency,
            views=views,
        )
        self._views = augmentation.of_views(views)
        self.classes = self.classifier(keras.Input(self.image_shape)).shape[-1]
        if prior.classes != self.classes:
            labels = f"categorical{self.classes}"
            raise UserError(f"triple_gan: z must end in the labels: prior=normal100+{labels}")

    @classmethod
    def check_options(cls, prior, **options):
        super().check_options(prior, **options)
        if not (isinstance(prior, Concatenation) and isinstance(prior.parts[-1], Categorical)):
            raise UserError("triple_gan: z must end in the labels: prior=normal100+categorical10")

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        if classes is None:
            raise UserError("triple_gan learns from labels: give a data set that has them")
        return {
            "discriminator": make("discriminator", latent_dim=classes),
            "generator": make("generator", latent_dim=latent_dim),
            "classifier": make("classifier", classes=classes),
        }

    def player_losses(self, batch, z, training):
        x, y = batch["image"], self.prior.split(z)[-1]
        x_labelled = batch.get("labelled_image", x)
        label = batch.get("labelled_label", batch.get("label"))
        x_fake = self.generator(z, training=training)
        # The labelled batch may have another size, so it needs a separate call. It comes first,
        # because `calibrate` uses the batch statistics of the last call.
        guess_labelled = self._guess_of_a_view(x_labelled, training)
        other = self._guess_of_a_view(x, training) if self.consistency else None
        view = self.augmented(x, training, by=self._views)
        guesses = discriminate(self.classifier, view, x_fake, training=training)
        guess, guess_fake = (tf.cast(logits, tf.float32) for logits in guesses)
        p = tf.nn.softmax(guess)  # [B, K]
        p_other = p if other is None else tf.nn.softmax(other)
        y_guess = tf.one_hot(tf.argmax(p, -1), self.classes)
        logits_guess, logits_fake = self.judge(
            self.discriminator, [x, y_guess], [x_fake, y], training=training
        )
        pairs = self.augmented([x_labelled, tf.one_hot(label, self.classes)], training=training)
        logits_real = tf.cast(self.discriminator(pairs, training=training), tf.float32)

        loss, share = self.adversarial_loss, self.predicted_share
        real, guessed, fake = loss.compared(logits_real, logits_guess, logits_fake)
        guessed_real, *_ = loss.compared(logits_guess, logits_guess, logits_fake)
        as_real = (1 - share) * tf.reduce_mean(loss.real(real))
        as_real += share * tf.reduce_mean(loss.real(guessed_real))
        as_fake = tf.reduce_mean(loss.fake(guessed)) + tf.reduce_mean(loss.fake(fake))
        certainty = tf.reduce_max(p, -1, keepdims=True)
        supervised = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(label, guess_labelled)
        )
        from_generated = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, guess_fake))
        entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(p, guess))
        balance = -tf.reduce_mean(tf.math.log(tf.reduce_mean(p, 0) + 1e-6))
        pseudo = self.pseudo * tf.cast(self.step.value >= self.pseudo_after, tf.float32)
        losses = {
            "D": as_real + 0.5 * as_fake,
            "G": 0.5 * loss.generator(logits_real, logits_fake),
            "C": 0.5 * tf.reduce_mean(certainty * loss.as_real(guessed))
            + supervised
            + pseudo * from_generated
            + self.entropy * entropy
            + self.balance * balance
            + self.consistency * tf.reduce_mean(squared_error(p, p_other)),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake) | {
            "logits_guess": logits_guess,
            "accuracy_labelled": tf.argmax(guess_labelled, -1) == label,
            "entropy": entropy,
        }

    def _guess_of_a_view(self, x, training):
        """C's logits [B, K] of images, augmented anew."""
        return self.class_logits(self.augmented(x, training, by=self._views), training)

    def class_logits(self, x, training) -> tf.Tensor:
        """Logits of p_C(y | x), [B, K]."""
        return tf.cast(self.classifier(x, training=training), tf.float32)
