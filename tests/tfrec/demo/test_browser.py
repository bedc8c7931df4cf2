"""The page in a real browser: playwright with Chromium, which `CHROMIUM` names where it is not on the path."""

import importlib.util
import os
import shutil
import time

import numpy as np
import pytest
import soundfile

from tfrec.demo import server
from tfrec.demo.subject import Subject

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [name for name in ("gradio", "playwright") if importlib.util.find_spec(name) is None]
MISSING += [] if CHROMIUM else ["chromium"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
FAKE_MICROPHONE = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
MAX_FIRST_ANSWER_S = 1.0
PERCENT = "document.querySelector('#answer').innerText.includes('%')"


class Browser:
    """A page that is ready, and the addresses that it has asked for."""

    def __init__(self, playwright, url, *arguments):
        self.chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])
        self.page = self.chromium.new_page(viewport={"width": 1200, "height": 900})
        self.asked, self.errors = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.goto(url)
        self.page.wait_for_function("document.querySelector('#status')?.innerText.startsWith('Ready')")

    def first_answer_s(self, condition=PERCENT):
        """Waits for the answer; returns the time that it takes."""
        started = time.monotonic()
        self.page.wait_for_function(condition)
        return time.monotonic() - started

    @property
    def elsewhere(self):
        """Addresses that are not of this machine."""
        return [url for url in self.asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]

    @property
    def refused(self):
        """What the content policy of the page has kept a browser from."""
        return [line for line in self.errors if "Content Security Policy" in line]


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture
def opened(playwright, trained):
    """A function from the name of a trained recognizer, and arguments of Chromium, to a Browser."""
    stack = []

    def open_page(name, *arguments):
        run, recognizer = trained(name)
        context = server.serve(Subject(recognizer, str(run.path)), port=0)
        browser = Browser(playwright, context.__enter__(), *arguments)
        stack.append((context, browser))
        return browser

    yield open_page
    for context, browser in stack:
        browser.chromium.close()
        context.__exit__(None, None, None)


def draw(page, points):
    """Moves the pressed mouse along points of the unit square."""
    box = page.locator("#canvas canvas").bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_drawn_digit_is_recognized(opened):
    browser = opened("digits")
    browser.page.wait_for_selector("#canvas canvas")
    turn = np.linspace(0, 2 * np.pi, 24)
    draw(browser.page, [(0.5 + 0.2 * np.sin(t), 0.5 - 0.3 * np.cos(t)) for t in turn])
    seconds = browser.first_answer_s()
    assert browser.page.inner_text("#answer").split()[1] == "0"
    browser.page.wait_for_selector("#why img")
    assert seconds < MAX_FIRST_ANSWER_S
    browser.page.get_by_text("Clear").click()
    browser.page.wait_for_function(f"!{PERCENT}")
    assert (browser.elsewhere, browser.refused) == ([], [])


def test_a_dropped_clip_is_recognized(opened, tones, trained):
    browser, path = opened("cnn"), tones / "high" / "3.wav"
    browser.page.set_input_files("#clip input[type=file]", path)
    seconds = browser.first_answer_s()
    assert browser.page.inner_text("#answer").split()[1] == next(trained("cnn")[1].predict(str(path))).label
    browser.page.wait_for_selector("#why img")
    assert seconds < MAX_FIRST_ANSWER_S
    assert (browser.elsewhere, browser.refused) == ([], [])


def test_a_dropped_clip_is_transcribed(opened, melodies, trained):
    recognizer = trained("bilstm_ctc")[1]
    paths = [str(melodies.parent / f"{i}.wav") for i in range(48)]
    path, text = next((path, answer.text) for path in paths for answer in recognizer.predict(path) if answer.text)
    browser = opened("bilstm_ctc")
    browser.page.set_input_files("#clip input[type=file]", path)
    seconds = browser.first_answer_s("document.querySelector('#answer .tfrec-words span')")
    words = browser.page.locator("#answer .tfrec-words span").all_inner_texts()
    assert [word.split()[0] for word in words] == text.split()
    assert seconds < MAX_FIRST_ANSWER_S
    browser.page.click("#explain")
    browser.page.wait_for_selector("#why img", timeout=120_000)
    assert (browser.elsewhere, browser.refused) == ([], [])


def test_words_appear_while_a_microphone_records(opened, tmp_path):
    parts = [np.zeros(24_000)]
    for hz in (300, 1500):
        parts += [0.3 * np.sin(2 * np.pi * hz * np.arange(18_000) / 48_000), np.zeros(36_000)]
    soundfile.write(tmp_path / "said.wav", np.concatenate(parts), 48_000, "PCM_16")
    browser = opened("cnn", *FAKE_MICROPHONE, f"--use-file-for-fake-audio-capture={tmp_path / 'said.wav'}")
    browser.page.get_by_role("tab", name="Live").click()
    browser.page.locator("button.record-button:visible").first.click()
    browser.page.wait_for_selector("#live-words .tfrec-words span")  # it still records
    browser.page.locator("button.stop-button:visible").first.click()
    word = browser.page.locator("#live-words .tfrec-words span").first.inner_text()
    assert word.split()[0] in ("high", "low")
    assert (browser.elsewhere, browser.refused) == ([], [])
