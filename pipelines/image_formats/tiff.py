"""The pixels of TIFF files with more than 8 bits per value, without loss.

Pillow decodes such files in gray only: color loses its lower bytes there. Here the file's first directory is written
again so that it announces gray rows with the values of all channels in turn, which Pillow and libtiff decode in full.
Tags and their numbers are those of the TIFF 6.0 specification.
"""

import dataclasses
import io
import os
import struct
from typing import Any, BinaryIO

import numpy as np

from pipelines import storage
from pipelines.errors import FileError

_WIDTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _ORIENTATION = 256, 258, 259, 262, 273, 274
_SAMPLES, _COUNTS, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_OFFSETS, _TILE_COUNTS = 277, 279, 284, 317, 322, 324, 325
_EXTRA, _FORMAT, _DNG = 338, 339, 50706
# Of the tags of the file, those that say how gray rows are stored.
_KEPT = (257, _COMPRESSION, 266, 278, _TILE_WIDTH, 323)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of the field types, bytes
_CODES = {1: "B", 3: "H", 4: "I"}  # the field types that are read, as struct has them

Tags = dict[int, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Directory:
    """What the first directory says.

    Attributes:
        order: "<" or ">", as struct has it.
        tags: Values of the tags of whole numbers.
        has_pages: Whether another directory follows.
    """

    order: str
    tags: Tags
    has_pages: bool

    def first(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        return (self.tags.get(tag) or (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), upright."""
        height, width = self.first(257, 0), self.first(_WIDTH, 0)
        return (width, height) if 5 <= self.orientation <= 8 else (height, width)

    @property
    def orientation(self) -> int:
        """EXIF's orientation, 1 to 8."""
        value = self.first(_ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def bits(self) -> int:
        """Bits of a value."""
        return max(self.tags.get(_BITS) or (1,))

    @property
    def channels(self) -> int:
        """Channels, without more than one of alpha."""
        colors = 3 if self.first(_PHOTOMETRIC, 1) == 2 else 1
        return colors + (self.first(_SAMPLES, 1) > colors and self.first(_EXTRA, 0) in (1, 2))

    @property
    def is_dng(self) -> bool:
        """Whether it is a raw picture of a camera, or holds undeveloped pixels."""
        return _DNG in self.tags or self.first(_PHOTOMETRIC, 1) in (32803, 34892)

    def is_deep(self, path: str) -> bool:
        """Whether values have more than 8 bits and are read by `read`; FileError where nothing reads them."""
        kind, bits = self.first(_FORMAT, 1), self.bits
        if bits <= 8 and kind in (1, 4):
            return False
        if bits > 16 or kind not in (1, 4):
            name = {2: "signed ", 3: "floating-point "}.get(kind, "")
            raise FileError(
                f"{path} holds {name}values of {bits} bits, which have no range that is known to be black to white:"
                " scale them to 16 bits and save it again.",
                f"{name}values of {bits} bits",
            )
        return self.first(_PHOTOMETRIC, 1) in (0, 1, 2)


def read_directory(file: BinaryIO) -> Directory | None:
    """Reads the first directory.

    Args:
        file: The file.

    Returns:
        The Directory; None for a BigTIFF and for other files.
    """
    file.seek(0)
    head = file.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        return None
    try:
        file.seek(struct.unpack(f"{order}4xI", head)[0])
        (count,) = struct.unpack(f"{order}H", file.read(2))
        tags: Tags = {}
        for _ in range(count):
            entry = file.read(12)
            tag, kind, length = struct.unpack(f"{order}HHI", entry[:8])
            size = _SIZES.get(kind, 1) * length
            if kind in _CODES:
                position, data = file.tell(), entry[8 : 8 + size]
                if size > 4:
                    file.seek(struct.unpack(f"{order}I", entry[8:])[0])
                    data = file.read(size)
                    file.seek(position)
                tags[tag] = struct.unpack(f"{order}{length}{_CODES[kind]}", data)
            else:
                tags[tag] = ()
        has_pages = file.read(4).strip(b"\0") != b""
    except struct.error:
        return None
    return Directory(order, tags, has_pages)


def read(path: str) -> tuple[np.ndarray, int]:
    """Reads the first page of a file with more than 8 bits per value, upright.

    Args:
        path: The file; `is_deep` of its Directory is True.

    Returns:
        uint16 `(height, width, channels)` of 1 gray, 2 gray and alpha, 3 color or 4 color and alpha; the value that is
        white.

    Raises:
        FileError: Its way of storing values is not read.
    """
    with storage.open_binary(path) as file:
        directory = read_directory(file)
        assert directory is not None
        file.seek(0)
        data = file.read()
    samples, planes = directory.first(_SAMPLES, 1), directory.first(_PLANAR, 1) == 2
    if planes and samples > 1:
        pixels: Any = np.stack([_gray(path, data, directory, 1, (i, samples)) for i in range(samples)], axis=-1)
    else:
        pixels = _gray(path, data, directory, samples, (0, 1))
        pixels = pixels.reshape(pixels.shape[0], -1, samples)
    white = 2**directory.bits - 1
    pixels = pixels[..., : directory.channels]
    if directory.first(_PHOTOMETRIC, 1) == 0:  # white is zero
        pixels = np.concatenate([white - pixels[..., :1], pixels[..., 1:]], axis=-1)
    if directory.first(_EXTRA, 0) == 1 and pixels.shape[-1] in (2, 4):  # colors are multiplied by alpha
        alpha = np.maximum(pixels[..., -1:], 1).astype(np.float64)
        colors = np.minimum(np.round(pixels[..., :-1] * (white / alpha)), white)
        pixels = np.concatenate([colors.astype(np.uint16), pixels[..., -1:]], axis=-1)
    return orient(pixels, directory.orientation), white


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors pixels upright.

    Args:
        pixels: `(height, width, channels)`, as stored.
        orientation: EXIF's, 1 to 8; others mean 1.

    Returns:
        The pixels, upright.
    """
    if 5 <= orientation <= 8:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _gray(path: str, data: bytes, directory: Directory, samples: int, plane: tuple[int, int]) -> Any:
    """Rows of values, uint16 `(height, width * samples)`; of one of several planes, `(number, count)`."""
    from PIL import Image

    tags = {tag: directory.tags[tag] for tag in _KEPT if tag in directory.tags}
    tags |= {_WIDTH: (directory.first(_WIDTH, 0) * samples,), _BITS: (directory.bits,), _PHOTOMETRIC: (1,)}
    tags |= {_SAMPLES: (1,), _PLANAR: (1,)}
    if _TILE_WIDTH in tags:
        tags[_TILE_WIDTH] = (tags[_TILE_WIDTH][0] * samples,)
    for tag in (_OFFSETS, _COUNTS, _TILE_OFFSETS, _TILE_COUNTS):
        if values := directory.tags.get(tag):
            number, count = plane
            size = len(values) // count
            tags[tag] = values[number * size : (number + 1) * size]
    compression = {1: "raw", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits", 50000: "zstd", 34925: "lzma"}
    if directory.first(_COMPRESSION, 1) not in compression or directory.first(_PREDICTOR, 1) not in (1, 2):
        raise FileError(
            f"{os.fspath(path)} stores its {directory.bits} bits by a compression that is not read"
            f" ({directory.first(_COMPRESSION, 1)}): save it again without.",
            "compression that is not read",
        )
    with Image.open(io.BytesIO(_with_directory(data, directory.order, tags)), formats=("TIFF",)) as image:
        image.load()
        pixels = np.array(image).astype(np.uint16)
    if directory.first(_PREDICTOR, 1) == 2:  # each value is stored as its difference from the one to the left
        step = tags.get(_TILE_WIDTH, (pixels.shape[1],))[0]
        for start in range(0, pixels.shape[1], step):
            part = pixels[:, start : start + step].reshape(len(pixels), -1, samples)
            sums = np.cumsum(part, axis=1, dtype=np.uint16)
            pixels[:, start : start + step] = sums.reshape(len(pixels), -1)
    return pixels


def _with_directory(data: bytes, order: str, tags: Tags) -> bytes:
    """The file with another first directory, and no other."""
    start = len(data) + len(data) % 2
    values_at = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag in sorted(tags):
        packed = struct.pack(f"{order}{len(tags[tag])}I", *tags[tag])
        field = packed
        if len(packed) > 4:
            field = struct.pack(f"{order}I", values_at + len(values))
            values += packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(tags[tag])) + field
    head = data[:4] + struct.pack(f"{order}I", start) + data[8:] + b"\0" * (start - len(data))
    return head + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values
