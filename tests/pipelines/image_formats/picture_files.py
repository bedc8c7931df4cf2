"""Picture files of every kind, each written by Pillow or byte by byte."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

R = np.random.default_rng(0)
HEIGHT, WIDTH = 33, 47


def picture():
    """A smooth RGB picture without symmetry, not too colorful for CMYK."""
    coarse = Image.fromarray(R.integers(0, 256, (5, 7, 3), np.uint8))
    return coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


RGB = picture()
ALPHA = RGB.convert("L").transpose(Image.Transpose.ROTATE_180)
RGBA = RGB.copy()
RGBA.putalpha(ALPHA)
LA = RGB.convert("L").convert("LA")
LA.putalpha(ALPHA)
PALETTE = RGB.quantize(16)


def encoded(image, kind, **options):
    file = io.BytesIO()
    if "append_images" in options:
        options["append_images"] = [frame.copy() for frame in options["append_images"]]
    image.copy().save(file, kind, **options)  # Pillow keeps the settings of the last file in an image
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png16(values, extra=b""):
    """A PNG of 16 bits of `(height, width, channels)`."""
    height, width, channels = values.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff16(values, order="<", deflate=False, predictor=False, planar=False, **tags):
    """A TIFF of 16 bits of `(height, width, channels)`, one strip; further tags by number, as tag_274=6."""
    height, width, channels = values.shape
    planes = [values[..., i : i + 1] for i in range(channels)] if planar else [values]
    strips = []
    for plane in planes:
        stored = plane.astype(np.uint16)
        if predictor:
            stored[:, 1:] = stored[:, 1:] - stored[:, :-1]
        data = stored.astype(f"{order}u2").tobytes()
        strips.append(zlib.compress(data) if deflate else data)
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    entries = {
        256: (width,),
        257: (height,),
        258: (16,) * channels,
        259: (8 if deflate else 1,),
        262: (2 if channels >= 3 else 1,),
        273: tuple(offsets),
        277: (channels,),
        278: (height,),
        279: tuple(map(len, strips)),
        284: (2 if planar else 1,),
    }
    entries |= {338: (2,)} if channels in (2, 4) else {}
    entries |= {317: (2,)} if predictor else {}
    entries |= {int(name[4:]): (value,) for name, value in tags.items()}
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    start = 8 + len(body)
    values_at = start + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack(f"{order}H", len(entries)), b""
    for tag in sorted(entries):
        packed = struct.pack(f"{order}{len(entries[tag])}I", *entries[tag])
        field = packed
        if len(packed) > 4:
            field, extra = struct.pack(f"{order}I", values_at + len(extra)), extra + packed
        directory += struct.pack(f"{order}HHI", tag, 4, len(entries[tag])) + field
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", start) + body + directory + bytes(4) + extra


def reference(data, channels, background="white"):
    """Pixels as Pillow has them: upright, composited on a color."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        if channels != 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
    elif image.mode == "CMYK":
        image = image.convert("RGB")
    pixels = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    return pixels[..., None] if channels == 1 else pixels


def small_frame_gif():
    """A GIF whose first frame covers a part of its canvas."""
    frame = encoded(PALETTE.crop((0, 0, 20, 10)), "GIF")
    at = frame.index(b",", 13 + 3 * 2 ** ((frame[10] & 7) + 1))
    frame = frame[: at + 1] + struct.pack("<HH", 5, 7) + frame[at + 5 :]
    return frame[:6] + struct.pack("<HH", WIDTH, HEIGHT) + frame[10:]


def top_down_bmp():
    data = bytearray(encoded(RGB, "BMP"))
    size = 3 * WIDTH + -3 * WIDTH % 4
    at = struct.unpack_from("<I", data, 10)[0]
    rows = [data[at + i * size : at + (i + 1) * size] for i in range(HEIGHT)]
    data[at:] = b"".join(reversed(rows))
    struct.pack_into("<i", data, 22, -HEIGHT)
    return bytes(data)


def kinds():
    """Name -> the bytes of a file of 8 bits; all but the special ones show RGB."""
    frames = [RGB.transpose(Image.Transpose.ROTATE_180)]
    gray = RGB.convert("L")
    return _jpeg_and_png(frames, gray) | _other_formats(frames, gray)


def _jpeg_and_png(frames, gray):
    transparent = {"transparency": bytes(range(0, 256, 16))}
    return {
        "jpeg": encoded(RGB, "JPEG"),
        "jpeg_444": encoded(RGB, "JPEG", subsampling=0, quality=60),
        "jpeg_progressive": encoded(RGB, "JPEG", progressive=True),
        "jpeg_restarts": encoded(RGB, "JPEG", restart_marker_blocks=2),
        "jpeg_rgb": encoded(RGB, "JPEG", keep_rgb=True),
        "jpeg_gray": encoded(gray, "JPEG"),
        "jpeg_cmyk": encoded(RGB.convert("CMYK"), "JPEG"),
        "jpeg_mpo": encoded(RGB, "MPO", save_all=True, append_images=frames),
        "png": encoded(RGB, "PNG"),
        "png_gray": encoded(gray, "PNG"),
        "png_1": encoded(RGB.convert("1"), "PNG"),
        "png_palette": encoded(PALETTE, "PNG"),
        "png_palette_4": encoded(PALETTE, "PNG", bits=4),
        "png_rgba": encoded(RGBA, "PNG"),
        "png_la": encoded(LA, "PNG"),
        "png_palette_trns": encoded(PALETTE, "PNG", **transparent),
        "png_palette_index": encoded(PALETTE, "PNG", transparency=3),
        "png_gray_trns": encoded(gray, "PNG", transparency=gray.getpixel((3, 3))),
        "png_rgb_trns": encoded(RGB, "PNG", transparency=RGB.getpixel((3, 3))),
        "apng": encoded(RGB, "PNG", save_all=True, append_images=frames),
    }


def _other_formats(frames, gray):
    return {
        "bmp": encoded(RGB, "BMP"),
        "bmp_palette": encoded(PALETTE, "BMP"),
        "bmp_gray": encoded(gray, "BMP"),
        "bmp_1": encoded(RGB.convert("1"), "BMP"),
        "bmp_rgba": encoded(RGBA, "BMP"),
        "bmp_top_down": top_down_bmp(),
        "dib": encoded(RGB, "DIB"),
        "gif": encoded(PALETTE, "GIF"),
        "gif_transparent": encoded(PALETTE, "GIF", transparency=3),
        "gif_animated": encoded(PALETTE, "GIF", save_all=True, append_images=frames),
        "gif_small_frame": small_frame_gif(),
        "webp": encoded(RGB, "WEBP"),
        "webp_lossless_rgba": encoded(RGBA, "WEBP", lossless=True),
        "webp_animated": encoded(RGB, "WEBP", save_all=True, append_images=frames),
        "tiff": encoded(RGB, "TIFF"),
        "tiff_lzw": encoded(RGB, "TIFF", compression="tiff_lzw"),
        "tiff_jpeg": encoded(RGB, "TIFF", compression="jpeg"),
        "tiff_rgba": encoded(RGBA, "TIFF"),
        "tiff_1": encoded(RGB.convert("1"), "TIFF", compression="group4"),
        "tiff_palette": encoded(PALETTE, "TIFF"),
        "tiff_cmyk": encoded(RGB.convert("CMYK"), "TIFF"),
        "tiff_pages": encoded(RGB, "TIFF", save_all=True, append_images=frames),
        "avif": encoded(RGB, "AVIF"),
        "avif_rgba": encoded(RGBA, "AVIF"),
        "ppm": encoded(RGB, "PPM"),
        "pgm": encoded(gray, "PPM"),
    }


def turned_kinds():
    """The same for files with each orientation of EXIF."""
    files = {}
    for orientation in range(1, 9):
        tag = {"exif": exif(orientation)}
        files[f"jpeg_turned_{orientation}"] = encoded(RGB, "JPEG", **tag)
        files[f"jpeg_cmyk_turned_{orientation}"] = encoded(RGB.convert("CMYK"), "JPEG", **tag)
        files[f"png_turned_{orientation}"] = encoded(RGB, "PNG", **tag)
        files[f"webp_turned_{orientation}"] = encoded(RGB, "WEBP", **tag)
        files[f"tiff_turned_{orientation}"] = encoded(RGB, "TIFF", exif=exif(orientation))
    return files


KINDS = kinds() | turned_kinds()
