"""Moving pictures: frames at a fixed rate, lists of them with clips, and files that are refused."""

import numpy as np
import pytest
from PIL import Image

from pipelines import datasets
from pipelines.datasets import paired
from pipelines.errors import FileError, UserError
from pipelines.image_formats import moving
from tests.pipelines.moving_data import save_moving, write_list

WHITE = (255, 255, 255)


def levels(path, frames_per_second, channels=1):
    frames = moving.read(path, channels, WHITE, frames_per_second)
    assert frames.dtype == np.uint8
    assert frames.ndim == 4
    assert frames.shape[-1] == channels
    return frames[:, 0, 0, 0].tolist()


def gray(*values, size=(4, 6)):
    return np.array([np.full(size, value) for value in values], "uint8")


def test_frames_follow_their_durations(tmp_path):
    path = tmp_path / "a.gif"
    save_moving(path, gray(0, 100, 200), duration_ms=[40, 80, 40])
    assert levels(path, 25) == [0, 100, 100, 200]
    assert levels(path, 50) == [0, 0, 100, 100, 100, 100, 200, 200]
    assert levels(path, 10) == [100, 200]  # in the middle of each tenth of a second
    save_moving(path, gray(0, 200), duration_ms=40)
    assert levels(path, 1) == [200]  # one frame at least
    save_moving(path, gray(0, 0, 0, 200), duration_ms=40)  # Pillow writes equal frames as one
    assert levels(path, 25) == [0, 0, 0, 200]


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_other_formats(tmp_path, name):
    save_moving(tmp_path / name, gray(0, 100, 200), duration_ms=[40, 80, 40], lossless=True)
    np.testing.assert_allclose(levels(tmp_path / name, 25, 3), [0, 100, 100, 200])


def test_frames_without_a_duration_last_a_tenth_of_a_second(tmp_path):
    save_moving(tmp_path / "a.gif", gray(0, 200), duration_ms=0)
    assert levels(tmp_path / "a.gif", 10) == [0, 200]


def gif(tmp_path, name="a.gif", **options):
    save_moving(tmp_path / name, gray(*range(0, 200, 20)), **options)
    return tmp_path / name


def test_refused_files(tmp_path, monkeypatch):
    def refusal(path):
        with pytest.raises(FileError) as error:
            moving.read(path, 3, WHITE, 25)
        assert "\n" not in str(error.value)
        return str(error.value)

    whole = gif(tmp_path).read_bytes()
    path = tmp_path / "b.gif"
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated or damaged" in refusal(path)
    path.write_bytes(whole[:13] + whole[13:].replace(b"\x2c", b"\x00"))
    assert str(path) in refusal(path)
    path.write_bytes(b"GIF89a\4\0\6\0\0\0\0;")  # a header and the end mark
    assert "is not a JPEG, PNG, BMP, GIF" in refusal(path)
    path.write_bytes(b"")
    assert "is empty" in refusal(path)
    for name in ("a.jpg", "a.png", "a.tif"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
        assert "does not move" in refusal(tmp_path / name)
    pages = [Image.new("L", (4, 4), value) for value in (0, 200)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert "single TIFF picture" in refusal(tmp_path / "a.tif")
    monkeypatch.setattr(moving, "MAX_FRAMES", 9)
    assert "is too long: moving pictures have at most 9 frames" in refusal(tmp_path / "a.gif")
    monkeypatch.undo()
    monkeypatch.setattr(moving, "MAX_PIXELS", 10 * 24 - 1)
    assert "239 pixels in all" in refusal(tmp_path / "a.gif")
    monkeypatch.undo()
    assert "is too long" in refusal(gif(tmp_path, "c.gif", duration_ms=60_000))


def test_a_list_of_moving_pictures(tmp_path):
    corpus = datasets.load(paired.Config(path=str(write_list(tmp_path, 12)), moving=True, channels=1))
    assert (corpus.modality, corpus.inputs, corpus.frames_per_second) == ("video_audio", ("video", "audio"), 25)
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 8, "validation": 2, "test": 2}
    split = corpus.splits["train"]
    assert split.late() is not None
    for text, example in zip(split.texts, split.examples.as_numpy_iterator(), strict=True):
        assert example["video"].shape == (5 * len(text), 12, 12, 1)
        assert example["audio"].shape == (1600 * len(text),)
        assert example["video"][1:4].max() > 180


def test_lists_with_files_that_cannot_be_read(tmp_path):
    path = write_list(tmp_path, 12)
    (tmp_path / "3.gif").write_bytes((tmp_path / "3.gif").read_bytes()[:-40])
    with pytest.raises(UserError, match=r"3\.gif cannot be decoded"):
        datasets.load(paired.Config(path=str(path), moving=True))
    (tmp_path / "4.gif").write_bytes(b"GIF89a\4\0\6\0\0\0\0;")
    with pytest.raises(
        UserError, match=r"2 of 12 files.*cannot be used \(1 truncated or damaged, 1 no picture\)\. The first: .*3\.gif"
    ):
        datasets.load(paired.Config(path=str(path), moving=True))
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    (tmp_path / "still.csv").write_text(write_list(tmp_path, 12).read_text().replace("\n0.gif", "\n0.png"))
    with pytest.raises(UserError, match=r"0\.png is a single PNG picture, which does not move"):
        datasets.load(paired.Config(path=str(tmp_path / "still.csv"), moving=True))
    with pytest.raises(ValueError, match=r"data\.frames_per_second must be from 1 to 200\. Received: 0"):
        paired.Config(frames_per_second=0)
    with pytest.raises(UserError, match=r"data\.channels must be 1"):
        datasets.load(paired.Config(path=str(write_list(tmp_path, 12)), moving=True, channels=2))
