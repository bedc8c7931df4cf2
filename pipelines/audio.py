"""Audio files to mono float32 waveforms: tensorflow-io in the graph where it exists, soundfile for the rest.

Which decoder reads a file is settled once, by `probe`, from the file's content and not from its name. On both stacks
16-bit WAV, FLAC and SPHERE come out equal to the last bit: the integer samples over 32768.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import math
import os
import re
import threading
import warnings

import numpy as np
import tensorflow as tf

from pipelines import sphere
from pipelines.errors import UserError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".sph")
# How a file's samples are stored, as far as decoding cares; a coding is passed through a graph as its position here.
CODINGS = ("soundfile", "sphere", "wav8", "wav16", "wav24", "wav_float", "flac16", "vorbis", "mp3")

_CODING_OF = {
    ("WAV", "PCM_U8"): "wav8",
    ("WAV", "PCM_16"): "wav16",
    ("WAV", "PCM_24"): "wav24",
    ("WAV", "FLOAT"): "wav_float",
    ("FLAC", "PCM_16"): "flac16",
    ("OGG", "VORBIS"): "vorbis",
    ("MP3", "MPEG_LAYER_III"): "mp3",
}
_MIN_RATE_HZ, _MAX_RATE_HZ, _MAX_CHANNELS = 1000, 384_000, 64
# Decoders allocate what the header announces; this is 1 GiB of float32, or 4.6 hours at 16 kHz.
_MAX_VALUES = 2**28


@dataclasses.dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    path: str
    coding: str  # one of CODINGS
    sample_rate_hz: int
    channels: int
    samples: int  # per channel; a guess for the rare MP3 that does not say its length

    @property
    def code(self):
        """The coding as `decode` takes it."""
        return CODINGS.index(self.coding)


def probe(path):
    """The AudioInfo of a file, from its header alone.

    Raises UserError, with the path, for a file that is missing, empty, truncated or not audio, and for headers that
    announce no samples, no channels, or absurdly many or few of anything.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            head = file.read(16)
        if not head:
            raise UserError(f"{path} is empty.")
        info = _probe_sphere(path) if head.startswith(sphere.MAGIC) else _probe_soundfile(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not _MIN_RATE_HZ <= info.sample_rate_hz <= _MAX_RATE_HZ:
        raise UserError(
            f"{path} announces {info.sample_rate_hz} Hz: rates from {_MIN_RATE_HZ} to {_MAX_RATE_HZ} Hz are read."
        )
    if not 1 <= info.channels <= _MAX_CHANNELS:
        raise UserError(f"{path} announces {info.channels} channels: 1 to {_MAX_CHANNELS} are read.")
    if info.samples == 0:
        raise UserError(f"{path} holds no samples.")
    if info.samples * info.channels > _MAX_VALUES:
        raise UserError(f"{path} announces {info.samples} samples: cut it into shorter clips.")
    return info


def decode(path, code):
    """The waveform of a file in a graph: float32 (samples,) in [-1, 1] at the file's own rate, channels averaged.

    `path` is a string tensor; `code` is `AudioInfo.code`, an int32 tensor, or a Python int where all files are alike.
    Louder samples of floating-point files are clipped. Damaged files and samples that are not numbers make the
    operation fail; what it raises outside a graph is a `tf.errors.OpError`.
    """
    branches = [functools.partial(_decode, path, coding) for coding in CODINGS]
    frames = branches[code]() if isinstance(code, int) else tf.switch_case(code, branches)
    return tf.ensure_shape(tf.reduce_mean(frames, axis=-1), (None,))


def _bounded(path, frames):
    """Samples of a floating-point coding, which may be anything, clipped to [-1, 1]; fails where one is no number."""
    finite = tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(frames)), [path, "holds samples that are not numbers"])
    # None in a graph and an operation that has run in eager mode.
    with tf.control_dependencies([finite] if finite is not None else []):
        return tf.ensure_shape(tf.clip_by_value(frames, -1.0, 1.0), (None, None))


def resample(waveform, from_hz, to_hz):
    """The waveform (samples,) at another rate, in a graph: float32 (ceil(samples * to_hz / from_hz),).

    The rates are integers or int32 tensors. SciPy's `resample_poly` does it (a Kaiser window's low-pass, no delay).
    """
    if isinstance(from_hz, int) and isinstance(to_hz, int) and from_hz == to_hz:
        return waveform

    def changed():
        return tf.ensure_shape(tf.numpy_function(resample_array, [waveform, from_hz, to_hz], tf.float32), (None,))

    return tf.cond(tf.equal(from_hz, to_hz), lambda: tf.ensure_shape(waveform, (None,)), changed)


def resample_array(waveform, from_hz, to_hz):
    """What `resample` does, on a NumPy array."""
    from scipy.signal import resample_poly  # slow to import

    from_hz, to_hz = int(from_hz), int(to_hz)
    if from_hz == to_hz or len(waveform) == 0:
        return waveform
    common = math.gcd(from_hz, to_hz)
    changed = resample_poly(waveform.astype(np.float32), to_hz // common, from_hz // common)
    # A steep low-pass rings, and so may pass 1 where the original touched it.
    return np.clip(changed, -1, 1).astype(np.float32)


def read(path, sample_rate_hz=None):
    """(float32 waveform (samples,), its rate) of a file, by the code that runs in the graph.

    The rate is `sample_rate_hz`, or the file's own where that is None. Raises UserError for anything unreadable.
    """
    info = probe(path)
    rate = sample_rate_hz or info.sample_rate_hz
    try:
        waveform = resample(decode(tf.constant(os.fsencode(info.path)), info.code), info.sample_rate_hz, rate)
    except tf.errors.OpError as error:
        raise UserError(reason(info.path, error)) from error
    return waveform.numpy(), rate


def reason(path, error):
    """A sentence with the path, from what `decode` raised."""
    said = re.search(r"UserError: (.+)", error.message or "")
    if said:
        return said.group(1)
    if "not numbers" in error.message:
        return f"{path} holds samples that are not numbers."
    return f"{path} cannot be decoded: it is truncated or damaged."


def _probe_sphere(path):
    header = sphere.read_header(path)
    return AudioInfo(path, "sphere", header.sample_rate_hz, header.channels, header.samples)


def _probe_soundfile(path):
    import soundfile

    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{path} is not a readable audio file: {error.error_string}") from error
    coding = _CODING_OF.get((info.format.removesuffix("EX"), info.subtype), "soundfile")
    plain = _check_complete(path, info.format)
    return AudioInfo(path, coding if plain else "soundfile", info.samplerate, info.channels, info.frames)


def _check_complete(path, kind):
    """Raises UserError where the end is missing, which soundfile would not mind; False where only soundfile copes."""
    if kind in ("WAV", "WAVEX"):
        return _check_wav(path)
    if kind == "OGG":
        _check_ogg(path)
    return True


def _check_ogg(path):
    """The last page says that it is the last (RFC 3533), and is all there."""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 65536))  # a page has at most 65,307 bytes
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        raise UserError(f"{path} is truncated: its last Ogg page is missing.")


def _check_wav(path):
    """True for one plain `data` chunk that is all there."""
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
                if size in (0, 0xFFFFFFFF):  # written to a pipe, whose length nobody knew
                    return False
                if position + 8 + size > total:
                    raise UserError(
                        f"{path} is truncated: {size} bytes of samples announced, {total - position - 8} there."
                    )
                return True
            position += 8 + size + size % 2
    return False


@tf.autograph.experimental.do_not_convert
def _decode(path, coding):
    """(samples, channels) float32 of a file in the given coding."""
    if coding == "sphere":
        return _scaled(tf.numpy_function(_sphere_frames, [path], tf.int16), 2**15)
    if coding == "flac16":  # tensorflow-io decodes FLAC too, to the same bits, but takes five times as long
        return _scaled(tf.numpy_function(_soundfile_int16, [path], tf.int16), 2**15)
    io = None if coding == "soundfile" else _tensorflow_io()
    if io is None:
        return _bounded(path, tf.numpy_function(_soundfile_frames, [path], tf.float32))
    data = tf.io.read_file(path)
    match coding:
        case "wav8":
            return _scaled(tf.cast(io.decode_wav(data, dtype=tf.uint8), tf.int32) - 128, 2**7)
        case "wav16":
            return _scaled(io.decode_wav(data, dtype=tf.int16), 2**15)
        case "wav24":  # comes in the upper bits
            return _scaled(io.decode_wav(data, dtype=tf.int32), 2**31)
        case "wav_float":
            return _bounded(path, io.decode_wav(data, dtype=tf.float32))
        case "vorbis":
            return _bounded(path, io.decode_vorbis(data))
        case "mp3":
            return _bounded(path, io.decode_mp3(data))


def _scaled(frames, full):
    return tf.ensure_shape(tf.cast(frames, tf.float32) * (1 / full), (None, None))


def _sphere_frames(path):
    return sphere.read(_text(path))


def _soundfile_int16(path):
    return _soundfile_frames(path, "int16")


def _soundfile_frames(path, dtype="float32"):
    import soundfile

    path = _text(path)
    try:
        with soundfile.SoundFile(path) as file:
            _check_complete(path, file.format)
            announced, is_mp3 = file.frames, file.format == "MP3"
            frames = file.read(dtype=dtype, always_2d=True) if not is_mp3 else None
        if is_mp3:
            frames, announced = _mp3_frames(path)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{path} cannot be decoded: {error.error_string}") from error
    if len(frames) < announced:
        raise UserError(f"{path} is truncated: {announced} samples announced, {len(frames)} there.")
    return frames


def _mp3_frames(path):
    """(frames, how many the header announces, 0 where it does not) of an MP3.

    libsndfile guesses the length where the header does not say it and stops there, unless it reads from a pipe.
    """
    import soundfile

    entrance, exit_ = os.pipe()

    def pour():
        # A reader that found the data broken has left: that is its error to tell.
        with open(path, "rb") as source, contextlib.suppress(BrokenPipeError), os.fdopen(exit_, "wb") as sink:
            sink.write(source.read())

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        with soundfile.SoundFile(entrance) as file:
            announced = file.frames if file.frames < 2**62 else 0
            blocks = [file.read(65536, dtype="float32", always_2d=True)]
            while len(blocks[-1]):
                blocks.append(file.read(65536, dtype="float32", always_2d=True))
    finally:
        pouring.join()
    return np.concatenate(blocks), announced


def _text(path):
    """A path as TensorFlow hands it to Python: bytes in a graph, an array around them in eager mode."""
    return os.fsdecode(path if isinstance(path, bytes) else path.item())


@functools.cache
def _tensorflow_io():
    """tensorflow-io's audio decoders, or None where it is not installed or does not fit this TensorFlow."""
    if importlib.util.find_spec("tensorflow_io") is None:
        return None
    with warnings.catch_warnings(), tf.init_scope():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_io

            silence = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\2\0\0\0\0\0"
            tensorflow_io.audio.decode_wav(tf.constant(silence), dtype=tf.int16)
        except (ImportError, NotImplementedError, AttributeError):
            return None
        return tensorflow_io.audio
