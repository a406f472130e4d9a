"""BiGAN in one file: plain Keras layers, one training step, real handwritten digits.

    python examples/bigan_in_one_file.py

downloads nothing, takes about a minute and writes bigan_in_one_file.png: samples G(z) at the top,
digits x above their reconstructions G(E(x)) at the bottom. The library takes the same training step
(tests/test_examples.py compares the weights), but faster, and for more systems and data.

Three networks (Donahue, Krähenbühl & Darrell, "Adversarial Feature Learning", ICLR 2017):

    generator      G: z -> x     makes an image from random numbers z
    encoder        E: x -> z     estimates the random numbers from which G would make an image
    discriminator  D: (x, z)     distinguishes pairs (x, E(x)) of real images from pairs (G(z), z)

D is trained to distinguish the two kinds of pairs, E and G together to make them indistinguishable.
At the optimum E and G invert each other. So E learns a representation of images without labels and
without a reconstruction error.
"""

import math

import keras
import numpy as np
import tensorflow as tf

IMAGE_SHAPE = (8, 8, 1)
LATENT_DIM = 16  # latent dimension
WIDTH = 256  # units of a hidden layer
BATCH = 64
EPOCHS = 250
LEARNING_RATE = 3e-4

# --- the networks ---------------------------------------------------------------------------


def dense(units, initializer=None):
    # No biases: batch norm would cancel most of them.
    initializer = initializer or keras.initializers.RandomNormal(stddev=0.02)
    return keras.layers.Dense(units, use_bias=False, kernel_initializer=initializer)


def batch_norm():
    return keras.layers.BatchNormalization(center=False, scale=False, epsilon=1e-8)


def leaky_relu():
    return keras.layers.LeakyReLU(negative_slope=0.2)


def make_generator() -> keras.Model:
    """G: z [B, LATENT_DIM] in (-1, 1) -> x [B, 8, 8, 1] in (0, 1)."""
    z = keras.Input((LATENT_DIM,))
    h = keras.layers.ReLU()(batch_norm()(dense(WIDTH)(z)))
    h = keras.layers.Concatenate()([h, z])  # z enters again at the second layer
    h = keras.layers.ReLU()(batch_norm()(dense(WIDTH)(h)))
    pixels = keras.layers.Activation("sigmoid")(dense(math.prod(IMAGE_SHAPE))(h))
    return keras.Model(z, keras.layers.Reshape(IMAGE_SHAPE)(pixels))


def make_encoder() -> keras.Model:
    """E: x [B, 8, 8, 1] -> z_hat [B, LATENT_DIM] in (-1, 1), the range of z."""
    x = keras.Input(IMAGE_SHAPE)
    h = leaky_relu()(dense(WIDTH)(keras.layers.Flatten()(x)))
    h = leaky_relu()(batch_norm()(dense(WIDTH)(h)))
    logits = dense(LATENT_DIM)(h)
    return keras.Model(x, 2.0 * keras.ops.sigmoid(logits) - 1.0)


def make_discriminator() -> keras.Model:
    """D: (x [B, 8, 8, 1], z [B, LATENT_DIM]) -> logit [B, 1], above 0 for "x is real"."""
    x, z = keras.Input(IMAGE_SHAPE), keras.Input((LATENT_DIM,))
    h = leaky_relu()(dense(WIDTH)(keras.layers.Flatten()(x)))
    h = keras.layers.Concatenate()([h, z])
    h = leaky_relu()(batch_norm()(dense(WIDTH)(h)))
    return keras.Model([x, z], dense(1, "zeros")(h))  # logits start at 0


# --- the training step ----------------------------------------------------------------------


class BiGAN:
    """The three networks, an optimizer for each player, and one step of training."""

    def __init__(self):
        self.E, self.G, self.D = make_encoder(), make_generator(), make_discriminator()
        self.D_weights = self.D.trainable_variables
        self.EG_weights = self.E.trainable_variables + self.G.trainable_variables
        # β1 = 0.5 instead of 0.9: the other player moves, so old gradients are soon outdated.
        self.D_optimizer = keras.optimizers.Adam(LEARNING_RATE, beta_1=0.5, epsilon=1e-8)
        self.EG_optimizer = keras.optimizers.Adam(LEARNING_RATE, beta_1=0.5, epsilon=1e-8)
        self.D_optimizer.build(self.D_weights)
        self.EG_optimizer.build(self.EG_weights)

    @tf.function
    def train_step(self, x, z):
        """Images x [B, 8, 8, 1] in [0, 1] and z [B, LATENT_DIM] -> losses of D and of E and G."""
        with tf.GradientTape(persistent=True) as tape:  # persistent: asked for gradients twice
            # Two calls of D: batch norm needs separate statistics for real and generated pairs.
            logits_real = self.D([x, self.E(x, training=True)], training=True)
            logits_fake = self.D([self.G(z, training=True), z], training=True)
            # D's probability that a pair is real is σ(logit). softplus(-a) = -log σ(a) and
            # softplus(a) = -log(1 - σ(a)) do not overflow.
            D_loss = 0.5 * tf.reduce_mean(
                tf.nn.softplus(-logits_real) + tf.nn.softplus(logits_fake)
            )
            # E and G minimise the same loss with swapped labels. Unlike that of -D_loss, its
            # gradient does not vanish when D is much better.
            EG_loss = 0.5 * tf.reduce_mean(
                tf.nn.softplus(logits_real) + tf.nn.softplus(-logits_fake)
            )
        # A simultaneous step: both gradients are computed before either player moves.
        D_gradients = tape.gradient(D_loss, self.D_weights)
        EG_gradients = tape.gradient(EG_loss, self.EG_weights)
        self.D_optimizer.apply(D_gradients, self.D_weights)
        self.EG_optimizer.apply(EG_gradients, self.EG_weights)
        return D_loss, EG_loss


# --- data, training, picture ----------------------------------------------------------------


def load_digits() -> np.ndarray:
    """1,797 real handwritten digits, float32 [1797, 8, 8, 1] in [0, 1]."""
    from sklearn.datasets import load_digits

    return (load_digits().images[..., None] / 16).astype(np.float32)


def train(images: np.ndarray, epochs: int, seed: int = 0) -> BiGAN:
    """A BiGAN after `epochs` passes over images [N, 8, 8, 1] in [0, 1]."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    bigan = BiGAN()
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            x = tf.constant(images[order[start : start + BATCH]])
            z = tf.constant(rng.uniform(-1, 1, (BATCH, LATENT_DIM)), tf.float32)
            D_loss, EG_loss = bigan.train_step(x, z)
        if epoch % 25 == 0 or epoch == epochs:
            print(f"epoch {epoch:3d}/{epochs}  D {D_loss:.3f}  E and G {EG_loss:.3f}", flush=True)
    return bigan


def picture(bigan: BiGAN, images: np.ndarray, seed: int = 1) -> np.ndarray:
    """uint8 [H, W]: 4 rows of samples, then 2 times a row of images above its reconstructions."""
    z = np.random.default_rng(seed).uniform(-1, 1, (64, LATENT_DIM)).astype(np.float32)
    samples = bigan.G(z, training=False).numpy()
    originals = images[:32]
    reconstructions = bigan.G(bigan.E(originals, training=False), training=False).numpy()
    blocks = [samples, *(b[i : i + 16] for i in (0, 16) for b in (originals, reconstructions))]
    tiles = np.concatenate(blocks)[..., 0].reshape(-1, 16, 8, 8)  # [rows, columns, 8, 8]
    tiles = np.pad(tiles, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=1.0)
    rows = tiles.swapaxes(1, 2).reshape(len(tiles) * 10, 16 * 10)
    return np.rint(rows * 255).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)


if __name__ == "__main__":
    from PIL import Image

    digits = load_digits()
    Image.fromarray(picture(train(digits, EPOCHS), digits)).save("bigan_in_one_file.png")
    print("wrote bigan_in_one_file.png")
