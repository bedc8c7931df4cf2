"""Drawings look like the pictures of the training."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from pipelines.errors import UserError
from tfrec.serving import drawing
from tfrec.serving.drawing import CANVAS, DrawingStyle

SEVEN = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)]


@pytest.fixture(scope="module")
def digits():
    return [np.round(image * 255 / 16).astype("uint8")[..., None] for image in load_digits().images[:64]]


def drawn(points, width, scale=1.0, shift=0.0):
    """Strokes along points of the unit square, (CANVAS, CANVAS) in [0, 1]."""
    picture = Image.new("L", (CANVAS, CANVAS))
    places = [tuple((value * scale + shift) * CANVAS for value in point) for point in points]
    ImageDraw.Draw(picture).line(places, 255, width, "curve")
    return np.asarray(picture, "float32") / 255


def test_the_style_is_measured(digits):
    style = DrawingStyle.of(digits)
    assert (style.size, style.background, style.ink) == ((8, 8), 0, 255)
    assert style.box[0] == 8
    assert 1 < style.stroke < 2.5
    dark = DrawingStyle.of([255 - picture for picture in digits])
    assert (dark.background, dark.ink, dark.box) == (255, 0, style.box)
    assert dark.stroke == pytest.approx(style.stroke)


def test_other_pictures_have_no_style():
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (28, 28, 1), "uint8")
    color = np.zeros((28, 28, 3), "uint8")
    color[8:20, 8:20, 0] = 255
    for picture in (noise, color, np.full((28, 28, 1), 128, "uint8"), np.zeros((28, 28, 1), "uint8")):
        assert DrawingStyle.of([picture]) is None
    assert DrawingStyle.of([]) is None


def test_place_size_and_width_of_a_drawing_do_not_matter():
    style = DrawingStyle((28, 28), 0.0, 255.0, (20.0, 20.0), (14.5, 14.5), 2.5)
    whole = style.picture(drawn(SEVEN, 30))
    small = style.picture(drawn(SEVEN, 15, 0.5, 0.1))
    thin = style.picture(drawn(SEVEN, 6, 0.8))
    assert (whole.shape, whole.dtype) == ((28, 28, 1), np.uint8)
    for other in (small, thin):
        assert np.abs(whole.astype(int) - other).mean() < 16
    ink = whole[..., 0] / 255.0
    rows = np.flatnonzero(ink.max(axis=1) > 0.25)
    assert rows[-1] - rows[0] + 1 == pytest.approx(20, abs=1)
    center = [(ink.sum(axis=axis) @ (np.arange(28) + 0.5)) / ink.sum() for axis in (1, 0)]
    assert center == pytest.approx([14.5, 14.5], abs=0.6)
    assert 0 < np.mean((ink > 0.05) & (ink < 0.95)) < 0.2  # edges are smooth
    dark = DrawingStyle((28, 28), 255.0, 0.0, (20.0, 20.0), (14.5, 14.5), 2.5).picture(drawn(SEVEN, 30))
    np.testing.assert_allclose(dark.astype(int), 255 - whole.astype(int), atol=1)


def test_nothing_is_drawn(digits):
    style = DrawingStyle.of(digits)
    for strokes in (None, [], [[]]):
        assert style.picture(drawing.ink_of(strokes, 20)) is None


def test_strokes_are_drawn_with_a_round_brush():
    ink = drawing.ink_of([[[0.5, 0.2], [0.5, 0.8]], [[2.0, -1.0]]], 20)
    assert (ink.shape, ink.dtype, ink.max()) == ((CANVAS, CANVAS), np.float32, 1)
    assert ink[CANVAS // 2].sum() == pytest.approx(20, abs=2)
    assert ink[:, CANVAS // 2].sum() == pytest.approx(0.6 * CANVAS + 20, abs=3)
    assert ink[0, -1] == 1  # points outside are moved to the border


@pytest.mark.parametrize("strokes", [[[1]], [[["a", "b"]]], 3, [[[float("nan"), 0]]], [[[0, 0]] * 20_001]])
def test_strokes_that_are_something_else(strokes):
    with pytest.raises(UserError, match="clear it, and begin again"):
        drawing.ink_of(strokes, 20)


def test_a_dot_is_no_error(digits):
    ink = np.zeros((CANVAS, CANVAS), "float32")
    ink[0, 0] = 1
    assert DrawingStyle.of(digits).picture(ink).shape == (8, 8, 1)


def test_drawn_digits_are_recognized(trained):
    _, recognizer = trained("digits")
    style = DrawingStyle.from_dict(recognizer.description["drawing"])
    ellipse = [(0.5 + 0.18 * np.cos(t), 0.5 + 0.3 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 40)]
    figures = {"1": [(0.5, 0.2), (0.5, 0.8)], "0": ellipse}
    found = [next(recognizer.predict(style.picture(drawn(points, 22)))).label for points in figures.values()]
    assert found == list(figures)
