"""The page in a real browser: Debian's chromium, without a screen, with a made-up webcam."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from facskit.inference.recognizer import Recognizer
from facskit.page.app import build_app
from facskit.page.limits import Limits

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver aren't installed")

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]
OPTIONS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = build_app(Recognizer.from_checkpoint("packaged", device="cpu"), Limits(), ["127.0.0.1"])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    listener: socket.socket = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    # A bound socket refuses connections until the server listens.
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in OPTIONS:
        options.add_argument(option)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


def wait(browser: webdriver.Chrome, script: str) -> None:
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(f"return {script}"))


def choose(browser: webdriver.Chrome, address: str, path: Path) -> None:
    browser.get(address)
    wait(browser, "document.documentElement.dataset.ready")
    browser.find_element(By.ID, "file").send_keys(str(path))


def test_a_photograph_shows_bars_and_a_table_to_take_away(
    browser: webdriver.Chrome, address: str, downloads: Path
) -> None:
    choose(browser, address, Path(str(files("facskit.assets").joinpath("photographs/eileen_collins.jpg"))))
    wait(browser, "document.getElementById('status').textContent.startsWith('Done')")
    assert browser.find_element(By.ID, "result-heading").text == "eileen_collins.jpg: one face"
    rows = browser.find_elements(By.CSS_SELECTOR, "#units tbody tr")
    assert len(rows) == 19
    present = [row.find_element(By.TAG_NAME, "th").text[:4] for row in rows if row.get_attribute("class") == "present"]
    assert {"AU12", "AU25"} <= set(present)
    browser.find_element(By.ID, "download").click()
    table = downloads / "facskit.csv"
    for _ in range(100):
        if table.is_file():
            break
        time.sleep(0.1)
    header, row = table.read_text().splitlines()
    assert header.startswith("input,frame,face_id")
    assert row.startswith("eileen_collins.jpg,0,0,")


def test_a_broken_file_gets_a_sentence(browser: webdriver.Chrome, address: str, tmp_path: Path) -> None:
    broken = tmp_path / "<b>holiday<b>.jpg"
    broken.write_bytes(b"\xff\xd8\xff" + bytes(300))
    choose(browser, address, broken)
    wait(browser, "!document.getElementById('error').hidden")
    told = browser.find_element(By.ID, "error")
    assert "a photograph that is damaged or cut short" in told.text
    assert not told.find_elements(By.TAG_NAME, "b")


def test_an_animated_picture_has_a_timeline_by_its_own_times(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    first, second, third = (Image.new("RGB", (160, 120), (grey,) * 3) for grey in (40, 90, 140))
    first.save(tmp_path / "wave.gif", save_all=True, append_images=[second, third], duration=[100, 900, 500])
    choose(browser, address, tmp_path / "wave.gif")
    wait(browser, "document.getElementById('status').textContent.startsWith('Done')")
    assert browser.find_element(By.ID, "photo").is_displayed()
    assert not browser.find_element(By.ID, "video").is_displayed()
    assert browser.find_element(By.ID, "photo").get_attribute("alt") == "The animated picture, with no face found"
    assert "plays by itself" in browser.find_element(By.ID, "plays-itself").text
    strips = browser.find_element(By.ID, "strips")
    # 0 s, 0.1 s, 1 s, and half a second more: the middle of the canvas is the second frame.
    strips.click()
    assert strips.get_attribute("aria-valuenow") == "0.10"
    strips.send_keys(Keys.END)
    assert strips.get_attribute("aria-valuetext") == "1.00 seconds"


def test_a_webcam_is_looked_through(browser: webdriver.Chrome, address: str) -> None:
    browser.get(address)
    wait(browser, "document.documentElement.dataset.ready")
    browser.find_element(By.ID, "webcam").click()
    # The made-up webcam shows a pattern without a face.
    wait(browser, "shown.moments.length === 1 && shown.moments[0].width === 640")
    browser.find_element(By.ID, "webcam").click()
    wait(browser, "document.getElementById('status').textContent === 'Webcam stopped.'")


def test_every_request_stayed_here(browser: webdriver.Chrome, address: str) -> None:
    asked = []
    for entry in browser.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
    complaints = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    assert [message for message in complaints if "422" not in message] == []
