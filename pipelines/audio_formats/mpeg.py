"""MP3 files (ISO 11172-3, 13818-3): frames counted, recordings one after the other, tags and junk between them.

libsndfile reads the first recording of a file only, and where no header announces the number of frames it estimates the
length and stops there. `inspect` gives it every recording as a file of its own, and counts the frames.
"""

import dataclasses
import struct
from mmap import mmap

from pipelines.audio_formats.names import shown
from pipelines.audio_formats.splice import Piece, Stream
from pipelines.errors import UserError

_KBITS = {  # by MPEG version 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the version's bits
_SAME = 0xFFFE0C00  # the bits of a header that all frames of a recording share: version, layer, rate
_LAYER_3 = 1  # by its bits
_FRAMES, _BYTES = 1, 2  # flags of a header of frames (Xing) that has their number, and the number of bytes


@dataclasses.dataclass
class _Recording:
    """Frames of one encoder, one after the other."""

    header: int  # of its first frame, 32 bits
    ranges: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # (offset, size) of frames with sound
    frames: int = 0
    announced: int | None = None  # frames, by the header of frames
    information: tuple[int, int] | None = None  # (offset, size) of the frame that holds the header of frames
    is_cut: bool = False  # within its last frame

    def append(self, offset: int, size: int) -> None:
        """Adds a frame with sound."""
        self.frames += 1
        if self.ranges and sum(self.ranges[-1]) == offset:
            offset, size = self.ranges[-1][0], self.ranges.pop()[1] + size
        self.ranges.append((offset, size))


def id3_size(head: bytes) -> int:
    """The bytes of the tag (ID3v2) that begins with these ten bytes; 0 for other bytes."""
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    footer = 10 if head[5] & 16 else 0
    return 10 + footer + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def frame_size(header: int) -> int:
    """The bytes of the frame that begins with these 32 bits; 0 where they are no header, or its size is free."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    bits = 1000 * _KBITS[version == 3, layer][bitrate - 1]
    rate_hz, padding = _RATES_HZ[version][rate], header >> 9 & 1
    if layer == 1:
        return (12 * bits // rate_hz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // rate_hz + padding


def is_start(data: mmap | bytes, position: int, frames: int = 3) -> bool:
    """Whether frames of one recording, one after the other, begin at a position; fewer where the file ends."""
    first = header = _header(data, position)
    for _ in range(frames):
        size = frame_size(header)
        if not size or (header ^ first) & _SAME:
            return False
        position += size
        if position + 4 > len(data):
            return True
        header = _header(data, position)
    return True


def inspect(path: str, data: mmap | bytes, start: int) -> tuple[tuple[Stream, ...], bool] | None:
    """Finds the recordings in a file.

    Args:
        path: The file, for errors.
        data: Its content.
        start: Position of the first frame, or of junk in front of it, after a tag.

    Returns:
        The recordings, and whether the file is one recording without anything else but a tag in front and one of 128
        bytes (ID3v1) behind it. None where there are no frames of layer III.

    Raises:
        UserError: A recording has fewer frames than it announces.
    """
    recordings, is_regular = _recordings(data, start)
    if not recordings or any(recording.header >> 17 & 3 != _LAYER_3 for recording in recordings):
        return None
    for recording in recordings:
        # Some encoders count the header of frames in.
        fewest = (recording.announced or 0) - (0 if recording.is_cut else 1)
        if recording.frames < fewest:
            raise UserError(
                f"{shown(path)} is truncated: its header announces {recording.announced} frames, and it holds"
                f" {recording.frames}; copy it again."
            )
    streams = []
    for recording in recordings:
        information = _information(data, recording)
        samples = None if information else recording.frames * _samples_per_frame(recording.header)
        streams.append(Stream((*information, *recording.ranges), samples))
    return tuple(streams), is_regular and len(recordings) == 1


def _recordings(data: mmap | bytes, start: int) -> tuple[list[_Recording], bool]:
    """All recordings that hold sound, and whether nothing else is between or after their frames."""
    if (whole := _whole(data, start)) is not None:
        return [whole], True
    recordings: list[_Recording] = []
    position, is_regular = start, True
    while position + 4 <= len(data):
        header = _header(data, position)
        size = frame_size(header)
        current = recordings[-1] if recordings else None
        continues = current is not None and not (header ^ current.header) & _SAME
        if not size or not (continues or is_start(data, position)):
            is_regular = is_regular and _is_last_tag(data, position)
            position = _skip(data, position)
            continue
        if position + size > len(data):  # a recording of a broadcast ends anywhere
            if current is not None:
                current.is_cut = True
            return [recording for recording in recordings if recording.frames], False
        announced = _announced_frames(data, position, size)
        if current is None or not continues or announced is not None:
            current = _Recording(header)
            recordings.append(current)
        if announced is None:
            current.append(position, size)
        else:
            current.information, current.announced = (position, size), announced if announced >= 0 else None
        position += size
    return [recording for recording in recordings if recording.frames], is_regular and position >= len(data)


def _whole(data: mmap | bytes, start: int) -> _Recording | None:
    """The one recording of a file whose first frame announces exactly the bytes that follow; None for other files."""
    header = _header(data, start)
    size = frame_size(header)
    place = _information_place(data, start, size) if size else -1
    if place < 0 or data[place : place + 4] == b"VBRI":
        return None
    flags, frames, count_bytes = struct.unpack(">III", data[place + 4 : place + 16].ljust(12, b"\0"))
    end = len(data) - 128 if _is_last_tag(data, len(data) - 128) else len(data)
    if flags & 3 != _FRAMES | _BYTES or not frames or start + count_bytes != end or count_bytes <= size:
        return None
    return _Recording(header, [(start + size, end - start - size)], frames, frames, (start, size))


def _announced_frames(data: mmap | bytes, position: int, size: int) -> int | None:
    """The number in a frame that is a header of frames, or -1 where it has none; None for a frame with sound."""
    place = _information_place(data, position, size)
    if place < 0:
        return None
    if data[place : place + 4] == b"VBRI":  # which libsndfile does not read
        return -1
    flags, frames = struct.unpack(">II", data[place + 4 : place + 12])
    return frames if flags & _FRAMES else -1


def _information_place(data: mmap | bytes, position: int, size: int) -> int:
    """Where the header of frames (Xing, Info or Fraunhofer's VBRI) begins in a frame; -1 where it has none."""
    if size < 60:
        return -1
    for name in (b"Xing", b"Info", b"VBRI"):
        place = data.find(name, position + 4, position + 46)
        if place >= 0:
            return place
    return -1


def _information(data: mmap | bytes, recording: _Recording) -> list[Piece]:
    """The frame in front of a recording that announces its number of frames; empty where the file has none."""
    if recording.information is None or recording.announced is None:
        return []
    offset, size = recording.information
    place = _information_place(data, offset, size)
    flags = int.from_bytes(data[place + 4 : place + 8], "big")
    if recording.announced == recording.frames:
        return [recording.information]
    numbers = struct.pack(">I", recording.frames)
    if flags & _BYTES:
        numbers += struct.pack(">I", size + sum(size for _, size in recording.ranges))
    return [data[offset : place + 8] + numbers + data[place + 8 + len(numbers) : offset + size]]


def _samples_per_frame(header: int) -> int:
    return 1152 if header >> 19 & 3 == 3 else 576


def _header(data: mmap | bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


def _is_last_tag(data: mmap | bytes, position: int) -> bool:
    """Whether the tag that ends a file (ID3v1) begins at a position."""
    return position == len(data) - 128 and data[position : position + 3] == b"TAG"


def _skip(data: mmap | bytes, position: int) -> int:
    """The position after a tag, or of the next frame that others follow; otherwise the end."""
    if size := id3_size(data[position : position + 10]):
        return position + size
    position += 1
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 4:
        if is_start(data, position):
            return position
        position += 1
    return len(data)
