"""A folder of pictures or audio with a sub-folder per class, or with such folders below train/, validation/, test/."""

import dataclasses
import os

import numpy as np

from pipelines.datasets import files
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError

# What people and file managers leave beside their data; anything else that is not hidden is refused.
CLUTTER = (".txt", ".md", ".json", ".csv", ".tsv", ".html", ".log", ".ini", ".db")


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where the files are and how they are read; the sorted names of the sub-folders are the classes."""

    name: str = "folder"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with one sub-folder per class, or with train/, validation/ (or val/) and test/ of such
    channels: int = 3  # of the pictures: 3 color, 1 gray
    verify: bool = True  # decode every file once before training, to find the broken ones


def modality(config):
    """Says "image" or "audio", by what lies there. Raises UserError as `load` does."""
    return files.modality_of(row.path for row in _rows(config))


def load(config, sample_rate_hz=None):
    """The Corpus of a folder; pictures in their own sizes, audio at `sample_rate_hz` (None = most files' rate).

    Files at any depth below a class's folder are its own. Hidden files and clutter such as .txt are passed over.
    Raises UserError for a missing or empty folder, fewer than two classes, other files, and unreadable files.
    """
    rows = _rows(config)
    classes = sorted({row.label for row in rows})
    labels = np.array([classes.index(row.label) for row in rows], np.int64)
    parts = files.split_rows(rows, labels, config)
    return files.corpus(config, rows, classes, parts, config.channels, config.verify, sample_rate_hz)


def _rows(config):
    if not config.path:
        raise UserError("data.path is needed: the folder with one sub-folder per class.")
    if not os.path.isdir(config.path):
        raise UserError(f"data.path {config.path} is not a folder.")
    tops = _folders(config.path)
    cuts = [name for name in tops if name.lower() in files.SPLITS]
    if "train" in (name.lower() for name in cuts):
        strange = sorted(set(tops) - set(cuts))
        if strange:
            raise UserError(f"{config.path} has {strange[0]!r} beside {', '.join(cuts)}: keep splits or classes there.")
        rows = []
        for name in cuts:
            rows += _class_rows(os.path.join(config.path, name), files.SPLITS[name.lower()])
    else:
        rows = _class_rows(config.path, "")
    classes = sorted({row.label for row in rows})
    if len(classes) < 2:
        raise UserError(f"{config.path} holds only the class {classes[0]!r}: at least two are needed.")
    return rows


def _class_rows(path, split):
    names = _folders(path)
    if not names:
        raise UserError(f"{path} holds no class folders: put the files of every class into a folder named after it.")
    rows = []
    for name in names:
        found = _media(os.path.join(path, name), set())
        if not found:
            raise UserError(f"The class folder {os.path.join(path, name)} holds no pictures and no audio.")
        rows += [files.Row(file, name, split) for file in found]
    return rows


def _folders(path):
    """Sorted names of the folders in a folder where files have no business."""
    names = []
    for entry in _entries(path):
        if entry.is_dir():
            names.append(entry.name)
        elif not _is_clutter(entry.name):
            raise UserError(f"{entry.path} lies outside of the class folders: move it into one.")
    return names


def _media(path, seen):
    """Sorted paths of the files below a class folder; `seen` keeps links from leading in circles."""
    real = os.path.realpath(path)
    if real in seen:
        return []
    seen.add(real)
    found = []
    for entry in _entries(path):
        if entry.is_dir():
            found += _media(entry.path, seen)
        elif not _is_clutter(entry.name):
            found.append(entry.path)
    return found


def _entries(path):
    try:
        with os.scandir(path) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _is_clutter(name):
    return os.path.splitext(name)[1].lower() in CLUTTER
