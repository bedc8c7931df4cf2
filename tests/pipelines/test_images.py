"""Reading picture files."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines import images
from pipelines.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "jpg"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_formats(tmp_path, suffix, channels, mode):
    path = tmp_path / f"a.{suffix}"
    smooth = Image.fromarray(PIXELS).convert(mode).resize((90, 60))
    smooth.save(path)
    assert images.probe(path) == (60, 90)
    picture = images.read(path, channels)
    assert (picture.dtype, picture.shape) == (np.uint8, (60, 90, channels))
    expected = np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB")).reshape(60, 90, channels)
    np.testing.assert_allclose(picture.astype(int), expected, atol=10 if suffix == "jpg" else 1)
    graph = tf.function(lambda data: images.decode(data, channels))
    np.testing.assert_array_equal(graph(tf.io.read_file(str(path))), picture)


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(images.read(tmp_path / "a.gif", 3)[0, 0], (255, 0, 0))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.png", b"", "is empty"),
        ("text.jpg", b"hello, no picture", "not a JPEG"),
        ("head.png", b"\x89PNG\r\n\x1a\n", "cannot be read|not a JPEG"),
    ],
)
def test_not_a_picture(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as raised:
        images.read(tmp_path / name, 3)
    assert name in str(raised.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(PIXELS).resize((90, 60)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f"cut.{suffix} cannot be decoded"):
        images.read(path, 3)


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.png cannot be read"):
        images.read(tmp_path / "nothing.png", 3)


def test_too_large_is_refused_before_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (9000, 9000)).save(path)
    with pytest.raises(UserError, match=r"bomb\.png announces 9000 x 9000 pixels"):
        images.read(path, 3)


def test_a_palette_in_a_bmp_is_refused(tmp_path):
    Image.fromarray(PIXELS).convert("P").save(tmp_path / "a.bmp")
    with pytest.raises(UserError, match="palette"):
        images.read(tmp_path / "a.bmp", 3)
