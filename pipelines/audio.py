"""Audio files to mono float32 waveforms.

`probe` settles which decoder reads a file, once, from the file's content and not from its name; see
`pipelines.decoders`. On both stacks 16-bit WAV, FLAC and SPHERE give the same bits: the integer samples over 32768.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import decoders, loudness, storage
from pipelines.audio_formats import reading
from pipelines.audio_formats.names import shown, unreadable
from pipelines.decoders import CODINGS
from pipelines.errors import UserError
from pipelines.loudness import AUTOMATIC, AVERAGE
from pipelines.resampling import Resampler, resample_array
from pipelines.storage import graph

__all__ = [
    "SUFFIXES",
    "AudioInfo",
    "decode",
    "decode_channels",
    "find_channel",
    "is_audio",
    "probe",
    "read",
    "read_blocks",
    "read_in_parts",
    "resample",
    "resample_array",
]

Tensor = Any

# Those of the last two lines need PyAV, the extra `media`.
SUFFIXES = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".w64", ".rf64", ".caf"),
    *(".m4a", ".aac", ".amr", ".wma", ".mka", ".3gp"),
    *(".mp4", ".webm"),
)

_MIN_RATE_HZ, _MAX_RATE_HZ, _MAX_CHANNELS = 1000, 384_000, 64
_MAX_SAMPLES = 2**40  # a forged header announces any number
# Files with more values are decoded by blocks: 16 MiB of float32.
_BLOCKWISE_VALUES = 2**22


@dataclasses.dataclass(frozen=True)
class AudioInfo:
    """The content of a file's header."""

    path: str
    coding: str  # one of CODINGS
    sample_rate_hz: int
    channels: int
    samples: int  # per channel; an estimate for some files that FFmpeg reads
    size: int = dataclasses.field(default=0, compare=False)  # of the file, in bytes
    is_float: bool = dataclasses.field(default=False, compare=False)  # stored as floating-point samples

    @property
    def code(self) -> int:
        """The coding as `decode` takes it."""
        return CODINGS.index(self.coding)


def probe(path: str | os.PathLike) -> AudioInfo:
    """Reads the header of a file.

    Args:
        path: The file.

    Returns:
        The AudioInfo; no samples are decoded.

    Raises:
        UserError: The file is missing, empty, truncated or not audio, or its header announces no samples, no
            channels, or values out of the ranges that are read. A MissingDecoderError: it needs PyAV, which is not
            installed.
    """
    return _probe(os.fspath(path))[0]


def is_audio(path: str | os.PathLike) -> bool:
    """Whether a file begins as audio does, whatever its name is; its samples may still be damaged."""
    try:
        with storage.open_binary(path) as file:
            return reading.is_audio(file.read(reading.HEAD_BYTES))
    except OSError:
        return False


def decode(
    path: Tensor,
    code: int | Tensor,
    channel: int | Tensor = AUTOMATIC,
    size: int | Tensor | None = None,
    read_bytes: Callable[[Tensor], Tensor] = tf.io.read_file,
) -> Tensor:
    """Decodes a file in a graph, at the file's own rate.

    Floating-point samples beyond [-1, 1] are clipped.

    Args:
        path: String scalar.
        code: `AudioInfo.code`: an int32 scalar, or a Python int where all files have the same coding.
        channel: The channel to read, or how to mix them, see `loudness.mix`.
        size: `AudioInfo.size`: a file that has another size now is an error.
        read_bytes: From the path to the bytes, see `storage.graph.reader_of`.

    Returns:
        float32 `(samples,)` in [-1, 1].

    Raises:
        tf.errors.OpError: When it runs: the file is damaged, or a sample is NaN, infinite or above
            `loudness.MAX_PEAK`.
    """
    return tf.ensure_shape(loudness.mix(decode_channels(path, code, size, read_bytes)[0], channel), (None,))


def decode_channels(
    path: Tensor,
    code: int | Tensor,
    size: int | Tensor | None = None,
    read_bytes: Callable[[Tensor], Tensor] = tf.io.read_file,
) -> tuple[Tensor, Tensor]:
    """Decodes all channels of a file in a graph.

    Args:
        path: As `decode` takes it.
        code: As `decode` takes it.
        size: As `decode` takes it.
        read_bytes: As `decode` takes it.

    Returns:
        (float32 `(samples, channels)` in [-1, 1], the highest absolute value before samples were clipped).

    Raises:
        tf.errors.OpError: As `decode` raises it.
    """

    def branch(coding: str) -> tuple[Tensor, Tensor]:
        frames = decoders.decode(path, coding, size, read_bytes)
        return loudness.bounded(path, frames) if decoders.is_floating_point(coding) else (frames, tf.constant(1.0))

    branches = [functools.partial(branch, coding) for coding in CODINGS]
    return branches[code]() if isinstance(code, int) else tf.switch_case(code, branches)


def resample(waveform: Tensor, from_hz: int | Tensor, to_hz: int | Tensor) -> Tensor:
    """Resamples a waveform in a graph, as `resample_array` does.

    Args:
        waveform: float32 `(samples,)`.
        from_hz: Its rate, an integer or an int32 scalar.
        to_hz: The rate to convert to, an integer or an int32 scalar.

    Returns:
        float32 `(ceil(samples * to_hz / from_hz),)`.
    """
    if isinstance(from_hz, int) and isinstance(to_hz, int) and from_hz == to_hz:
        return waveform

    def resampled() -> Tensor:
        return tf.ensure_shape(tf.numpy_function(resample_array, [waveform, from_hz, to_hz], tf.float32), (None,))

    return tf.cond(tf.equal(from_hz, to_hz), lambda: tf.ensure_shape(waveform, (None,)), resampled)


def read(
    path: str | os.PathLike, sample_rate_hz: int | None = None, channel: str = "average"
) -> tuple[np.ndarray, int]:
    """Reads a file of any length, by the code that runs in the graph or, where it is long, by blocks.

    Args:
        path: The file.
        sample_rate_hz: The rate to convert to; None keeps the file's own.
        channel: "average" (the loudest channel where they cancel each other), "left", "right" or a number from 0.

    Returns:
        (float32 waveform `(samples,)` in [-1, 1], its rate in hertz).

    Raises:
        UserError: The file cannot be read, or has no such channel.
    """
    info, layout = _probe(os.fspath(path))
    rate = sample_rate_hz or info.sample_rate_hz
    number = find_channel(info, channel)
    if info.samples * info.channels > _BLOCKWISE_VALUES:
        samples = -(-info.samples * rate // info.sample_rate_hz)
        return _joined(_resampled(info, layout, rate, number), samples), rate
    return _read_whole(info, rate, number), rate


def read_blocks(
    path: str | os.PathLike, sample_rate_hz: int | None = None, seconds: float = 30.0, channel: str = "average"
) -> Iterator[np.ndarray]:
    """Reads a file block by block; the memory does not depend on its length.

    Args:
        path: The file.
        sample_rate_hz: The rate to convert to; None keeps the file's own.
        seconds: Length of a block; the last one may be shorter.
        channel: As `read` takes it.

    Yields:
        float32 `(samples,)` in [-1, 1]; the blocks joined are what `read` returns.

    Raises:
        UserError: As `read` raises it, also after some blocks.
    """
    info, layout = _probe(os.fspath(path))
    rate = sample_rate_hz or info.sample_rate_hz
    return _blocks(_resampled(info, layout, rate, find_channel(info, channel)), round(seconds * rate))


def read_in_parts(
    path: str | os.PathLike, sample_rate_hz: int | None = None, seconds: float = 30.0, channel: str = "average"
) -> Iterator[np.ndarray]:
    """Reads a file as `read` does, but yields a long one in the blocks of `read_blocks`.

    Args:
        path: The file.
        sample_rate_hz: The rate to convert to; None keeps the file's own.
        seconds: Length of a block of a long file.
        channel: As `read` takes it.

    Yields:
        float32 `(samples,)` in [-1, 1].

    Raises:
        UserError: As `read` raises it, also after some blocks.
    """
    info, layout = _probe(os.fspath(path))
    rate = sample_rate_hz or info.sample_rate_hz
    number = find_channel(info, channel)
    if info.samples * info.channels > _BLOCKWISE_VALUES:
        yield from _blocks(_resampled(info, layout, rate, number), round(seconds * rate))
    else:
        yield _read_whole(info, rate, number)


def find_channel(info: AudioInfo, channel: str) -> int:
    """Finds the channel of a file that a setting names.

    Args:
        info: Of the file.
        channel: As `read` takes it.

    Returns:
        The number of the channel as `decode` takes it.

    Raises:
        UserError: The file has no such channel.
    """
    number = loudness.channel_number(channel)
    if number >= info.channels:
        count = "1 channel" if info.channels == 1 else f"{info.channels} channels"
        raise UserError(f"{shown(info.path)} has {count}, and data.audio_channel is {channel}: take average or left.")
    return number


def _probe(path: str) -> tuple[AudioInfo, reading.Layout]:
    try:
        layout = reading.inspect(path)
        description = reading.describe(path, layout)
        size = storage.size(path)
    except OSError as error:
        raise unreadable(path, error) from error
    coding = decoders.CODING_OF.get(description.coding, "soundfile") if layout.is_regular else "soundfile"
    info = AudioInfo(
        path,
        "sphere" if layout.decoder == "sphere" else coding,
        description.sample_rate_hz,
        description.channels,
        description.samples,
        size,
        description.coding[1] in ("FLOAT", "DOUBLE"),
    )
    name = shown(path)
    if info.samples == 0:
        raise UserError(f"{name} holds no samples: replace or remove it.")
    if not _MIN_RATE_HZ <= info.sample_rate_hz <= _MAX_RATE_HZ:
        raise UserError(
            f"{name} announces {info.sample_rate_hz} Hz: the rate must be {_MIN_RATE_HZ} to {_MAX_RATE_HZ} Hz."
        )
    if not 1 <= info.channels <= _MAX_CHANNELS:
        raise UserError(f"{name} announces {info.channels} channels: their number must be 1 to {_MAX_CHANNELS}.")
    if info.samples > _MAX_SAMPLES:
        raise UserError(f"{name} announces {info.samples} samples: it is damaged; copy it again.")
    return info, layout


def _mono(info: AudioInfo, layout: reading.Layout, channel: int) -> Iterator[np.ndarray]:
    """One waveform of the channels, by blocks at the file's own rate."""
    if channel == AUTOMATIC:
        channel = _choose_channel(info, layout)
    for frames in _checked(info, layout):
        clipped = np.clip(frames, -1, 1)
        yield clipped.mean(axis=1, dtype=np.float32) if channel == AVERAGE else clipped[:, channel]


def _choose_channel(info: AudioInfo, layout: reading.Layout) -> int:
    """What `loudness.choose_channel` decides; takes a pass over a file with several channels."""
    if info.channels == 1:
        return 0
    mean_power, powers = 0.0, np.zeros(info.channels)
    for frames in _checked(info, layout):
        clipped = np.clip(frames, -1, 1)
        powers += np.square(clipped).sum(axis=0, dtype=float)
        mean_power += float(np.square(clipped.mean(axis=1)).sum(dtype=float))
    return int(powers.argmax()) if loudness.cancels(mean_power, powers.max()) else AVERAGE


def _checked(info: AudioInfo, layout: reading.Layout) -> Iterator[np.ndarray]:
    """The blocks of a file, of which every sample is a number on the right scale."""
    try:
        for frames in reading.blocks(info.path, layout):
            loudness.check(info.path, frames)
            yield frames
    except OSError as error:
        raise unreadable(info.path, error) from error


def _resampled(info: AudioInfo, layout: reading.Layout, rate: int, channel: int) -> Iterator[np.ndarray]:
    resampler = Resampler(info.sample_rate_hz, rate)
    for block in _mono(info, layout, channel):
        yield resampler.feed(block)
    yield resampler.end()


def _blocks(parts: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Parts of a waveform, joined or cut to blocks of some samples."""
    size = max(1, samples)
    kept: list[np.ndarray] = []
    count = 0
    for block in parts:
        kept.append(block)
        count += len(block)
        if count >= size:
            joined = np.concatenate(kept)
            for start in range(0, count - size + 1, size):
                yield joined[start : start + size]
            kept = [joined[count - count % size :]]
            count = len(kept[0])
    if count:
        yield np.concatenate(kept)


def _read_whole(info: AudioInfo, rate: int, channel: int) -> np.ndarray:
    """A short file, decoded by the code that runs in the graph."""
    try:
        path = tf.constant(os.fsencode(info.path))
        waveform = decode(path, info.code, channel, info.size, graph.reader_of([info.path]))
    except tf.errors.OpError as error:
        raise UserError(_describe(info.path, error)) from error
    return resample_array(waveform.numpy(), info.sample_rate_hz, rate)


def _joined(blocks: Iterator[np.ndarray], samples: int) -> np.ndarray:
    """Blocks in one array, without a second copy of them; `samples` are expected."""
    joined, count = np.empty(min(samples, 2**28), np.float32), 0
    for block in blocks:
        if count + len(block) > len(joined):
            joined.resize(max(count + len(block), len(joined) * 5 // 4), refcheck=False)
        joined[count : count + len(block)] = block
        count += len(block)
    joined.resize(count, refcheck=False)
    return joined


def _describe(path: str, error: tf.errors.OpError) -> str:
    """A sentence with the path, from what `decode` raised."""
    if sentence := re.search(r"UserError: (.+)", error.message or ""):
        return sentence.group(1)
    return f"{shown(path)} cannot be decoded: it is truncated or damaged; copy it again."
