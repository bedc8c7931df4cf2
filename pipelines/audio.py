"""Audio files to mono float32 waveforms.

`probe` settles which decoder reads a file, once, from the file's content and not from its name; see
`pipelines.decoders`. On both stacks 16-bit WAV, FLAC and SPHERE give the same bits: the integer samples over 32768.
"""

import dataclasses
import functools
import math
import os
import re

import numpy as np
import tensorflow as tf

from pipelines import decoders, sphere
from pipelines.decoders import CODINGS
from pipelines.errors import UserError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".sph")

_MIN_RATE_HZ, _MAX_RATE_HZ, _MAX_CHANNELS = 1000, 384_000, 64
# Decoders allocate what the header announces; this is 1 GiB of float32, or 4.6 hours at 16 kHz.
_MAX_VALUES = 2**28


@dataclasses.dataclass(frozen=True)
class AudioInfo:
    """The content of a file's header."""

    path: str
    coding: str  # one of CODINGS
    sample_rate_hz: int
    channels: int
    samples: int  # per channel; an estimate for the rare MP3 that does not announce its length

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
            channels, or values out of the ranges that are read.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            head = file.read(16)
        if not head:
            raise UserError(f"{path} is empty: replace or remove it.")
        info = _probe_sphere(path) if head.startswith(sphere.MAGIC) else _probe_soundfile(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not _MIN_RATE_HZ <= info.sample_rate_hz <= _MAX_RATE_HZ:
        raise UserError(
            f"{path} announces {info.sample_rate_hz} Hz: the rate must be {_MIN_RATE_HZ} to {_MAX_RATE_HZ} Hz."
        )
    if not 1 <= info.channels <= _MAX_CHANNELS:
        raise UserError(f"{path} announces {info.channels} channels: their number must be 1 to {_MAX_CHANNELS}.")
    if info.samples == 0:
        raise UserError(f"{path} holds no samples: replace or remove it.")
    if info.samples * info.channels > _MAX_VALUES:
        raise UserError(f"{path} announces {info.samples} samples: cut it into shorter clips.")
    return info


def decode(path: tf.Tensor, code: int | tf.Tensor) -> tf.Tensor:
    """Decodes a file in a graph, at the file's own rate; channels are averaged.

    Samples of floating-point files beyond [-1, 1] are clipped.

    Args:
        path: String scalar.
        code: `AudioInfo.code`: an int32 scalar, or a Python int where all files have the same coding.

    Returns:
        float32 `(samples,)` in [-1, 1].

    Raises:
        tf.errors.OpError: When it runs: the file is damaged, or a sample is NaN or infinite.
    """
    branches = [functools.partial(decoders.decode, path, coding) for coding in CODINGS]
    frames = branches[code]() if isinstance(code, int) else tf.switch_case(code, branches)
    return tf.ensure_shape(tf.reduce_mean(frames, axis=-1), (None,))


def resample(waveform: tf.Tensor, from_hz: int | tf.Tensor, to_hz: int | tf.Tensor) -> tf.Tensor:
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

    def resampled() -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(resample_array, [waveform, from_hz, to_hz], tf.float32), (None,))

    return tf.cond(tf.equal(from_hz, to_hz), lambda: tf.ensure_shape(waveform, (None,)), resampled)


def resample_array(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resamples a waveform by SciPy's `resample_poly`: a low-pass filter with a Kaiser window, without delay.

    Args:
        waveform: float32 `(samples,)` in [-1, 1].
        from_hz: Its rate.
        to_hz: The rate to convert to.

    Returns:
        float32 `(ceil(samples * to_hz / from_hz),)` in [-1, 1].
    """
    from scipy.signal import resample_poly  # slow to import

    from_hz, to_hz = int(from_hz), int(to_hz)
    if from_hz == to_hz or len(waveform) == 0:
        return waveform
    common = math.gcd(from_hz, to_hz)
    resampled = resample_poly(waveform.astype(np.float32), to_hz // common, from_hz // common)
    # A steep low-pass rings, and so may exceed 1 where the original reaches it.
    return np.clip(resampled, -1, 1).astype(np.float32)


def read(path: str | os.PathLike, sample_rate_hz: int | None = None) -> tuple[np.ndarray, int]:
    """Reads a file by the code that runs in the graph.

    Args:
        path: The file.
        sample_rate_hz: The rate to convert to; None keeps the file's own.

    Returns:
        (float32 waveform `(samples,)` in [-1, 1], its rate in hertz).

    Raises:
        UserError: The file cannot be read.
    """
    info = probe(path)
    rate = sample_rate_hz or info.sample_rate_hz
    try:
        waveform = resample(decode(tf.constant(os.fsencode(info.path)), info.code), info.sample_rate_hz, rate)
    except tf.errors.OpError as error:
        raise UserError(_describe(info.path, error)) from error
    return waveform.numpy(), rate


def _describe(path: str, error: tf.errors.OpError) -> str:
    """A sentence with the path, from what `decode` raised."""
    message = error.message or ""
    sentence = re.search(r"UserError: (.+)", message)
    if sentence:
        return sentence.group(1)
    if decoders.NOT_FINITE in message:
        return f"{path} {decoders.NOT_FINITE}: export it again."
    return f"{path} cannot be decoded: it is truncated or damaged; copy it again."


def _probe_sphere(path: str) -> AudioInfo:
    header = sphere.read_header(path)
    return AudioInfo(path, "sphere", header.sample_rate_hz, header.channels, header.samples)


def _probe_soundfile(path: str) -> AudioInfo:
    import soundfile

    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{path} is not a readable audio file: {error.error_string}") from error
    coding = decoders.CODING_OF.get((info.format.removesuffix("EX"), info.subtype), "soundfile")
    plain = decoders.check_complete(path, info.format)
    return AudioInfo(path, coding if plain else "soundfile", info.samplerate, info.channels, info.frames)
