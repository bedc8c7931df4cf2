"""Encoded pictures inside a graph: read as in training, or refused with a reason."""

import functools
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines import images
from pipelines.layers import ImageResize
from tests.pipelines.image_formats import picture_files as files
from tfrec.serving.graph import kinds, picture_headers, pictures, resizing

R = np.random.default_rng(0)
READ = [kind for kind in files.KINDS if kind.startswith(("jpeg", "png"))]


@functools.cache
def decoder(height, width, channels, background=(255, 255, 255)):
    layer = ImageResize(height, width)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def decode(contents):
        header = picture_headers.read_headers(contents)
        one = picture_headers.Header(*(field[0] for field in header))
        return header.fault, pictures.decode(contents[0], one, layer, channels, background)

    return decode


@tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
def headers(contents):
    return picture_headers.read_headers(contents)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", READ)
def test_pictures_are_read_as_in_training(kind, channels, tmp_path):
    (tmp_path / "file").write_bytes(files.KINDS[kind])
    expected = images.read(tmp_path / "file", channels, "#203040")
    fault, pixels = decoder(*expected.shape, (0x20, 0x30, 0x40))(tf.constant([files.KINDS[kind]]))
    assert fault.numpy().tolist() == [b""]
    # Pillow rounds the product of inks, TensorFlow cuts it off.
    np.testing.assert_allclose(pixels, expected, atol=2 if "cmyk" in kind else 1e-3)


def segment(marker, content):
    return struct.pack(">BBH", 255, marker, 2 + len(content)) + content


def jpeg(*parts, height=8, width=8, bits=8, frame=0xC0):
    head = segment(frame, struct.pack(">BHHB", bits, height, width, 1) + b"\1\x11\0")
    return b"\xff\xd8" + b"".join(parts) + head + segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(100) + b"\xff\xd9"


def png(width, height, data=b"IDAT"):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + (struct.pack(">I", 4) + data + bytes(8) if data else b"")


EMPTY = jpeg()[: jpeg().index(b"\xff\xda") + 10] + b"\xff\xd9"


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (jpeg(), b""),
        (png(8, 8), b""),
        (b"", b"has no bytes"),
        (b"hello", b"is no JPEG or PNG file by its first bytes"),
        (b"\xff\xd8\xff", b"is a JPEG file without the header of a picture"),
        (jpeg(height=0), b"has no pixels"),
        (EMPTY, b"is a JPEG file without the data of its picture"),
        (jpeg(height=60000, width=60000), b"is a JPEG file without the data of its picture"),
        (jpeg(bits=12), b"is a JPEG file of 12 bits"),
        (jpeg(frame=0xC9), b"is a JPEG file that is neither baseline nor progressive"),
        (jpeg(*[segment(0xE2, b"")] * 100), b""),
        (jpeg(*[segment(0xE2, b"")] * 10_000), b"is a JPEG file without the header of a picture"),
        (png(0, 8), b"has no pixels"),
        (png(8, 8, data=b""), b"is a PNG file without the data of its picture"),
        (png(2**32 - 1, 2**32 - 1), b"announces more pixels than a PNG file may have"),
    ],
)
def test_headers_that_are_refused(contents, fault):
    found = headers(tf.constant([files.KINDS["png"], contents])).fault.numpy().tolist()
    assert found[0] == b""
    assert found[1].startswith(fault)
    assert bool(fault) == bool(found[1])


def test_other_kinds_are_named():
    for kind, name in (("gif", "GIF"), ("bmp", "BMP"), ("webp", "WebP"), ("tiff", "TIFF"), ("avif", "AVIF")):
        fault = headers(tf.constant([files.KINDS[kind]])).fault.numpy()[0]
        assert fault == b"is a file of the kind %s, which is not read: send JPEG or PNG" % name.encode()
    found = kinds.of(
        tf.constant([b"fLaC", b"ID3\3", b"\xff\xfb\x90", b"OggS", b"RIFF1234WAVE", b"%PDF-", b"\xff\xd8\xff\xe0"])
    )
    assert found.numpy().tolist() == [b"FLAC", b"MP3", b"MP3", b"Ogg", b"WAV", b"PDF", b"JPEG"]


def test_headers_survive_any_bytes():
    valid = [files.KINDS[kind] for kind in ("jpeg_turned_6", "png_rgba")]
    random = [bytes(R.integers(0, 256, size, np.uint8)) for size in range(0, 64, 7)]
    damaged = []
    for data in valid:
        damaged += [data[:size] for size in range(0, 120, 3)]
        for place in R.integers(2, min(len(data), 600), 200):
            damaged.append(data[:place] + bytes(R.integers(0, 256, 3, np.uint8)) + data[place + 3 :])
    contents = [head + tail for head in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n") for tail in random] + damaged
    header = headers(tf.constant(contents))
    assert header.fault.shape == (len(contents),)
    assert set(header.orientation.numpy().tolist()) <= set(range(1, 9))


@pytest.mark.parametrize("size", [(32, 24), (100, 90), (500, 60), (1, 1), (3000, 1), (1, 3000), (97, 801), (8, 8)])
@pytest.mark.parametrize(
    "layer", [ImageResize(32, 24), ImageResize(8, 8, crop_fraction=0.875), ImageResize(9, 16, interpolation="bicubic")]
)
def test_resizing_is_that_of_the_layer(layer, size):
    signature = [tf.TensorSpec([None, None, None, 3], tf.uint8)]
    resize = tf.function(lambda x: resizing.resize(layer, x), input_signature=signature, autograph=False)
    x = R.integers(0, 256, (2, *size, 3), np.uint8)
    np.testing.assert_allclose(resize(x), layer(x), atol=1e-3)
    assert resize(x[:0]).shape == (0, layer.height, layer.width, 3)


def test_orientation_in_either_byte_order_and_type():
    contents = []
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        for kind, code in ((3, "HH"), (4, "I")):
            value = struct.pack(order + code, *([6, 0] if kind == 3 else [6]))
            entries = struct.pack(order + "HHHI", 2, 0x0100, 3, 1) + bytes(4)
            entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
            tiff = mark + struct.pack(order + "I", 8) + entries
            contents += [
                jpeg(segment(0xE1, b"Exif\0\0" + tiff)),
                jpeg(segment(0xE1, b"http://ns.adobe.com/"), segment(0xE1, b"Exif\0\0" + tiff)),
            ]
    assert headers(tf.constant(contents)).orientation.numpy().tolist() == [6] * 8


def test_exif_by_pillow(tmp_path):
    tag = Image.Exif()
    tag[0x0112] = 8
    for suffix in ("jpg", "png"):
        Image.fromarray(R.integers(0, 256, (6, 9, 3), np.uint8)).save(tmp_path / f"a.{suffix}", exif=tag)
        assert headers(tf.constant([(tmp_path / f"a.{suffix}").read_bytes()])).orientation.numpy().tolist() == [8]
