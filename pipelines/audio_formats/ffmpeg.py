"""Kinds of files that soundfile does not read: m4a, aac, amr, wma, the sound of videos. FFmpeg does, by PyAV.

PyAV is the extra `media`. Without it a `MissingDecoderError` names the kind.
"""

import collections
import contextlib
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pipelines import storage
from pipelines.audio_formats.names import shown
from pipelines.counts import share, verb
from pipelines.errors import UserError

INSTALL = 'pip install "tfrec[media]"'

# By the first bytes of a file; where it is a container of several media, its sound is read.
_KINDS = (
    (rb".{4}ftyp3g", "3GP"),
    (rb".{4}ftypqt|.{4}(moov|mdat|wide|free|skip)", "QuickTime (MOV)"),
    (rb".{4}ftyp", "MPEG-4 (M4A, MP4)"),
    (rb"#!AMR", "AMR"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (ASF)"),
    (rb"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (rb"RIFF.{4}AVI ", "AVI"),
    (rb"FLV\x01", "FLV"),
    (rb"\x47.{187}\x47", "MPEG-TS"),
    (rb"\x00\x00\x01\xba", "MPEG-PS"),
    (rb"\x0b\x77", "AC-3"),
    (rb"\x7f\xfe\x80\x01", "DTS"),
    (rb"wvpk", "WavPack"),
    (rb"TTA1", "TTA"),
    (rb"MAC ", "Monkey's Audio (APE)"),
    (rb"MPCK|MP\+", "Musepack"),
    (rb"\.RMF|\.ra\xfd", "RealAudio"),
    (rb"DSD ", "DSD"),
)
# Numbers of codecs in WAV headers (RFC 2361).
_WAV_CODECS = {
    0x22: "TrueSpeech",
    0x42: "G.723.1",
    0x45: "G.726",
    0x50: "MPEG layer II",
    0x64: "G.726",
    0x83: "G.729",
    0xFF: "AAC",
    0x160: "WMA",
    0x161: "WMA",
    0x162: "WMA",
    0x1600: "AAC",
    0x1602: "AAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x674F: "Vorbis",
    0x6750: "Vorbis",
    0x6751: "Vorbis",
    0xA106: "AAC",
}
# Without a header that announces a length, which FFmpeg then estimates.
_RAW = frozenset(("aac", "amr", "amrnb", "amrwb", "ac3", "eac3", "dts", "loas"))
# Samples that decoders keep back or containers round off.
_TOLERANCE = 4096


class MissingDecoderError(UserError):
    """A file that PyAV reads, where PyAV is not installed.

    Attributes:
        kind: Of the file, such as "WMA (ASF)".
    """

    def __init__(self, path: str, kind: str) -> None:
        name = shown(os.path.basename(path))
        stem, suffix = os.path.splitext(name)
        converted = f"{stem}_pcm.wav" if suffix.lower() == ".wav" else f"{stem}.wav"
        super().__init__(
            f"{shown(path)} is {kind}, which needs PyAV: {INSTALL}, or convert it with ffmpeg, such as"
            f" `ffmpeg -i {name} {converted}`."
        )
        self.kind = kind


def missing_decoders(errors: Sequence[MissingDecoderError], total: int) -> UserError:
    """Joins errors into one.

    Args:
        errors: At least one.
        total: The number of files that were read.

    Returns:
        An error with the number of files by kind, and the sentence about the first.
    """
    counts = collections.Counter(error.kind for error in errors)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return UserError(
        f"{share(len(errors), total, 'file')} {verb(len(errors), 'needs', 'need')} PyAV ({listed}). The"
        f" first: {errors[0]}"
    )


def kind_of(head: bytes) -> str | None:
    """The kind of a file that FFmpeg reads and soundfile does not, by its first bytes; None for other files."""
    for pattern, kind in _KINDS:
        if re.match(pattern, head, re.DOTALL):
            return kind
    return "AAC (ADTS)" if _is_adts(head) else None


def wav_codec(number: int) -> str:
    """The name of a codec, by its number in a WAV header."""
    return _WAV_CODECS.get(number, f"codec {number:#06x}")


def is_installed() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def describe(path: str, kind: str) -> tuple[int, int, int]:
    """Reads the header of a file, and its first frame.

    Args:
        path: The file.
        kind: What `kind_of` returns for it.

    Returns:
        (rate in hertz, channels, samples per channel); the samples are exact or an estimate of the container.

    Raises:
        UserError: The file is damaged or has no sound.
        MissingDecoderError: PyAV is not installed.
    """
    with _opened(path, kind) as container:
        frame = next(_frames(path, container), None)
        if frame is None:
            return 0, 0, 0
        return frame.sample_rate, frame.layout.nb_channels, _announced(path, container, frame.sample_rate)


def blocks(path: str, kind: str) -> Iterator[np.ndarray]:
    """Decodes the first sound of a file.

    Args:
        path: The file.
        kind: What `kind_of` returns for it.

    Yields:
        float32 `(samples, channels)`, in pieces of the codec's own length.

    Raises:
        UserError: The file is truncated or damaged, or has no sound.
        MissingDecoderError: PyAV is not installed.
    """
    resampler: Any = None
    first: Any = None
    before, decoded = None, 0
    with _opened(path, kind) as container:
        from av import AudioResampler

        for frame in _frames(path, container):
            first = first or frame
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if form != before:  # now and then in the midst of a broadcast
                yield from () if resampler is None else _samples(resampler.resample(None), first)
                resampler = AudioResampler(format="flt", layout=first.layout.name, rate=first.sample_rate)
                before = form
            decoded += frame.samples
            yield from _samples(resampler.resample(frame), first)
        if resampler is not None:
            yield from _samples(resampler.resample(None), first)
        announced = _announced(path, container, first.sample_rate) if first is not None else 0
    if decoded < announced - _TOLERANCE:
        raise UserError(
            f"{shown(path)} is truncated: its header announces {announced} samples, and it holds {decoded};"
            " copy it again."
        )


def _samples(frames: Iterable[Any], first: Any) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1, first.layout.nb_channels)


def _frames(path: str, container: Any) -> Iterator[Any]:
    """The frames of the first sound of an open file."""
    import av

    if not container.streams.audio:
        raise UserError(f"{shown(path)} has no sound: remove it.")
    try:
        yield from container.decode(container.streams.audio[0])
    except av.FFmpegError as error:
        raise UserError(f"{shown(path)} cannot be decoded: it is truncated or damaged ({error.strerror}).") from error


def _announced(path: str, container: Any, rate: int) -> int:
    """Samples per channel by the header of an open file, or by the packets of one without."""
    stream, seconds = container.streams.audio[0], 0.0
    if container.format.name not in _RAW:
        if stream.duration is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / 1e6
    if not seconds:
        with _opened(path, "") as again:  # a file that is read to its end has no packets left
            packets = again.demux(again.streams.audio[0])
            seconds = float(sum(packet.duration or 0 for packet in packets) * stream.time_base)
    return round(seconds * rate)


@contextlib.contextmanager
def _opened(path: str, kind: str) -> Iterator[Any]:
    """FFmpeg's container of a file."""
    if not is_installed():
        raise MissingDecoderError(path, kind)
    import av

    # An open file, since FFmpeg takes names in UTF-8 only.
    with storage.open_binary(path) as file:
        try:
            container = av.open(file)
        except av.FFmpegError as error:
            message = f"{shown(path)} is not a readable audio file: {error.strerror}; copy it again."
            raise UserError(message) from error
        with container:
            yield container


def _is_adts(head: bytes) -> bool:
    """Whether two frames of AAC (ISO 13818-7) begin a file, or one that is all of it."""
    position = 0
    for _ in range(2):
        frame = head[position : position + 7]
        if len(frame) < 7:
            return position > 0
        if frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0:
            return False
        position += (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    return True
