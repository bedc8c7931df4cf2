"""A table of files, their labels and their splits, as a Corpus: what corpora in files share."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import audio, images, loudness
from pipelines.audio_formats.ffmpeg import MissingDecoderError, missing_decoders
from pipelines.datasets import clips
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.errors import UserError

# What lists and folders call the splits.
SPLITS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}

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
        elif suffix in audio.SUFFIXES or audio.is_audio(path):
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
    verify: bool = False,
    sample_rate_hz: int | None = None,
    own_hz: int | None = None,
    audio_channel: str = "average",
) -> Corpus:
    """Builds the Corpus of files; texts, speakers, groups and numbers are known where every row has one.

    Args:
        config: Names the corpus.
        rows: One per example.
        parts: Split name -> indices of rows.
        class_names: Every row's label is one of them; without them examples have their row's number or no label.
        channels: Of pictures, which keep their own sizes: 1 (gray) or 3 (color).
        verify: Whether every file is decoded once, to find the damaged ones; headers of audio are read in any case.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.
        own_hz: The rate that all audio files must have; None allows any.
        audio_channel: Of audio with several channels: "average", "left", "right" or a number from 0.

    Returns:
        The Corpus.

    Raises:
        UserError: Files cannot be read, which it counts, or contradict their rows.
    """
    kind = modality_of(row.path for row in rows)
    if kind == "image":
        table = _image_table(rows, channels, verify)
        if verify:
            _verify(rows, table)
    else:
        table = _audio_table(rows, sample_rate_hz, own_hz, audio_channel, verify)
    splits = {name: _split([rows[i] for i in indices], indices, table, class_names) for name, indices in parts.items()}
    return Corpus(config.name, kind, tuple(class_names), splits, table.rate, table.notes)


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

    examples = tf.data.Dataset.from_tensor_slices(columns)
    return Split(
        examples.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True),
        len(rows),
        labels=labels,
        numbers=numbers,
        seconds=None if table.seconds is None else table.seconds[indices],
        **metadata(rows),
    )


def _image_table(rows: Sequence[Row], channels: int, verify: bool) -> _Table:
    if channels not in (1, 3):
        raise UserError(f"data.channels must be 1 (gray) or 3 (color). Received: {channels}.")
    if verify:
        _probe(images.probe, rows)
    columns = {"path": np.array([os.fsencode(row.path) for row in rows])}
    return _Table("image", columns, lambda row: images.decode(tf.io.read_file(row["path"]), channels))


def _audio_table(
    rows: Sequence[Row], sample_rate_hz: int | None, own_hz: int | None, channel: str, verify: bool
) -> _Table:
    """The columns hold what the headers say, so that the graph does not read those again."""
    loudness.channel_number(channel)
    infos = _probe(audio.probe, rows)
    paths = {row.path for row in rows}
    _raise_first(clips.unusable(infos, channel), len(paths))
    rate = clips.common_rate(infos, own_hz)
    rate = sample_rate_hz or rate
    bounds = clips.segments(rows, infos)
    measures = None
    if verify:
        measures, damaged = clips.measure(rows, infos, bounds, channel)
        _raise_first([_decoding_error(rows[i].path, "audio") for i in damaged], len(paths))
        _raise_first(clips.empty(rows, measures), len(rows))
    columns, decode = clips.columns_and_decoder(rows, infos, bounds, rate, channel, measures)
    seconds = (bounds[:, 1] - bounds[:, 0]) / columns["rate"]
    return _Table("audio", columns, decode, rate, seconds, clips.notes(rows, infos, rate, channel, measures))


def _probe(probe: Callable[[str], Any], rows: Sequence[Row]) -> list[Any]:
    """What `probe` returns for every row's file; one UserError counts all files that it rejects."""

    def attempt(path: str) -> Any:
        try:
            return probe(path)
        except UserError as error:
            return error

    paths = list(dict.fromkeys(row.path for row in rows))
    with ThreadPoolExecutor() as pool:
        results = dict(zip(paths, pool.map(attempt, paths), strict=True))
    _raise_first([error for error in results.values() if isinstance(error, UserError)], len(paths))
    return [results[row.path] for row in rows]


def _verify(rows: Sequence[Row], table: _Table) -> None:
    """Decodes every file once, in parallel; UserError where any cannot be decoded."""
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
    _raise_first([_decoding_error(rows[i].path, table.kind) for i in missing], len(first))


def _decoding_error(path: str, kind: Modality) -> UserError:
    """The sentence about a file that failed in a graph."""
    try:
        if kind == "audio":
            audio.read(path)
        else:
            images.read(path, 3)
    except UserError as error:
        return error
    return UserError(f"{path} could not be decoded: try again, or remove it.")


def _raise_first(errors: Sequence[UserError], total: int) -> None:
    """Raises the first error, if there is one, with the number of errors; files that lack a decoder come first."""
    lacking = [error for error in errors if isinstance(error, MissingDecoderError)]
    if len(lacking) > 1:
        raise missing_decoders(lacking, total)
    if errors:
        count = f"{len(errors)} of {total} files cannot be used: repair or remove them. The first: "
        raise UserError(f"{count if total > 1 else ''}{errors[0]}")
