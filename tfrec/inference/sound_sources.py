"""Continuous sound in pieces: from standard input, from a file at its own speed, from a microphone."""

from __future__ import annotations

import contextlib
import queue
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from pipelines import audio
from pipelines.errors import UserError
from pipelines.loudness import channel_number
from pipelines.resampling import Resampler

MAX_HEADER_BYTES = 1_000_000  # of a WAV before its samples
MAX_WAIT_S = 5.0  # for sound of the microphone, beyond the time that it takes
MAX_QUEUE_SECONDS = 10.0  # of the microphone; what does not fit is lost, and counted
FORMATS = {"s16": ("<i2", 2**15), "s32": ("<i4", 2**31), "f32": ("<f4", 1)}  # type of a sample, full scale
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def from_file(
    path: str, sample_rate_hz: int, seconds: float, real_time: bool, channel: str = "average"
) -> Iterator[np.ndarray]:
    """Yields pieces of a file.

    Args:
        path: the file.
        sample_rate_hz: rate to convert to.
        seconds: length of a piece.
        real_time: whether a piece comes only when it would have been recorded.
        channel: see `pipelines.audio.read`.

    Raises:
        UserError: the file cannot be read.
    """
    started, sent = time.monotonic(), 0
    for piece in audio.read_blocks(path, sample_rate_hz, seconds, channel):
        sent += len(piece)
        if real_time:
            time.sleep(max(0.0, started + sent / sample_rate_hz - time.monotonic()))
        yield piece


def from_stream(
    stream: BinaryIO,
    sample_rate_hz: int,
    seconds: float,
    form: str,
    rate: int | None,
    channels: int,
    channel: str = "average",
) -> Iterator[np.ndarray]:
    """Yields pieces of standard input: a WAV, whose announced length is ignored, or samples without a header.

    Args:
        stream: bytes, until it ends.
        sample_rate_hz: rate to convert to.
        seconds: length of a piece.
        form: type of samples without a header, a key of FORMATS.
        rate: their rate; None is `sample_rate_hz`.
        channels: their channels.
        channel: which of several is taken: average, left, right or a number from 0.

    Raises:
        UserError: a header that is no WAV's, or of a codec other than PCM and float; too few channels.
    """
    head = stream.read(4)
    source_hz = rate or sample_rate_hz
    if head in (b"RIFF", b"RIFX", b"RF64"):
        form, source_hz, channels = _wav_header(stream)
        head = b""
    elif head[:4] in (b"fLaC", b"OggS", b"FORM") or head[:3] == b"ID3":
        raise UserError("Standard input must be a WAV or samples without a header: convert it, or name a file.")
    number = channel_number(channel)
    if number >= channels:
        raise UserError(
            f"Standard input has {channels} channel(s), and the model takes channel {number}, from 0: send it too."
        )
    kind, full_scale = FORMATS[form]
    frame = np.dtype(kind).itemsize * channels
    size = max(1, round(seconds * source_hz)) * frame
    resampler = Resampler(source_hz, sample_rate_hz)
    rest = head
    while block := stream.read(size):
        block = rest + block
        whole = len(block) // frame * frame
        rest = block[whole:]
        samples = np.frombuffer(block[:whole], kind).astype("float32") / full_scale
        frames = samples.reshape(-1, channels)
        yield resampler.feed(np.nan_to_num(frames.mean(axis=1) if number < 0 else frames[:, number]))
    yield resampler.end()


def record(pieces: Iterable[np.ndarray], sample_rate_hz: int, seconds: float) -> np.ndarray:
    """Takes sound until it is long enough, it ends, or Ctrl-C.

    Args:
        pieces: of sound, as a `Microphone` yields them.
        sample_rate_hz: their rate.
        seconds: of sound to take.

    Returns:
        float32 `(samples,)`.

    Raises:
        UserError: nothing but digital silence arrives.
    """
    taken: list[np.ndarray] = []
    limit, end = round(seconds * sample_rate_hz), time.monotonic() + seconds + MAX_WAIT_S
    with contextlib.suppress(KeyboardInterrupt):
        for piece in pieces:
            taken.append(piece)
            if sum(map(len, taken)) >= limit or time.monotonic() > end:
                break
    samples = np.concatenate([np.zeros(0, "float32"), *taken])[:limit]
    if not samples.any():
        raise UserError("The microphone gives no sound: turn it on, or name a file.")
    return samples


def _wav_header(stream: BinaryIO) -> tuple[str, int, int]:
    """Reads a WAV up to its samples -> (form, rate, channels)."""
    broken = UserError("Standard input begins like a WAV, but has no samples of PCM or float: send 16-bit PCM.")
    stream.read(8)
    form, rate, channels, read = "", 0, 0, 12
    while read < MAX_HEADER_BYTES:
        header = stream.read(8)
        if len(header) < 8:
            raise broken
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            if not form:
                raise broken
            return form, rate, channels
        if size > MAX_HEADER_BYTES:
            raise broken
        content = stream.read(size + size % 2)
        read += 8 + len(content)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if tag == _EXTENSIBLE and len(content) >= 26:
                tag = struct.unpack("<H", content[24:26])[0]
            form = {(_PCM, 16): "s16", (_PCM, 32): "s32", (_FLOAT, 32): "f32"}.get((tag, bits), "")
            if not 1 <= channels <= 64 or not 1000 <= rate <= 384_000:
                raise broken
    raise broken


class Microphone:
    """A microphone, by miniaudio, as a context manager.

    Args:
        sample_rate_hz: rate of the pieces; miniaudio converts.
        seconds: length of a piece.
        null: whether miniaudio's silent device takes the place of a microphone, for tests.

    Attributes:
        lost_seconds: sound that was lost because it was not taken in time.

    Raises:
        UserError: miniaudio is not installed, or there is no microphone.
    """

    def __init__(self, sample_rate_hz: int, seconds: float, null: bool = False) -> None:
        try:
            import miniaudio
        except ImportError as error:
            raise UserError("A microphone needs miniaudio: pip install 'tfrec[mic]'.") from error
        self.sample_rate_hz, self.lost_seconds = sample_rate_hz, 0.0
        self._pieces: queue.Queue[bytes] = queue.Queue(max(1, round(MAX_QUEUE_SECONDS / seconds)))
        try:
            self._device = miniaudio.CaptureDevice(
                input_format=miniaudio.SampleFormat.FLOAT32,
                nchannels=1,
                sample_rate=sample_rate_hz,
                buffersize_msec=max(1, round(1000 * seconds)),
                backends=[miniaudio.Backend.NULL] if null else None,
                app_name="tfrec",
            )
        except miniaudio.MiniaudioError as error:
            raise UserError(
                f"There is no microphone that can be opened ({error}): connect one, or send sound by standard input."
            ) from error

    def __enter__(self) -> Microphone:
        """Starts recording."""
        generator = self._receive()
        next(generator)
        self._device.start(generator)
        return self

    def __exit__(self, *error: Any) -> None:
        """Ends recording."""
        with contextlib.suppress(Exception):  # a device that was unplugged
            self._device.stop()
        self._device.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields pieces without end; an empty one where nothing arrives for a second."""
        while True:
            try:
                yield np.frombuffer(self._pieces.get(timeout=1.0), "<f4")
            except queue.Empty:
                yield np.zeros(0, "float32")

    def _receive(self) -> Any:
        """The generator that miniaudio sends samples to, on its own thread."""
        while True:
            piece = bytes((yield))
            try:
                self._pieces.put_nowait(piece)
            except queue.Full:
                self.lost_seconds += len(piece) / 4 / self.sample_rate_hz
