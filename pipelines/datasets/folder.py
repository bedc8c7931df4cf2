"""A folder of pictures or audio with a sub-folder per class, or with such folders below train/, validation/, test/."""

import dataclasses
import os

import numpy as np

from pipelines.datasets import files, splitting
from pipelines.datasets.base import Corpus, DataConfig, Modality
from pipelines.errors import UserError

# Suffixes of files that people and file managers leave next to their data; others that are not hidden are refused.
IGNORED_SUFFIXES = (".txt", ".md", ".json", ".csv", ".tsv", ".html", ".log", ".ini", ".db")


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where the files are and how they are read; the sorted names of the sub-folders are the classes."""

    name: str = "folder"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with one sub-folder per class, or with train/, validation/ (or val/) and test/ of such
    channels: int = 3  # of the pictures: 3 color, 1 gray
    verify: bool = True  # decode every file once before training, to find damaged ones
    audio_channel: str = "average"  # of audio with several channels: average, left, right, or a number from 0


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", by the suffixes of the files.

    Raises:
        UserError: As `load` raises it.
    """
    return files.modality_of(row.path for row in _rows(config))


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads a folder; files at any depth below a class's folder belong to it.

    Hidden files and those with IGNORED_SUFFIXES are ignored.

    Args:
        config: The folder.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.

    Returns:
        The Corpus; pictures have their own sizes.

    Raises:
        UserError: The folder is missing or empty, has fewer than two classes, or files that cannot be read.
    """
    rows = _rows(config)
    classes = sorted({row.label for row in rows})
    labels = np.array([classes.index(row.label) for row in rows], np.int64)
    parts = splitting.split_rows(rows, labels, config)
    return files.build_corpus(
        config,
        rows,
        parts,
        class_names=classes,
        channels=config.channels,
        verify=config.verify,
        sample_rate_hz=sample_rate_hz,
        audio_channel=config.audio_channel,
    )


def _rows(config: Config) -> list[files.Row]:
    if not config.path:
        raise UserError("data.path is needed: the folder with one sub-folder per class.")
    if not os.path.isdir(config.path):
        raise UserError(f"data.path {config.path} is not a folder.")
    names = _folders(config.path)
    splits = [name for name in names if name.lower() in files.SPLITS]
    if "train" in (name.lower() for name in splits):
        others = sorted(set(names) - set(splits))
        if others:
            raise UserError(
                f"{config.path} has {others[0]!r} next to {', '.join(splits)}: keep splits or classes there, not both."
            )
        rows = []
        for name in splits:
            rows += _class_rows(os.path.join(config.path, name), files.SPLITS[name.lower()])
    else:
        rows = _class_rows(config.path, "")
    classes = sorted({row.label for row in rows})
    if len(classes) < 2:
        raise UserError(f"{config.path} holds only the class {classes[0]!r}: at least two are needed.")
    return rows


def _class_rows(path: str, split: str) -> list[files.Row]:
    """The files of the class folders in a folder."""
    names = _folders(path)
    if not names:
        raise UserError(f"{path} holds no class folders: put the files of every class into a folder named after it.")
    rows = []
    for name in names:
        media = _media(os.path.join(path, name), set())
        if not media:
            raise UserError(
                f"The class folder {os.path.join(path, name)} holds no pictures and no audio: fill or remove it."
            )
        rows += [files.Row(file, name, split) for file in media]
    return rows


def _folders(path: str) -> list[str]:
    """Sorted names of the folders in a folder that must hold no pictures and no audio itself."""
    names = []
    for entry in _entries(path):
        if entry.is_dir():
            names.append(entry.name)
        elif not _is_ignored(entry.name):
            raise UserError(f"{entry.path} is outside of the class folders: move it into one.")
    return names


def _media(path: str, visited: set[str]) -> list[str]:
    """Sorted paths of the files below a class folder; `visited` breaks circles of links."""
    real = os.path.realpath(path)
    if real in visited:
        return []
    visited.add(real)
    media = []
    for entry in _entries(path):
        if entry.is_dir():
            media += _media(entry.path, visited)
        elif not _is_ignored(entry.name):
            media.append(entry.path)
    return media


def _entries(path: str) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted, without hidden entries."""
    try:
        with os.scandir(path) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _is_ignored(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IGNORED_SUFFIXES
