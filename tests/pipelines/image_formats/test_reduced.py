"""JPEG files decoded at a reduced scale: against Pillow's `draft`, in every place that reads files."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pipelines import frontends, images
from pipelines.datasets import folder, pictures
from pipelines.errors import UserError
from pipelines.image_formats import reduced

RANDOM = np.random.default_rng(0)


def photo(height, width, mode="RGB", orientation=1, **options):
    """The bytes of a JPEG with smooth shapes."""
    coarse = Image.fromarray(RANDOM.integers(0, 256, (height // 12 + 1, width // 12 + 1, 3), np.uint8))
    tag = Image.Exif()
    tag[0x0112] = orientation
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(file, "JPEG", exif=tag, **options)
    return file.getvalue()


def drafted(contents, scale, channels):
    """Pillow's pixels at a scale, upright."""
    image = Image.open(io.BytesIO(contents))
    image.draft(image.mode, (image.width // scale, image.height // scale))
    pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB").convert({1: "L", 3: "RGB"}[channels]))
    return pixels.reshape(*pixels.shape[:2], channels)


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (240, 320, (224, 224), 0),
        (447, 900, (224, 224), 0),
        (448, 900, (224, 224), 1),
        (1200, 1600, (224, 224), 2),
        (1792, 1792, (224, 224), 3),
        (60_000, 60_000, (1, 1), 3),
        (1200, 1600, None, 0),
        (1200, 1600, (0, 0), 0),
    ],
)
def test_the_picture_still_covers_the_size(height, width, size, expected):
    assert reduced.halvings(height, width, size) == expected
    assert reduced.halvings(np.array([height]), np.array([width]), size).tolist() == [expected]
    assert reduced.halvings(tf.constant([height], tf.int64), tf.constant([width], tf.int64), size).numpy() == [expected]


@pytest.mark.parametrize(
    "options", [{}, {"mode": "L"}, {"mode": "CMYK"}, {"orientation": 6}, {"progressive": True}, {"subsampling": 0}]
)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_equals_pillows_draft(tmp_path, scale, options):
    contents = photo(261, 187, **options)
    (tmp_path / "a.jpg").write_bytes(contents)
    info = images.probe(tmp_path / "a.jpg")
    size = (info.height // scale, info.width // scale)
    assert info.halvings(size) == scale.bit_length() - 1
    for channels in (1, 3):
        expected = drafted(contents, scale, channels)
        for one in (info, info.read_by_pillow()):
            row = pictures.table([one], channels, "white", size)
            (example,) = tf.data.Dataset.from_tensor_slices(row[0]).map(row[1])
            np.testing.assert_array_equal(example, expected)
        np.testing.assert_array_equal(images.read(tmp_path / "a.jpg", channels, reduced_to=size), expected)


def test_files_of_all_scales_in_one_table(tmp_path):
    infos, expected = [], []
    for height, scale in ((64, 1), (128, 2), (300, 4), (700, 8)):
        contents = photo(height, height + 30)
        (tmp_path / f"{height}.jpg").write_bytes(contents)
        infos.append(images.probe(tmp_path / f"{height}.jpg"))
        expected.append(drafted(contents, scale, 3))
    Image.fromarray(RANDOM.integers(0, 256, (300, 300, 3), np.uint8)).save(tmp_path / "a.png")
    infos.append(images.probe(tmp_path / "a.png"))
    expected.append(np.asarray(Image.open(tmp_path / "a.png")))  # other kinds are read whole
    columns, decode = pictures.table(infos, 3, "white", (64, 64))
    for found, pixels in zip(tf.data.Dataset.from_tensor_slices(columns).map(decode), expected, strict=True):
        np.testing.assert_array_equal(found, pixels)


def test_a_file_that_ends_early_is_refused_at_every_scale(tmp_path):
    contents = photo(400, 400)
    (tmp_path / "a.jpg").write_bytes(contents[: len(contents) * 2 // 3])
    for size in (None, (200, 200), (50, 50)):
        with pytest.raises(UserError, match="truncated or damaged"):
            images.read(tmp_path / "a.jpg", 3, reduced_to=size)


def test_training_takes_the_size_of_the_network():
    data = folder.Config(path="photos")
    assert frontends.with_picture_size(data, frontends.ImageConfig()).reduced_to == (128, 128)
    config = frontends.ImageConfig(height=224, width=160, crop_fraction=0.875)
    assert frontends.with_picture_size(data, config).reduced_to == (256, 183)
    assert frontends.with_picture_size(dataclasses.replace(data, reduced_to=(16, 16)), config).reduced_to == (256, 183)
    whole = dataclasses.replace(data, reduced_to=(0, 0))
    assert frontends.with_picture_size(whole, config) == whole
    assert frontends.with_picture_size(data, frontends.default_config("speech")) == data
