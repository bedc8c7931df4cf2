"""Positions and colors in grids of known arrays."""

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from tfrec.reports import grid


@pytest.fixture
def texts(monkeypatch):
    """All texts of the figures drawn."""
    found = []
    monkeypatch.setattr(grid.plots, "save", lambda figure, path, save=grid.plots.save: (
        found.extend(text.get_text() for text in figure.findobj(pyplot.Text)), save(figure, path)
    ))  # fmt: skip
    return found


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def center(mask):
    return np.argwhere(mask).mean(axis=0)


def test_images_are_in_rows_and_columns(tmp_path, texts):
    columns = np.zeros((2, 2, 3, 3, 3))
    columns[0, 0, ..., 0] = columns[0, 1, ..., 1] = columns[1, 0, ..., 2] = 1  # red; green below it; blue to its right
    grid.images(columns, ["one", "a name that is too long"], None, "two", tmp_path / "grid.png")
    seen = pixels(tmp_path / "grid.png")
    red, green, blue = (center((seen == color).all(-1)) for color in ([255, 0, 0], [0, 255, 0], [0, 0, 255]))
    assert green[0] > red[0] + 100
    assert green[1] == pytest.approx(red[1], abs=2)
    assert blue[1] > red[1] + 100
    assert blue[0] == pytest.approx(red[0], abs=2)
    assert {"one", "a name that is …", "two"} <= set(texts)
    assert not pyplot.get_fignums()


def test_gray_images_and_notes(tmp_path, texts):
    columns = np.full((2, 1, 2, 2, 1), 0.5)
    columns[0, 0, 0, 0] = 0  # the scale is 0 to 1, not the range of the image
    grid.images(columns, ["one"], [["first"], ["second"]], "gray", tmp_path / "grid.png")
    seen = pixels(tmp_path / "grid.png")
    assert ((seen >= 126) & (seen <= 129)).all(-1).sum() > 10_000
    assert {"first", "second"} <= set(texts)


def test_spectrograms_have_time_to_the_right_and_frequency_upwards(tmp_path, texts):
    clip = np.zeros((20, 10))
    clip[:, 7:] = 1.0  # high frequencies throughout
    clip[15:, :] = 2.0  # all frequencies at the end
    short = np.zeros((10, 10))
    grid.spectrograms([[clip, short], [clip, short]], [0.2, 0.1], ["a", "b"], "sounds", tmp_path / "grid.png")
    seen = pixels(tmp_path / "grid.png")
    left = seen[: len(seen) // 2, : seen.shape[1] // 2]
    dark, bright = (left < 30).all(-1), (left[..., 0] > 240) & (left[..., 1] > 200) & (left[..., 2] < 230)
    mid = (left[..., 0] > 150) & (left[..., 1] < 100) & (left[..., 2] > 90)
    assert center(bright)[1] > center(mid)[1]  # later
    assert center(dark & (np.arange(left.shape[1]) > center(mid)[1] - 50))[0] > center(mid)[0]  # lower
    blank = (seen == round(0.9 * 255)).all(-1)  # past the end of the shorter clip
    assert blank.sum() > 10_000
    assert {"time, s", "frequency", "a", "b"} <= set(texts)
