"""BiGAN in stock Keras 3: its layers and Adam, `fit`, a `train_step` with a persistent tape.

The input pipeline is that of Keras's examples: `from_tensor_slices`, `shuffle`, `batch`.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.ours import FitClock, Until, weights
from benchmarks.setting import ADAM, Setting


def plain_norm(policy: str) -> layers.BatchNormalization:
    return layers.BatchNormalization(center=False, scale=False, epsilon=1e-8, dtype=policy)


def mlp(setting: Setting, policy: str) -> dict[str, keras.Model]:
    def dense(units, name=None):
        return layers.Dense(units, use_bias=False, dtype=policy, name=name)

    width, pixels = setting.width, int(np.prod(setting.image_shape))
    sigmoid = layers.Activation("sigmoid", dtype="float32")

    z = keras.Input((setting.latent,))
    h = ops.relu(plain_norm(policy)(dense(width)(z)))
    h = ops.relu(plain_norm(policy)(dense(width)(h) + dense(width)(z)))
    x = layers.Reshape(setting.image_shape, dtype="float32")(sigmoid(dense(pixels)(h)))
    generator = keras.Model(z, x)

    x = keras.Input(setting.image_shape)
    h = leaky_relu(dense(width)(layers.Flatten()(x)))
    h = leaky_relu(plain_norm(policy)(dense(width)(h)))
    encoder = keras.Model(x, uniform_code(dense(setting.latent, name="latent")(h)))

    x, z = keras.Input(setting.image_shape), keras.Input((setting.latent,))
    h = leaky_relu(dense(width)(layers.Flatten()(x)))
    h = leaky_relu(plain_norm(policy)(dense(width)(h) + dense(width)(z)))
    discriminator = keras.Model([x, z], ops.cast(dense(1)(h), "float32"))
    return {"generator": generator, "encoder": encoder, "discriminator": discriminator}


def dcgan(setting: Setting, policy: str) -> dict[str, keras.Model]:
    def dense(units, bias=True, name=None):
        return layers.Dense(units, use_bias=bias, dtype=policy, name=name)

    def norm():
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy)

    def up(channels, bias=False):
        return layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=bias, dtype=policy)

    def tower(x):
        h = 2.0 * x - 1.0
        h = leaky_relu(layers.Conv2D(c, 4, 2, "same", dtype=policy)(h))
        for channels in (2 * c, 4 * c):
            h = layers.Conv2D(channels, 4, 2, "same", use_bias=False, dtype=policy)(h)
            h = leaky_relu(norm()(h))
        return layers.Flatten()(h)

    c, latent = setting.width, setting.latent
    z = keras.Input((latent,))
    h = layers.Reshape((4, 4, 4 * c))(dense(4 * 4 * 4 * c, bias=False)(z))
    h = up(2 * c)(ops.relu(norm()(h)))[:, :7, :7]
    h = up(c)(ops.relu(norm()(h)))
    h = up(setting.image_shape[2], bias=True)(ops.relu(norm()(h)))
    generator = keras.Model(z, layers.Activation("sigmoid", dtype="float32")(h))

    x = keras.Input(setting.image_shape)
    encoder = keras.Model(x, uniform_code(dense(latent, name="latent")(tower(x))))

    x, z = keras.Input(setting.image_shape), keras.Input((latent,))
    h = dense(setting.hidden, bias=False)(tower(x)) + dense(setting.hidden, bias=False)(z)
    discriminator = keras.Model([x, z], ops.cast(dense(1)(leaky_relu(norm()(h))), "float32"))
    return {"generator": generator, "encoder": encoder, "discriminator": discriminator}


def conv_down(setting: Setting, policy: str, norm: bool) -> keras.Sequential:
    """Images to the smallest map of the library's default networks, flattened."""
    tower = keras.Sequential([layers.Rescaling(2.0, -1.0)])
    for i, (_, _, channels) in enumerate(setting.maps()):
        normed = norm and i > 0
        tower.add(layers.Conv2D(channels, 4, 2, "same", use_bias=not normed, dtype=policy))
        if normed:
            tower.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy))
        tower.add(layers.Activation(leaky_relu, dtype=policy))
    tower.add(layers.Flatten(dtype=policy))
    return tower


def conv(setting: Setting, policy: str) -> dict[str, keras.Model]:
    def dense(units, bias=True, name=None):
        return layers.Dense(units, use_bias=bias, dtype=policy, name=name)

    def norm():
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy)

    *larger, base = [setting.image_shape, *setting.maps()]
    z = keras.Input((setting.latent,))
    h = layers.Reshape(base)(dense(int(np.prod(base)), bias=False)(z))
    for height, width, channels in reversed(larger):
        h = ops.relu(norm()(h))
        last = (height, width, channels) == setting.image_shape
        if last and channels > 1:
            h = layers.UpSampling2D(dtype=policy)(h)[:, :height, :width]
            h = layers.Conv2D(channels, 5, padding="same", dtype=policy)(h)
        else:
            up = layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=last, dtype=policy)
            h = up(h)
        if h.shape[1:3] != (height, width):
            h = h[:, :height, :width]
    generator = keras.Model(z, layers.Activation("sigmoid", dtype="float32")(h))

    x = keras.Input(setting.image_shape)
    h = dense(setting.hidden, bias=False)(conv_down(setting, policy, norm=True)(x))
    logits = dense(setting.latent, name="latent")(leaky_relu(norm()(h)))
    return {
        "generator": generator,
        "encoder": keras.Model(x, uniform_code(logits)),
        "discriminator": ConvDiscriminator(setting, policy),
    }


class ConvDiscriminator(keras.Model):
    """A subclass, whose weights are in the order of its attributes."""

    def __init__(self, setting: Setting, policy: str):
        super().__init__()
        hidden = setting.hidden
        self.tower = conv_down(setting, policy, norm=False)
        self.dense = layers.Dense(hidden, dtype=policy)
        self.latent = layers.Dense(hidden, dtype=policy)
        self.condition = layers.Dense(hidden, use_bias=False, dtype=policy)
        self.joint = [layers.Dense(hidden, dtype=policy) for _ in range(2)]
        self.logit = layers.Dense(1, dtype=policy)
        self([keras.Input(setting.image_shape), keras.Input((setting.latent,))])

    def call(self, inputs):
        x, z = inputs
        h = leaky_relu(self.dense(self.tower(x)) + self.condition(leaky_relu(self.latent(z))))
        for layer in self.joint:
            h = leaky_relu(layer(h))
        return ops.cast(self.logit(h), "float32")


def leaky_relu(x):
    return ops.leaky_relu(x, 0.2)


def uniform_code(logits):
    return ops.tanh(0.5 * ops.cast(logits, "float32"))  # = 2σ(logits) - 1


NETWORKS = {"paper": mlp, "dcgan": dcgan, "conv": conv}


class BiGAN(keras.Model):
    """The model, written as in Keras's guide to GANs."""

    def __init__(self, encoder, generator, discriminator, latent: int):
        super().__init__()
        self.encoder, self.generator = encoder, generator
        self.discriminator, self.latent = discriminator, latent

    def compile(self, optimizer_d, optimizer_eg, **kwargs):
        super().compile(**kwargs)
        self.optimizer_d, self.optimizer_eg = optimizer_d, optimizer_eg

    def gradients(self, x, z):
        """(loss of D, of E and G; gradients of D, of E and G) from the same weights."""
        with tf.GradientTape(persistent=True) as tape:
            real = self.discriminator([x, self.encoder(x, training=True)], training=True)
            fake = self.discriminator([self.generator(z, training=True), z], training=True)
            loss_d = 0.5 * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))
            loss_eg = 0.5 * (ops.mean(ops.softplus(real)) + ops.mean(ops.softplus(-fake)))
        return (
            loss_d,
            loss_eg,
            tape.gradient(loss_d, self.discriminator.trainable_weights),
            tape.gradient(loss_eg, self.eg_weights()),
        )

    def eg_weights(self):
        return self.encoder.trainable_weights + self.generator.trainable_weights

    def draw(self, x):
        """z for each row of x."""
        return tf.random.uniform((tf.shape(x)[0], self.latent), -1.0, 1.0)

    def train_step(self, x):
        return self.update(x, self.draw(x))

    def update(self, x, z):
        """One simultaneous update."""
        loss_d, loss_eg, gradients_d, gradients_eg = self.gradients(x, z)
        self.optimizer_d.apply_gradients(
            zip(gradients_d, self.discriminator.trainable_weights, strict=True)
        )
        self.optimizer_eg.apply_gradients(zip(gradients_eg, self.eg_weights(), strict=True))
        return {"loss_d": loss_d, "loss_eg": loss_eg}


class Peer:
    """`fit` with its defaults, except for the arguments.

    policy: a dtype policy of Keras.
    jit_compile: argument of `compile`; its default is "auto", which means no XLA on a CPU.
    """

    def __init__(
        self, setting: Setting, images: np.ndarray, policy: str, jit_compile: bool | str = "auto"
    ):
        self.bfloat16 = policy == "mixed_bfloat16"
        self.model = BiGAN(**NETWORKS[setting.networks](setting, policy), latent=setting.latent)
        self.model.compile(
            keras.optimizers.Adam(**ADAM), keras.optimizers.Adam(**ADAM), jit_compile=jit_compile
        )
        self.dataset = (
            tf.data.Dataset.from_tensor_slices(images)
            .shuffle(len(images))
            .batch(setting.batch, drop_remainder=True)
            .map(lambda x: tf.cast(x, tf.float32) / 255.0)
            .repeat()
            .prefetch(tf.data.AUTOTUNE)
        )

    def seconds_of(self, steps: int) -> float:
        clock = FitClock()
        # `shuffle` has no effect for a dataset, except a warning.
        self.model.fit(
            self.dataset, steps_per_epoch=1 + steps, verbose=0, shuffle=False, callbacks=[clock]
        )
        return clock.seconds_per_step() * steps

    def train(self, after):
        self.model.fit(
            self.dataset, steps_per_epoch=10**9, verbose=0, shuffle=False, callbacks=[Until(after)]
        )

    # --- evaluation -------------------------------------------------------------------------

    def recalibrate(self, steps: int):
        networks = self.model.encoder, self.model.generator
        norms = [
            layer
            for network in networks
            for layer in network._flatten_layers()
            if isinstance(layer, layers.BatchNormalization)
        ]
        momenta = [norm.momentum for norm in norms]
        for done, x in enumerate(self.dataset.take(steps)):
            for norm in norms:
                norm.momentum = done / (done + 1)  # of a plain average
            networks[0](x, training=True)
            networks[1](self.model.draw(x), training=True)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def generate(self, z: np.ndarray) -> np.ndarray:
        return self.model.generator(z, training=False).numpy()

    def encode(self, x: np.ndarray) -> dict[str, np.ndarray]:
        encoder = self.model.encoder
        logits = keras.Model(encoder.input, encoder.get_layer("latent").output)
        return {"e": logits(x, training=False).numpy().astype(np.float32)}

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        return self.generate(self.model.encoder(x, training=False).numpy())

    # --- equal weights ----------------------------------------------------------------------

    def weights(self) -> dict[str, list[keras.Variable]]:
        return weights(self.model)

    def load(self, weights: dict[str, list[np.ndarray]]):
        for role, variables in self.weights().items():
            for variable, array in zip(variables, weights[role], strict=True):
                variable.assign(array)

    def losses_and_gradients(self, x: np.ndarray, z: np.ndarray):
        loss_d, loss_eg, of_d, of_eg = self.model.gradients(tf.constant(x), tf.constant(z))
        variables = [*self.model.discriminator.trainable_weights, *self.model.eg_weights()]
        gradient = dict(zip(map(id, variables), [*of_d, *of_eg], strict=True))
        by_role = {
            role: [gradient[id(variable)].numpy() for variable in ours]
            for role, ours in self.weights().items()
        }
        return {"D": float(loss_d), "EG": float(loss_eg)}, by_role
