"""Takes the screenshots of docs/explore.md, with Chromium and its driver.

pip install -e ".[explore,test]"
python -m benchmarks.screenshots --workdir=runs/mnist     the page of a run, with a drawn 3
python -m benchmarks.screenshots --detector               the page of a detector

The detector learns a surface of `benchmarks.surfaces`, and is shown one of its defects.
"""

import argparse
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import tf_bigan as tb
from benchmarks import command, surfaces
from tf_bigan.errors import UserError
from tf_bigan.explore import server

SURFACE, DEFECT = "lake", 7
THREE = [(-50, -85), (5, -110), (55, -85), (55, -45), (0, -15), (60, 20), (65, 70), (5, 105)]
THREE += [(-55, 80)]  # corners of the stroke, in pixels from the middle of the canvas
DIRECTORY = Path("docs/images")


def open_browser():
    """A headless Chromium, or None where it or its driver is not installed."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1300,1000")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    return webdriver.Chrome(options, webdriver.chrome.service.Service(driver))


@contextlib.contextmanager
def shown(blocks, browser) -> Iterator[None]:
    """Serves a page and opens it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server.serve(blocks, "127.0.0.1", port)
    browser.get(f"http://127.0.0.1:{port}")
    yield
    blocks.close(verbose=False)


def text(browser) -> str:
    """All that can be read on the page."""
    return browser.execute_script("return document.body.innerText")  # Selenium's own takes seconds


def until(browser, condition: Callable[[], object]) -> None:
    """Waits for a condition, a minute at most."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda _: condition())


def upload(browser, path: Path, expected: str) -> None:
    """Gives the page a file, and waits for a text."""
    browser.find_element("css selector", "input[type=file]").send_keys(str(path))
    until(browser, lambda: expected in text(browser))


def draw(browser, corners: list[tuple[int, int]]) -> None:
    """Draws a stroke."""
    from selenium.webdriver import ActionChains

    pad = browser.find_element("css selector", ".tb-pad canvas")
    stroke = ActionChains(browser, duration=20)
    stroke.move_to_element_with_offset(pad, *corners[0]).click_and_hold()
    for start, end in zip(corners, corners[1:], strict=False):
        stroke.move_by_offset(end[0] - start[0], end[1] - start[1])
    stroke.release().perform()
    until(browser, lambda: "Your drawing" in text(browser))


def take(browser, path: Path) -> None:
    """A picture of the whole page."""
    height = browser.execute_script(
        "return document.querySelector('.gradio-container').scrollHeight"
    )
    browser.set_window_size(1240, height + 160)
    browser.save_screenshot(str(path))


def of_a_run(browser, workdir: str) -> None:
    from tf_bigan.explore import __main__ as explore
    from tf_bigan.run.workdir import Workdir

    explore.FLAGS(["explore"])
    run = Workdir(workdir)
    with shown(explore.run_page(run, run.read_config()), browser):
        until(browser, lambda: "Nearest training images" in text(browser))
        draw(browser, THREE)
        take(browser, DIRECTORY / "explore.png")


def of_a_detector(browser) -> None:
    from tf_bigan.explore.detector import page
    from tf_bigan.explore.detector.explorer import DetectorExplorer

    images, defective = surfaces.surface(SURFACE)
    detector = tb.BiGANDetector(epochs=1, random_state=0).fit(images[defective == 0])
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "unusual.png")
        pixels = np.rint(255 * images[defective == 1][DEFECT]).astype(np.uint8)
        Image.fromarray(pixels).save(file)
        with shown(page.build(DetectorExplorer(detector)), browser):
            until(browser, lambda: "Normal image #" in text(browser))
            upload(browser, file, "unusual.png")
            take(browser, DIRECTORY / "explore_detector.png")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", default=None, help="a run of MNIST")
    parser.add_argument("--detector", action="store_true")
    options = parser.parse_args()
    if options.workdir is None and not options.detector:
        raise UserError("give --workdir=DIR, --detector, or both")
    browser = open_browser()
    if browser is None:
        raise UserError(
            "no Chromium to open the page in: on Debian apt-get install chromium chromium-driver"
        )
    try:
        if options.workdir is not None:
            of_a_run(browser, options.workdir)
        if options.detector:
            of_a_detector(browser)
    finally:
        browser.quit()
    return 0


if __name__ == "__main__":
    command.run(main)
