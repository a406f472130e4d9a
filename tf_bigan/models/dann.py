"""DANN: domain adaptation by backpropagation (Ganin & Lempitsky, ICML 2015)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative, Rate
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class DANN(AdversarialModel):
    """Features that predict the classes of a labelled domain, but not the domain of an image.

        L_y = cross entropy of C(F(x_source)) and the labels
        L_d = ½ (E[-log D(F(x_source))] + E[-log(1 - D(F(x_target)))])
        C minimises L_y, D minimises L_d, F minimises L_y - λ L_d                    (eq. 1 to 3)

    Each player has its own loss, so that the paper's gradient reversal layer is not needed. All
    move at once. λ = strength · (2 / (1 + exp(-10 p)) - 1) rises from 0, with p the finished
    fraction of the training (section 4). No loss reads labels of the target domain, but
    `accuracy`, which picks the best checkpoint, uses the labels of its validation images.

    Each domain has its own batch statistics. F and D keep those of the target; C, which sees only
    the source's features in training, keeps those of the source. The prior has no effect: there
    is no z.

    Hyperparameters:
        strength: weight of the adversarial loss; 0 learns from the source domain only.
        total_steps: number of training steps, for p; later λ is constant. train.py uses the steps
            of the run, also when the run is resumed for more epochs.
        dropout_rate: dropout rate of C's input features, in training.

    Networks: encoder x [B, H, W, C] in [0, 1] -> features [B, F]; label_predictor features ->
    [B, classes]; domain_classifier features -> logit [B, 1] of "source".
    """

    players = {"F": ("encoder",), "C": ("label_predictor",), "D": ("domain_classifier",)}
    moves = (("F", "C", "D"),)
    default_loss = None
    default_penalty = None
    requires = ("image", "label", "target_image")

    def __init__(
        self,
        encoder: keras.Model,
        label_predictor: keras.Model,
        domain_classifier: keras.Model,
        prior: Prior,
        *,
        strength: NonNegative = 1.0,
        total_steps: Count = 5000,
        dropout_rate: Rate = 0.5,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            encoder=encoder,
            label_predictor=label_predictor,
            domain_classifier=domain_classifier,
            strength=strength,
            total_steps=total_steps,
            dropout_rate=dropout_rate,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        if classes is None:
            raise UserError("dann learns from labels: give a source data set that has them")
        encoder = make("lenet")
        inputs = encoder.size
        # D sees all of F's feature maps and is normalised. With only 100 features, or with a weak
        # D, the domains were mixed, but not class by class.
        return {
            "encoder": encoder,
            "label_predictor": make(
                "perceptron", inputs=inputs, outputs=classes, units=100, hidden=2, norm="batch"
            ),
            "domain_classifier": make(
                "perceptron", inputs=inputs, units=100, hidden=1, norm="batch"
            ),
        }

    def player_losses(self, batch, z, training):
        label = batch["label"]
        # The statistics of the first are kept: the model will classify images of the target.
        target, source = discriminate(
            self.encoder, batch["target_image"], batch["image"], training=training
        )
        logits_target, logits_source = discriminate(
            self.domain_classifier, target, source, training=training
        )
        if training and self.dropout_rate:
            kept = self.random.uniform(source.shape[1:]) > self.dropout_rate
            source *= tf.cast(kept, source.dtype) / (1.0 - self.dropout_rate)
        class_logits = self.label_predictor(source, training=training)
        cross_entropy = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(label, class_logits)
        )
        domain = 0.5 * (
            tf.reduce_mean(tf.nn.softplus(-logits_source))
            + tf.reduce_mean(tf.nn.softplus(logits_target))
        )
        adversary = self._adversary()
        losses = {
            "F": cross_entropy - adversary * domain,
            "C": cross_entropy,
            "D": domain,
        }
        return losses, {
            "logits_source": logits_source,
            "logits_target": logits_target,
            "accuracy_domain": tf.concat([logits_source > 0, logits_target < 0], 0),
            "accuracy_source": tf.argmax(class_logits, -1) == label,
            "lambda": adversary,
        }

    def _adversary(self):
        """λ of this step: 2σ(10 p) - 1 = tanh(5 p)."""
        p = tf.minimum(tf.cast(self.step.value, tf.float32) / self.total_steps, 1.0)
        return self.strength * tf.tanh(5.0 * p)

    def class_logits(self, x, training) -> tf.Tensor:
        """C(F(x)), [B, classes], for images of either domain."""
        return self.label_predictor(self.encoder(x, training=training), training=training)
