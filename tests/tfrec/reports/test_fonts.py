"""Names in plots, in every script."""

import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from tfrec.reports import error_plots, fonts, grid, plots

NAMES = (
    "$10_$20",
    "$5_$10",
    "a$b",
    "日本",
    "ラーメン",
    "\u0639\u0631\u0628\u064a",
    "😀",
    "a\nb",
    "\\frac{",
    "ไทย",
    "हिन्दी",
)


def ink(path):
    return (np.asarray(Image.open(path).convert("L")) < 128).sum()


@pytest.fixture(autouse=True)
def missing_glyphs_are_errors():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="(?i).*glyph")
        yield


def test_labels_are_drawn_as_they_are_written():
    figure, axis = plt.subplots()
    text = axis.text(0, 0, fonts.label("$10_$20"))
    plain = axis.text(0, 0, "$10_$20", parse_math=False)
    figure.canvas.draw()
    assert text.get_window_extent().width == plain.get_window_extent().width
    plt.close(figure)


def test_letters_without_a_font_become_codes(monkeypatch):
    monkeypatch.setattr(fonts, "_family_with", lambda character: None)
    assert fonts.label("日本 a") == r"\u65e5\u672c a"
    assert (fonts.is_drawable("日本"), fonts.is_drawable("café Ж ω")) == (False, True)


def test_a_font_that_has_the_letters_is_used(monkeypatch):
    # A mathematical font of matplotlib's own has letters that the usual one lacks.
    family = fonts._family_with("\u23b3")
    assert family is None or fonts.is_drawable("\u23b3")


def test_confusion_of_names_in_every_script(tmp_path, monkeypatch):
    plots.confusion(np.eye(len(NAMES), dtype=int), NAMES, tmp_path / "a.png")
    assert ink(tmp_path / "a.png") > 0
    monkeypatch.setattr(fonts, "_family_with", lambda character: None)
    labels, legend = plots._class_labels(("cat", "日本", "$1"))
    assert labels == ["cat", "1", r"\$1"]
    assert legend == "\n(numbers: classes in the order of labels.json, from 0)"
    assert plots._class_labels(("cat", "dog")) == (["cat", "dog"], "")


def test_other_plots(tmp_path):
    rows = [{"model": name, "condition": "$a_$b 日本", "rate": 0.1, "interval": None} for name in NAMES]
    error_plots.error_rates([*rows, {**rows[0], "condition": "x"}], tmp_path / "e.png")
    pixels = np.zeros((1, len(NAMES), 8, 8, 3))
    grid.images(pixels, NAMES, [[f"{name}\n$x_$" for name in NAMES]], "日本 $a_$b", tmp_path / "g.png")
    assert ink(tmp_path / "e.png") > 0
    assert ink(tmp_path / "g.png") > 0
