"""AIFF, AU and CAF files: what libsndfile reads wrongly, or not at all, where a header is not by the rules."""

import struct
from typing import BinaryIO

from pipelines.audio_formats import chunks
from pipelines.audio_formats.chunks import Chunk
from pipelines.audio_formats.splice import Piece

AIFF_FORMS = (b"AIFF", b"AIFC")
AU_MAGICS = (b".snd", b"dns.")
CAF_MAGIC = b"caff"
CAF_CODECS = (b"lpcm", b"alac", b"ulaw", b"alaw")  # that libsndfile reads

_UNKNOWN = 0xFFFFFFFF  # AU's size of samples whose number the writer did not know


def inspect_aiff(path: str, file: BinaryIO, end: int) -> tuple[Piece, ...] | None:
    """Checks that an AIFF file is complete.

    Args:
        path: The file, for errors.
        file: The same, open.
        end: Its size.

    Returns:
        The pieces of the file that soundfile reads where odd chunks lack their filler byte; None is the file itself.

    Raises:
        UserError: The file is truncated.
    """
    file.seek(4)
    form_size = struct.unpack(">I", file.read(4))[0]
    found = chunks.find(file, 12, end, ">", b"SSND")
    if not found:
        return None
    sound, size = found[-1], 0
    if sound.size > 8:
        frame = _aiff_frame(file, found)
        stored = end - sound.offset - 8
        size = 8 + chunks.stored_size(path, sound.size - 8, stored, frame, sound.offset + 8, form_size)
    padded = [chunk.end + chunk.size % 2 for chunk in found[:-1]]
    if padded == [chunk.offset - 8 for chunk in found[1:]]:
        return None
    pieces: list[Piece] = []
    for chunk in [*found[:-1], Chunk(sound.identifier, sound.offset, size or end - sound.offset)]:
        pieces += [chunk.identifier + struct.pack(">I", chunk.size), (chunk.offset, chunk.size), bytes(chunk.size % 2)]
    total = sum(8 + chunk.size + chunk.size % 2 for chunk in found[:-1]) + 8 + (size or end - sound.offset)
    return (b"FORM" + struct.pack(">I", total + 4), (8, 4), *pieces)


def inspect_au(path: str, file: BinaryIO, end: int) -> tuple[Piece, ...] | None:
    """Checks that an AU file is complete.

    Args:
        path: The file, for errors.
        file: The same, open.
        end: Its size.

    Returns:
        The pieces of the file that soundfile reads where the announced size is 0; None is the file itself.

    Raises:
        UserError: The file is truncated.
    """
    file.seek(0)
    head = file.read(12)
    if len(head) < 12:
        return None
    order = ">" if head.startswith(b".snd") else "<"
    offset, size = struct.unpack(f"{order}II", head[4:])
    if size == 0 and end > offset:
        return (head[:8] + struct.pack(f"{order}I", _UNKNOWN), (12, end - 12))
    if size:
        chunks.stored_size(path, size, max(0, end - offset), 1, offset, 2**64)
    return None


def inspect_caf(file: BinaryIO, end: int) -> tuple[Piece, ...] | None:
    """Finds the samples of a CAF file whose header does not announce their size.

    Args:
        file: The file.
        end: Its size.

    Returns:
        The pieces of the file that soundfile reads where the size is -1 or 0; None is the file itself.
    """
    position = 8
    while position + 12 <= end:
        file.seek(position)
        name, size = struct.unpack(">4sq", file.read(12))
        position += 12
        if name == b"data":
            if size not in (-1, 0):
                return None
            return ((0, position - 8), struct.pack(">q", end - position), (position, end - position))
        if size < 0:
            return None
        position += size
    return None


def _aiff_frame(file: BinaryIO, found: list[Chunk]) -> int:
    """Bytes of a sample of every channel, or 1 where the samples are coded otherwise or the description comes later."""
    for chunk in found:
        if chunk.identifier == b"COMM" and chunk.size == 18:  # AIFC adds the coding
            file.seek(chunk.offset)
            channels, _, bits = struct.unpack(">HIH", file.read(8))
            return max(1, channels * -(-bits // 8))
    return 1
