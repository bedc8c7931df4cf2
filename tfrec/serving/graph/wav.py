"""WAV files inside a graph: integers of 8, 16, 24 and 32 bits, floating point of 32 and 64, any number of channels.

Sizes that writers to pipes announce are read as `pipelines.audio_formats` reads them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from pipelines import loudness
from tfrec.serving.graph import fields, resampling
from tfrec.serving.graph.fields import equals, number, read

Tensor = Any

LOWEST_HZ, HIGHEST_HZ = 4_000, 192_000
_MAX_CHUNKS = 64  # before the samples
_MAX_TAPS, _MAX_PRODUCTS = 16_000_000, 300_000_000  # of a request, for rates that are far from all usual ones
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODECS = {
    2: "Microsoft ADPCM",
    6: "A-law",
    7: "mu-law",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x40: "G.721 ADPCM",
    0x55: "MP3",
    0xFF: "AAC",
    0xF1AC: "FLAC",
}
_AFTER_NOTHING = (b"LIST", b"fact", b"JUNK", b"bext", b"id3 ", b"ID3 ", b"cue ", b"smpl", b"PEAK")
# (lowest, highest) sizes that are announced where the size was unknown.
_PLACEHOLDERS = ((0x7FFF0000, 0x8000FFFF), (0xFFFF0000, 0xFFFFFFFF))


class Header(NamedTuple):
    """What the headers say; every field is `(batch,)`."""

    fault: Tensor  # what is wrong with the file, "" for nothing
    rate_hz: Tensor  # int64
    channels: Tensor  # int64, at least 1
    width: Tensor  # int64: bytes of a value
    is_float: Tensor  # bool
    start: Tensor  # int64: the place of the first sample
    frames: Tensor  # int64: samples of each channel


def read_headers(contents: Tensor, fault: Tensor) -> Header:
    """Reads the headers of WAV files.

    Args:
        contents: The files, strings `(batch,)`.
        fault: What is wrong with them already, strings `(batch,)`.
    """
    form, data, announced = _find_chunks(contents)
    fmt = read(contents, tf.maximum(form, 0), 26)
    little = [
        number(fmt[:, start : start + count], True) for start, count in ((0, 2), (2, 2), (4, 4), (12, 2), (24, 2))
    ]
    tag, channels, rate, block, inner = little
    codec = tf.where(tag == _EXTENSIBLE, inner, tag)
    width = block // tf.maximum(channels, 1)
    is_float = codec == _FLOAT
    fits = (channels > 0) & (width * channels == block)
    known = tf.where(is_float, (width == 4) | (width == 8), (codec == _PCM) & (width >= 1) & (width <= 4))
    stored = tf.maximum(fields.length(contents) - data, 0)
    size, is_cut = _stored_size(contents, data, announced, stored, block)
    frames = tf.where(fits, size // tf.maximum(block, 1), 0)
    hz = tf.strings.as_string(rate)
    bits = tf.strings.as_string(8 * width)
    coding = tf.strings.join(["is a WAV file of ", fields.named(codec, _CODECS, "the coding "), ", which is not read"])
    faults = [
        (form < 0, "is a WAV file without a format: copy it again"),
        ((codec != _PCM) & ~is_float, tf.strings.join([coding, ": send PCM"])),
        (~fits, "is a WAV file whose format does not fit together: save it again"),
        (~known, tf.strings.join(["is a WAV file of ", bits, " bits, which are not read: send 16 bits"])),
        ((rate < LOWEST_HZ) | (rate > HIGHEST_HZ),
         tf.strings.join(["has ", hz, f" samples a second: send {LOWEST_HZ:,} to {HIGHEST_HZ:,}"])),
        (data < 0, "is a WAV file without samples: copy it again"),
        (is_cut, "is a truncated WAV file, whose header announces more samples than it holds: copy it again"),
        (frames == 0, "has no samples: send at least the length of one analysis window"),
    ]  # fmt: skip
    for condition, text in faults:
        fault = tf.where((fault == "") & condition, text, fault)
    return Header(fault, rate, tf.maximum(channels, 1), width, is_float, tf.maximum(data, 0), frames)


def too_costly(header: Header, to_hz: int) -> Tensor:
    """Whether a file's rate, far from all usual ones, costs too much together with those before it: bool `(batch,)`."""
    taps, products = resampling.design_cost(header.rate_hz, to_hz)
    results = resampling.length(header.frames, header.rate_hz, to_hz)
    is_good = header.fault == ""
    taps = tf.cumsum(tf.where(is_good, taps, 0))
    products = tf.cumsum(tf.where(is_good, products * results, 0))
    return is_good & ((taps > _MAX_TAPS) | (products > _MAX_PRODUCTS))


def decode(contents: Tensor, header: Header, to_hz: int, channel: int = loudness.AUTOMATIC) -> tuple[Tensor, Tensor]:
    """Decodes one file.

    Args:
        contents: The file, a string scalar.
        header: Its header, of scalars, without a fault.
        to_hz: The rate to convert to.
        channel: Of several, as `loudness.mix` takes it; the file must have it.

    Returns:
        float32 `(samples,)`, and what is wrong with them, a string scalar, "" for nothing.
    """
    payload = tf.strings.substr(contents, header.start, header.frames * header.channels * header.width)

    def integers(dtype: tf.DType, offset: float, scale: float) -> Tensor:
        return (tf.cast(tf.io.decode_raw(payload, dtype), tf.float32) - offset) / scale

    def of_24_bits() -> Tensor:
        digits = tf.reshape(tf.io.decode_raw(payload, tf.uint8), [-1, 3])
        # As the upper three bytes of integers of 32 bits, whose sign is right.
        values = tf.bitcast(tf.pad(digits, [[0, 0], [1, 0]]), tf.int32)
        return tf.cast(values, tf.float32) / 2.0**31

    code = tf.cast(tf.where(header.is_float, 3 + header.width // 4, header.width - 1), tf.int32)
    values = tf.switch_case(
        code,
        [
            lambda: integers(tf.uint8, 128.0, 128.0),
            lambda: integers(tf.int16, 0.0, 2.0**15),
            of_24_bits,
            lambda: integers(tf.int32, 0.0, 2.0**31),
            lambda: tf.io.decode_raw(payload, tf.float32),
            lambda: tf.cast(tf.io.decode_raw(payload, tf.float64), tf.float32),
        ],
    )
    frames = tf.ensure_shape(tf.reshape(values, tf.stack([header.frames, header.channels])), [None, None])
    fault = fault_of_samples(frames)
    frames = tf.where(fault == "", tf.clip_by_value(frames, -1.0, 1.0), 0.0)
    return resampling.resample(loudness.mix(frames, channel), header.rate_hz, to_hz), fault


def fault_of_samples(samples: Tensor) -> Tensor:
    """What is wrong with samples `(..., n, channels)`: a string `(...)`, "" for nothing."""
    peak = tf.reduce_max(tf.abs(samples), axis=[-2, -1])
    # In the highest value of some reductions NaN is lost, and not in a sum.
    is_finite = tf.math.is_finite(tf.reduce_sum(samples, axis=[-2, -1])) & tf.math.is_finite(peak)
    loud = tf.strings.join(
        [
            "has samples up to ",
            tf.strings.as_string(peak, precision=0),
            " instead of 1: divide them by their full scale",
        ]
    )
    fault = tf.where(peak > loudness.MAX_PEAK, loud, "")
    return tf.where(is_finite, fault, "has a sample that is NaN or infinite: send finite numbers")


def _find_chunks(contents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The places of the format and of the samples, -1 for neither, and the announced size of the samples."""
    end = fields.length(contents)
    none = tf.fill(tf.shape(end), tf.constant(-1, tf.int64))

    def is_open(position: Tensor, form: Tensor, data: Tensor, size: Tensor) -> Tensor:
        return tf.reduce_any((data < 0) & (position + 8 <= end))

    def step(position: Tensor, form: Tensor, data: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        head = read(contents, position, 8)
        is_here = (data < 0) & (position + 8 <= end)
        length = number(head[:, 4:], True)
        form = tf.where(is_here & (form < 0) & equals(head[:, :4], b"fmt ") & (length >= 16), position + 8, form)
        found = is_here & equals(head[:, :4], b"data")
        data, size = tf.where(found, position + 8, data), tf.where(found, length, size)
        after = position + 8 + length
        # Some writers leave out the byte that fills up an odd chunk.
        follows = read(contents, tf.minimum(after, end), 4)
        is_unpadded = equals(follows, b"data") | equals(follows, b"fmt ") | equals(follows, b"LIST")
        after += tf.where(is_unpadded, tf.constant(0, tf.int64), length % 2)
        return tf.where(is_here & ~found, tf.minimum(after, end), position), form, data, size

    start = tf.fill(tf.shape(end), tf.constant(12, tf.int64))
    loop = (start, none, none, tf.zeros_like(end))
    _, form, data, size = tf.while_loop(is_open, step, loop, maximum_iterations=_MAX_CHUNKS)
    return form, data, size


def _stored_size(
    contents: Tensor, data: Tensor, announced: Tensor, stored: Tensor, block: Tensor
) -> tuple[Tensor, Tensor]:
    """Bytes of samples in each file, and whether the file lacks some that it announces."""
    block = tf.maximum(block, 1)
    follows = read(contents, tf.maximum(data, 0), 4)
    is_chunk = tf.reduce_any(tf.stack([equals(follows, name) for name in _AFTER_NOTHING]), axis=0)
    is_unknown = (announced == 0) & ~is_chunk
    for low, high in _PLACEHOLDERS:
        is_unknown |= (announced >= low) & (announced <= high)
    too_many = announced // block > stored // block
    excess = announced - stored
    form_size = number(read(contents, 4, 4), True)
    sizes = tf.stack([tf.fill(tf.shape(data), tf.constant(n, tf.int64)) for n in (8, 36, 44)] + [data, data - 8])
    counts_header = tf.reduce_any(excess == sizes, axis=0) & (form_size <= data + stored)
    is_unknown |= too_many & counts_header
    return tf.where(is_unknown, stored, tf.minimum(announced, stored)), too_many & ~is_unknown
