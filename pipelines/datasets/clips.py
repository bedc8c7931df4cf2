"""The audio half of a corpus of files: columns that a graph decodes, what verification measures, and notes about it."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines import audio, loudness
from pipelines.audio_formats.names import shown
from pipelines.counts import counted, share, verb
from pipelines.errors import UserError
from pipelines.storage import graph

if TYPE_CHECKING:
    from pipelines.datasets.files import Row

# A graph decodes a whole file at once; this is 1 GiB of float32, or 4.6 hours at 16 kHz.
MAX_VALUES = 2**28
# The end of a clip may be past the end of its file by this: lists round times, and some headers estimate lengths.
END_TOLERANCE_S = 0.04

_BATCH = 256  # results of verification that are taken at once
_SHOWN = 3  # names in a note
_END = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Measures:
    """What verification measured; one entry per row.

    Attributes:
        channel: The channel that is read, or `loudness.AVERAGE`.
        file_peak: The highest absolute value in the file, before samples are clipped.
        samples: Of the clip.
        peak: The highest absolute value of the clip.
        clipped: The fraction of its samples that are clipped.
    """

    channel: np.ndarray
    file_peak: np.ndarray
    samples: np.ndarray
    peak: np.ndarray
    clipped: np.ndarray


def unusable(infos: Sequence[audio.AudioInfo], channel: str) -> list[UserError]:
    """Finds files that cannot be decoded in a graph.

    Args:
        infos: One per row.
        channel: The setting `data.audio_channel`.

    Returns:
        An error for each file that is too long or has no such channel.
    """
    errors = []
    for info in dict.fromkeys(infos):
        if info.samples * info.channels > MAX_VALUES:
            hours = info.samples / info.sample_rate_hz / 3600
            errors.append(UserError(f"{shown(info.path)} lasts {hours:.1f} hours: cut it into shorter clips."))
        try:
            audio.find_channel(info, channel)
        except UserError as error:
            errors.append(error)
    return errors


def common_rate(infos: Sequence[audio.AudioInfo], own_hz: int | None) -> int:
    """Finds the rate of most files.

    Args:
        infos: One per row.
        own_hz: The rate that all files must have; None allows any.

    Returns:
        The rate in hertz.

    Raises:
        UserError: A file has another rate than `own_hz`.
    """
    if own_hz and (wrong := [info for info in infos if info.sample_rate_hz != own_hz]):
        raise UserError(
            f"{shown(wrong[0].path)} has {wrong[0].sample_rate_hz} Hz, but the corpus comes at {own_hz} Hz: "
            f"copy it as distributed ({len(wrong)} of {len(infos)} files have another rate)."
        )
    counts = collections.Counter(info.sample_rate_hz for info in infos)
    return max(counts, key=lambda hz: (counts[hz], hz))


def segments(rows: Sequence[Row], infos: Sequence[audio.AudioInfo]) -> np.ndarray:
    """Finds the pieces of their files that rows name.

    Args:
        rows: One per example.
        infos: Of their files.

    Returns:
        int64 `(rows, 2)`: the first sample, and the one after the last.

    Raises:
        UserError: A piece is not in its file.
    """
    return np.array([_segment(row, info) for row, info in zip(rows, infos, strict=True)], np.int64).reshape(-1, 2)


def measure(
    rows: Sequence[Row], infos: Sequence[audio.AudioInfo], bounds: np.ndarray, channel: str
) -> tuple[Measures, list[int]]:
    """Decodes every file once, as training does, and measures the clips in it.

    Args:
        rows: One per example.
        infos: Of their files.
        bounds: What `segments` returned for them.
        channel: The setting `data.audio_channel`.

    Returns:
        (the Measures, a row of each file that could not be decoded).
    """
    rows_of: dict[str, list[int]] = {}
    for i, info in enumerate(infos):
        rows_of.setdefault(info.path, []).append(i)
    members = list(rows_of.values())
    first = np.array([indices[0] for indices in members])
    columns = _columns([rows[i] for i in first], [infos[i] for i in first], bounds[first], channel, None)
    whole = all(_is_whole(row) for row in rows)
    pieces = [bounds[:1]] * len(members) if whole else [bounds[indices] for indices in members]
    columns["pieces"] = tf.ragged.stack([tf.constant(piece) for piece in pieces]) if not whole else np.stack(pieces)
    measured = _measured(columns, whole, graph.reader_of(rows[i].path for i in first))
    # An element that fails is dropped, so that the missing numbers are those of damaged files.
    results = (
        tf.data.Dataset.from_tensor_slices({"number": np.arange(len(first)), **columns})
        .map(measured, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
        .ignore_errors()
        .batch(_BATCH if whole else 1)
    )
    values = np.zeros((len(rows), 5))
    missing = set(range(len(first)))
    for batch in results.as_numpy_iterator():
        for file, chosen, peak, clips in zip(*batch, strict=True):
            missing.discard(int(file))
            values[members[file], :2] = chosen, peak
            values[members[file], 2:] = clips
    channels, file_peaks, samples, peaks, clipped = values.T
    return Measures(channels.astype(np.int32), file_peaks, samples, peaks, clipped), first[sorted(missing)].tolist()


def _measured(
    columns: Mapping[str, Any], whole: bool, read_bytes: Callable[[Any], Any]
) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What measures a row in a graph: its number, its channel, the peak of its file, and the clips in that file."""
    code, _, number = _constants(columns)

    def measured(row: Mapping[str, Any]) -> tuple[Any, ...]:
        known = row["code"] if code is None else code
        frames, peak = audio.decode_channels(row["path"], known, row["size"], read_bytes)
        channel = row["channel"] if number is None else tf.constant(number)
        if number == loudness.AUTOMATIC:
            channel = loudness.choose_channel(frames)
        waveform = loudness.mix(frames, channel if number == loudness.AUTOMATIC or number is None else number)

        def clip(piece: Any) -> Any:
            return loudness.measure(waveform[piece[0] : tf.minimum(piece[1], tf.size(waveform, tf.int64))])

        if whole:
            return row["number"], channel, peak, loudness.measure(waveform)[None]
        clips = tf.map_fn(clip, row["pieces"], fn_output_signature=tf.TensorSpec((3,), tf.float32))
        return row["number"], channel, peak, clips

    return measured


def empty(rows: Sequence[Row], measures: Measures) -> dict[str, UserError]:
    """Finds clips without a sample, which headers do not always show.

    Args:
        rows: One per example.
        measures: Of them.

    Returns:
        Path -> why it cannot be used.
    """
    return {
        rows[i].path: UserError(f"{shown(rows[i].where or rows[i].path)} holds no samples: replace or remove it.")
        for i in np.flatnonzero(measures.samples == 0)
    }


def columns_and_decoder(
    rows: Sequence[Row],
    infos: Sequence[audio.AudioInfo],
    bounds: np.ndarray,
    rate: int,
    channel: str,
    measures: Measures | None,
) -> tuple[dict[str, np.ndarray], Callable[[Mapping[str, Any]], Any]]:
    """Builds the columns of a table, which hold what the headers say, and what decodes a row of them in a graph.

    Args:
        rows: One per example.
        infos: Of their files.
        bounds: What `segments` returned for them.
        rate: The rate to convert to, in hertz.
        channel: The setting `data.audio_channel`.
        measures: What `measure` returned; None lets the graph compare the channels of every file that it decodes.

    Returns:
        (columns, row -> float32 `(samples,)`).
    """
    columns = _columns(rows, infos, bounds, channel, measures)
    code, from_hz, number = _constants(columns)
    is_whole = all(_is_whole(row) for row in rows)
    read_bytes = graph.reader_of(info.path for info in infos)
    # What is the same in all rows is no column: each one costs time at every row.
    if is_whole:
        del columns["start"], columns["stop"]
    for name, constant in (("code", code), ("rate", from_hz), ("channel", number)):
        if constant is not None:
            del columns[name]

    def decode(row: Mapping[str, Any]) -> Any:
        waveform = audio.decode(
            row["path"],
            row["code"] if code is None else code,
            row["channel"] if number is None else number,
            row["size"],
            (lambda path: row["bytes"]) if "bytes" in row else read_bytes,
        )
        if not is_whole:
            waveform = waveform[row["start"] : tf.minimum(row["stop"], tf.size(waveform, tf.int64))]
        return audio.resample(waveform, row["rate"] if from_hz is None else from_hz, rate)

    return columns, decode


def notes(
    rows: Sequence[Row], infos: Sequence[audio.AudioInfo], rate: int, channel: str, measures: Measures | None
) -> tuple[str, ...]:
    """Writes what a reader of the scores must know about the files.

    Args:
        rows: One per example.
        infos: Of their files.
        rate: The rate that all are converted to, in hertz.
        channel: The setting `data.audio_channel`.
        measures: What `measure` returned, if it was called.

    Returns:
        Sentences with counts and the first names.
    """
    counts = collections.Counter(info.sample_rate_hz for info in infos)
    sentences = [
        f"{share(count, len(infos), 'file')} {verb(count, 'has', 'have')} {hz:,} Hz and {verb(count, 'is', 'are')}"
        f" resampled to {rate:,}."
        for hz, count in sorted(counts.items())
        if hz != rate
    ]
    unique = {info.path: i for i, info in reversed(list(enumerate(infos)))}
    files, total = sorted(unique.values()), counted(len(unique), "file")
    several = [i for i in files if infos[i].channels > 1]
    if several:
        what = "two channels" if all(infos[i].channels == 2 for i in several) else "several channels"
        treated = (
            "which are averaged: --data.audio_channel left or right reads one of them"
            if channel == "average"
            else f"of which only {channel} is read (data.audio_channel)"
        )
        sentences.append(f"{len(several):,} of {total} {verb(len(several), 'has', 'have')} {what}, {treated}.")
    if measures is not None:
        sentences += _measured_notes(rows, infos, channel, measures, several, files)
    return tuple(sentences)


def _measured_notes(
    rows: Sequence[Row],
    infos: Sequence[audio.AudioInfo],
    channel: str,
    measures: Measures,
    several: Sequence[int],
    files: Sequence[int],
) -> list[str]:
    """What `notes` says about samples; `several` are rows of files with several channels, `files` one row per file."""
    sentences: list[str] = []
    total = counted(len(files), "file")

    def add(indices: Sequence[int], of: str, singular: str, plural: str, what: str) -> None:
        if indices:
            names = [shown(rows[i].where or rows[i].path) for i in indices[:_SHOWN]]
            more = ", ..." if len(indices) > _SHOWN else ""
            sentences.append(
                f"{len(indices):,} of {of} {verb(len(indices), singular, plural)} {what}: {', '.join(names)}{more}."
            )

    if channel == "average":
        add(
            [i for i in several if measures.channel[i] != loudness.AVERAGE],
            total,
            "has",
            "have",
            f"channels that cancel each other, their average is more than {loudness.CANCELLATION_DB:.0f} dB softer"
            " than the loudest, which is read instead",
        )
    loud = [i for i in files if infos[i].is_float and measures.file_peak[i] > 1]
    above = f"samples above 1, up to {_highest(measures.file_peak, loud):.3g}, which are clipped to 1"
    add(loud, total, "holds", "hold", above)
    of = counted(len(rows), "clip")
    silent = np.flatnonzero((measures.samples > 0) & (measures.peak <= loudness.SILENT))
    add(silent.tolist(), of, "is", "are", "silent (no sample above -80 dB)")
    clipped = np.flatnonzero(measures.clipped >= loudness.CLIPPED_FRACTION)
    add(clipped.tolist(), of, "is", "are", f"clipped ({loudness.CLIPPED_FRACTION:.1%} of their samples or more)")
    return sentences


def _highest(values: np.ndarray, indices: Sequence[int]) -> float:
    return float(values[list(indices)].max(initial=0))


def _columns(
    rows: Sequence[Row],
    infos: Sequence[audio.AudioInfo],
    bounds: np.ndarray,
    channel: str,
    measures: Measures | None,
) -> dict[str, Any]:
    numbers = [audio.find_channel(info, channel) for info in infos]
    if all(info.channels == 1 for info in infos):
        numbers = [loudness.ONLY] * len(infos)
    return {
        "path": np.array([os.fsencode(info.path) for info in infos]),
        "code": np.array([info.code for info in infos], np.int32),
        "rate": np.array([info.sample_rate_hz for info in infos], np.int32),
        "size": np.minimum([info.size for info in infos], np.iinfo(np.int32).max).astype(np.int32),
        "channel": np.array(numbers, np.int32) if measures is None else measures.channel,
        "start": bounds[:, 0],
        # A file decides its own end, which some headers only estimate.
        "stop": np.where([row.end_s is None for row in rows], _END, bounds[:, 1]),
    }


def _constants(columns: Mapping[str, np.ndarray]) -> tuple[int | None, int | None, int | None]:
    """The code, the rate and the channel where all files have the same: one branch of a graph instead of a switch."""
    code, rate, channel = (
        int(columns[name][0]) if np.ptp(columns[name]) == 0 else None for name in ("code", "rate", "channel")
    )
    return code, rate, channel


def _is_whole(row: Row) -> bool:
    return not (row.start_s or row.end_s)


def _segment(row: Row, info: audio.AudioInfo) -> tuple[int, int]:
    """(first sample, the one after the last) of a row's piece of its file; UserError where it is not in the file."""
    length = info.samples / info.sample_rate_hz
    if row.end_s is not None and row.end_s > length + END_TOLERANCE_S:
        raise UserError(
            f"{row.where}: end {row.end_s} is past the end of {shown(row.path)}, which lasts {length:.3f} s."
        )
    start = round(row.start_s * info.sample_rate_hz)
    stop = info.samples if row.end_s is None else min(round(row.end_s * info.sample_rate_hz), info.samples)
    if stop <= start:
        raise UserError(f"{row.where}: no samples are between start {row.start_s} and the end ({length:.3f} s).")
    return start, stop
