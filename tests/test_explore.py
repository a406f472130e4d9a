"""The local page: what is computed for an image, what is refused, and the page in a browser."""

import base64
import importlib.metadata
import io
import json
import shutil
import socket
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tf_bigan import priors
from tf_bigan.data import ImageData
from tf_bigan.errors import UserError
from tf_bigan.explore import __main__ as command_line
from tf_bigan.explore import markup
from tf_bigan.explore.directions import coordinates, principal
from tf_bigan.explore.explorer import Explorer
from tf_bigan.explore.fitting import Fitting
from tf_bigan.explore.reading import MAX_MEGABYTES, Picture, read_bytes, read_file
from tf_bigan.flags import run


class Halving:
    """E flattens an image of 2 × 2 pixels, G halves what it is given."""

    image_shape, encoder, generator = (2, 2, 1), True, True
    prior, step = priors.Uniform(4), SimpleNamespace(numpy=lambda: 7)

    def encode(self, images):
        return images.reshape(len(images), -1)

    def generate(self, z):
        return 0.5 * z.reshape(-1, *self.image_shape)

    def reconstruct(self, images):
        return self.generate(self.encode(images))

    def sample(self, n, seed=0):
        return self.generate(self.prior.sample(n, seed).numpy())

    def interpolate(self, a, b, steps):
        t = np.linspace(0, 1, steps, dtype=np.float32).reshape(1, steps, 1, 1, 1)
        return 0.5 * (a[:, None] * (1 - t) + b[:, None] * t)


class OnlyG(Halving):
    @property
    def encoder(self):
        raise AttributeError


class OnlyE(Halving):
    @property
    def generator(self):
        raise AttributeError


def data(*values, labels=None) -> ImageData:
    """An image of 2 × 2 equal pixels for each value."""
    images = np.repeat(np.array(values, np.uint8), 4).reshape(-1, 2, 2, 1)
    names = None if labels is None else ("cat", "dog")
    return ImageData("tiny", images, None if labels is None else np.array(labels), names)


TRAIN, HELD_OUT = data(0, 51, 102, 255, labels=[0, 1, 1, 0]), data(255, 51, 102, 153, 204)


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer(Halving(), TRAIN, HELD_OUT)


# --- reading --------------------------------------------------------------------------------


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_grey_and_colour_are_read_as_they_are():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    picture = read_bytes(encoded(Image.fromarray(grey)), "grey")
    np.testing.assert_array_equal(picture.pixels, grey[..., None])
    colour = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    picture = read_bytes(encoded(Image.fromarray(colour), "WEBP", lossless=True), "colour")
    np.testing.assert_array_equal(picture.pixels, colour)
    assert picture.notes == ()


def test_deep_transparent_turned_and_moving_pictures():
    deep = np.array([[0, 257 * 200, 65535]], np.uint16)
    assert read_bytes(encoded(Image.fromarray(deep)), "x").pixels.ravel().tolist() == [0, 200, 255]
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    picture = read_bytes(encoded(clear), "x")
    assert picture.pixels.tolist() == [[[255, 255, 255], [10, 20, 30]]]
    assert picture.notes == ("laid on white where it is transparent",)
    turned = Image.new("L", (4, 2))
    turned.getexif()[0x0112] = 6  # to be turned by 90°
    data = encoded(turned, exif=turned.getexif())
    assert read_bytes(data, "x").pixels.shape == (4, 2, 1)
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = read_bytes(moving, "x")
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
    assert picture.notes == ("first of its pictures taken",)


def test_a_moving_picture_cut_anywhere_is_read_or_refused():
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    seen = set()
    for end in range(len(moving) + 1):
        try:
            seen.add(len(read_bytes(moving[:end], "x").notes))
        except UserError as refusal:
            seen.add(str(refusal).partition(":")[0])
    assert seen == {"x is no image that can be read", "x is a broken GIF file", 0, 1}


def claiming(side: int) -> bytes:
    """A PNG of a few bytes that says it has side × side pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 99) + b"IDAT"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just text", "a.png is no image that can be read: give PNG, JPEG, WEBP, GIF or BMP"),
        (b"", "a.png is no image"),
        (encoded(Image.new("L", (9, 9)), "TIFF"), "a.png is no image"),
        (encoded(Image.effect_noise((50, 50), 50))[:900], "a.png is a broken PNG file"),
        (claiming(8_000), "a.png has 8,000 × 8,000 pixels, at most 50 million are taken"),
        (claiming(60_000), "a.png has too many pixels, at most 50 million are taken"),
    ],
    ids=["text", "empty", "format", "broken", "large", "bomb"],
)
def test_what_is_no_image_or_too_large_is_refused(tmp_path, content, message):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        read_file(path)
    assert str(refusal.value).startswith(message)


def test_a_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "a.png"
    with open(path, "wb") as file:
        file.truncate((MAX_MEGABYTES + 1) * 2**20)
    with pytest.raises(UserError, match="^a.png has 21 MB, at most 20 are taken"):
        read_file(path)


# --- fitting --------------------------------------------------------------------------------


def ink(height: int, width: int) -> np.ndarray:
    """Five images of 28 × 28 with a white box of that size in them."""
    images = np.zeros((5, 28, 28, 1), np.uint8)
    images[:, 4 : 4 + height, 3 : 3 + width] = 255
    return images


def canvas(top: int, left: int, height: int, width: int) -> Picture:
    pixels = np.zeros((280, 280, 3), np.uint8)
    pixels[top : top + height, left : left + width] = 255
    return Picture(pixels)


def test_strokes_on_black_are_recognised_with_their_extent():
    assert Fitting.to(ink(20, 9)).ink == pytest.approx(20 / 28)
    assert Fitting.to(ink(5, 14)).ink == pytest.approx(14 / 28)
    assert Fitting.to(np.full((3, 8, 8, 1), 90, np.uint8)).ink is None


@pytest.mark.parametrize(("top", "left"), [(0, 0), (200, 33)])
def test_a_drawing_is_scaled_and_centred_wherever_it_was_drawn(top, left):
    fitted = Fitting((28, 28, 1), 20 / 28).drawing(canvas(top, left, 80, 40))
    rows, columns = np.nonzero(fitted.pixels[..., 0])
    assert (rows.min(), rows.max()) == (4, 23)  # 20 pixels of 28
    assert (columns.min(), columns.max()) == (9, 18)  # in proportion 10
    assert fitted.pixels.shape == (28, 28, 1) and set(fitted.pixels[rows, columns, 0]) == {255}
    assert "scaled to 20 × 10 of 28 × 28 pixels" in fitted.notes[0]


def test_the_centre_of_mass_comes_to_the_middle():
    drawing = canvas(100, 100, 20, 80).pixels
    drawing[100:180, 100:120] = 255  # an L upside down: mass to the top left
    pixels = Fitting((28, 28, 1), 16 / 28).drawing(Picture(drawing)).pixels[..., 0] / 255.0
    for axis in (0, 1):
        centre = (pixels.sum(1 - axis) * np.arange(28)).sum() / pixels.sum()
        assert centre == pytest.approx(13.5, abs=0.5)
    fills = Fitting((28, 28, 1), 1.0).drawing(Picture(drawing)).pixels
    assert fills[0].any() and fills[:, 0].any() and fills[:, -1].any()  # nothing is cut off


def test_an_empty_drawing_is_refused():
    with pytest.raises(UserError, match="canvas is empty"):
        Fitting((28, 28, 1), 0.7).drawing(canvas(0, 0, 0, 0))


def test_a_photo_is_cropped_resized_and_recoloured():
    columns = np.tile(np.arange(8, dtype=np.uint8), (4, 1))[..., None] * 10
    fitted = Fitting((4, 4, 1), None).photo(Picture(columns))
    np.testing.assert_array_equal(fitted.pixels, columns[:, 2:6])
    assert fitted.notes == ("cropped to its central 4 × 4",)
    red = Picture(np.full((30, 20, 3), (255, 0, 0), np.uint8))
    fitted = Fitting((6, 4, 1), None).photo(red)
    assert set(fitted.pixels.ravel()) == {76}  # .299 × 255
    assert fitted.notes == ("shrunk to 6 × 4", "turned grey")
    assert Fitting((3, 3, 3), None).photo(Picture(columns)).pixels.shape == (3, 3, 3)
    for fit in (Fitting((4, 4, 2), None).photo, Fitting((8, 8, 2), 0.7).drawing):
        with pytest.raises(UserError, match="cannot convert images of 3 channels to 2"):
            fit(red)


def test_an_image_of_the_models_size_stays_and_paper_becomes_black():
    fitting = Fitting((28, 28, 1), 20 / 28)
    x = ink(11, 5)[0]
    np.testing.assert_array_equal(fitting.photo(Picture(x)).pixels, x)
    inverted = fitting.photo(Picture(255 - x))
    np.testing.assert_array_equal(inverted.pixels, x)
    assert inverted.notes == ("inverted, as the training images are light on black",)
    drawing = canvas(20, 150, 80, 40)
    paper = fitting.photo(Picture(255 - drawing.pixels))
    np.testing.assert_array_equal(paper.pixels, fitting.drawing(drawing).pixels)


# --- exploring ------------------------------------------------------------------------------


def test_a_look_by_hand(explorer):
    look = explorer.look(np.full((2, 2, 1), 0.6, np.float32))
    np.testing.assert_allclose(look.code, 0.6)
    np.testing.assert_allclose(look.reconstruction, 0.3, atol=1e-7)
    assert look.error == pytest.approx(1.2)
    # |x - G(E(x))| of the held-out images sums to 2, .4, .8, 1.2 and 1.6.
    np.testing.assert_allclose(explorer.errors, [0.4, 0.8, 1.2, 1.6, 2.0], rtol=1e-6)
    # Training images lie at 0, .2, .4 and 1; a difference of d in four pixels is a distance 2 d.
    assert [n.index for n in look.neighbours] == [2, 3, 1, 0]
    assert [n.label for n in look.neighbours] == ["dog", "cat", "dog", "cat"]
    np.testing.assert_allclose([n.distance for n in look.neighbours], [0.4, 0.8, 0.8, 1.2], 1e-5)


@pytest.mark.parametrize(
    ("error", "percent"), [(0.1, 0), (0.5, 20), (1.19, 40), (1.21, 60), (1.9, 80), (9, 100)]
)
def test_stranger_counts_the_smaller_errors(explorer, error, percent):
    assert explorer.stranger(error) == percent


def test_numbers_of_neighbours_are_those_of_all_training_images():
    train = data(*range(0, 200, 2))
    explorer = Explorer(Halving(), train, HELD_OUT, most=10)
    assert len(explorer.codes) == 10 and len(set(explorer.gallery)) == 10
    near = explorer.look(train.as_float(int(explorer.gallery[4]))).neighbours[0]
    assert (near.index, near.label) == (explorer.gallery[4], None)
    assert near.distance == pytest.approx(0, abs=1e-6)


def test_from_one_image_to_the_other(explorer):
    a, b = np.zeros((2, 2, 1), np.float32), np.ones((2, 2, 1), np.float32)
    np.testing.assert_allclose(explorer.between(a, b, 3)[:, 0, 0, 0], [0, 0, 0.25, 0.5, 1])


def test_principal_directions_and_steps_along_them():
    codes = np.zeros((40, 3), np.float32)
    codes[:, 1] = np.tile([-3, 3], 20)
    codes[:, 2] = np.repeat([-1, 1], 20)
    found = principal(codes + 5, 2)
    np.testing.assert_allclose(np.abs(found.vectors), [[0, 1, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.spreads, [3 * np.sqrt(40 / 39), np.sqrt(40 / 39)])
    assert found.names == ("Direction 1 (90%)", "Direction 2 (10%)")
    moved = found.moved(np.array([1, 2, 3]), [0, 2])
    np.testing.assert_allclose(np.abs(moved - [1, 2, 3]), [0, 0, 2 * np.sqrt(40 / 39)], 1e-5)
    assert np.isfinite(principal(np.ones((4, 3), np.float32), 8).moved(np.ones(3), [1] * 3)).all()


def test_entries_of_z_where_there_is_no_encoder():
    explorer = Explorer(OnlyG(), TRAIN, HELD_OUT)
    found = explorer.directions(3)
    assert found.names == ("z1", "z2", "z3") == coordinates(priors.Uniform(4), 3).names
    np.testing.assert_allclose(found.spreads, 1 / np.sqrt(3), rtol=0.03)  # of U(-1, 1)
    moved = found.moved(np.zeros(4), [0, 1, 0])
    np.testing.assert_allclose(moved, [0, found.spreads[1], 0, 0], rtol=1e-6)


def test_what_cannot_be_explored_is_refused():
    with pytest.raises(UserError, match="for images of shape"):
        Explorer(Halving(), ImageData("big", np.zeros((2, 3, 3, 1), np.uint8)), HELD_OUT)
    broken = Halving()
    broken.encode = lambda images: np.full((len(images), 4), np.nan, np.float32)
    with pytest.raises(UserError, match="model of step 7 gives values that are not finite"):
        Explorer(broken, TRAIN, HELD_OUT)


# --- markup ---------------------------------------------------------------------------------


def test_pictures_are_exact_and_names_are_escaped():
    image = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 255
    png = base64.b64decode(markup.picture_uri(image).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), (image * 255).round())
    assert markup.picture_uri(image[..., :2]) == markup.picture_uri(image[..., :1])
    assert "<b>x" not in markup.notice("<b>x.png")


def test_all_of_a_look_is_said(explorer):
    html = markup.look(explorer, explorer.look(TRAIN.as_float(3)), "<i>.png", ["turned grey"])
    assert "Stranger than 80 % of the held-out images" in html
    assert "&lt;i&gt;.png: turned grey." in html
    assert "1.00, 1.00, 1.00, 1.00<" in html and html.count("<rect") > 4
    assert html.index(">cat<") < html.index(">dog<")


@pytest.mark.parametrize(
    ("model", "said"), [(OnlyG(), "has no encoder"), (OnlyE(), "has no generator")]
)
def test_what_a_model_lacks_is_said(model, said):
    assert said in markup.heading(Explorer(model, TRAIN, HELD_OUT))


# --- the command ----------------------------------------------------------------------------


def call(capsys, *arguments) -> tuple[int, str]:
    command_line.FLAGS.unparse_flags()
    argv = ["python -m tf_bigan.explore", *map(str, arguments)]
    status = run(command_line.main, argv, command_line.__doc__, command_line.FLAGS)
    return status, capsys.readouterr().err


@pytest.fixture
def workdir(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"config": {}}))
    return tmp_path


@pytest.fixture
def gradio_version(monkeypatch):
    """A function that makes another version of gradio seem to be installed, or none."""

    def pretend(version: str | None):
        def answer(name):
            if version is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return version

        monkeypatch.setattr(importlib.metadata, "version", answer)

    return pretend


def test_mistakes_in_the_command(capsys, tmp_path):
    assert call(capsys)[0] == 2
    status, err = call(capsys, f"--workdir={tmp_path}")
    assert status == 2 and "holds no run" in err and err.count("\n") == 1
    assert call(capsys, f"--workdir={tmp_path}", "--port=70000")[0] == 2


@pytest.mark.parametrize("version", [None, "5.49.1"])
def test_without_gradio(capsys, workdir, gradio_version, version):
    gradio_version(version)
    status, err = call(capsys, f"--workdir={workdir}")
    assert status == 1 and '-e ".[explore]"' in err and err.count("\n") == 1


def test_a_port_that_is_taken(capsys, workdir, gradio_version):
    gradio_version("6.31.0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, err = call(capsys, f"--workdir={workdir}", f"--port={port}")
    assert status == 2 and err.count("\n") == 1
    assert f"cannot listen at 127.0.0.1, port {port} (Address already in use)" in err


def test_a_run_of_train_py_is_opened(tiny_run):
    from tf_bigan.workdir import Workdir

    command_line.FLAGS(["explore", "--most=200"])
    workdir = Workdir(tiny_run[0])
    explorer = command_line.open_run(workdir, workdir.read_config())
    assert explorer.inverts and len(explorer.errors) == len(explorer.codes) == 200
    x = explorer.held_out.as_float(0)
    look = explorer.look(x)
    expected = np.abs(x - explorer.model.reconstruct(x[None])[0]).sum()
    assert look.error == pytest.approx(expected, rel=1e-4)


# --- the page -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The module, which needs gradio; what is uploaded goes to a directory of its own."""
    pytest.importorskip("gradio", minversion="6")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        from tf_bigan.explore import page

        yield page


@pytest.mark.parametrize(
    ("model", "tabs"),
    [
        (Halving(), 4),
        (OnlyG(), 2),  # latent space and samples
        (OnlyE(), 1),  # looking at an image
    ],
)
def test_the_page_has_what_the_model_can(page, model, tabs):
    blocks = page.build(Explorer(model, TRAIN, HELD_OUT))
    parts = blocks.get_config_file()["components"]
    assert sum(part["type"] == "tabitem" for part in parts) == tabs


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, where there is one with its driver."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1300,1000")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.chrome.service.Service(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def opened(page, browser, explorer):
    """The page in the browser, after it has come up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    images = np.zeros((30, 28, 28, 1), np.uint8)
    images[:, 4:24, 9:19] = np.arange(100, 250, 5, dtype=np.uint8).reshape(-1, 1, 1, 1)
    model = Halving()
    model.image_shape, model.prior = (28, 28, 1), priors.Uniform(784)
    images = ImageData("boxes", images, np.zeros(30, np.int64))
    blocks = page.build(Explorer(model, images, images))
    page.serve(blocks, "127.0.0.1", port)
    browser.get(f"http://127.0.0.1:{port}")
    until(browser, lambda: "Nearest training images" in text(browser))
    yield browser
    blocks.close(verbose=False)


def text(browser) -> str:
    return browser.find_element("css selector", "body").text


def until(browser, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda _: condition())


def upload(browser, path, expected: str):
    browser.find_element("css selector", "input[type=file]").send_keys(str(path))
    until(browser, lambda: expected in text(browser))


def test_drawing_and_uploading_in_a_browser(opened, tmp_path):
    from gradio.utils import get_upload_folder
    from selenium.webdriver import ActionChains

    pad = opened.find_element("css selector", ".tb-pad canvas")
    stroke = ActionChains(opened, duration=20).move_to_element_with_offset(pad, -60, -60)
    stroke.click_and_hold().move_by_offset(90, 0).move_by_offset(-50, 100).release().perform()
    until(opened, lambda: "Your drawing: its strokes cut out" in text(opened))

    (tmp_path / "text.png").write_text("no image")
    upload(opened, tmp_path / "text.png", "text.png is no image that can be read")
    (tmp_path / "huge.png").write_bytes(claiming(9_000))
    upload(opened, tmp_path / "huge.png", "huge.png has 9,000 × 9,000 pixels")
    (tmp_path / "wide.jpg").write_bytes(encoded(Image.effect_noise((90, 60), 99), "JPEG"))
    upload(opened, tmp_path / "wide.jpg", "wide.jpg: cropped to its central 60 × 60; shrunk")
    assert "is no image" not in text(opened) and "9,000 × 9,000" not in text(opened)
    kept = [path for path in Path(get_upload_folder()).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) == 0


def test_every_tab_shows_pictures_and_nothing_is_fetched_from_elsewhere(opened):
    for tab in opened.find_elements("css selector", "button[role=tab]"):
        if tab.text:
            tab.click()
            pictures = opened.find_elements("css selector", ".tb-tile img")
            until(opened, lambda shown=pictures: any(picture.is_displayed() for picture in shown))
    width = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.execute_script(width) <= 0  # nothing sticks out
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    requests = [m["params"]["request"] for m in messages if m["method"].endswith("WillBeSent")]
    urls = [request["url"] for request in requests]
    assert urls and all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in urls)
