"""Augmentations against NumPy on small images, and what a system does with them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system, step_eagerly
from tf_bigan import augmentation
from tf_bigan.augmentation import AUGMENTATIONS, Augmentation
from tf_bigan.core.randomness import Randomness
from tf_bigan.errors import UserError

ROWS = 64
SEED = tf.constant([3, 5])


def random(rows=ROWS, seed=SEED):
    one = Randomness()
    one.begin(seed, rows)
    return one


def images(shape=(8, 16, 3), rows=ROWS, seed=0):
    return tf.constant(np.random.default_rng(seed).random((rows, *shape)), tf.float32)


@pytest.mark.parametrize("shape", [(8, 16, 1), (5, 24, 3)])
def test_translation_against_numpy(shape):
    """By whole pixels, up to an eighth of a side and at least one, zeros at the edge."""
    x, (height, width, _) = images(shape), shape
    most = [max(1, round(side / 8)) for side in (height, width)]
    source, shifts = random(), []
    for m in most:
        shifts.append(np.floor(source.uniform().numpy() * (2 * m + 1)).astype(int) - m)
    for shift, m in zip(shifts, most, strict=True):
        assert set(shift) == set(range(-m, m + 1))
    expected = np.zeros_like(x)
    for i in range(ROWS):
        for row in range(height):
            for column in range(width):
                r, c = row + shifts[0][i], column + shifts[1][i]
                if 0 <= r < height and 0 <= c < width:
                    expected[i, row, column] = x[i, r, c]
    np.testing.assert_array_equal(augmentation.translation(x, random()), expected)


@pytest.mark.parametrize("shape", [(8, 16, 1), (7, 8, 3)])
def test_cutout_against_numpy(shape):
    """A rectangle of half of each side around a random place, less what lies past the edge."""
    x, (height, width, _) = images(shape) + 1.0, shape
    got = augmentation.cutout(x, random()).numpy()
    source = random()
    sides = round(height / 2), round(width / 2)
    assert not any(side % 2 for side in sides)  # so the middle may be before or after any pixel
    places = height + 1, width + 1
    centres = [np.floor(source.uniform().numpy() * count).astype(int) for count in places]
    for i in range(ROWS):
        expected = x[i].numpy()
        top, left = (c[i] - side // 2 for c, side in zip(centres, sides, strict=True))
        expected[max(top, 0) : top + sides[0], max(left, 0) : left + sides[1]] = 0
        np.testing.assert_array_equal(got[i], expected)
    assert all(set(c) == set(range(count)) for c, count in zip(centres, places, strict=True))
    area = (got == 0).mean((1, 2, 3))
    whole = sides[0] * sides[1] / (height * width)
    assert area.min() > 1 / 32 and area.max() == pytest.approx(whole) and len(set(area)) > 2


@pytest.mark.parametrize("side", [6, 8])  # of which 3 and 4 pixels are cut
def test_cutout_takes_both_edges_equally_often(side):
    source = random(8000)
    cut = augmentation.cutout(tf.ones((8000, side, side, 1)), source).numpy() == 0
    often = cut.mean((0, 3))
    np.testing.assert_allclose(often, often[::-1, ::-1], atol=0.03)


def test_color_against_numpy():
    x, source = images(), random()
    brightness, saturation, contrast = (source.uniform((1, 1, 1)).numpy() for _ in range(3))
    y = x.numpy() + brightness - 0.5
    grey = y.mean(3, keepdims=True)
    y = grey + 2 * saturation * (y - grey)
    middle = y.mean((1, 2, 3), keepdims=True)
    expected = middle + (0.5 + contrast) * (y - middle)
    got = augmentation.color(x, random()).numpy()
    assert_close(got, expected)
    # Only brightness moves an image's mean, by less than a half.
    moved = got.mean((1, 2, 3)) - x.numpy().mean((1, 2, 3))
    assert_close(moved, brightness.ravel() - 0.5, 1e-4)
    assert moved.min() < -0.3 and moved.max() > 0.3
    # A grey image stays grey.
    grey = augmentation.color(tf.repeat(images((8, 8, 1)), 3, axis=3), random()).numpy()
    assert_close(grey[..., 0], grey[..., 2])


def test_flip_against_numpy():
    x = images()
    coin = random().uniform((1, 1, 1)).numpy()
    assert 0.3 < (coin < 0.5).mean() < 0.7
    expected = np.where(coin < 0.5, x, x[:, :, ::-1])
    np.testing.assert_array_equal(augmentation.flip(x, random()), expected)


@pytest.mark.parametrize("shape", [(8, 16, 1), (7, 5, 3)])
def test_affine_against_scipy(shape):
    """Scaled, turned and slanted about the centre, between pixels linearly, zeros around."""
    x, source = images(shape, rows=8), random(8)
    u = [2 * source.uniform((1, 1)).numpy().ravel() - 1 for _ in range(3)]
    angles, scales, slants = np.radians(20) * u[0], 1.2 ** u[1], 0.3 * u[2]
    got = augmentation.affine(x, random(8)).numpy()
    middle = (np.array(shape[:2]) - 1) / 2
    for i in range(8):
        (c, s), slant = (np.cos(angles[i]), np.sin(angles[i])), [[1, 0], [slants[i], 1]]
        matrix = scales[i] * np.array([[c, s], [-s, c]]) @ slant
        for channel in range(shape[2]):
            wide = np.pad(x[i, :, :, channel], 9)  # SciPy's border is cut off, not interpolated
            expected = ndimage.affine_transform(
                wide, matrix, middle + 9 - matrix @ (middle + 9), order=1
            )
            assert_close(got[i, :, :, channel], expected[9:-9, 9:-9], 1e-4)


def test_affine_in_the_middle_of_its_ranges_changes_nothing():
    class Middle:
        def uniform(self, shape):
            return tf.fill((4, *shape), 0.5)

    x = images((7, 6, 2), rows=4)
    np.testing.assert_array_equal(augmentation.affine(x, Middle()), x)


@pytest.mark.parametrize("shape", [(8, 16, 1), (7, 5, 3)])
def test_thickness_against_scipy(shape):
    """Up to 0.7 of the way to grey dilation, or to grey erosion, of 3×3 pixels."""
    x = images(shape, rows=16)
    amount = 0.7 * (2 * random(16).uniform((1, 1, 1)).numpy() - 1)
    thicker, thinner = (
        change(x.numpy(), size=(1, 3, 3, 1), mode="nearest")
        for change in (ndimage.grey_dilation, ndimage.grey_erosion)
    )
    towards = np.where(amount > 0, thicker, thinner)
    expected = x + np.abs(amount) * (towards - x)
    assert_close(augmentation.thickness(x, random(16)).numpy(), expected)
    assert amount.min() < -0.5 and amount.max() > 0.5


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_each_image_has_changes_of_its_own_and_each_call(kind):
    """Of equal images some differ; of the same images, those of a second call do."""
    x, source = tf.repeat(images(rows=1), ROWS, axis=0), random()
    first, second = (AUGMENTATIONS[kind](x, source).numpy() for _ in range(2))
    assert len({image.tobytes() for image in first}) > 1
    assert (first != second).any((1, 2, 3)).mean() > 0.3
    np.testing.assert_array_equal(AUGMENTATIONS[kind](x, random()), first)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_gradients_pass_through(kind):
    """Each is linear in the image: x·∇f plus the value at zero is f, for f a sum of pixels."""
    x, weights = images(), images(seed=1)

    def weighed(x):
        return tf.reduce_sum(weights * AUGMENTATIONS[kind](x, random()), (1, 2, 3))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = weighed(x)
    slope = tape.gradient(value, x)
    assert np.abs(slope).reshape(ROWS, -1).max(1).min() > 1e-3
    by_slope = tf.reduce_sum(slope * x, (1, 2, 3)) + weighed(tf.zeros_like(x))
    assert_close(by_slope, value, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8, 1), (33, 70, 3)])
def test_xla_gives_the_same(shape):
    """Up to rounding, in the images and in their gradient."""
    x, every = images(shape, rows=4), Augmentation(*AUGMENTATIONS)

    def value_and_slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = every(x, random(4), 0.7)
        return y, tape.gradient(y, x)

    compiled = tf.function(value_and_slope, jit_compile=True)(x)
    for got, expected in zip(compiled, value_and_slope(x), strict=True):
        assert got.shape == x.shape
        assert_close(got, expected, 1e-4)


def test_probability():
    """0 leaves images as they are, 1 changes all, in between as many as it says."""
    x = images((4, 4, 3), rows=2000)
    every = Augmentation("color", "flip")
    np.testing.assert_array_equal(every(x, random(2000), 0.0), x)
    one = Augmentation("color")
    for probability in (0.0, 0.3, 1.0):
        changed = (one(x, random(2000), probability).numpy() != x.numpy()).any((1, 2, 3))
        assert changed.mean() == pytest.approx(probability, abs=0.05)
    # Each kind has a draw of its own.
    source = random(2000)
    y = Augmentation("color", "color")(x, source, 0.5).numpy()
    assert (y != x.numpy()).any((1, 2, 3)).mean() == pytest.approx(0.75, abs=0.05)


def test_adapted_probability_by_hand():
    """By a row's share of `images` towards the target, between 0 and 1."""
    one = Augmentation("flip", target=0.6, images=1000)
    cases = [
        (0.5, 1.0, 10, 0.51),
        (0.5, 0.7, 20, 0.52),
        (0.5, 0.5, 10, 0.49),
        (0.5, -1.0, 10, 0.49),
        (0.5, 0.6, 10, 0.5),
        (0.0, -1.0, 10, 0.0),
        (1.0, 1.0, 10, 1.0),
    ]
    for before, sign, rows, after in cases:
        got = one.adapted(tf.constant(before), tf.constant(sign), rows)
        assert float(got) == pytest.approx(after, abs=1e-6)


def test_by_name_and_from_its_config():
    assert augmentation.get("none") is None and augmentation.get(None) is None
    one = augmentation.get("translation+color:probability=0.25,target=0.5,images=900")
    assert one.kinds == ("translation", "color") and augmentation.get(one) is one
    assert (one.probability, one.target, one.images) == (0.25, 0.5, 900)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    assert copy.get_config() == one.get_config() and copy.kinds == one.kinds
    plain = augmentation.get("flip")
    assert (plain.probability, plain.target) == (1.0, None)
    assert augmentation.get("flip:target=none").target is None


def test_an_adaptive_probability_starts_at_0():
    """As that of Karras et al.; another start may be given."""
    adaptive = augmentation.get("flip:target=0.5")
    assert (adaptive.probability, adaptive.target) == (0.0, 0.5)
    assert Augmentation("flip", target=0.5, probability=1.0).probability == 1.0
    assert Augmentation.from_config(adaptive.get_config()).probability == 0.0
    model = make_system("gan", augmentation="flip:target=0.5")
    assert float(model.augmentation_probability) == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cutoff", "^augmentation=cutoff is unknown; did you mean cutout"),
        ("flip+colour", "^augmentation=colour is unknown; did you mean color"),
        ("flip+", "^augmentation= is unknown"),
        ("", "^augmentation= is unknown"),
        ("flip:probability=2", r"probability=2.0: it must be a float in \[0, 1\]$"),
        ("flip:target=1", r"target=1.0: it must be a float in \(-1, 1\)$"),
        ("flip:images=0", r"images=0: it must be an int in \[1, inf\)$"),
        ("flip:images=many", "^augmentation: images=many: it must be an int$"),
        ("flip:probabilty=0.5", "no argument probabilty; did you mean probability"),
        ("flip:kinds=color", "no argument kinds"),
    ],
)
def test_mistakes_in_an_augmentation(text, message):
    with pytest.raises(UserError, match=message):
        augmentation.get(text)


@pytest.mark.parametrize("wrong", [Augmentation, 3, ["flip"]])
def test_something_else_is_refused(wrong):
    with pytest.raises(UserError, match="^augmentation=.*: give kinds, as 'flip', or an object"):
        augmentation.get(wrong)


def test_one_without_kinds():
    with pytest.raises(UserError, match="^augmentation: name some of translation, cutout, color"):
        Augmentation()


# --- in a system ------------------------------------------------------------------------------


class Seen:
    """A discriminator that keeps what it is given."""

    non_trainable_weights = ()

    def __init__(self, discriminator):
        self.discriminator, self.calls = discriminator, []

    def __call__(self, inputs, training=False):
        self.calls.append([part.numpy() for part in tf.nest.flatten(inputs)])
        return self.discriminator(inputs, training=training)


def losses_and_seen(model, batch, z, training=True):
    """What D sees in a pass of BiGAN: its calls, one of the real and one of the generated pairs."""
    seen = Seen(model.discriminator)
    model.discriminator = seen  # without `keeps_groups_apart`: called once for each group
    try:
        model.random.begin(SEED, len(z))
        model.player_losses(batch, z, training=training)
    finally:
        model.discriminator = seen.discriminator
    return seen.calls


@pytest.fixture
def model():
    return make_system("bigan", augmentation="color")


def test_real_and_generated_rows_are_augmented_and_latents_never(model):
    batch, z = make_batch(), model.prior.sample(8, 5)
    z_hat, x_fake = model.encoder(batch["image"], training=True), model.generator(z, training=True)
    (x_seen, z_hat_seen), (fake_seen, z_seen) = losses_and_seen(model, batch, z)
    source = random(8)
    assert_close(x_seen, augmentation.color(batch["image"], source))
    source.uniform()  # of the probability
    assert_close(fake_seen, augmentation.color(x_fake, source))
    for seen, plain in ((x_seen, batch["image"]), (fake_seen, x_fake)):
        assert (np.abs(seen - plain) > 1e-3).any((1, 2, 3)).all()
    # E encodes images as they are, and its codes and z come to D unchanged.
    assert_close(z_hat_seen, z_hat)
    np.testing.assert_array_equal(z_seen, z)


def test_no_augmentation_in_inference_mode(model):
    batch, z = make_batch(), model.prior.sample(8, 5)
    (x_seen, _), (fake_seen, _) = losses_and_seen(model, batch, z, training=False)
    np.testing.assert_array_equal(x_seen, batch["image"])
    assert_close(fake_seen, model.generator(z))
    plain = make_system("bigan")
    names = ("loss_D", "loss_EG")
    expected, got = (one.evaluate(batch["image"].numpy()) for one in (plain, model))
    assert [got[n] for n in names] == pytest.approx([expected[n] for n in names], rel=1e-6)


def test_with_a_probability_of_0_a_step_is_one_without():
    states = []
    for text in (None, "translation+cutout+color+flip:probability=0"):
        one = make_system("bigan", augmentation=text)
        step_eagerly(one, make_batch())
        states.append([v.numpy() for v in one.trainable_variables])
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_generator_learns_through_it(model):
    batch, z = make_batch(), model.prior.sample(8, 5)
    model.random.begin(SEED, 8)
    with tf.GradientTape() as tape:
        losses, _ = model.player_losses(batch, z, training=True)
    kernel = model.generator.trainable_variables[0].value
    assert float(tf.reduce_max(tf.abs(tape.gradient(losses["EG"], kernel)))) > 1e-6


@pytest.mark.parametrize("shift", [50.0, -50.0])
def test_the_probability_follows_the_signs_of_real_logits(shift):
    """Up where D is sure of all real rows, down where it takes them for generated."""
    model = make_system("gan", augmentation="flip:probability=0.5,target=0.6,images=80")
    head = model.discriminator.head
    model.discriminator.head = lambda features: head(features) * 0.0 + shift
    for step in (1, 2):
        logs = step_eagerly(model, make_batch())
        expected = 0.5 + step * np.sign(shift) * 8 / 80
        assert float(model.augmentation_probability) == pytest.approx(expected, abs=1e-6)
        assert float(logs["augmentation_probability"]) == pytest.approx(expected, abs=1e-6)
        assert "sign_real" not in logs


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
@pytest.mark.parametrize("shift", [50.0, -50.0])
def test_without_a_fixed_border_the_probability_follows_differences_of_logits(loss, shift):
    """Here all rows look alike, so that D has not overfitted, however large its logits are."""
    text = "flip:probability=0.5,target=0.6,images=80"
    model = make_system("gan", augmentation=text, loss=loss)
    head = model.discriminator.head
    model.discriminator.head = lambda features: head(features) * 0.0 + shift
    step_eagerly(model, make_batch())
    assert float(model.augmentation_probability) == pytest.approx(0.4, abs=1e-6)


def test_the_probability_is_saved_and_resumed(tmp_path):
    model = make_system("bigan", augmentation="color:probability=0.5,target=0.6,images=80")
    step_eagerly(model, make_batch())
    probability = float(model.augmentation_probability)
    assert abs(probability - 0.5) == pytest.approx(0.1, abs=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.augmentation.get_config() == model.augmentation.get_config()
    assert float(loaded.augmentation_probability) == probability
    for one in (model, loaded):
        step_eagerly(one, make_batch(seed=1))
    assert float(loaded.augmentation_probability) == float(model.augmentation_probability)
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("name", ["sgan", "triple_gan"])
@pytest.mark.parametrize("rows", [3, 8])
def test_labelled_images_are_augmented_too(name, rows):
    """Else D would know real images by being unchanged. There may be fewer of them."""
    model = make_system(name, augmentation="color")
    labelled = {k: v[:rows] for k, v in make_batch().items() if k.startswith("labelled")}
    batch = {"image": make_batch()["image"]} | labelled
    for call in losses_and_seen(model, batch, model.prior.sample(8, 5)):
        assert not np.isin(call[0], labelled["labelled_image"]).any()


@pytest.mark.parametrize("name", ["infogan", "sgan", "triple_gan"])
@pytest.mark.parametrize(
    ("views", "message"),
    [
        ("tranlation+flip", "^views=tranlation is unknown; did you mean translation"),
        ("flip:probability=2", "^views: probability=2.0: it must be a float"),
        ("flip:target=0.6", "^views: .* leave target out"),
    ],
)
def test_a_mistake_in_views_is_named(name, views, message):
    with pytest.raises(UserError, match=message):
        make_system(name, options={"set": f"views={views}"})


def test_an_adaptive_probability_needs_logits():
    with pytest.raises(UserError, match="^augmentation: .*BEGAN.* no logits"):
        make_system("began", augmentation="flip:target=0.6")
