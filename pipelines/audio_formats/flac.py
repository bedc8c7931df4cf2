"""FLAC files that were written to a pipe: their number of samples is unknown, and libsndfile cannot read them.

The header of the last frame says which samples it holds (RFC 9639, section 9). The number goes into the stream's
description, in memory.
"""

import struct
from typing import BinaryIO

from pipelines.audio_formats.names import shown
from pipelines.audio_formats.splice import Piece
from pipelines.errors import UserError

MAGIC = b"fLaC"

_TAIL_BYTES = 2**18  # a frame is shorter: at most 65,535 samples, in practice 4,096 to 4,608
_DESCRIPTION_BYTES = 34
# Samples of a frame by its code (RFC 9639, table 14); 6 and 7 stand at the end of the frame's header.
_BLOCK_SIZES = {1: 192, **{i: 144 << i for i in range(2, 6)}, **{i: 1 << i for i in range(8, 16)}}


def inspect(path: str, file: BinaryIO, start: int, end: int) -> tuple[Piece, ...] | None:
    """Finds the number of samples of a file that does not announce it.

    Args:
        path: The file, for errors.
        file: The same, open.
        start: Position of the magic, after a tag.
        end: Of the file, without a tag there.

    Returns:
        The pieces of the file that soundfile reads; None is the file itself.

    Raises:
        UserError: The number is unknown and the file is truncated.
    """
    file.seek(start)
    head = file.read(8 + _DESCRIPTION_BYTES)
    if len(head) < 8 + _DESCRIPTION_BYTES or head[4] & 0x7F:  # the description comes first
        return None
    if head[21] & 0x0F or any(head[22:26]):
        return None
    description = head[8:]
    samples = _count(file, max(start + len(head), end - _TAIL_BYTES), end, description)
    if samples is None:
        raise UserError(f"{shown(path)} is truncated: its last FLAC frame is incomplete; copy it again.")
    known = head[:21] + bytes([head[21] & 0xF0 | samples >> 32 & 0x0F]) + struct.pack(">I", samples & 0xFFFFFFFF)
    return (known, (start + 26, end - start - 26))


def _count(file: BinaryIO, start: int, end: int, description: bytes) -> int | None:
    """The number of samples, from the frame that ends where the file ends; None where there is no such frame."""
    file.seek(start)
    tail = file.read(end - start)
    block_size = struct.unpack(">H", description[2:4])[0]  # of every frame, where all have the same
    position = len(tail)
    while (position := tail.rfind(b"\xff", 0, position)) >= 0:
        if tail[position + 1 : position + 2] in (b"\xf8", b"\xf9"):
            frame = tail[position:]
            samples = _end_of_frame(frame, block_size)
            if samples is not None and _crc(frame[:-2], 16, 0x8005) == int.from_bytes(frame[-2:], "big"):
                return samples
    return None


def _end_of_frame(frame: bytes, block_size: int) -> int | None:
    """The number of samples up to the end of a frame; None where this is no frame's header."""
    if len(frame) < 10:
        return None
    number_bytes = max(1, 8 - (frame[4] ^ 0xFF).bit_length())  # coded as in UTF-8: leading ones are a count
    number = frame[4] & (0x7F >> (number_bytes if number_bytes > 1 else 0))
    for byte in frame[5 : 4 + number_bytes]:
        number = number << 6 | byte & 0x3F
    position = 4 + number_bytes
    size_code, rate_code = frame[2] >> 4, frame[2] & 0x0F
    if size_code in (6, 7):
        size = int.from_bytes(frame[position : position + size_code - 5], "big") + 1
        position += size_code - 5
    else:
        size = _BLOCK_SIZES.get(size_code, 0)
    position += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if not size or position >= len(frame) or _crc(frame[:position], 8, 0x07) != frame[position]:
        return None
    first = number if frame[1] & 1 else number * block_size  # samples, or frames of one size
    return first + size


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    """The cyclic redundancy check of FLAC: most significant bit first, from 0."""
    mask, top = (1 << bits) - 1, 1 << bits - 1
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    crc = 0
    for byte in data:
        crc = (crc << 8 & mask) ^ table[crc >> bits - 8 ^ byte]
    return crc
