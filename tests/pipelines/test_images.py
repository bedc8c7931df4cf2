"""Reading picture files: every kind equals Pillow, and what is damaged is refused."""

import functools
import io
import os
import pathlib
import re
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines import images
from pipelines.errors import UserError
from tests.pipelines.image_formats import picture_files as files

R = np.random.default_rng(1)


def in_graph(path, info, channels, background=images.WHITE, is_deep=None):
    """The pixels by the code of training, with the coding and the orientation as tensors."""
    return graph(channels, background, info.is_deep if is_deep is None else is_deep)(
        tf.constant(os.fspath(path)), tf.constant(info.code), tf.constant(info.orientation)
    ).numpy()


@functools.cache
def graph(channels, background, is_deep):
    return tf.function(lambda *row: images.decode_file(*row, channels, background, is_deep))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", files.KINDS)
def test_every_kind_equals_pillow(tmp_path, kind, channels):
    path = tmp_path / "any.name"
    path.write_bytes(files.KINDS[kind])
    expected = files.reference(files.KINDS[kind], channels)
    info = images.probe(path)
    assert (info.height, info.width) == expected.shape[:2]
    for pixels in (images.read(path, channels), in_graph(path, info, channels)):
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, expected)
    assert images.check(info) == images.Check(255.0, ())


def test_the_fast_decoder_reads_the_usual_kinds():
    fast = {kind for kind, data in files.KINDS.items() if probe_bytes(data).coding == "tensorflow"}
    assert {"jpeg", "jpeg_progressive", "jpeg_gray", "jpeg_turned_6", "png", "png_gray", "png_palette"} <= fast
    assert not {"jpeg_cmyk", "png_rgba", "png_turned_6", "png_rgb_trns", "apng", "gif", "bmp"} & fast


def probe_bytes(data):
    path = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"probe_{os.getpid()}"
    path.write_bytes(data)
    try:
        return images.probe(path)
    finally:
        path.unlink()


def test_what_a_header_says(tmp_path):
    assert {kind for kind, data in files.KINDS.items() if probe_bytes(data).is_animated} == {
        "apng",
        "gif_animated",
        "webp_animated",
        "tiff_pages",
    }
    transparent = {kind for kind, data in files.KINDS.items() if probe_bytes(data).is_transparent}
    assert {"png_rgba", "png_la", "png_palette_trns", "png_gray_trns", "gif_transparent", "avif_rgba"} <= transparent
    assert not {"png", "jpeg", "gif", "tiff", "webp"} & transparent
    for orientation in range(1, 9):
        for kind in ("jpeg", "png", "webp", "tiff"):
            assert probe_bytes(files.KINDS[f"{kind}_turned_{orientation}"]).orientation == orientation


@pytest.mark.parametrize("name", ["png_rgba", "png_la", "png_palette_trns", "gif_transparent", "webp_lossless_rgba"])
@pytest.mark.parametrize("background", ["black", "#10e020"])
def test_transparent_pictures_lie_on_the_background(tmp_path, name, background):
    path = tmp_path / "a"
    path.write_bytes(files.KINDS[name])
    np.testing.assert_array_equal(images.read(path, 3, background), files.reference(files.KINDS[name], 3, background))


@pytest.mark.parametrize("name", ["whiet", "rgb(1, 2, 3)", "#fff", ""])
def test_unknown_backgrounds_are_refused(name):
    with pytest.raises(UserError, match=r"data\.background must be a CSS color name"):
        images.parse_color(name)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_all_of_them(tmp_path, channels, orientation):
    values = R.integers(0, 65536, (5, 7, channels))
    path = tmp_path / "a.png"
    path.write_bytes(files.png16(values, files.chunk(b"eXIf", files.exif(orientation)[6:])))
    check_deep(path, values, orientation)


DEEP = [{}, {"order": ">"}, {"deflate": True}, {"planar": True}, {"deflate": True, "planar": True, "order": ">"}]


@pytest.mark.parametrize("options", DEEP)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("orientation", [1, 8])
def test_tiff_of_16_bits_keeps_all_of_them(tmp_path, channels, options, orientation):
    values = R.integers(0, 65536, (5, 7, channels))
    path = tmp_path / "a.tif"
    path.write_bytes(files.tiff16(values, **options, tag_274=orientation))
    check_deep(path, values, orientation)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [1, 3])
def test_tiff_of_16_bits_that_stores_differences(tmp_path, channels, order):
    values = R.integers(0, 65536, (5, 7, channels))
    path = tmp_path / "a.tif"
    path.write_bytes(files.tiff16(values, order, deflate=True, predictor=True))
    check_deep(path, values, 1)


def test_tiff_of_16_bits_in_which_white_is_zero(tmp_path):
    values = R.integers(0, 65536, (5, 7, 1))
    path = tmp_path / "a.tif"
    path.write_bytes(files.tiff16(values, tag_262=0))
    check_deep(path, 65535 - values, 1)


def test_pgm_of_16_bits(tmp_path):
    values = R.integers(0, 65536, (5, 7, 1))
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 7 5 65535\n" + values.astype(">u2").tobytes())
    check_deep(path, values, 1)


def check_deep(path, values, orientation):
    """The file has these values, up to the precision of float32, over white where it is transparent."""
    info = images.probe(path)
    assert (info.is_deep, info.is_transparent) == (True, values.shape[-1] in (2, 4))
    x = values / 65535 * 255
    if info.is_transparent:
        alpha = x[..., -1:] / 255
        x = x[..., :-1] * alpha + 255 * (1 - alpha)
    turned = {1: x, 3: x[::-1, ::-1], 6: np.rot90(x, -1), 8: np.rot90(x)}[orientation]
    color = np.broadcast_to(turned, (*turned.shape[:2], 3))
    assert (info.height, info.width) == turned.shape[:2]
    for pixels in (images.read(path, 3), in_graph(path, info, 3)):
        assert pixels.dtype == np.float32
        np.testing.assert_allclose(pixels, color, atol=1e-3)
    np.testing.assert_allclose(images.read(path, 1)[..., 0], color @ [0.299, 0.587, 0.114], atol=1e-3)
    both = images.read(path, 4)
    if info.is_transparent:
        assert both[..., 3].max() > both[..., 3].min()
    else:
        np.testing.assert_array_equal(both[..., 3], 255)
    assert images.check(info).peak > 200


@pytest.mark.parametrize("color", [(3,), (1, 2, 3)])
def test_the_transparent_color_of_a_png_of_16_bits(tmp_path, color):
    values = np.full((2, 2, len(color)), 40_000)
    values[0, 0] = color
    (tmp_path / "a.png").write_bytes(files.png16(values, files.chunk(b"tRNS", struct.pack(f">{len(color)}H", *color))))
    alpha = images.read(tmp_path / "a.png", 4)[..., 3]
    np.testing.assert_array_equal(alpha, [[0, 255], [255, 255]])


def test_small_values_of_16_bits_stay_apart(tmp_path):
    near, far = (R.integers(0, 90, (32, 32, 1)) + add for add in (0, 100))
    for name, values in (("near", near), ("far", far)):
        (tmp_path / f"{name}.png").write_bytes(files.png16(values))
    pixels = {name: images.read(tmp_path / f"{name}.png", 1) for name in ("near", "far")}
    np.testing.assert_allclose(pixels["near"] * 65535 / 255, near, atol=1e-3)
    assert pixels["near"].max() < pixels["far"].min()


def test_a_deep_corpus_reads_files_of_8_bits_as_float(tmp_path):
    for kind in ("png", "gif"):
        (tmp_path / kind).write_bytes(files.KINDS[kind])
        info = images.probe(tmp_path / kind)
        pixels = in_graph(tmp_path / kind, info, 3, is_deep=True)
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, files.reference(files.KINDS[kind], 3))


def test_gray_of_all_kinds_is_alike(tmp_path):
    color = Image.new("RGB", (32, 32), (200, 40, 10))
    means = []
    for name, image in (("a.png", color), ("b.png", color.convert("RGBA")), ("c.jpg", color), ("d.bmp", color)):
        image.save(tmp_path / name)
        means.append(images.read(tmp_path / name, 1).mean())
    color.save(tmp_path / "e.gif")
    color.quantize(4).save(tmp_path / "f.bmp")
    means += [images.read(tmp_path / name, 1).mean() for name in ("e.gif", "f.bmp")]
    assert max(means) - min(means) <= 2
    np.testing.assert_allclose(means, 84.4, atol=2)


CUT = ["jpeg", "jpeg_progressive", "jpeg_gray", "jpeg_cmyk", "jpeg_turned_6", "png", "png_rgba", "bmp", "gif", "webp",
       "tiff", "tiff_lzw", "avif", "ppm", "gif_animated", "webp_animated"]  # fmt: skip


@pytest.mark.parametrize("fraction", [0.6, 0.9])
@pytest.mark.parametrize("kind", CUT)
def test_truncated_files_are_refused_without_a_word_of_the_decoder(tmp_path, capfd, kind, fraction):
    path = tmp_path / "cut"
    path.write_bytes(files.KINDS[kind][: int(fraction * len(files.KINDS[kind]))])
    with pytest.raises(UserError, match=r"cut (cannot be decoded as a picture|is not a JPEG)"):
        images.read(path, 3)
    with pytest.raises(UserError, match=r"cut (cannot be decoded as a picture|is not a JPEG)"):
        images.check(images.probe(path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["jpeg", "jpeg_progressive", "jpeg_turned_6", "jpeg_cmyk"])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_jpeg_that_ends_early_with_an_end_mark_is_refused(tmp_path, capfd, kind, part):
    data = files.KINDS[kind]
    start = data.index(b"\xff\xda")
    start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    path = tmp_path / "gray.jpg"
    path.write_bytes(data[: int(start + part * (len(data) - start))] + b"\xff\xd9")
    with pytest.raises(UserError, match=r"gray\.jpg cannot be decoded"):
        images.read(path, 3)
    with pytest.raises(UserError, match="cannot be decoded"):
        images.check(images.probe(path))
    assert capfd.readouterr() == ("", "")


def test_odd_bytes_in_a_jpeg_are_reported_and_read(tmp_path, capfd):
    data = files.KINDS["jpeg"]
    (tmp_path / "a.jpg").write_bytes(data[:-2] + bytes(range(1, 50)) + data[-2:])
    (message,) = images.check(images.probe(tmp_path / "a.jpg")).messages
    assert re.fullmatch("Corrupt JPEG data: [0-9]+ extraneous bytes before marker 0xd9", message)
    np.testing.assert_array_equal(images.read(tmp_path / "a.jpg", 3), files.reference(data, 3))
    assert capfd.readouterr() == ("", "")


def save(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.png", b"", "is empty"),
        ("text.jpg", b"hello, no picture", "not a JPEG"),
        ("head.png", b"\x89PNG\r\n\x1a\n", "cannot be decoded|not a JPEG"),
        ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC file, which is not read: convert it"),
        ("a.png", b"<?xml version='1.0'?>\n<svg></svg>", "SVG file, which is not read"),
        ("a.png", b"%PDF-1.4", "PDF file, which is not read"),
        ("a.png", b"8BPS\0\1", "PSD file, which is not read"),
        ("a.dng", files.KINDS["tiff"], "raw camera picture, which is not read"),
        ("a.tif", save(Image.fromarray(np.zeros((3, 4), "float32")), "TIFF"), "floating-point values of 32 bits"),
        ("a.tif", save(Image.fromarray(np.zeros((3, 4), "int32")), "TIFF"), "signed values of 32 bits"),
        ("a.jpg", b"\xff\xd8\xff\xc1\x00\x11\x0c\x00\x10\x00\x10\x03" + bytes(20), "JPEG of 12 bits"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as raised:
        images.read(tmp_path / name, 3)
    assert name in str(raised.value)
    assert raised.value.kind


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.png cannot be read: No such file"):
        images.read(tmp_path / "nothing.png", 3)


def test_too_large_is_refused_before_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (11_000, 10_000)).save(path)
    with pytest.raises(UserError, match=r"bomb\.png announces 11000 x 10000 pixels: the maximum is 100,000,000"):
        images.read(path, 3)


def test_photos_of_64_megapixels_are_read(tmp_path):
    Image.new("L", (9248, 6936), 7).save(tmp_path / "phone.jpg")
    assert images.read(tmp_path / "phone.jpg", 1).shape == (6936, 9248, 1)
