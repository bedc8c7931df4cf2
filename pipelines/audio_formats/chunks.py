"""Chunks of RIFF and IFF files: an identifier, a size, the content; they start at even positions (EA IFF 85, 1985).

Writers break both rules. They leave out the byte that fills up an odd chunk, and where they write to a pipe they cannot
know the size of the samples, and announce a placeholder.
"""

import dataclasses
import re
import struct
from typing import BinaryIO, Literal

from pipelines.audio_formats.names import shown
from pipelines.errors import UserError

Order = Literal["<", ">"]

_IDENTIFIER = re.compile(rb"[ -~]{4}")
_MAX_CHUNKS = 10_000  # a forged file may hold millions of empty ones
# Announced where the size was unknown: near 2^31 (SoX, arecord) and near 2^32 (FFmpeg), rounded to whole frames.
_PLACEHOLDERS = ((0x7FFF0000, 0x8000FFFF), (0xFFFF0000, 0xFFFFFFFF), (2**62, 2**64))
_HEADER_BYTES = (8, 36, 44)  # sizes of headers that writers add to the size of the samples by mistake


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Where a chunk is in its file."""

    identifier: bytes
    offset: int  # of its content
    size: int  # announced, in bytes

    @property
    def end(self) -> int:
        """The position after its content."""
        return self.offset + self.size


def find(file: BinaryIO, position: int, end: int, order: Order, last: bytes) -> list[Chunk]:
    """Finds the chunks from a position up to the first one named `last`.

    An odd chunk is followed by a filler byte or, where that leads nowhere, by none.

    Args:
        file: The file.
        position: Of the first chunk.
        end: Of the file.
        order: "<" little-endian, ">" big-endian.
        last: The identifier of the last chunk; its size may be more than the file holds.

    Returns:
        The chunks; empty where there is no way to the last.
    """
    branches: list[tuple[int, tuple[Chunk, ...]]] = [(position, ())]
    chunks_read = 0
    while branches and chunks_read < _MAX_CHUNKS:
        position, chain = branches.pop()
        chunks_read += 1
        chunk = _read(file, position, order)
        if chunk is None:
            continue
        if chunk.identifier == last:
            return [*chain, chunk]
        if chunk.end > end:
            continue
        if chunk.size % 2:
            branches.append((chunk.end, (*chain, chunk)))
        branches.append((chunk.end + chunk.size % 2, (*chain, chunk)))
    return []


def is_regular(file: BinaryIO, position: int, end: int, order: Order) -> bool:
    """Whether a file consists of chunks of even sizes from a position to its end."""
    for _ in range(_MAX_CHUNKS):
        if position == end:
            return True
        chunk = _read(file, position, order)
        if chunk is None or chunk.size % 2 or chunk.end > end:
            return False
        position = chunk.end
    return False


def stored_size(path: str, announced: int, stored: int, frame: int, header: int, form_size: int) -> int:
    """Decides how many bytes of samples a file holds.

    Args:
        path: The file, for the error.
        announced: The size of the samples in the header, above 0.
        stored: Bytes from the first sample to the end of the file.
        frame: Bytes of a sample of every channel, or of a block of them.
        header: Bytes before the first sample.
        form_size: The size of the whole that the file announces; a truncated file announces more than it has.

    Returns:
        The announced size, or `stored` where that is a placeholder or counts a header in.

    Raises:
        UserError: The file is truncated.
    """
    if announced // frame <= stored // frame:
        return min(announced, stored)
    is_placeholder = any(low <= announced <= high for low, high in _PLACEHOLDERS)
    counts_header = announced - stored in (*_HEADER_BYTES, header, header - 8) and form_size <= header + stored
    if not is_placeholder and not counts_header:
        raise UserError(
            f"{shown(path)} is truncated: its header announces {announced} bytes of samples, and it holds {stored};"
            " copy it again."
        )
    return stored


def _read(file: BinaryIO, position: int, order: Order) -> Chunk | None:
    """The chunk at a position; None for other bytes."""
    file.seek(position)
    head = file.read(8)
    if len(head) < 8 or not _IDENTIFIER.fullmatch(head[:4]):
        return None
    return Chunk(head[:4], position + 8, struct.unpack(f"{order}I", head[4:])[0])
