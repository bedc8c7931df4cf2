"""A table of files, their labels and their splits, as a Corpus: what corpora in files share."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import audio, images, loudness
from pipelines.audio_formats.ffmpeg import MissingDecoderError, missing_decoders
from pipelines.datasets import broken, clips, pictures
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.errors import UserError
from pipelines.storage import graph

PILLOW = "pillow"  # the decoder of a Row
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
    further: tuple[tuple[str, str], ...] = ()  # (name, cell) of further columns of a list
    decoder: str = ""  # of a picture: "pillow" where a check has shown that no other may read it; empty = by its header


@dataclasses.dataclass(frozen=True)
class _Table:
    """The columns that decode rows, and what the files' headers say about all of them."""

    kind: Modality
    columns: dict[str, np.ndarray]  # an entry per row each
    decode: Decoder
    rate: int | None = None  # of every waveform
    seconds: np.ndarray | None = None  # one per row
    notes: tuple[str, ...] = ()
    block: int = 1  # see `Undecoded`


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
    background: str = "white",
    verify: bool = False,
    skip_broken: bool = False,
    broken_list: str | None = None,
    sample_rate_hz: int | None = None,
    own_hz: int | None = None,
    notes: Sequence[str] = (),
    audio_channel: str = "average",
    reduced_to: tuple[int, int] | None = None,
) -> Corpus:
    """Builds the Corpus of files; texts, speakers, groups and numbers are known where every row has one.

    Args:
        config: Names the corpus.
        rows: One per example.
        parts: Split name -> indices of rows.
        class_names: Every row's label is one of them; without them examples have their row's number or no label.
        channels: Of pictures: 1 (gray), 3 (color) or 4 (color and alpha); here and below see `pictures.table`.
        background: The color below transparent pictures, unless alpha is kept.
        verify: Whether every file is decoded once, to find the damaged ones; headers are read in any case.
        skip_broken: Whether files that cannot be used are left out and counted in a note; otherwise they are an error.
        broken_list: CSV file that gets the names of these files; None writes none.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.
        own_hz: The rate that all audio files must have; None allows any.
        notes: Sentences about the rows, such as on their splits; those about the files follow.
        audio_channel: Of audio with several channels: "average", "left", "right" or a number from 0.
        reduced_to: Of pictures, see `pictures.table`.

    Returns:
        The Corpus.

    Raises:
        UserError: Files cannot be read, which it counts, or contradict their rows.
    """
    pixels, reading = (channels, background, reduced_to), (verify, sample_rate_hz, own_hz, audio_channel)
    rows, parts, table, errors, total, more = _examine(rows, parts, pixels, *reading)
    if not skip_broken or table is None:
        _check(errors, total, broken_list)
    elif errors:
        more = [*more, broken.note(errors, total, broken_list)]
        parts = broken.remaining(rows, parts, errors, class_names)
    assert table is not None  # `_check` has raised an error otherwise
    return _corpus(config.name, rows, parts, table, class_names, (*notes, *more, *table.notes))


def _examine(
    rows: Sequence[Row],
    parts: Mapping[str, np.ndarray],
    pixels: tuple[int, str, tuple[int, int] | None],
    verify: bool,
    sample_rate_hz: int | None,
    own_hz: int | None,
    audio_channel: str,
) -> tuple[Sequence[Row], Mapping[str, np.ndarray], _Table | None, dict[str, UserError], int, list[str]]:
    """Reads all files as far as it takes; `pixels` are the last three arguments of `pictures.table`.

    Returns:
        The rows and parts whose headers can be read, their table (None without a row), path -> why a file cannot be
        used, the number of files, and sentences on all of them.
    """
    kind = modality_of(row.path for row in rows)
    if kind == "image":
        infos, errors, notes = _read_images(rows, *pixels[:2], verify)
        rows = [_with_decoder(row, infos) for row in rows]
    else:
        infos, errors, notes = _read_headers(rows, audio_channel)
    total = len(infos.keys() | errors.keys())
    rows, parts = broken.without(rows, parts, errors)
    if not rows:
        return rows, parts, None, errors, total, notes
    of_rows = [infos[row.path] for row in rows]
    if kind == "image":
        table = _Table("image", *pictures.table(of_rows, *pixels), block=_block(rows, of_rows, (PILLOW,)))
        return rows, parts, table, errors, total, notes
    table, damaged = _audio_table(rows, of_rows, sample_rate_hz, own_hz, audio_channel, verify)
    return rows, parts, table, errors | damaged, total, notes


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


def _corpus(
    name: str,
    rows: Sequence[Row],
    parts: Mapping[str, np.ndarray],
    table: _Table,
    class_names: Sequence[str],
    notes: tuple[str, ...],
) -> Corpus:
    splits = {part: _split([rows[i] for i in indices], indices, table, class_names) for part, indices in parts.items()}
    return Corpus(name, table.kind, tuple(class_names), splits, table.rate, notes)


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
        table.block,
        labels=labels,
        numbers=numbers,
        seconds=None if table.seconds is None else table.seconds[indices],
        rows=list(rows),
        **metadata(rows),
    )


def _read_images(
    rows: Sequence[Row], channels: int, background: str, verify: bool
) -> tuple[dict[str, Any], dict[str, UserError], list[str]]:
    """Path -> the header of a picture; path -> why it cannot be used; sentences on all of them."""
    infos, errors = broken.probe_all(images.probe, _paths(rows))
    checked = {row.path for row in rows if row.decoder == PILLOW}
    infos = {path: info.read_by_pillow() if path in checked else info for path, info in infos.items()}
    notes = pictures.header_notes(infos, channels, background)
    if not verify:
        return infos, errors, notes
    damaged, changed, more = pictures.verify(infos)
    return infos | changed, errors | damaged, notes + more


def _with_decoder(row: Row, infos: Mapping[str, Any]) -> Row:
    """The row of a picture, with its decoder where a later reading must use the same."""
    by_pillow = row.path in infos and infos[row.path].coding == PILLOW
    return dataclasses.replace(row, decoder=PILLOW) if by_pillow and not row.decoder else row


def _read_headers(rows: Sequence[Row], channel: str) -> tuple[dict[str, Any], dict[str, UserError], list[str]]:
    """Path -> the header of an audio file; path -> why it cannot be used; no sentences."""
    loudness.channel_number(channel)

    def probe(path: str) -> audio.AudioInfo:
        info = audio.probe(path)
        for error in clips.unusable([info], channel):
            raise error
        return info

    infos, errors = broken.probe_all(probe, _paths(rows))
    return infos, errors, []


def _paths(rows: Sequence[Row]) -> list[str]:
    """Every file once."""
    return list(dict.fromkeys(row.path for row in rows))


def _audio_table(
    rows: Sequence[Row],
    infos: Sequence[audio.AudioInfo],
    sample_rate_hz: int | None,
    own_hz: int | None,
    channel: str,
    verify: bool,
) -> tuple[_Table, dict[str, UserError]]:
    """The table, whose columns hold what the headers say; with `verify` also path -> why a file cannot be decoded."""
    rate = clips.common_rate(infos, own_hz)
    rate = sample_rate_hz or rate
    bounds = clips.segments(rows, infos)
    measures, errors = None, {}
    if verify:
        measures, damaged = clips.measure(rows, infos, bounds, channel)
        errors = clips.empty(rows, measures) | {rows[i].path: _decoding_error(rows[i].path) for i in damaged}
    columns, decode = clips.columns_and_decoder(rows, infos, bounds, rate, channel, measures)
    seconds = (bounds[:, 1] - bounds[:, 0]) / np.array([info.sample_rate_hz for info in infos])
    notes = clips.notes(rows, infos, rate, channel, measures)
    block = _block(rows, infos, ("soundfile", "sphere", "flac16"))
    return _Table("audio", columns, decode, rate, seconds, notes, block), errors


def _block(rows: Sequence[Row], infos: Sequence[Any], by_name: Sequence[str]) -> int:
    """How many files are read at once; 1 where all have codings whose decoders open files by their names."""
    return 1 if {info.coding for info in infos} <= set(by_name) else graph.block_of([row.path for row in rows])


def _decoding_error(path: str) -> UserError:
    """The sentence about a file that failed in a graph."""
    try:
        audio.read(path)
    except UserError as error:
        return error
    return UserError(f"{path} could not be decoded: try again, or remove it.")


def _check(errors: Mapping[str, UserError], total: int, list_path: str | None) -> None:
    """Raises one error about all files that cannot be used; files that lack a decoder come first."""
    lacking = [error for error in errors.values() if isinstance(error, MissingDecoderError)]
    if len(lacking) > 1:
        raise missing_decoders(lacking, total)
    broken.check(errors, total, list_path)
