"""A table of files, their labels and their splits, as a Corpus: what corpora in files share."""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import audio, images
from pipelines.datasets import broken, pictures
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.errors import UserError

END_TOLERANCE_S = 0.025  # by which a piece may end after its file: lists round times, and a frame has this length

Decoder = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]  # a row of a table, as tensors -> pixels or a waveform


@dataclasses.dataclass(frozen=True)
class Row:
    """One example: a file, or a piece of an audio file."""

    path: str
    label: str = ""  # name of its class
    split: str = ""  # train, validation or test; empty = not named
    group: str = ""  # a breakdown of the scores may go by it, such as a language
    start_s: float = 0.0  # audio only
    end_s: float | None = None  # audio only; None = the file's end
    where: str = ""  # file and line that name it, for errors; empty = its path
    text: str = ""  # transcript
    speaker: str = ""
    number: float | None = None  # target of a regression
    fingerprint: str = ""  # of the file's content, see `fingerprints`; empty = not computed


@dataclasses.dataclass(frozen=True)
class _Table:
    """The columns that decode rows, and what the files' headers say about all of them."""

    kind: Modality
    columns: dict[str, np.ndarray]  # an entry per row each
    decode: Decoder
    rate: int | None = None  # of every waveform
    seconds: np.ndarray | None = None  # one per row
    notes: tuple[str, ...] = ()


def modality_of(paths: Iterable[str]) -> Modality:
    """Finds the modality of files by their suffixes.

    Args:
        paths: At least one.

    Returns:
        "image" or "audio".

    Raises:
        UserError: A file is neither, or there are both.
    """
    examples: dict[Modality, str] = {}
    for path in paths:
        suffix = os.path.splitext(path)[1].lower()
        if suffix in images.SUFFIXES:
            examples.setdefault("image", path)
        elif suffix in audio.SUFFIXES:
            examples.setdefault("audio", path)
        else:
            known = " ".join(images.SUFFIXES + audio.SUFFIXES)
            raise UserError(f"{path} is neither a picture nor audio that is read: files must end in one of {known}.")
    if len(examples) > 1:
        raise UserError(f"Pictures and audio cannot be mixed: {examples['image']} and {examples['audio']}.")
    return next(iter(examples))


def build_corpus(
    config: DataConfig,
    rows: Sequence[Row],
    parts: Mapping[str, np.ndarray],
    *,
    class_names: Sequence[str] = (),
    channels: int = 3,
    background: str = "white",
    verify: bool = False,
    skip_broken: bool = False,
    broken_list: str | None = None,
    sample_rate_hz: int | None = None,
    own_hz: int | None = None,
    notes: Sequence[str] = (),
) -> Corpus:
    """Builds the Corpus of files; texts, speakers, groups and numbers are known where every row has one.

    Args:
        config: Names the corpus.
        rows: One per example.
        parts: Split name -> indices of rows.
        class_names: Every row's label is one of them; without them examples have their row's number or no label.
        channels: Of pictures, which keep their own sizes: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pictures, unless alpha is kept.
        verify: Whether every file is decoded once, to find the damaged ones; headers are read in any case.
        skip_broken: Whether files that cannot be used are left out and counted in a note; otherwise they are an error.
        broken_list: CSV file that gets the names of these files; None writes none.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.
        own_hz: The rate that all audio files must have; None allows any.
        notes: Sentences about the rows, such as on their splits; those about the files follow.

    Returns:
        The Corpus.

    Raises:
        UserError: Files cannot be read, which it counts, or contradict their rows.
    """
    kind = modality_of(row.path for row in rows)
    probe: Callable[[str], Any] = images.probe if kind == "image" else audio.probe
    infos, errors = broken.probe_all(probe, list(dict.fromkeys(row.path for row in rows)))
    total, notes = len(infos) + len(errors), []
    if kind == "image":
        notes = pictures.header_notes(infos, channels, background)
        if verify:
            damaged, changed, more = pictures.verify(infos)
            errors, infos, notes = errors | damaged, infos | changed, notes + more
    rows, parts = broken.without(rows, parts, errors)
    if not rows:
        broken.check(errors, total, broken_list)
    of_rows = [infos[row.path] for row in rows]
    if kind == "image":
        table = _Table("image", *pictures.table(of_rows, channels, background))
    else:
        table = _audio_table(rows, of_rows, sample_rate_hz, own_hz)
        errors |= _verify(rows, table) if verify else {}
    if not skip_broken:
        broken.check(errors, total, broken_list)
    elif errors:
        notes.append(broken.note(errors, total, broken_list))
        parts = broken.remaining(rows, parts, errors, class_names)
    splits = {name: _split([rows[i] for i in indices], indices, table, class_names) for name, indices in parts.items()}
    return Corpus(config.name, kind, tuple(class_names), splits, table.rate, (*notes, *table.notes))


def metadata(rows: Sequence[Row]) -> dict[str, Any]:
    """Collects what rows say about their examples.

    Args:
        rows: Those of one split.

    Returns:
        The fields `sources`, `texts`, `speakers` and `groups` of the Split; None where not every row has one.
    """
    fields = {"texts": "text", "speakers": "speaker", "groups": "group"}
    lists = {name: [getattr(row, field) for row in rows] for name, field in fields.items()}
    known = {name: values if all(values) else None for name, values in lists.items()}
    return {"sources": [row.where or row.path for row in rows], **known}


def _split(rows: Sequence[Row], indices: np.ndarray, table: _Table, class_names: Sequence[str]) -> Split:
    """The Split of these rows, which have these indices in the table."""
    labels = np.array([class_names.index(row.label) for row in rows], np.int64) if class_names else None
    has_numbers = len(rows) > 0 and all(row.number is not None for row in rows)
    numbers = np.array([row.number for row in rows], np.float32) if has_numbers else None
    targets = numbers if labels is None else labels
    columns = {key: values[indices] for key, values in table.columns.items()}
    if targets is not None:
        columns["label"] = targets

    def example(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {table.kind: table.decode(row)} | ({} if targets is None else {"label": row["label"]})

    return Split.from_rows(
        tf.data.Dataset.from_tensor_slices(columns),
        example,
        len(rows),
        labels=labels,
        numbers=numbers,
        seconds=None if table.seconds is None else table.seconds[indices],
        rows=list(rows),
        **metadata(rows),
    )


def _audio_table(
    rows: Sequence[Row], infos: Sequence[audio.AudioInfo], sample_rate_hz: int | None, own_hz: int | None
) -> _Table:
    """The columns hold what the headers say, so that the graph does not read those again."""
    counts = collections.Counter(info.sample_rate_hz for info in infos)
    if own_hz and (wrong := [info for info in infos if info.sample_rate_hz != own_hz]):
        raise UserError(
            f"{wrong[0].path} has {wrong[0].sample_rate_hz} Hz, but the corpus comes at {own_hz} Hz: "
            f"copy it as distributed ({len(wrong)} of {len(infos)} files have another rate)."
        )
    rate = sample_rate_hz or max(counts, key=lambda hz: (counts[hz], hz))
    segments = np.array([_segment(row, info) for row, info in zip(rows, infos, strict=True)], np.int64)
    codes, rates = np.array([info.code for info in infos], np.int32), [info.sample_rate_hz for info in infos]
    # One branch instead of a switch, where all files have the same coding.
    code, from_hz = (int(codes[0]) if np.ptp(codes) == 0 else None), (rates[0] if len(counts) == 1 else None)
    is_whole = not any(row.start_s or row.end_s for row in rows)
    columns = {
        "path": np.array([os.fsencode(info.path) for info in infos]),
        "code": codes,
        "rate": np.array(rates, np.int32),
        "start": segments[:, 0],
        # A file decides its own end, which the header of an MP3 may only estimate.
        "stop": np.where([row.end_s is None for row in rows], np.iinfo(np.int64).max, segments[:, 1]),
    }

    def decode(row: Mapping[str, tf.Tensor]) -> tf.Tensor:
        waveform = audio.decode(row["path"], row["code"] if code is None else code)
        if not is_whole:
            waveform = waveform[row["start"] : tf.minimum(row["stop"], tf.size(waveform, tf.int64))]
        return audio.resample(waveform, row["rate"] if from_hz is None else from_hz, rate)

    notes = tuple(
        f"{count:,} of {len(infos):,} files have {hz:,} Hz and are resampled to {rate:,}."
        for hz, count in sorted(counts.items())
        if hz != rate
    )
    return _Table("audio", columns, decode, rate, (segments[:, 1] - segments[:, 0]) / np.array(rates), notes)


def _segment(row: Row, info: audio.AudioInfo) -> tuple[int, int]:
    """(first sample, the one after the last) of a row's piece of its file; UserError where it is not in the file."""
    length = info.samples / info.sample_rate_hz
    if row.end_s is not None and row.end_s > length + END_TOLERANCE_S:
        raise UserError(f"{row.where}: end {row.end_s} is past the end of {row.path}, which lasts {length:.3f} s.")
    start = round(row.start_s * info.sample_rate_hz)
    stop = info.samples if row.end_s is None else min(info.samples, round(row.end_s * info.sample_rate_hz))
    if stop <= start:
        raise UserError(f"{row.where}: no samples are between start {row.start_s} and the end ({length:.3f} s).")
    return start, stop


def _verify(rows: Sequence[Row], table: _Table) -> dict[str, UserError]:
    """Decodes every audio file once, in parallel; path -> the error of each that cannot be decoded."""
    first = np.array(sorted({path: i for i, path in reversed(list(enumerate(table.columns["path"])))}.values()))
    columns = {key: values[first] for key, values in table.columns.items()}
    # An element that fails is dropped, so that the missing numbers are those of damaged files.
    decoded = (
        tf.data.Dataset.from_tensor_slices({"number": first, **columns})
        .map(
            lambda row: (row["number"], tf.size(table.decode(row))),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        .ignore_errors()
    )
    missing = sorted(set(first.tolist()) - {int(number) for number, _ in decoded.as_numpy_iterator()})
    return {rows[i].path: _decoding_error(rows[i].path) for i in missing}


def _decoding_error(path: str) -> UserError:
    """The sentence about a file that failed in a graph."""
    try:
        audio.read(path)
    except UserError as error:
        return error
    return UserError(f"{path} could not be decoded: try again, or remove it.")
