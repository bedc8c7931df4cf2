"""Clips of speech in the signatures of exports."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from pipelines import loudness
from tfrec.serving.graph import kinds, resampling, rules, wav
from tfrec.serving.graph.rules import Limits, RawInput

Tensor = Any
_PARALLEL = 4  # files that are decoded at once


def samples(rate_hz: int, window: int, limits: Limits) -> RawInput:
    """Clips as samples: "audio" float32 `(batch, samples)` and "length" int32 `(batch,)`.

    Args:
        rate_hz: Samples per second.
        window: The fewest samples that a clip may have.
        limits: Of a request.
    """

    def read(audio: Tensor, length: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        audio = rules.require_rows(audio, limits)
        same = tf.equal(tf.shape(audio)[0], tf.size(length))
        audio, length = rules.require(same, "each clip needs one length: send as many lengths as rows", (audio, length))
        samples = tf.shape(audio)[1]
        faults = _length_faults(length, samples, rate_hz, window, limits)
        # Not by the texts of the faults: other runtimes, OpenVINO for one, compute with numbers alone.
        most = tf.minimum(samples, round(limits.seconds * rate_hz))
        length = tf.where((length >= max(window, 1)) & (length <= most), length, 0)
        longest = tf.reduce_max(tf.concat([length, [0]], axis=0))
        audio = require_work(audio, longest, rate_hz, limits)[:, :longest]
        # What lies past a clip's length may be anything, NaN included.
        audio = tf.where(tf.sequence_mask(length, longest), audio, 0.0)
        faults = tf.where(faults == "", wav.fault_of_samples(audio[..., None]), faults)
        return _clips(rules.accept(faults, limits, audio), length, faults, window, limits)

    specs = [
        tf.TensorSpec([None, None], tf.float32, name="audio"),
        tf.TensorSpec([None], tf.int32, name="length"),
    ]
    return RawInput(specs, read)


def files(rate_hz: int, window: int, limits: Limits, name: str, channel: int = loudness.AUTOMATIC) -> RawInput:
    """Clips as the bytes of WAV files.

    Args:
        rate_hz: Samples per second.
        window: The fewest samples that a clip may have.
        limits: Of a request.
        name: Of the string input.
        channel: Of files with several, as `loudness.mix` takes it.
    """

    def read(contents: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        contents = rules.require_rows(contents, limits)
        _, faults = kinds.refusals(contents, ("WAV",))
        large = f"has more than {rules.MAX_ENCODED_BYTES:,} bytes: send it in pieces"
        faults = tf.where((faults == "") & (tf.strings.length(contents) > rules.MAX_ENCODED_BYTES), large, faults)
        header = wav.read_headers(contents, faults)
        faults = _header_faults(header, rate_hz, window, limits, channel)
        contents, header = rules.accept(faults, limits, (contents, header))
        length = resampling.length(header.frames, header.rate_hz, rate_hz)
        length = tf.cast(tf.where(faults == "", length, 0), tf.int32)
        longest = tf.reduce_max(tf.concat([length, [0]], axis=0))
        contents = require_work(contents, longest, rate_hz, limits)
        audio, late = _decode(contents, header, faults, longest, rate_hz, channel)
        faults = tf.where(faults == "", late, faults)
        return _clips(rules.accept(faults, limits, audio), length, faults, window, limits)

    return RawInput([tf.TensorSpec([None], tf.string, name=name)], read)


def require_work(inputs: Tensor, longest: Tensor, rate_hz: int, limits: Limits) -> Tensor:
    """A tensor `(batch, ...)`, refused where its clips are too much work together.

    Args:
        inputs: Of the request.
        longest: Samples of the longest clip, to which the others are padded.
        rate_hz: Samples per second.
        limits: Of the request.
    """
    # Without a division, which a graph may replace by a product with a rounded reciprocal.
    rows, samples = tf.cast(tf.shape(inputs)[0], tf.float64), tf.cast(longest, tf.float64)
    is_small = rows * samples <= limits.total_seconds * rate_hz
    text = (
        f"the clips of a request may last {limits.total_seconds:g} s together, each padded to the longest: send fewer"
        " at once, or clips of about the same length"
    )
    inputs = rules.require(is_small, text, inputs)
    if limits.seconds_squared is None:
        return inputs
    text = (
        "the clips of a request, of which a network with self-attention compares all parts, are too long together: send"
        " fewer at once, or shorter ones"
    )
    return rules.require(rows * samples * samples <= limits.seconds_squared * rate_hz**2, text, inputs)


def _clips(
    audio: Tensor, length: Tensor, faults: Tensor, window: int, limits: Limits
) -> tuple[dict[str, Tensor], Tensor]:
    """Clips of at least one window, and their faults; those with a fault are silent."""
    if limits.fill_bad_rows:
        audio = tf.where((faults == "")[:, None], audio, 0.0)
    audio = tf.pad(audio, [[0, 0], [0, tf.maximum(window - tf.shape(audio)[1], 0)]])
    return {"audio": audio, "length": tf.maximum(length, window)}, faults


def _length_faults(length: Tensor, samples: Tensor, rate_hz: int, window: int, limits: Limits) -> Tensor:
    """What is wrong with the lengths of clips in a tensor that is `samples` long: strings `(batch,)`."""
    text = tf.strings.as_string(length)
    past = tf.strings.join(
        [
            "has the length ",
            text,
            ", past its ",
            tf.strings.as_string(samples),
            " samples: send the number of its samples",
        ]
    )
    negative = tf.strings.join(["has the length ", text, ": send the number of its samples"])
    faults = tf.where(length > samples, past, _duration_faults(tf.cast(length, tf.int64), rate_hz, window, limits))
    return tf.where(length < 0, negative, faults)


def _duration_faults(samples: Tensor, rate_hz: int, window: int, limits: Limits) -> Tensor:
    """What is wrong with the numbers of samples of clips, int64 `(batch,)`."""
    text = tf.strings.as_string(samples)
    needed = f"{window:,} samples ({1000 * window / rate_hz:.4g} ms at {rate_hz:,} Hz)"
    short = tf.strings.join(["has ", text, f" samples, less than one analysis window: send at least {needed}"])
    seconds = tf.cast(samples, tf.float64) / rate_hz
    lasts = tf.strings.as_string(seconds, precision=1)
    long = tf.strings.join(["lasts ", lasts, f" s: send clips of at most {limits.seconds:g} s, a longer one in pieces"])
    faults = tf.where(samples < window, short, "")
    faults = tf.where(samples > round(limits.seconds * rate_hz), long, faults)
    return tf.where(samples == 0, f"has no samples: send at least {needed}", faults)


def _header_faults(header: wav.Header, rate_hz: int, window: int, limits: Limits, channel: int) -> Tensor:
    """What is wrong with files by their headers."""
    samples = resampling.length(header.frames, header.rate_hz, rate_hz)
    faults = tf.where(header.fault == "", _duration_faults(samples, rate_hz, window, limits), header.fault)
    count = tf.strings.as_string(header.channels)
    mono = tf.strings.join(
        ["has ", count, f" channel(s), and channel {channel}, from 0, is the one to read: send it too"]
    )
    faults = tf.where((faults == "") & (header.channels <= channel), mono, faults)
    hz = tf.strings.as_string(header.rate_hz)
    odd = tf.strings.join(["has the unusual rate of ", hz, f" samples a second: convert it to {rate_hz:,} first"])
    return tf.where(wav.too_costly(header._replace(fault=faults), rate_hz), odd, faults)


def _decode(
    contents: Tensor, header: wav.Header, faults: Tensor, longest: Tensor, rate_hz: int, channel: int
) -> tuple[Tensor, Tensor]:
    """The clips `(batch, longest)`, 0 past their ends and where there is a fault, and faults of their samples."""

    def clip(i: Tensor) -> tuple[Tensor, Tensor]:
        one = wav.Header(*(field[i] for field in header))

        def decoded() -> tuple[Tensor, Tensor]:
            return wav.decode(contents[i], one, rate_hz, channel)

        samples, fault = tf.cond(faults[i] == "", decoded, lambda: (tf.zeros([0]), tf.constant("")))
        return tf.pad(samples, [[0, longest - tf.size(samples)]]), fault

    rows = tf.size(contents, tf.int64)
    clips = tf.data.Dataset.range(rows).map(clip, num_parallel_calls=_PARALLEL)
    # One clip more than there are, because a data set without a batch has no element.
    clips = clips.concatenate(tf.data.Dataset.from_tensors((tf.zeros([longest]), "")))
    audio, late = clips.batch(rows + 1).get_single_element()
    return tf.ensure_shape(audio[:-1], [None, None]), tf.ensure_shape(late[:-1], [None])
