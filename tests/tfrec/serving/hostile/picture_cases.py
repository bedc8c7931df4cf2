"""Hostile pictures, as pixels and as files."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.tfrec.serving.hostile.case import ANSWER, EITHER, REFUSE, Case, strings

R = np.random.default_rng(0)


def saved(image, form, **options):
    contents = io.BytesIO()
    image.save(contents, form, **options)
    return contents.getvalue()


def noise(size=40, mode="RGB"):
    return Image.fromarray(R.integers(0, 256, (size, size, 3)).astype("uint8")).convert(mode)


def chunk(kind, contents):
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents))


def png(width, height, data=None, depth=8, color=0, interlaced=0, extra=b""):
    """A PNG with a header of any size; without pixels where `data` is None."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    body = b"" if data is None else chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + chunk(b"IEND", b"")


def flat_png(side):
    return png(side, side, bytes((side + 1) * side))


def gif_bomb():
    """A screen of 8 x 8 pixels with one frame of 20,000 x 20,000."""
    small = saved(Image.new("P", (8, 8)), "GIF")
    place = small.index(b"\x2c", 13)
    return small[: place + 5] + struct.pack("<HH", 20_000, 20_000) + small[place + 9 :]


def jpeg(**options):
    return saved(noise(), "JPEG", **options)


def resized_jpeg(height, width):
    """A JPEG whose header claims another size."""
    contents = jpeg(quality=50)
    place = contents.index(b"\xff\xc0")
    return contents[: place + 5] + struct.pack(">HH", height, width) + contents[place + 9 :]


def without_data():
    """A JPEG that ends after its header, with the mark of the end."""
    contents = jpeg()
    place = contents.index(b"\xff\xda")
    return contents[: place + 14] + b"\xff\xd9"


def top_down_bmp():
    contents = bytearray(saved(noise(), "BMP"))
    contents[22:26] = struct.pack("<i", -40)
    return bytes(contents)


def oriented(value):
    tag = Image.Exif()
    tag[0x0112] = value
    return jpeg(exif=tag)


def pixel_cases(signature, channels, dtype):
    def zeros(*shape, kind=dtype):
        return lambda: {"image": np.zeros(shape, kind)}

    c = channels
    shapes = [
        *[("rank 0", (), REFUSE), ("rank 1", (8,), REFUSE), ("rank 3", (8, 8, c), REFUSE)],
        *[("rank 5", (1, 1, 8, 8, c), REFUSE), ("rank 6", (1, 1, 1, 8, 8, c), REFUSE)],
        *[("channels + 1", (1, 8, 8, c + 1), REFUSE), ("no channels", (1, 8, 8, 0), REFUSE)],
        *[("no height", (1, 0, 8, c), REFUSE), ("no width", (1, 8, 0, c), REFUSE), ("no pixels", (1, 0, 0, c), REFUSE)],
        *[("no rows", (0, 8, 8, c), EITHER), ("no rows of no size", (0, 0, 0, c), EITHER)],
        *[("one pixel", (1, 1, 1, c), ANSWER), ("a row of pixels", (1, 1, 5000, c), EITHER)],
        ("a column of pixels", (1, 5000, 1, c), EITHER),
        *[("100,000 rows", (100_000, 1, 1, c), REFUSE), ("10,000 rows", (10_000, 1, 1, c), REFUSE)],
        *[("1,000,000 rows", (1_000_000, 1, 1, 1 if c == 1 else c), REFUSE), ("1,025 rows", (1025, 1, 1, c), REFUSE)],
    ]
    for name, shape, outcome in shapes:
        yield Case(f"{signature}: {name}", signature, zeros(*shape), outcome)
    for kind in ("float64", "int32", "bool"):
        yield Case(f"{signature}: {kind}", signature, zeros(1, 8, 8, c, kind=kind), REFUSE)
    yield Case(f"{signature}: strings", signature, lambda: strings("image", b"abc"), REFUSE)
    yield Case(f"{signature}: 5,000 x 5,000", signature, zeros(1, 5000, 5000, c), EITHER, heavy=True)
    yield Case(f"{signature}: a thin one", signature, zeros(1, 1, 20_000_000, c), EITHER, heavy=True)
    yield Case(f"{signature}: 32 of 224 pixels", signature, zeros(32, 224, 224, c), ANSWER, heavy=True)


def jpeg_files():
    """(name, contents, outcome)."""
    yield from (
        ("half a JPEG", jpeg()[:900], REFUSE),
        ("a JPEG without its last bytes", jpeg()[:-40], REFUSE),
        ("a JPEG without data", without_data(), REFUSE),
        ("a JPEG with bytes after its end", jpeg() + b"rest" * 100, ANSWER),
        ("a JPEG that claims 65,535 x 65,535", resized_jpeg(65535, 65535), REFUSE),
        ("a JPEG that claims 0 x 40", resized_jpeg(0, 40), REFUSE),
        ("a JPEG that claims 40 x 0", resized_jpeg(40, 0), REFUSE),
        ("a JPEG that claims 9,000 x 9,000", resized_jpeg(9000, 9000), REFUSE),
        ("progressive JPEG", jpeg(progressive=True), ANSWER),
        ("gray JPEG", saved(noise(mode="L"), "JPEG"), ANSWER),
        ("CMYK JPEG", saved(noise(mode="CMYK"), "JPEG"), ANSWER),
        ("turned JPEG", oriented(6), ANSWER),
        ("JPEG of orientation 77", oriented(77), ANSWER),
        ("JPEG with broken EXIF", jpeg(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), EITHER),
    )


def png_files(good):
    """(name, contents, outcome)."""
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    yield from (
        ("half a PNG", good[: len(good) // 2], REFUSE),
        ("a PNG without pixels", png(40, 40), REFUSE),
        ("a PNG with a wrong checksum", good[:40] + b"????" + good[44:], REFUSE),
        ("a PNG of 0 x 40", png(0, 40, bytes(40)), REFUSE),
        ("a PNG of 60,000 x 60,000", png(60_000, 60_000), REFUSE),
        ("a PNG of 2^32 - 1", png(2**32 - 1, 2**32 - 1), REFUSE),
        ("a PNG of 2^31", png(2**31, 2**31), REFUSE),
        ("a PNG of 1 x 2^31 - 1", png(1, 2**31 - 1), REFUSE),
        ("a PNG of depth 7", png(8, 8, bytes(72), depth=7), REFUSE),
        ("a PNG of color 9", png(8, 8, bytes(72), color=9), REFUSE),
        ("a PNG with less data than pixels", png(400, 400, bytes(100)), REFUSE),
        ("a PNG with more data than pixels", png(8, 8, bytes(1_000_000)), EITHER),
        ("an interlaced PNG without data", png(40, 40, bytes(10), interlaced=1), REFUSE),
        ("a PNG with a text of 50 MB", png(8, 8, bytes(72), extra=text), EITHER),
        ("a PNG of 16 bits", png(8, 8, bytes(8 * 17), depth=16), ANSWER),
        ("a PNG with a palette", saved(noise(mode="P"), "PNG"), ANSWER),
        ("a PNG with alpha", saved(noise(mode="RGBA"), "PNG"), ANSWER),
        ("a PNG of 1 bit", saved(noise(mode="1"), "PNG"), ANSWER),
    )


def files_of_other_kinds():
    """(name, contents, outcome)."""
    yield from (
        ("GIF", saved(noise(mode="P"), "GIF"), REFUSE),
        ("a GIF with a frame of 20,000", gif_bomb(), REFUSE),
        ("a GIF of 65,535", b"GIF89a" + b"\xff" * 8, REFUSE),
        ("BMP", saved(noise(), "BMP"), REFUSE),
        ("BMP with a palette", saved(noise(mode="P"), "BMP"), REFUSE),
        ("BMP from the top", top_down_bmp(), REFUSE),
        ("broken BMP", b"BM" + b"\xff" * 60, REFUSE),
        ("WebP", saved(noise(), "WEBP"), REFUSE),
        ("TIFF", saved(noise(), "TIFF"), REFUSE),
        ("HEIC", b"\0\0\0\x18ftypheic" + bytes(40), REFUSE),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", REFUSE),
        ("PDF", b"%PDF-1.7 " + bytes(100), REFUSE),
        ("gzip", b"\x1f\x8b\x08" + bytes(40), REFUSE),
        ("WAV", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), REFUSE),
    )


def files():
    """(name, contents, outcome)."""
    good = saved(noise(), "PNG")
    yield from (
        ("empty", b"", REFUSE),
        ("one byte", b"\0", REFUSE),
        ("text", b"not a picture", REFUSE),
        ("JPEG's first bytes", b"\xff\xd8\xff", REFUSE),
        ("PNG's first bytes", b"\x89PNG", REFUSE),
    )
    yield from jpeg_files()
    yield from png_files(good)
    yield from files_of_other_kinds()


def file_cases(signature):
    for name, contents, outcome in files():
        yield Case(f"{signature}: {name}", signature, lambda c=contents: strings("encoded", c), outcome)
    good = saved(noise(), "PNG")
    batches = [
        ("no rows", [], EITHER, False),
        ("1,025 rows", [b""] * 1025, REFUSE, False),
        ("1,000,000 empty rows", [b""] * 1_000_000, REFUSE, False),
        ("a good one and a broken one", [good, b"broken"], REFUSE, False),
        ("eight PNGs of 8,000 x 8,000", [flat_png(8000)] * 8, REFUSE, True),
        ("a PNG of 7,000 x 7,000", [flat_png(7000)], EITHER, True),
        ("1,024 small ones", [saved(noise(8), "JPEG")] * 1024, EITHER, True),
        ("zeros of 65 MB", [bytes(65_000_000)], REFUSE, True),
        ("64 JPEGs of 224 pixels", [saved(noise(224), "JPEG")] * 64, ANSWER, True),
    ]
    for name, rows, outcome, heavy in batches:
        yield Case(f"{signature}: {name}", signature, lambda r=rows: strings("encoded", *r), outcome, heavy)
    for shape in ((), (1, 1), (1, 1, 1)):
        value = np.full(shape, good, object)
        yield Case(f"{signature}: rank {len(shape)}", signature, lambda v=value: {"encoded": v}, REFUSE)
    yield Case(f"{signature}: numbers", signature, lambda: {"encoded": np.zeros(1, "int32")}, REFUSE)
