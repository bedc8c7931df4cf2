"""A file put together from pieces of another file and bytes in memory, without a copy."""

import bisect
import dataclasses
import io
import itertools
import os
from collections.abc import Sequence

from pipelines import storage

# Bytes that stand in the result, or (offset, size) of a range of the file.
Piece = bytes | tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Stream:
    """A recording in a file, as soundfile reads it."""

    pieces: tuple[Piece, ...] | None = None  # None = the whole file
    samples: int | None = None  # per channel, where soundfile would estimate them: it then reads a pipe to its end


class Splice(io.RawIOBase):
    """A readable, seekable file whose content is `pieces` one after the other.

    A repaired header in front of a file's own samples is read by soundfile as if it stood on disk.

    Args:
        path: The file that the ranges are of.
        pieces: Bytes, and ranges of the file.
    """

    def __init__(self, path: str, pieces: Sequence[Piece]) -> None:
        self._file = storage.open_binary(path)  # `close` closes it
        self._pieces = [piece for piece in pieces if size_of(piece)]
        self._starts = list(itertools.accumulate(map(size_of, self._pieces), initial=0))
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position and returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills the buffer from the position on and returns the number of bytes; it is less at the end only."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self._starts[-1]:
            index = bisect.bisect_right(self._starts, self._position) - 1
            piece, inside = self._pieces[index], self._position - self._starts[index]
            room = min(len(view) - filled, self._starts[index + 1] - self._position)
            if isinstance(piece, bytes):
                view[filled : filled + room] = piece[inside : inside + room]
                count = room
            else:
                self._file.seek(piece[0] + inside)
                count = self._file.readinto(view[filled : filled + room])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
            self._position += count
        return filled

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def size_of(piece: Piece) -> int:
    """The number of bytes of a piece."""
    return len(piece) if isinstance(piece, bytes) else piece[1]
