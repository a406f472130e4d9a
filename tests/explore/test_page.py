"""The pages in a browser."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.screenshots import open_browser, shown, text, until, upload
from tests.explore.conftest import HELD_OUT, TRAIN, Halving, OnlyE, OnlyG
from tests.explore.test_reading import claiming, encoded
from tf_bigan import priors
from tf_bigan.data import ImageData
from tf_bigan.explore.explorer import Explorer

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The module, which needs gradio; what is uploaded goes to a directory of its own."""
    pytest.importorskip("gradio", "6", 'gradio is not installed: pip install -e ".[dev]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        from tf_bigan.explore import page

        yield page


# Gradio only warns of a function that takes another number of arguments than it will get.
@pytest.mark.filterwarnings("error:Expected:UserWarning")
@pytest.mark.parametrize(
    ("model", "tabs"),
    [
        (Halving(), 4),
        (OnlyG(), 2),  # latent space and samples
        (OnlyE(), 1),  # looking at an image
    ],
)
def test_the_page_has_the_parts_that_the_model_allows(page, model, tabs):
    blocks = page.build(Explorer(model, TRAIN, HELD_OUT))
    parts = blocks.get_config_file()["components"]
    assert sum(part["type"] == "tabitem" for part in parts) == tabs
    names = {function.api_name for function in blocks.fns.values()}
    assert not any("lambda" in str(name) for name in names), names


def test_a_single_held_out_image_is_enough(page):
    page.build(Explorer(Halving(), TRAIN, HELD_OUT.take(1)))


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, where there is one with its driver."""
    browser = open_browser()
    if browser is None:
        pytest.skip(
            "no Chromium to open the page in: on Debian apt-get install chromium chromium-driver"
        )
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def opened(page, browser, explorer):
    """The page in the browser, after it has come up."""
    images = np.zeros((30, 28, 28, 1), np.uint8)
    images[:, 4:24, 9:19] = np.arange(100, 250, 5, dtype=np.uint8).reshape(-1, 1, 1, 1)
    model = Halving()
    model.image_shape, model.prior = (28, 28, 1), priors.Uniform(784)
    images = ImageData("boxes", images, np.zeros(30, np.int64))
    with shown(page.build(Explorer(model, images, images)), browser):
        until(browser, lambda: "Nearest training images" in text(browser))
        yield browser


def press(browser, name: str):
    # Gradio has copies of the tabs' buttons, to measure how many fit: these have no role.
    real = f"//button[@role='tab' or not(@tabindex)][normalize-space()='{name}']"
    buttons = browser.find_elements("xpath", real)
    next(button for button in buttons if button.is_displayed()).click()


def pictures(browser) -> list[str]:
    """The visible ones, as data: URIs."""
    images = "[...document.querySelectorAll('.tb-tile img')]"
    script = f"return {images}.filter(image => image.offsetParent).map(image => image.src)"
    return browser.execute_script(script)


def test_drawing_and_uploading_in_a_browser(opened, tmp_path):
    from gradio.utils import get_upload_folder
    from selenium.webdriver import ActionChains

    pad = opened.find_element("css selector", ".tb-pad canvas")
    stroke = ActionChains(opened, duration=20).move_to_element_with_offset(pad, -60, -60)
    stroke.click_and_hold().move_by_offset(90, 0).move_by_offset(-50, 100).release().perform()
    until(opened, lambda: "Your drawing: strokes cut out" in text(opened))

    (tmp_path / "text.png").write_text("no image")
    upload(opened, tmp_path / "text.png", "text.png is not a readable image")
    (tmp_path / "huge.png").write_bytes(claiming(9_000))
    upload(opened, tmp_path / "huge.png", "huge.png has 9,000 × 9,000 pixels")
    grey = np.random.default_rng(0).integers(40, 90, (60, 90), np.uint8)  # no paper, no strokes
    (tmp_path / "wide.jpg").write_bytes(encoded(Image.fromarray(grey), "JPEG"))
    upload(opened, tmp_path / "wide.jpg", "wide.jpg: resized from ")
    assert "is not a readable image" not in text(opened) and "9,000 × 9,000" not in text(opened)
    kept = [path for path in Path(get_upload_folder()).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) == 0


@pytest.mark.parametrize(
    ("tab", "button"),
    [
        ("Look at an image", "Random"),
        ("Move in latent space", "From a random z"),
        ("Interpolate", "Random"),
        ("Samples", "Draw again"),
    ],
)
def test_every_tab_has_a_button_for_other_pictures(opened, monkeypatch, page, tab, button):
    monkeypatch.setattr(page, "any_number", lambda: 17)
    press(opened, tab)
    before = pictures(opened)
    press(opened, button)
    until(opened, lambda: pictures(opened) != before)


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


def test_the_page_of_a_detector(page, browser, detective, tmp_path):
    from tf_bigan.explore.detector import page as of_detector

    with shown(of_detector.build(detective), browser):
        until(browser, lambda: "Normal image #" in text(browser) and len(pictures(browser)) == 10)
        (tmp_path / "text.png").write_text("no image")
        upload(browser, tmp_path / "text.png", "text.png is not a readable image")
        white = Image.fromarray(np.full((15, 18), 255, np.uint8))
        (tmp_path / "white.png").write_bytes(encoded(white))
        upload(browser, tmp_path / "white.png", "white.png, unchanged.")
        assert "Outlier" in text(browser) and "is not a readable image" not in text(browser)
        press(browser, "A random normal image")
        until(browser, lambda: "white.png" not in text(browser))
