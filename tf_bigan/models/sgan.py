"""SGAN: semi-supervised learning with generative adversarial networks (Odena 2016)."""

from typing import Literal

import keras
import tensorflow as tf

from tf_bigan import augmentation
from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.losses import squared_error
from tf_bigan.networks.normalization import unchanged_statistics
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class SGAN(AdversarialModel):
    """A discriminator with N + 1 classes: the N of the labels, and FAKE (Algorithm 1).

    D gives N + 1 logits, of which c are the first N. With r, the logit of "real":

        p(k | x) = σ(r) softmax(c)_k,  p(FAKE | x) = 1 - σ(r)

        real = softmax    the softmax of all N + 1 logits: r = log Σ exp(c_k) - the last one
        real = separate   r = the last one

        D, few labelled images:   -log p(y | x)                    cross entropy over N + 1 classes
        D, all images:            -log(1 - p(FAKE | x))    = softplus(-r)
        D, generated images:      -log p(FAKE | G(z))      = softplus(r)
        G:                        -log(1 - p(FAKE | G(z))) = softplus(-r)

    Both can be the same distributions. In the paper's softmax real images make the class certain
    that is the likeliest already, which helps with few labels; a separate r does not saturate when
    D becomes certain of a class, with better samples, and leaves certainty to the terms below.

    With `compile(loss="minimax")` G minimises log p(FAKE | G(z)) as in the paper, which saturates.
    Both move at once. Without a labelled subset in the batch, all images count as labelled.

    Three terms of D that are not the paper's make more of few labels. With p the softmax of c on
    all images, they are consistency · E Σ(p(x) - p(T x))² with a view T x of each (Laine & Aila
    2017, Π-model), entropy · E H(p(x)) (Grandvalet & Bengio 2004), and -balance · H(E p(x)),
    without which one class for all images would be the least of the other two (Krause et al.
    2010). The labelled images are views, too.

    Hyperparameters:
        real: as above.
        supervised: the weight of the labelled images' loss; 0 gives a GAN.
        consistency, entropy, balance: the weights of these terms. The mean of p is taken over a
            replica's rows, so that it depends on the number of replicas.
        views: the `augmentation` of views, as text; "none" is that of `compile`.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x ->
    logits [B, N + 1].
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D", "G"),)
    requires = ("image", "label")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        real: Literal["softmax", "separate"] = "softmax",
        supervised: NonNegative = 1.0,
        consistency: NonNegative = 0.0,
        views: augmentation.Views = "none",
        entropy: NonNegative = 0.0,
        balance: NonNegative = 0.0,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            real=real,
            supervised=supervised,
            consistency=consistency,
            views=views,
            entropy=entropy,
            balance=balance,
        )
        self._views = augmentation.of_views(views)

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        if classes is None:
            raise UserError("sgan learns from labels: give a data set that has them")
        return {
            "generator": make("generator", latent_dim=latent_dim),
            # With separate batch statistics D recognised the generated images too easily.
            "discriminator": make("image_discriminator", outputs=classes + 1, norm=None),
        }

    def player_losses(self, batch, z, training):
        label = batch.get("labelled_label", batch.get("label"))
        x_fake = self.generator(z, training=training)
        (real, classes), (fake, _) = self.judge(
            self._judgement, batch["image"], x_fake, training=training
        )
        # The labelled batch may have another size, so it needs a separate call.
        real_labelled, classes_labelled = real, classes
        if "labelled_image" in batch:
            real_labelled, classes_labelled = self._of_another_view(
                batch["labelled_image"], training
            )
        cross_entropy = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(label, classes_labelled)
            + tf.nn.softplus(-real_labelled)
        )
        p = tf.nn.softmax(classes)
        entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(p, classes))
        mean = tf.reduce_mean(p, 0)
        variety = -tf.reduce_sum(mean * tf.math.log(mean + 1e-8))
        regularisation = self.entropy * entropy - self.balance * variety
        if self.consistency:
            other = tf.nn.softmax(self._of_another_view(batch["image"], training)[1])
            regularisation += self.consistency * tf.reduce_mean(squared_error(p, other))
        losses = {
            "D": self.supervised * cross_entropy
            + regularisation
            + self.adversarial_loss.discriminator(real, fake),
            "G": self.adversarial_loss.generator(real, fake),
        }
        return losses, self.adversarial_loss.logs(real, fake) | {
            "cross_entropy": cross_entropy,
            "entropy": entropy,
            "entropy_of_mean": variety,
            "accuracy_labelled": tf.argmax(classes_labelled, -1) == label,
        }

    def _of_another_view(self, x, training):
        """`_judgement` of images, augmented anew; batch statistics are of the others."""
        view = self.augmented(x, training, by=self._views)
        with unchanged_statistics(self.discriminator):
            return self._judgement(view, training)

    def _judgement(self, x, training):
        """r [B], and c [B, N]."""
        logits = tf.cast(self.discriminator(x, training=training), tf.float32)
        classes, last = logits[:, :-1], logits[:, -1]
        separate = self.real == "separate"
        return last if separate else tf.reduce_logsumexp(classes, -1) - last, classes

    def class_logits(self, x, training) -> tf.Tensor:
        """Logits of the N classes, [B, N]."""
        return self._judgement(x, training)[1]
