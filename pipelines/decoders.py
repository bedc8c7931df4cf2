"""The decoders of audio files in a graph: tensorflow-io where it is installed and reads a file as soundfile does."""

import functools
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from pipelines import storage
from pipelines.audio_formats import reading
from pipelines.audio_formats.names import as_text, unreadable

Tensor = Any

# How a file's samples are stored, as far as decoding is concerned; a graph takes a coding as its index here.
CODINGS = ("soundfile", "sphere", "wav8", "wav16", "wav24", "wav_float", "flac16", "vorbis", "mp3")
# libsndfile's (format, subtype) -> coding, of files that are regular; all others are "soundfile".
CODING_OF = {
    ("WAV", "PCM_U8"): "wav8",
    ("WAV", "PCM_16"): "wav16",
    ("WAV", "PCM_24"): "wav24",
    ("WAV", "FLOAT"): "wav_float",
    ("FLAC", "PCM_16"): "flac16",
    ("OGG", "VORBIS"): "vorbis",
    ("MP3", "MPEG_LAYER_III"): "mp3",
}

_INTEGERS = ("sphere", "wav8", "wav16", "wav24", "flac16")  # within [-1, 1) by themselves


@tf.autograph.experimental.do_not_convert
def decode(
    path: Tensor,
    coding: str,
    size: Tensor | int | None = None,
    read_bytes: Callable[[Tensor], Tensor] = tf.io.read_file,
) -> Tensor:
    """Decodes a file in a graph.

    Args:
        path: String scalar.
        coding: One of CODINGS.
        size: The file's bytes when its coding was settled; None does not compare them.
        read_bytes: From the path to the bytes, see `storage.graph.reader_of`.

    Returns:
        float32 `(samples, channels)`: integers in [-1, 1), floating-point samples as they are stored.

    Raises:
        ValueError: The coding is unknown.
        tf.errors.OpError: When it runs: the file cannot be read, or has another size than `size`.
    """
    if coding not in CODINGS:
        raise ValueError(f"coding must be one of {', '.join(CODINGS)}. Received: {coding!r}")
    if coding == "flac16":  # tensorflow-io decodes FLAC too, to the same bits, but takes five times as long
        return _scaled(_by_python(_read_int16, path, tf.int16), 2**15)
    io = None if coding in ("soundfile", "sphere") else tensorflow_io()
    if io is None:
        return _by_python(_read, path, tf.float32)
    data = read_bytes(path)
    if size is None:
        return _by_tensorflow_io(io, data, coding)
    # One kernel; a `tf.cond` that decodes another kind of file here takes 20 microseconds a file.
    is_same = tf.strings.length(data) == tf.cast(size, tf.int32)
    check = tf.raw_ops.Assert(condition=is_same, data=[path, "has changed since its header was read: start again"])
    with tf.control_dependencies([] if tf.executing_eagerly() else [check]):
        return _by_tensorflow_io(io, tf.identity(data), coding)


def is_floating_point(coding: str) -> bool:
    """Whether samples of a coding may leave [-1, 1]."""
    return coding not in _INTEGERS


@functools.cache
def tensorflow_io() -> Any:
    """Imports tensorflow-io's audio decoders.

    Returns:
        The module, or None where it is not installed or does not fit this TensorFlow.
    """
    if importlib.util.find_spec("tensorflow_io") is None:
        return None
    with warnings.catch_warnings(), tf.init_scope():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_io

            one_sample = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\2\0\0\0\0\0"
            tensorflow_io.audio.decode_wav(tf.constant(one_sample), dtype=tf.int16)
        except (ImportError, NotImplementedError, AttributeError):
            return None
        return tensorflow_io.audio


def _by_tensorflow_io(io: Any, data: Tensor, coding: str) -> Tensor:
    match coding:
        case "wav8":
            return _scaled(tf.cast(io.decode_wav(data, dtype=tf.uint8), tf.int32) - 128, 2**7)
        case "wav16":
            return _scaled(io.decode_wav(data, dtype=tf.int16), 2**15)
        case "wav24":  # in the upper bits
            return _scaled(io.decode_wav(data, dtype=tf.int32), 2**31)
        case "wav_float":
            return tf.ensure_shape(io.decode_wav(data, dtype=tf.float32), (None, None))
        case "vorbis":
            return tf.ensure_shape(io.decode_vorbis(data), (None, None))
    return tf.ensure_shape(io.decode_mp3(data), (None, None))


def _by_python(function: Callable[[bytes | np.ndarray], np.ndarray], path: Tensor, dtype: tf.DType) -> Tensor:
    return tf.ensure_shape(tf.numpy_function(function, [path], dtype), (None, None))


def _scaled(frames: Tensor, full_scale: int) -> Tensor:
    """Integer samples as float32 in [-1, 1)."""
    return tf.ensure_shape(tf.cast(frames, tf.float32) * (1 / full_scale), (None, None))


def _read(path: bytes | np.ndarray) -> np.ndarray:
    """float32 `(samples, channels)` of a whole file; UserError where it cannot be read."""
    file_path = as_text(path)
    try:
        return reading.read(file_path)
    except OSError as error:
        raise unreadable(file_path, error) from error


def _read_int16(path: bytes | np.ndarray) -> np.ndarray:
    """int16 `(samples, channels)` of a FLAC file of 16 bits; UserError where it cannot be read."""
    try:
        with soundfile.SoundFile(storage.for_library(as_text(path))) as file:
            if (file.format, file.subtype) == ("FLAC", "PCM_16"):
                frames = file.read(dtype="int16", always_2d=True)
                if len(frames) == file.frames:
                    return frames
    except soundfile.LibsndfileError:
        pass
    # It has changed, or is damaged: the general reader says how.
    return np.round(_read(path) * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
