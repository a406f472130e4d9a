"""BigBiGAN: large scale adversarial representation learning (Donahue & Simonyan, NeurIPS 2019)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class BigBiGAN(AdversarialModel):
    """BiGAN whose discriminator also judges x alone and z alone, with hinge losses.

    D has three parts: F for images, H for latents, and J for the joined features of a pair. The
    scores are linear maps of their features (section 2)

        s_x(x) = θ_x·F(x)        s_z(z) = θ_z·H(z)        s_xz(x, z) = θ_xz·J(F(x), H(z)).

    With h(t) = max(0, 1 - t), summed over the scores s,

        D:        Σ_s E[h(s(x, z_hat))] + E[h(-s(G(z), z))]
        E and G:  Σ_s E[s(x, z_hat)] - E[s(G(z), z)],

    z_hat = μ(x) + softplus(σ(x))·ε, ε ~ N(0, I). D moves first, then E and G at once on new z. E
    and G are separate players, because E's learning rate is ten times G's. `encode` gives μ(x).

    Networks: encoder a `GaussianEncoder`, x [B, H, W, C] -> (μ, σ), [B, latent_dim] each; generator
    z -> x in [0, 1]; discriminator_x (F) x -> s_x, discriminator_z (H) z -> s_z, both with
    `features` and their `head`; discriminator_xz (J) of the joined features -> s_xz; [B, 1] each.
    """

    players = {
        "D": ("discriminator_x", "discriminator_z", "discriminator_xz"),
        "E": ("encoder",),
        "G": ("generator",),
    }
    moves = (("D",), ("E", "G"))
    network_methods = {
        "encoder": "distribution",
        "discriminator_x": "features",
        "discriminator_z": "features",
    }
    default_loss = "hinge"

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator_x: keras.Model,
        discriminator_z: keras.Model,
        discriminator_xz: keras.Model,
        prior: Prior,
        *,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            encoder=encoder,
            generator=generator,
            discriminator_x=discriminator_x,
            discriminator_z=discriminator_z,
            discriminator_xz=discriminator_xz,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        generator = make("generator", latent_dim=latent_dim)
        judges = make("image_discriminator"), make("perceptron", inputs=latent_dim)
        z = tf.zeros((1, latent_dim))
        features = [judge.features(v) for judge, v in zip(judges, (generator(z), z), strict=True)]
        return {
            "encoder": make("gaussian_encoder", latent_dim=latent_dim),
            "generator": generator,
            "discriminator_x": judges[0],
            "discriminator_z": judges[1],
            "discriminator_xz": make("perceptron", inputs=sum(f.shape[-1] for f in features)),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        mean, spread = self.encoder.distribution(x, training)
        z_hat = mean + tf.nn.softplus(spread) * self.random.normal((self.prior.dim,))
        x_fake = self.generator(z, training=training)
        scores = self.scores([x, z_hat], [x_fake, z], training)
        joint = tf.add_n([self.adversarial_loss.encoder_generator(*pair) for pair in scores])
        losses = {
            "D": tf.add_n([self.adversarial_loss.discriminator(*pair) for pair in scores]),
            "E": joint,
            "G": joint,
        }
        names = ("x", "z", "xz")
        logs = {f"logits_real_{n}": real for n, (real, _) in zip(names, scores, strict=True)}
        logs |= {f"logits_fake_{n}": fake for n, (_, fake) in zip(names, scores, strict=True)}
        real, fake = self.adversarial_loss.margins(*scores[-1])
        return losses, logs | {"accuracy_real": real > 0, "accuracy_fake": fake < 0}

    def scores(self, real, fake, training) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """(real, generated) scores [B, 1] of pairs [x, z], for s_x, s_z and s_xz."""
        of_real, of_fake = self.judge(self._scores, real, fake, training=training)
        return list(zip(of_real[1:], of_fake[1:], strict=True))

    def _scores(self, pair, training) -> list[tf.Tensor]:
        """The sum of the scores, whose slope a penalty takes, and s_x, s_z, s_xz, [B, 1] each."""
        judges = self.discriminator_x, self.discriminator_z
        features = [f.features(v, training) for f, v in zip(judges, pair, strict=True)]
        scores = [judge.head(f) for judge, f in zip(judges, features, strict=True)]
        scores.append(self.discriminator_xz(tf.concat(features, -1), training=training))
        return [tf.add_n(scores), *scores]
