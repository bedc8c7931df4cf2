"""A list of pairs of a picture and a clip, such as a spoken caption; group, text, speaker and split if known."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import paths
from pipelines.datasets import columns, files, moving_pictures, tables
from pipelines.datasets.base import Corpus, DataConfig, LabelKind, Modality, Split
from pipelines.datasets.names import SPLITS, sort_classes, split_of
from pipelines.datasets.splitting import split_rows
from pipelines.errors import UserError, unknown

LABELS: LabelKind = "pairs"

# Our name -> names that mean the same, as in `columns.ALIASES`.
ALIASES = {
    "image": ("image", "image_path", "image_file", "image_filename", "image_name", "img_path", "img", "picture"),
    "audio": ("audio", "audio_path", "audio_filepath", "audio_file", "audio_filename", "wav", "wav_path", "speech"),
    **{name: columns.ALIASES[name] for name in ("group", "label", "text", "speaker", "split")},
}


@dataclasses.dataclass(frozen=True)
class PairsConfig(DataConfig):
    """Pairs of people's own files; pairs that share a picture or a clip are in one split."""

    path: str = ""  # list of the pairs, or folder of the corpus
    channels: int = 3  # of pictures: 3 color, 1 gray, 4 color and alpha
    background: str = "white"  # color below transparent pictures: a CSS name or #rrggbb
    # JPEG files are decoded at 1/2, 1/4 or 1/8 of their height and width where that covers this height and width, which
    # is faster. A training sets it to the size of the network's pictures; 0 0 decodes files whole
    reduced_to: tuple[int, int] | None = None
    verify: bool = True  # decode every file once before training, to find damaged ones
    audio_channel: str = "average"  # of audio with several channels: average, left, right, or a number from 0


@dataclasses.dataclass(frozen=True)
class Config(PairsConfig):
    """The list and how it is split; its column `split` (train, validation, test) takes precedence."""

    name: str = "paired"  # dataset, see `python -m tfrec list`
    path: str = (
        ""  # .csv, .tsv, .jsonl, ... with the columns image and audio; label or group, text, speaker, split if known
    )
    moving: bool = False  # the pictures are animated GIF, PNG, WebP or AVIF files, as of a speaker's lips
    frames_per_second: int = 25  # of moving pictures, which are read at this rate

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.frames_per_second <= 200:
            raise ValueError(f"data.frames_per_second must be from 1 to 200. Received: {self.frames_per_second}")


@dataclasses.dataclass(frozen=True)
class Pair:
    """A picture and a clip that belong together.

    Attributes:
        image: Path.
        audio: Path.
        where: File and line that name it.
        split: "train", "validation" or "test"; empty is not named.
        group: Pairs of the same group match each other; empty where those of the same picture do.
        label: Class, likewise; empty where there are no classes. Pairs of the same class match each other.
        text: What is said; empty where that is not known.
        speaker: Who says it, likewise.
    """

    image: str
    audio: str
    where: str
    split: str = ""
    group: str = ""
    label: str = ""
    text: str = ""
    speaker: str = ""


def modality(config: Config) -> Modality:
    """Returns "image_audio", or "video_audio" of moving pictures."""
    return "video_audio" if config.moving else "image_audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the files of a list of pairs.

    Args:
        config: The list; its fractions apply where it names no validation or no test split.
        sample_rate_hz: The rate that clips are converted to; None is the rate of most files.

    Returns:
        The Corpus; a pair's label is the number of its group.

    Raises:
        UserError: With file and line, something is missing, unknown or empty; or files are damaged.
    """
    return build_corpus(config, read(config), sample_rate_hz)


def read(config: Config) -> list[Pair]:
    """Reads and checks the lines of a list of pairs.

    Args:
        config: The list.

    Returns:
        A Pair per line.

    Raises:
        UserError: As `load` raises it.
    """
    if not config.path:
        raise UserError("data.path is needed: a .csv or .jsonl file that lists pairs in the columns image and audio.")
    path, names = paths.local(config.path), dict[str, str]()

    def check_columns(where: str, found: Sequence[str]) -> None:
        names.clear()
        names.update(columns.resolve(found, ALIASES))
        for name in ("image", "audio"):
            if name not in names:
                raise UserError(f"{where}: the column {name!r} is missing; it has {columns.quoted(found)}.")

    pairs = [_pair(where, cells, names, path) for where, cells in tables.read(path, check_columns)]
    if not pairs:
        raise UserError(f"{path} lists no pairs.")
    for column in ("group", "label", "split"):
        empty = [not getattr(pair, column) for pair in pairs]
        if any(empty) and not all(empty):
            where = pairs[empty.index(True)].where
            raise UserError(f"{where}: {column} is empty, but other lines have one; fill it in everywhere or nowhere.")
    if pairs[0].group and pairs[0].label:
        raise UserError(f"{path} has the columns label and group: keep label for classes, or else group.")
    return pairs


def _pair(where: str, cells: Mapping[str, Any], names: Mapping[str, str], path: str) -> Pair:
    """One line of a list, checked."""
    own = {ours: " ".join(str(cells.get(name, "")).split()) for ours, name in names.items()}
    for name in ("image", "audio"):
        file = paths.local(own[name], os.path.dirname(path)) if own[name] else ""
        if not os.path.isfile(file):
            raise UserError(f"{where}: there is no file {paths.shown(file)}." if file else f"{where}: {name} is empty.")
        if files.modality_of([file]) != name:
            raise UserError(f"{where}: {paths.shown(file)} in the column {names[name]!r} is of another kind.")
        own[name] = file
    split = own.get("split", "")
    if split and not split_of(split):
        error = unknown("split", split, SPLITS)
        raise UserError(f"{where}: {error}") from error
    return Pair(**{**own, "split": split_of(split) or "", "where": where})


def require_files(files: Mapping[str, str], where: str, remedy: str = "") -> None:
    """Raises UserError where a file of a pair does not exist.

    Args:
        files: Paths.
        where: The list and the line that names them.
        remedy: What to do, at the end of the message.
    """
    for file in files.values():
        if not os.path.isfile(file):
            raise UserError(f"{where}: there is no file {paths.shown(file)}{remedy and ': '}{remedy}.")


def build_corpus(
    config: PairsConfig,
    pairs: Sequence[Pair],
    sample_rate_hz: int | None = None,
    only: str | None = None,
    class_names: Sequence[str] = (),
) -> Corpus:
    """Builds the Corpus of pairs of files.

    Args:
        config: How the files are read and split.
        pairs: At least one for each split.
        sample_rate_hz: The rate that clips are converted to; None is the rate of most files.
        only: The split that holds all pairs; None is the three splits.
        class_names: Names of the classes, all of which need not have pairs; empty is those of the pairs.

    Returns:
        The Corpus; texts and speakers are known where every pair has one.

    Raises:
        UserError: Files cannot be read.
    """
    connected = _connected(pairs)
    rows = [files.Row(pair.audio, split=pair.split, group=str(i)) for pair, i in zip(pairs, connected, strict=True)]
    parts = {only: np.arange(len(rows))} if only else split_rows(rows, np.zeros(len(rows), int), config, by="group")
    groups = [pair.label or pair.group for pair in pairs]
    names = list(class_names) or (sort_classes(set(groups)) if groups[0] else [])
    labels = np.array([names.index(group) for group in groups]) if names else connected
    pictures, notes, rate = _pictures(config, pairs, parts)
    clips = files.build_corpus(
        config,
        [files.Row(pair.audio, where=pair.where, text=pair.text, speaker=pair.speaker) for pair in pairs],
        parts,
        verify=config.verify,
        sample_rate_hz=sample_rate_hz,
        audio_channel=config.audio_channel,
    )
    splits = {
        name: _join(pictures[name], clips.splits[name], [pairs[i] for i in indices], labels[indices])
        for name, indices in parts.items()
    }
    classes = tuple(names) if pairs[0].label else ()
    kind: Modality = "video_audio" if rate else "image_audio"
    notes = (*notes, *clips.notes)
    return Corpus(config.name, kind, classes, splits, clips.sample_rate_hz, notes, frames_per_second=rate)


def _pictures(
    config: PairsConfig, pairs: Sequence[Pair], parts: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, Split], Sequence[str], int | None]:
    """The splits of the pictures, sentences on them, and the rate of moving ones."""
    reading: dict[str, Any] = {name: getattr(config, name) for name in ("channels", "background", "verify")}
    if isinstance(config, Config) and config.moving:
        rate = config.frames_per_second
        paths_of_pairs = [pair.image for pair in pairs]
        return moving_pictures.load(paths_of_pairs, parts, frames_per_second=rate, **reading), (), rate
    rows = [files.Row(pair.image, where=pair.where) for pair in pairs]
    images = files.build_corpus(config, rows, parts, **reading, reduced_to=config.reduced_to)
    return images.splits, images.notes, None


def _join(images: Split, clips: Split, pairs: Sequence[Pair], labels: np.ndarray) -> Split:
    """The pairs of the pictures of one split and the clips of another, which are as many."""
    late = clips.late()
    assert late is not None  # of files
    others = tf.data.Dataset.zip((late.rows, tf.data.Dataset.from_tensor_slices(labels.astype(np.int64))))
    sources = [pair.image for pair in pairs], [pair.audio for pair in pairs]
    return images.combined(
        others,
        lambda image, other: {**image, "audio": late.decode(other[0])["audio"], "label": other[1]},
        labels=labels.astype(np.int64),
        image_sources=sources[0],
        audio_sources=sources[1],
        texts=clips.texts,
        speakers=clips.speakers,
        seconds=clips.seconds,
        rows=None,
    )


def _connected(pairs: Sequence[Pair]) -> np.ndarray:
    """The number of the set of pairs that each belongs to: those that share pictures or clips, int64 `(pairs,)`."""
    from scipy import sparse

    items = {path: number for number, path in enumerate(dict.fromkeys(_files(pairs)))}
    ends = [np.array([items[path] for path in column]) for column in zip(*map(_real, pairs), strict=True)]
    graph = sparse.coo_matrix((np.ones(len(pairs)), tuple(ends)), shape=(len(items), len(items)))
    return sparse.csgraph.connected_components(graph, directed=False)[1][ends[0]].astype(np.int64)


def _files(pairs: Iterable[Pair]) -> Iterable[str]:
    for pair in pairs:
        yield from _real(pair)


def _real(pair: Pair) -> tuple[str, str]:
    return os.path.realpath(pair.image), os.path.realpath(pair.audio)
