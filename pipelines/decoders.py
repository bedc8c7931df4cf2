"""The decoders of audio files: tensorflow-io in the graph where it is installed, soundfile for the rest."""

import contextlib
import functools
import importlib.util
import os
import threading
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import sphere
from pipelines.errors import UserError

# How a file's samples are stored, as far as decoding is concerned; a graph takes a coding as its index here.
CODINGS = ("soundfile", "sphere", "wav8", "wav16", "wav24", "wav_float", "flac16", "vorbis", "mp3")
# libsndfile's (format, subtype) -> coding; all others are "soundfile".
CODING_OF = {
    ("WAV", "PCM_U8"): "wav8",
    ("WAV", "PCM_16"): "wav16",
    ("WAV", "PCM_24"): "wav24",
    ("WAV", "FLOAT"): "wav_float",
    ("FLAC", "PCM_16"): "flac16",
    ("OGG", "VORBIS"): "vorbis",
    ("MP3", "MPEG_LAYER_III"): "mp3",
}
NOT_FINITE = "holds samples that are NaN or infinite"

_OGG_TAIL_BYTES = 65_536  # a page has at most 65,307 (RFC 3533)
_UNKNOWN_FRAMES = 2**62  # libsndfile's number of frames is above this where it does not know it


@tf.autograph.experimental.do_not_convert
def decode(path: tf.Tensor, coding: str) -> tf.Tensor:
    """Decodes a file in a graph.

    Args:
        path: String scalar.
        coding: One of CODINGS.

    Returns:
        float32 `(samples, channels)` in [-1, 1].

    Raises:
        ValueError: The coding is unknown.
        tf.errors.OpError: When it runs: the file is damaged, or a sample is NaN or infinite.
    """
    if coding not in CODINGS:
        raise ValueError(f"coding must be one of {', '.join(CODINGS)}. Received: {coding!r}")
    if coding == "sphere":
        return _scaled(tf.numpy_function(_sphere_frames, [path], tf.int16), 2**15)
    if coding == "flac16":  # tensorflow-io decodes FLAC too, to the same bits, but takes five times as long
        return _scaled(tf.numpy_function(_soundfile_int16, [path], tf.int16), 2**15)
    io = None if coding == "soundfile" else tensorflow_io()
    if io is None:
        return _bounded(path, tf.numpy_function(_soundfile_frames, [path], tf.float32))
    data = tf.io.read_file(path)
    match coding:
        case "wav8":
            return _scaled(tf.cast(io.decode_wav(data, dtype=tf.uint8), tf.int32) - 128, 2**7)
        case "wav16":
            return _scaled(io.decode_wav(data, dtype=tf.int16), 2**15)
        case "wav24":  # in the upper bits
            return _scaled(io.decode_wav(data, dtype=tf.int32), 2**31)
        case "wav_float":
            return _bounded(path, io.decode_wav(data, dtype=tf.float32))
        case "vorbis":
            return _bounded(path, io.decode_vorbis(data))
    return _bounded(path, io.decode_mp3(data))


def check_complete(path: str, kind: str) -> bool:
    """Checks that the end of a file is there, which soundfile does not.

    Args:
        path: The file.
        kind: Its format, as libsndfile names it.

    Returns:
        False where only soundfile reads the file.

    Raises:
        UserError: The file is truncated.
    """
    if kind in ("WAV", "WAVEX"):
        return _check_wav(path)
    if kind == "OGG":
        _check_ogg(path)
    return True


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


def _scaled(frames: tf.Tensor, full_scale: int) -> tf.Tensor:
    """Integer samples as float32 in [-1, 1]."""
    return tf.ensure_shape(tf.cast(frames, tf.float32) * (1 / full_scale), (None, None))


def _bounded(path: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    """Samples of a floating-point coding clipped to [-1, 1]; fails where one is NaN or infinite."""
    finite = tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(frames)), [path, NOT_FINITE])
    # An operation in a graph, and None in eager mode, where the check has run.
    with tf.control_dependencies([finite] if finite is not None else []):
        return tf.ensure_shape(tf.clip_by_value(frames, -1.0, 1.0), (None, None))


def _sphere_frames(path: bytes | np.ndarray) -> np.ndarray:
    return sphere.read(_decoded(path))


def _soundfile_int16(path: bytes | np.ndarray) -> np.ndarray:
    return _soundfile_frames(path, "int16")


def _soundfile_frames(path: bytes | np.ndarray, dtype: str = "float32") -> np.ndarray:
    """(samples, channels) of a whole file; UserError where it is damaged."""
    import soundfile

    file_path = _decoded(path)
    try:
        with soundfile.SoundFile(file_path) as file:
            check_complete(file_path, file.format)
            if file.format == "MP3":
                frames, announced = _mp3_frames(file_path)
            else:
                frames, announced = file.read(dtype=dtype, always_2d=True), file.frames
    except soundfile.LibsndfileError as error:
        raise UserError(f"{file_path} cannot be decoded: {error.error_string}") from error
    if len(frames) < announced:
        raise UserError(
            f"{file_path} is truncated: its header announces {announced} samples, and it holds {len(frames)};"
            " copy it again."
        )
    return frames


def _mp3_frames(path: str) -> tuple[np.ndarray, int]:
    """(float32 (samples, channels), number of samples that the header announces or 0) of an MP3.

    Where the header does not announce the length, libsndfile estimates it and stops there, unless it reads a pipe.
    """
    import soundfile

    read_end, write_end = os.pipe()

    def feed() -> None:
        # The reader closes its end where the data is broken, and raises the error itself.
        with open(path, "rb") as source, contextlib.suppress(BrokenPipeError), os.fdopen(write_end, "wb") as sink:
            sink.write(source.read())

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        with soundfile.SoundFile(read_end) as file:
            announced = file.frames if file.frames < _UNKNOWN_FRAMES else 0
            blocks = [file.read(65536, dtype="float32", always_2d=True)]
            while len(blocks[-1]):
                blocks.append(file.read(65536, dtype="float32", always_2d=True))
    finally:
        feeder.join()
    return np.concatenate(blocks), announced


def _check_ogg(path: str) -> None:
    """UserError unless the last page is complete and has the flag of a last page (RFC 3533)."""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _OGG_TAIL_BYTES))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        raise UserError(f"{path} is truncated: its last Ogg page is missing; copy it again.")


def _check_wav(path: str) -> bool:
    """True for a file with one `data` chunk of known length; UserError where that chunk is incomplete."""
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        if file.read(4) != b"RIFF":
            return False
        position = 12
        while position + 8 <= total:
            file.seek(position)
            chunk = file.read(8)
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                if size in (0, 0xFFFFFFFF):  # written to a pipe, before the length was known
                    return False
                stored = total - position - 8
                if size > stored:
                    raise UserError(
                        f"{path} is truncated: its header announces {size} bytes of samples, and it holds {stored};"
                        " copy it again."
                    )
                return True
            position += 8 + size + size % 2
    return False


def _decoded(path: bytes | np.ndarray) -> str:
    """A path as TensorFlow passes it to Python: bytes in a graph, an array with bytes in eager mode."""
    return os.fsdecode(path if isinstance(path, bytes) else path.item())
