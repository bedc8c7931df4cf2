"""Which decoder reads a file, by its content, and the samples by blocks.

`inspect` reads headers only. soundfile (libsndfile) decodes whatever it can, in some cases with a repaired header;
FFmpeg, by PyAV, decodes the rest; SPHERE has a reader of its own.
"""

import contextlib
import dataclasses
import mmap
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

import numpy as np
import soundfile

from pipelines import placeholders, storage
from pipelines.audio_formats import ffmpeg, flac, headers, mpeg, ogg, riff, sphere
from pipelines.audio_formats.names import shown
from pipelines.audio_formats.splice import Splice, Stream
from pipelines.errors import UserError
from pipelines.resampling import Resampler

BLOCK_SAMPLES = 2**18
HEAD_BYTES = 4096  # enough to know a file by

_JUNK_BYTES = 65_536  # in front of the first page of an Ogg file


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a file is decoded."""

    decoder: Literal["soundfile", "ffmpeg", "sphere"]
    streams: tuple[Stream, ...] = (Stream(),)  # for soundfile: one after the other
    kind: str = ""  # for FFmpeg: of the file
    is_regular: bool = False  # by the rules in every byte, so that tensorflow-io may read it


@dataclasses.dataclass(frozen=True)
class Description:
    """What headers say."""

    sample_rate_hz: int
    channels: int
    samples: int  # per channel
    coding: tuple[str, str]  # libsndfile's names of the format and the subtype; empty for other decoders


class _Sequential(soundfile.SoundFile):
    """A file that is read from start to end.

    soundfile seeks after every block where it can, which fails in some formats and is not exact in others.
    """

    def seekable(self) -> bool:
        """False."""
        return False


def is_audio(head: bytes) -> bool:
    """Whether a file with these first bytes is audio, or a tag in front of it, of a kind that is read."""
    is_form = head[:4] in riff.FORMS and head[8:12] == b"WAVE"
    is_form |= head[:4] == b"FORM" and head[8:12] in headers.AIFF_FORMS
    magics = (sphere.MAGIC, ogg.MAGIC, flac.MAGIC, headers.CAF_MAGIC, riff.WAVE64, *headers.AU_MAGICS)
    is_mpeg = mpeg.id3_size(head) > 0 or mpeg.is_start(head, 0)
    return is_form or head.startswith(magics) or is_mpeg or ffmpeg.kind_of(head) is not None


def inspect(path: str) -> Layout:
    """Finds out how a file is decoded.

    Args:
        path: The file.

    Returns:
        The Layout.

    Raises:
        UserError: The file is empty, truncated or damaged, as far as headers show it, or of an unknown kind.
        OSError: The file cannot be read.
    """
    with storage.open_binary(path) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        if not end:
            raise UserError(f"{shown(path)} is empty: replace or remove it.")
        head = file.read(HEAD_BYTES)
        placeholders.check(path, head)
        start = mpeg.id3_size(head)
        if start:
            file.seek(start)
            head = file.read(HEAD_BYTES)
        if head.startswith(sphere.MAGIC):
            return Layout("sphere")
        if head[:4] in riff.FORMS and head[8:12] == b"WAVE":
            wave = riff.inspect(path, file, start, end)
            if wave.codec not in riff.CODECS:
                return Layout("ffmpeg", kind=f"WAV with {ffmpeg.wav_codec(wave.codec)} in it")
            if wave.codec == riff.MP3:
                with storage.content(file) as data:
                    if found := _of_mpeg(path, data, wave.offset):
                        return dataclasses.replace(found, is_regular=False)
            return Layout("soundfile", (Stream(wave.pieces),), is_regular=wave.is_regular)
        if kind := ffmpeg.kind_of(head):
            return Layout("ffmpeg", kind=kind)
        with storage.content(file) as data:
            return _inspect_streams(path, file, data, head, start)


def describe(path: str, layout: Layout) -> Description:
    """Reads the headers of a file's streams.

    Args:
        path: The file.
        layout: What `inspect` returned for it.

    Returns:
        The Description: rate, channels and coding of the first stream, and the samples of all at that rate.

    Raises:
        UserError: The file is damaged, or PyAV is needed and not installed.
        OSError: The file cannot be read.
    """
    if layout.decoder == "ffmpeg":
        return Description(*ffmpeg.describe(path, layout.kind), ("", ""))
    if layout.decoder == "sphere":
        header = sphere.read_header(path)
        return Description(header.sample_rate_hz, header.channels, header.samples, ("", ""))
    rate, channels, total, coding = 0, 0, 0, ("", "")
    for i, stream in enumerate(layout.streams):
        with _opened(path, stream) as file:
            if i == 0:
                rate, channels, coding = file.samplerate, file.channels, (file.format, file.subtype)
            samples = file.frames if stream.samples is None else stream.samples
            total += -(-samples * rate // max(1, file.samplerate))
    return Description(rate, channels, total, coding)


def blocks(path: str, layout: Layout | None = None, samples: int = BLOCK_SAMPLES) -> Iterator[np.ndarray]:
    """Decodes a file.

    A stream after the first is brought to the rate and the number of channels of the first.

    Args:
        path: The file.
        layout: What `inspect` returned for it; None inspects it first.
        samples: Per channel, at most that many at a time.

    Yields:
        float32 `(samples, channels)`; integers are scaled to [-1, 1), floating-point samples are as they are stored.

    Raises:
        UserError: The file is truncated or damaged, or PyAV is needed and not installed.
        OSError: The file cannot be read.
    """
    layout = inspect(path) if layout is None else layout
    if layout.decoder == "ffmpeg":
        yield from ffmpeg.blocks(path, layout.kind)
    elif layout.decoder == "sphere":
        frames = sphere.read(path)
        for start in range(0, len(frames), samples):
            yield frames[start : start + samples].astype(np.float32) / 32768
    else:
        first = None
        for stream in layout.streams:
            with _opened(path, stream) as file:
                first = first or (file.samplerate, file.channels)
                decoded = _decoded(path, stream, file, samples)
                yield from decoded if (file.samplerate, file.channels) == first else _matched(decoded, file, *first)


def read(path: str, layout: Layout | None = None) -> np.ndarray:
    """Decodes a whole file: float32 `(samples, channels)`; raises what `blocks` raises."""
    decoded = list(blocks(path, layout))
    return decoded[0] if len(decoded) == 1 else np.concatenate(decoded or [np.zeros((0, 1), np.float32)])


def _inspect_streams(path: str, file: BinaryIO, data: mmap.mmap | bytes, head: bytes, start: int) -> Layout:
    """The Layout of a file that soundfile reads, but for WAV."""
    end = len(data)
    if head.startswith(ogg.MAGIC):
        return _of_ogg(path, data, start)
    if head.startswith(flac.MAGIC):
        tag_bytes = 128 if data[-128:].startswith(b"TAG") else 0
        pieces = flac.inspect(path, file, start, end - tag_bytes)
        return Layout("soundfile", (Stream(pieces),), is_regular=pieces is None)
    if mpeg.is_start(data, start) and (layout := _of_mpeg(path, data, start)):
        return layout
    if head[:4] == b"FORM" and head[8:12] in headers.AIFF_FORMS:
        return Layout("soundfile", (Stream(headers.inspect_aiff(path, file, end)),))
    if head[:4] in headers.AU_MAGICS:
        return Layout("soundfile", (Stream(headers.inspect_au(path, file, end)),))
    if head[:4] == headers.CAF_MAGIC:
        return _of_caf(path, Stream(headers.inspect_caf(file, end)), head)
    if head.startswith(riff.WAVE64):
        riff.check_wave64(path, file, end)
    try:
        with _opened(path, Stream()) as audio:
            name = audio.format
    except UserError:
        position = data.find(ogg.MAGIC, start, start + _JUNK_BYTES)
        if position < 0:
            raise
        return _of_ogg(path, data, position)
    return (name == "MP3" and _of_mpeg(path, data, start)) or Layout("soundfile")


def _of_ogg(path: str, data: mmap.mmap | bytes, start: int) -> Layout:
    try:
        streams = ogg.inspect(path, data, start)
    except ffmpeg.MissingDecoderError as error:
        return Layout("ffmpeg", kind=error.kind)
    return Layout("soundfile", streams or (Stream(),), is_regular=streams is None)


def _of_caf(path: str, stream: Stream, head: bytes) -> Layout:
    codec = head[28:32]
    kind = f"CAF with {codec.decode('latin-1').strip().upper()} in it"
    if codec not in headers.CAF_CODECS:
        return Layout("ffmpeg", kind=kind)
    try:
        with _opened(path, stream):
            return Layout("soundfile", (stream,))
    except UserError:  # libsndfile does not read every ALAC
        if codec != b"alac" or not ffmpeg.is_installed():
            raise
        return Layout("ffmpeg", kind=kind)


def _of_mpeg(path: str, data: mmap.mmap | bytes, start: int) -> Layout | None:
    found = mpeg.inspect(path, data, start)
    return found and Layout("soundfile", found[0], is_regular=found[1])


@contextlib.contextmanager
def _opened(path: str, stream: Stream) -> Iterator[_Sequential]:
    """Soundfile's object for one stream of a file."""
    with contextlib.ExitStack() as stack:
        source: Any = storage.for_library(path)
        if stream.samples is not None:
            source = stack.enter_context(_fed(path, stream))
        elif stream.pieces is not None:
            source = stack.enter_context(Splice(path, stream.pieces))
        try:
            file = stack.enter_context(_Sequential(source))
        except soundfile.LibsndfileError as error:
            raise UserError(f"{shown(path)} is not a readable audio file: {error.error_string}") from error
        yield file


@contextlib.contextmanager
def _fed(path: str, stream: Stream) -> Iterator[int]:
    """The read end of a pipe that a stream is written to; libsndfile reads MP3 from it up to its real end."""
    read_end, write_end = os.pipe()

    def feed() -> None:
        # The reader closes its end where it has enough.
        sink, source = os.fdopen(write_end, "wb"), Splice(path, stream.pieces or ())
        with contextlib.suppress(BrokenPipeError), sink, source:
            shutil.copyfileobj(source, sink)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield read_end
    finally:
        feeder.join()


def _decoded(path: str, stream: Stream, file: _Sequential, samples: int) -> Iterator[np.ndarray]:
    """The blocks of an open stream; UserError where there are fewer samples than its header announces."""
    announced = file.frames if stream.samples is None else stream.samples
    read = 0
    if file.format == "OGG":
        file.seek(0)  # libsndfile 1.2.2 else starts at the samples that an Opus file says to skip
    while read < announced:
        try:
            block = file.read(min(samples, announced - read), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            message = f"{shown(path)} cannot be decoded: {error.error_string} Copy it again."
            raise UserError(message) from error
        if not len(block):
            raise UserError(
                f"{shown(path)} is truncated: its header announces {announced} samples, and it holds {read};"
                " copy it again."
            )
        read += len(block)
        yield block


def _matched(decoded: Iterator[np.ndarray], file: _Sequential, rate: int, channels: int) -> Iterator[np.ndarray]:
    """Blocks at another rate, with another number of channels."""
    resampler = Resampler(file.samplerate, rate)
    for block in decoded:
        yield _with_channels(resampler.feed(block), channels)
    yield _with_channels(resampler.end(), channels)


def _with_channels(block: np.ndarray, channels: int) -> np.ndarray:
    if block.ndim < 2 or block.shape[1] == channels:
        return block.reshape(-1, channels)
    return np.repeat(block.mean(axis=1, keepdims=True, dtype=np.float32), channels, axis=1)
