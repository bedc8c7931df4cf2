"""The segments of a JPEG file (ITU-T T.81, annex B)."""

import dataclasses
from typing import BinaryIO

_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length: TEM, RST0 to RST7, SOI
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15
_HUFFMAN = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive


@dataclasses.dataclass(frozen=True)
class Frame:
    """The header of the frame."""

    bits: int  # per value
    components: int
    is_huffman: bool  # baseline or progressive with Huffman coding; others are arithmetic or lossless


def read_frame(file: BinaryIO) -> Frame | None:
    """Reads the segments up to the frame's header.

    Args:
        file: The file, at its beginning.

    Returns:
        The header; None where there is no header before the picture data.
    """
    file.seek(2)
    while True:
        byte = file.read(1)
        if byte != b"\xff":
            if not byte:
                return None
            continue  # libjpeg skips what is between segments
        marker = byte[0]
        while marker == 0xFF:  # fill bytes
            marker = (file.read(1) or b"\0")[0]
        if marker in _ALONE or marker == 0:
            continue
        if marker in (0xD9, 0xDA):  # EOI, SOS
            return None
        length = int.from_bytes(file.read(2), "big")
        if marker in _FRAMES:
            header = file.read(6)
            return Frame(header[0], header[5], marker in _HUFFMAN) if len(header) == 6 else None
        file.seek(max(0, length - 2), 1)
