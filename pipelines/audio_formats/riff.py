"""WAV files: RIFF, big-endian RIFX, 64-bit RF64 and BW64 (EBU Tech 3306), and Sony's Wave64.

libsndfile reads most of what real writers produce, and tensorflow-io less; `inspect` finds out which. A file that is
not written by the rules gets a new header in front of its own samples.
"""

import dataclasses
import struct
from collections.abc import Sequence
from typing import BinaryIO

from pipelines.audio_formats import chunks
from pipelines.audio_formats.chunks import Chunk, Order
from pipelines.audio_formats.names import shown
from pipelines.audio_formats.splice import Piece
from pipelines.errors import UserError

FORMS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
WAVE64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"

# Numbers of codecs that libsndfile decodes: PCM, Microsoft's ADPCM, floating point, A-law, mu-law, IMA ADPCM, GSM 6.10,
# NMS ADPCM, G.721, MP3.
CODECS = (1, 2, 3, 6, 7, 0x11, 0x31, 0x38, 0x40, 0x55)

MP3 = 0x55

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_TAIL_BYTES = 65_536
_UNKNOWN = 0xFFFFFFFF  # a size of 32 bits that stands elsewhere, or nowhere


@dataclasses.dataclass(frozen=True)
class Wave:
    """What decodes a WAV file."""

    pieces: tuple[Piece, ...] | None  # of the file that soundfile reads; None = the file itself
    offset: int  # of the first sample
    is_regular: bool  # by the rules in every byte, so that tensorflow-io reads it too
    codec: int  # the format's number, as in WAVEFORMATEX


def inspect(path: str, file: BinaryIO, start: int, end: int) -> Wave:
    """Finds the format and the samples of a RIFF, RIFX, RF64 or BW64 file.

    Args:
        path: The file, for errors.
        file: The same, open.
        start: Position of the form's identifier, after a tag.
        end: Of the file.

    Returns:
        The Wave.

    Raises:
        UserError: The file is truncated, or has no format or no samples.
    """
    file.seek(start)
    form, form_size_bytes = file.read(4), file.read(4)
    order: Order = ">" if form == b"RIFX" else "<"
    form_size = struct.unpack(f"{order}I", form_size_bytes)[0] if len(form_size_bytes) == 4 else 0
    found = chunks.find(file, start + 12, end, order, b"data")
    by_name = {chunk.identifier: chunk for chunk in found}
    if b"fmt " not in by_name or by_name[b"fmt "].size < 14:
        raise UserError(f"{shown(path)} is not a readable audio file: its WAV header is incomplete; copy it again.")
    fmt = _content(file, by_name[b"fmt "])
    _, channels, _, _, frame = struct.unpack(f"{order}HHIIH", fmt[:14])
    first = by_name[b"data"]
    announced = _announced(file, form, by_name)
    header = first.offset - start
    if announced == 0:
        is_empty = chunks.is_regular(file, first.offset, end, order)
        ranges = [] if is_empty else [(first.offset, _before_tail(file, first.offset, end, order))]
    else:
        stored = end - first.offset
        size = chunks.stored_size(path, announced, stored, max(1, frame), header, form_size)
        size = size if size == announced else _before_tail(file, first.offset, end, order)
        ranges = [(first.offset, size), *_more_data(file, first.offset + size + size % 2, end, order)]
    is_regular = (
        form == b"RIFF"
        and start == 0
        and ranges == [(first.offset, first.size)]
        and chunks.is_regular(file, 12, end, order)
        and _is_plain(fmt, channels, frame)
    )
    if is_regular:
        return Wave(None, first.offset, True, _codec(fmt, order))
    extra = [(name, _content(file, by_name[name])) for name in (b"fmt ", b"fact") if name in by_name]
    pieces: tuple[Piece, ...] = (_header(form, order, extra, sum(size for _, size in ranges)), *ranges)
    return Wave(pieces, first.offset, False, _codec(fmt, order))


def check_wave64(path: str, file: BinaryIO, end: int) -> None:
    """Checks that a Wave64 file is complete.

    Raises:
        UserError: It is truncated.
    """
    position, frame = 40, 1  # after the identifiers of file and form
    while position + 24 <= end:
        file.seek(position)
        head = file.read(24)
        size = struct.unpack("<Q", head[16:])[0]  # counts these 24 bytes in
        if head[:4] == b"fmt ":
            frame = max(1, struct.unpack("<H", file.read(14)[12:])[0])
        if head[:4] == b"data" and size > 24:
            chunks.stored_size(path, size - 24, end - position - 24, frame, position + 24, 2**64)
            return
        position += max(24, size + -size % 8)


def _announced(file: BinaryIO, form: bytes, by_name: dict[bytes, Chunk]) -> int:
    """The announced size of the samples; RF64 files have it in a chunk of its own."""
    size = by_name[b"data"].size
    if form in (b"RF64", b"BW64") and size == _UNKNOWN and b"ds64" in by_name:
        sizes = _content(file, by_name[b"ds64"])[8:16]
        return struct.unpack("<Q", sizes)[0] if len(sizes) == 8 else 0
    return size


def _before_tail(file: BinaryIO, offset: int, end: int, order: Order) -> int:
    """The size of samples of unknown length: up to a chunk of text that ends where the file ends, if there is one."""
    start = max(offset, end - _TAIL_BYTES)
    file.seek(start)
    tail = file.read(end - start)
    for name in (b"LIST", b"id3 ", b"ID3 "):
        position = tail.rfind(name)
        if position >= 0 and len(tail) >= position + 8:
            size = struct.unpack(f"{order}I", tail[position + 4 : position + 8])[0]
            if position + 8 + size in (len(tail), len(tail) - size % 2):
                return start + position - offset
    return end - offset


def _more_data(file: BinaryIO, position: int, end: int, order: Order) -> list[tuple[int, int]]:
    """(offset, size) of further data chunks; players play them all, one after the other."""
    ranges = []
    while found := chunks.find(file, position, end, order, b"data"):
        chunk = found[-1]
        if chunk.end > end or not chunk.size:
            break
        ranges.append((chunk.offset, chunk.size))
        position = chunk.end + chunk.size % 2
    return ranges


def _content(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.offset)
    return file.read(min(chunk.size, 65_536))


def _codec(fmt: bytes, order: Order) -> int:
    """The number of the format; that of an extensible header is in its identifier."""
    code = struct.unpack(f"{order}H", fmt[:2])[0]
    return struct.unpack(f"{order}H", fmt[24:26])[0] if code == _EXTENSIBLE and len(fmt) >= 40 else code


def _is_plain(fmt: bytes, channels: int, frame: int) -> bool:
    """Whether all bits of each sample are used, in whole bytes."""
    if len(fmt) < 16:
        return False
    bits = struct.unpack("<H", fmt[14:16])[0]
    is_extensible = struct.unpack("<H", fmt[:2])[0] == _EXTENSIBLE
    if is_extensible and (len(fmt) != 40 or struct.unpack("<H", fmt[18:20])[0] != bits):
        return False
    if not is_extensible and len(fmt) not in (16, 18):
        return False
    return _codec(fmt, "<") in (_PCM, _FLOAT) and bits in (8, 16, 24, 32) and frame * 8 == channels * bits


def _header(form: bytes, order: Order, parts: Sequence[tuple[bytes, bytes]], size: int) -> bytes:
    """A header for `size` bytes of samples, by the rules."""
    body = b"".join(
        name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2) for name, content in parts
    )
    total = 4 + len(body) + 8 + size
    if total < _UNKNOWN:
        form = b"RIFX" if form == b"RIFX" else b"RIFF"
        return form + struct.pack(f"{order}I", total) + b"WAVE" + body + b"data" + struct.pack(f"{order}I", size)
    sizes = struct.pack("<QQQI", total + 36, size, 0, 0)
    body = b"ds64" + struct.pack("<I", len(sizes)) + sizes + body
    return b"RF64" + struct.pack("<I", _UNKNOWN) + b"WAVE" + body + b"data" + struct.pack("<I", _UNKNOWN)
