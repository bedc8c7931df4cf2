"""Headers of JPEG and PNG files inside a graph (ITU-T T.81, annex B; PNG Specification, third edition; EXIF 2.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tfrec.serving.graph import fields, kinds
from tfrec.serving.graph.fields import equals, number, read

Tensor = Any

_MAX_SEGMENTS = 512  # of a JPEG before its picture
_MAX_CHUNKS = 256  # of a PNG before its picture
_MAX_ENTRIES = 64  # of EXIF's first directory
_ORIENTATION = 0x0112  # EXIF's tag
_SHORT, _LONG = 3, 4  # EXIF's types of integers


class Header(NamedTuple):
    """What the headers say; every field is `(batch,)`."""

    fault: Tensor  # what is wrong with the file, "" for nothing
    height: Tensor  # int64, as stored
    width: Tensor
    orientation: Tensor  # int32: EXIF's, 1 to 8
    is_transparent: Tensor  # bool
    is_deep: Tensor  # bool: 16 bits for each value


def read_headers(contents: Tensor) -> Header:
    """Reads the headers of files `(batch,)`, which may be anything."""
    kind, fault = kinds.refusals(contents, ("JPEG", "PNG"))
    is_png = kind == "PNG"
    jpeg, png = _jpeg(contents, kind == "JPEG"), _png(contents, is_png)
    header = [tf.where(is_png, of_png, of_jpeg) for of_jpeg, of_png in zip(jpeg, png, strict=True)]
    return Header(tf.where(fault == "", header[0], fault), *header[1:])


def _jpeg(contents: Tensor, is_jpeg: Tensor) -> Header:
    frame, exif, scan = _find_segments(contents, is_jpeg)
    head = read(contents, tf.maximum(frame, 0), 10)
    height, width = number(head[:, 5:7], False), number(head[:, 7:9], False)
    is_huffman = head[:, 1] <= 0xC2
    bits = tf.strings.as_string(head[:, 4])
    end = fields.length(contents)
    picture = scan + 2 + number(read(contents, tf.maximum(scan, 0) + 2, 2), False)
    # Every block of 8 x 8 takes at least a bit.
    needed = 2 + height * width // (64 * 8)
    is_empty = equals(read(contents, picture, 2), b"\xff\xd9") | (end - picture < needed)
    faults = [
        (frame < 0, "is a JPEG file without the header of a picture: copy it again"),
        (~is_huffman, "is a JPEG file that is neither baseline nor progressive: save it again"),
        (head[:, 4] != 8, tf.strings.join(["is a JPEG file of ", bits, " bits, which is not read: send PNG"])),
        ((height == 0) | (width == 0), "has no pixels: send a picture"),
        (is_empty, "is a JPEG file without the data of its picture: copy it again"),
    ]  # fmt: skip
    no = tf.zeros_like(is_jpeg)
    return Header(_first(faults, is_jpeg), height, width, _orientation(contents, exif, 10), no, no)


def _png(contents: Tensor, is_png: Tensor) -> Header:
    exif, has_colors, picture = _find_chunks(contents, is_png)
    head = read(contents, 12, 17)
    width, height = number(head[:, 4:8], False), number(head[:, 8:12], False)
    bits, color = head[:, 12], head[:, 13]
    too_large = (height >= 2**31) | (width >= 2**31)
    faults = [
        (~equals(head[:, :4], b"IHDR"), "is a PNG file without a header: copy it again"),
        ((height == 0) | (width == 0), "has no pixels: send a picture"),
        (too_large, "announces more pixels than a PNG file may have: copy it again"),
        (picture < 0, "is a PNG file without the data of its picture: copy it again"),
    ]
    is_transparent = has_colors | (color == 4) | (color == 6)
    return Header(_first(faults, is_png), height, width, _orientation(contents, exif, 8), is_transparent, bits == 16)


def _first(faults: list[tuple[Tensor, Tensor | str]], is_kind: Tensor) -> Tensor:
    """The first fault whose condition holds, "" for none and for rows of another kind."""
    result = tf.fill(tf.shape(is_kind), "")
    for condition, text in reversed(faults):
        result = tf.where(condition, text, result)
    return tf.where(is_kind, result, "")


def _find_segments(contents: Tensor, is_jpeg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The places of the frame's header, of EXIF and of the first scan; -1 for none."""
    end = fields.length(contents)
    none = tf.fill(tf.shape(end), tf.constant(-1, tf.int64))

    def is_open(position: Tensor, frame: Tensor, exif: Tensor, scan: Tensor) -> Tensor:
        return tf.reduce_any(position < end)

    def step(position: Tensor, frame: Tensor, exif: Tensor, scan: Tensor) -> tuple[Tensor, ...]:
        head = read(contents, position, 10)
        is_here, marker = (position < end) & (head[:, 0] == 255), head[:, 1]
        is_frame = is_here & (marker >= 0xC0) & (marker <= 0xCF) & (marker % 4 != 0) | (is_here & (marker == 0xC0))
        frame = tf.where(is_frame & (frame < 0), position, frame)
        is_exif = is_here & (marker == 0xE1) & equals(head[:, 4:10], b"Exif\0\0")
        exif = tf.where(is_exif & (exif < 0), position, exif)
        is_scan, is_last = is_here & (marker == 0xDA), is_here & (marker == 0xD9)
        scan = tf.where(is_scan, position, scan)
        is_alone = (marker == 0) | (marker == 1) | ((marker >= 0xD0) & (marker <= 0xD8))
        length = 2 + tf.where(is_alone, tf.constant(0, tf.int64), tf.maximum(number(head[:, 2:4], False), 2))
        # libjpeg skips what is between segments, and fills with bytes of ones.
        length = tf.where(is_here & (marker != 255), length, 1)
        return tf.where(is_scan | is_last, end, position + length), frame, exif, scan

    start = tf.where(is_jpeg, tf.constant(2, tf.int64), end)
    loop = (start, none, none, none)
    _, frame, exif, scan = tf.while_loop(is_open, step, loop, maximum_iterations=_MAX_SEGMENTS)
    return tf.where(scan < 0, scan, frame), exif, scan


def _find_chunks(contents: Tensor, is_png: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The place of EXIF, -1 for none, whether colors are transparent, and the place of the picture, -1 for none."""
    end = fields.length(contents)
    none = tf.fill(tf.shape(end), tf.constant(-1, tf.int64))

    def is_open(position: Tensor, exif: Tensor, has_colors: Tensor, picture: Tensor) -> Tensor:
        return tf.reduce_any(position + 8 <= end)

    def step(position: Tensor, exif: Tensor, has_colors: Tensor, picture: Tensor) -> tuple[Tensor, ...]:
        head = read(contents, position, 8)
        is_here, name = position + 8 <= end, head[:, 4:]
        exif = tf.where(is_here & (exif < 0) & equals(name, b"eXIf"), position, exif)
        has_colors |= is_here & equals(name, b"tRNS")
        is_picture = is_here & equals(name, b"IDAT")
        picture = tf.where(is_picture, position, picture)
        return tf.where(is_picture, end, position + 12 + number(head[:, :4], False)), exif, has_colors, picture

    start = tf.where(is_png, tf.constant(8, tf.int64), end)
    loop = (start, none, tf.zeros_like(is_png), none)
    _, exif, has_colors, picture = tf.while_loop(is_open, step, loop, maximum_iterations=_MAX_CHUNKS)
    return exif, has_colors, picture


def _orientation(contents: Tensor, place: Tensor, header: int) -> Tensor:
    """EXIF's orientation, int32 `(batch,)`, of a segment or chunk whose content begins after `header` bytes."""
    base = tf.maximum(place, 0) + header
    head = read(contents, base, 8)
    little = equals(head[:, :4], b"II*\0")
    is_tiff = (place >= 0) & (little | equals(head[:, :4], b"MM\0*"))
    directory = base + number(head[:, 4:8], little)
    table = read(contents, directory, 2 + 12 * _MAX_ENTRIES)
    entries = tf.reshape(table[:, 2:], [-1, _MAX_ENTRIES, 12])
    each = little[:, None]

    def field(start: int, count: int) -> Tensor:
        return number(entries[:, :, start : start + count], each)

    kind = field(2, 2)
    value = tf.where(kind == _SHORT, field(8, 2), field(8, 4))
    is_entry = tf.range(_MAX_ENTRIES, dtype=tf.int64)[None] < number(table[:, :2], little)[:, None]
    is_entry &= (field(0, 2) == _ORIENTATION) & ((kind == _SHORT) | (kind == _LONG)) & (value >= 1) & (value <= 8)
    found = tf.reduce_max(tf.where(is_entry & is_tiff[:, None], value, 1), axis=1)
    return tf.cast(found, tf.int32)
