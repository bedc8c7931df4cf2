"""Ogg files (RFC 3533): several recordings in a file, streams next to others, pages without the marks they should have.

libsndfile reads the first recording of a file only, stops at the first mark of an end, and does not read Opus without
such a mark. `inspect` gives it every recording as a file of its own, with the marks where they belong.
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterable
from mmap import mmap

from pipelines.audio_formats.ffmpeg import MissingDecoderError
from pipelines.audio_formats.names import shown
from pipelines.audio_formats.splice import Piece, Stream
from pipelines.errors import UserError

MAGIC = b"OggS"

_FIRST, _LAST = 2, 4  # flags of a page
_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex"}
_BY_SOUNDFILE = ("Vorbis", "Opus", "FLAC")
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclasses.dataclass(frozen=True)
class _Page:
    offset: int
    size: int
    flags: int
    granule: int  # samples up to its end; -1 where no packet ends in it
    serial: int
    number: int
    codec: str  # of the stream that it begins; empty for other pages


def inspect(path: str, data: mmap | bytes, start: int = 0) -> tuple[Stream, ...] | None:
    """Finds the recordings in a file.

    Args:
        path: The file, for errors.
        data: Its content.
        start: Position of the first page.

    Returns:
        The recordings; None where the file is one, by the rules.

    Raises:
        UserError: A page is damaged or incomplete, or no stream is audio.
        MissingDecoderError: It is Speex, which FFmpeg reads.
    """
    pages, stray_bytes = _pages(path, data, start)
    if not pages:
        return None
    if not pages[-1].flags & _LAST and stray_bytes:
        raise UserError(f"{shown(path)} is truncated: its last Ogg page is incomplete; copy it again.")
    recordings = [part for linked in _recordings(pages) for part in _parts(path, _audio(path, linked))]
    is_one = len(recordings) == 1 and len(recordings[0]) == len(pages) and not start and not stray_bytes
    if is_one and _is_regular(recordings[0]):
        return None
    return tuple(Stream(tuple(_repaired(data, recording))) for recording in recordings)


def checksum(page: bytes) -> int:
    """The checksum of a page whose own field for it holds zeros: CRC-32, most significant bit first, from 0."""
    # zlib's is the same with the bits of every byte reversed, from -1 and inverted.
    crc = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED_BITS), "big")


def _pages(path: str, data: mmap | bytes, start: int) -> tuple[list[_Page], bool]:
    """All pages, and whether there are other bytes between or after them."""
    pages: list[_Page] = []
    position, expected, stray_bytes = data.find(MAGIC, start), start, False
    while position >= 0:
        is_expected = position == expected
        stray_bytes |= not is_expected
        head = data[position : position + 27]
        table = data[position + 27 : position + 27 + head[26]] if len(head) == 27 else b""
        size = 27 + len(table) + sum(table)
        if len(head) < 27 or len(table) < head[26] or position + size > len(data):
            if is_expected:
                raise UserError(f"{shown(path)} is truncated: its last Ogg page is incomplete; copy it again.")
            break
        page = data[position : position + size]
        if checksum(page[:22] + bytes(4) + page[26:]) != struct.unpack("<I", page[22:26])[0]:
            if is_expected:
                raise UserError(
                    f"{shown(path)} is damaged: its Ogg page at byte {position} has a wrong checksum; copy it again."
                )
            position = data.find(MAGIC, position + 1)
            continue
        granule, serial, number = struct.unpack("<qII", page[6:22])
        body = page[27 + len(table) :]
        codec = next((name for magic, name in _CODECS.items() if body.startswith(magic)), "another kind of data")
        pages.append(_Page(position, size, page[5], granule, serial, number, codec if page[5] & _FIRST else ""))
        expected = position + size
        position = data.find(MAGIC, expected)
    return pages, stray_bytes or expected != len(data)


def _recordings(pages: list[_Page]) -> Iterable[list[_Page]]:
    """Splits pages where a stream begins after the pages of another."""
    recording: list[_Page] = []
    for page in pages:
        if page.flags & _FIRST and recording and not recording[-1].flags & _FIRST:
            yield recording
            recording = []
        recording.append(page)
    yield recording


def _audio(path: str, pages: list[_Page]) -> list[_Page]:
    """The pages of the first audio stream of a recording."""
    codecs = {page.serial: page.codec for page in pages if page.codec}
    serial = next((serial for serial, codec in codecs.items() if codec in _BY_SOUNDFILE), None)
    if serial is None:
        if "Speex" in codecs.values():
            raise MissingDecoderError(path, "Speex")
        raise UserError(f"{shown(path)} is not a readable audio file: its Ogg streams hold {_names(codecs)}.")
    return [page for page in pages if page.serial == serial]


def _names(codecs: dict[int, str]) -> str:
    return ", ".join(sorted(set(codecs.values()))) or "no beginning"


def _is_regular(pages: list[_Page]) -> bool:
    """Whether only the last page has the mark of a last one, and no time goes backward."""
    granules = [page.granule for page in pages if page.granule >= 0]
    marked = [bool(page.flags & _LAST) for page in pages]
    return marked == [False] * (len(pages) - 1) + [True] and granules == sorted(granules)


def _parts(path: str, pages: list[_Page]) -> Iterable[list[_Page]]:
    """Splits a stream where its time starts again without a new beginning; each part gets the stream's own headers.

    After a cut, or a mark of an end, the pages' numbers continue; elsewhere a gap means that pages are lost. A stream
    that was recorded from a broadcast has a gap after the headers.
    """
    count = next((i for i, page in enumerate(pages) if page.granule > 0), len(pages))
    part, shift, time = pages[:count], 0, 0
    for page in pages[count:]:
        previous = part[-1] if part else page
        if 0 <= page.granule < time:
            yield part
            part, time = pages[:count], 0
            shift = part[-1].number + 1 - page.number if part else 0
        elif previous.flags & _LAST:
            shift = previous.number + 1 - page.number
        elif len(part) > count and page.number + shift > previous.number + 1:
            lost = page.number + shift - previous.number - 1
            raise UserError(f"{shown(path)} is damaged: {lost} of its Ogg pages are missing; copy it again.")
        time = max(time, page.granule)
        part.append(dataclasses.replace(page, number=page.number + shift))
    yield part


def _repaired(data: mmap | bytes, pages: list[_Page]) -> Iterable[Piece]:
    """The pages of one stream, of which only the last has the mark of a last page."""
    for i, page in enumerate(pages):
        flags = page.flags & ~_LAST | (_LAST if i == len(pages) - 1 else 0)
        content = data[page.offset : page.offset + page.size]
        head = content[:5] + bytes([flags]) + content[6:18] + struct.pack("<I", page.number & 0xFFFFFFFF)
        if head == content[:22]:
            yield (page.offset, page.size)
        else:
            yield head + struct.pack("<I", checksum(head + bytes(4) + content[26:])) + content[26:]
