"""A folder of pictures or audio with a sub-folder per class, or with such folders below train/, validation/, test/."""

import dataclasses
import os
from collections.abc import Set

import numpy as np

from pipelines import paths
from pipelines.datasets import content_split, files, media_files, names
from pipelines.datasets.base import Corpus, FilesConfig, Modality
from pipelines.datasets.names import class_name, sort_classes, split_of
from pipelines.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config(FilesConfig):
    """Where the files are and how they are read; the sorted names of the sub-folders are the classes."""

    name: str = "folder"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with one sub-folder per class, or with train/, validation/ (or val/) and test/ of such


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", by the suffixes of the files.

    Raises:
        UserError: As `load` raises it.
    """
    config = dataclasses.replace(config, path=config.moved_to or config.path)
    return files.modality_of(row.path for row in list_files(config))


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads a folder; files at any depth below a class's folder belong to it.

    Folders named as splits (train, Training, val, dev, test, ... in any case) are the splits. Classes whose names are
    integers are in the order of these. Hidden files, and what systems and file managers leave, are ignored; notes
    count all other files that are neither pictures nor audio.

    Args:
        config: The folder.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.

    Returns:
        The Corpus; pictures have their own sizes. With `unlabeled` it has no classes where files are outside of class
        folders, or where there is one such folder.

    Raises:
        UserError: The folder is missing, empty or ambiguous, has fewer than two classes, or files that cannot be read.
    """
    rows, notes = _rows(config)
    if not config.unlabeled:
        _check_classes(paths.local(config.path), rows)
    classes = sort_classes({row.label for row in rows} - {""})
    indices = {name: i for i, name in enumerate(classes)}
    labels = np.array([indices[row.label] if classes else 0 for row in rows], np.int64)
    split = content_split.split_files(rows, labels, config)
    corpus = files.build_corpus(
        config,
        split.rows,
        split.parts,
        class_names=classes,
        sample_rate_hz=sample_rate_hz,
        notes=split.notes,
        **config.reading(),
    )
    return dataclasses.replace(corpus, notes=(*corpus.notes, *notes, *names.notes(classes)))


def list_files(config: Config) -> list[files.Row]:
    """Lists the files of a folder with their classes, and with their splits where the folder has such.

    Args:
        config: The folder.

    Returns:
        A row per file.

    Raises:
        UserError: The folder is missing or has no class folders, or files are outside of them.
    """
    return _rows(config)[0]


def _rows(config: Config) -> tuple[list[files.Row], list[str]]:
    """(the files, sentences on what else is there)."""
    if not config.path:
        raise UserError("data.path is needed: the folder with one sub-folder per class.")
    root = paths.local(config.path)
    if not os.path.isdir(root):
        raise UserError(f"data.path {paths.shown(root)} is not a folder.")
    return _unlabeled_rows(root) if config.unlabeled else _labeled_rows(root)


def _unlabeled_rows(root: str) -> tuple[list[files.Row], list[str]]:
    """`_rows` of a folder that may lack class folders: then no file has a label, and folders may name splits."""
    try:
        rows, notes = _labeled_rows(root)
    except UserError:  # files outside of class folders, or what is wrong below as well
        rows, notes = [], []
    labels = {row.label for row in rows}
    if len(labels) > 1 and not all(split_of(label) for label in labels):
        return rows, notes
    left_out = media_files.LeftOut()
    found = media_files.below(root, left_out, frozenset({os.path.realpath(root)}))
    left_out.check()
    if not found:
        raise UserError(f"{paths.shown(root)} holds no pictures and no audio: data.path must be another folder.")
    splits = [split_of(os.path.relpath(path, root).split(os.sep)[0]) for path in found]
    named = "train" in splits and all(splits)
    rows = [
        files.Row(path, split=(split or "") if named else "", where="" if paths.is_plain(path) else paths.shown(path))
        for path, split in zip(found, splits, strict=True)
    ]
    return rows, [note for note in left_out.notes() if "No class was made" not in note]


def _labeled_rows(root: str) -> tuple[list[files.Row], list[str]]:
    """`_rows` of a folder with class folders."""
    left_out = media_files.LeftOut()
    classes = _class_folders(root, left_out, frozenset({os.path.realpath(root)}))
    splits = _splits(root, classes)
    rows = []
    if splits:
        for name, split in splits.items():
            folder = os.path.join(root, name)
            above = frozenset({os.path.realpath(root), os.path.realpath(folder)})
            rows += _class_rows(folder, _class_folders(folder, left_out, above), split)
    else:
        rows = _class_rows(root, classes, "")
    return rows, list(left_out.notes())


def _class_folders(path: str, left_out: media_files.LeftOut, above: Set[str]) -> dict[str, list[str]]:
    """Name of a folder in `path` -> the media files below it; UserError for media files in `path` itself."""
    names, media = media_files.folders(path, left_out, above)
    if not names and not media:
        left_out.check()
        found = "; ".join(left_out.notes()) or "it is empty."
        raise UserError(
            f"{paths.shown(path)} holds no class folders: put the files of every class into a folder named after it"
            f" ({found.rstrip('.')})."
        )
    if media:
        more = f" (and {len(media) - 1:,} more)" if len(media) > 1 else ""
        first = paths.shown(os.path.join(path, media[0]))
        raise UserError(
            f"{first} is outside of the class folders{more}: move it into a folder that is named after its class."
        )
    classes = {}
    for name in names:
        folder = os.path.join(path, name)
        inside = media_files.LeftOut()
        classes[name] = media_files.below(folder, inside, above)
        if not classes[name] and inside.suffixes:
            left_out.folders.append(name)
            del classes[name]
        left_out.add(inside)
    left_out.check()
    return classes


def _splits(root: str, classes: dict[str, list[str]]) -> dict[str, str]:
    """Name of a folder -> split, where the folders in `root` are splits; UserError where that is ambiguous."""
    named = {name: split for name in classes if (split := split_of(name))}
    others = sorted(set(classes) - set(named))
    # Those that hold folders of files, and no file directly.
    layered = [
        name
        for name in named
        if classes[name] and all(os.path.dirname(path) != os.path.join(root, name) for path in classes[name])
    ]
    if not named or (others and not layered):
        return {}
    place, shown = paths.shown(root), ", ".join(f"{paths.shown(name)}/" for name in named)
    if others:
        raise UserError(
            f"{place} has {others[0]!r} next to {shown}, which hold folders: keep splits or classes there, not both."
        )
    flat = [name for name in named if name not in layered]
    if flat:
        raise UserError(
            f"{place} has {shown}, but {flat[0]}/ holds no class folders: put the files of every class of a split into"
            " a folder named after the class, or rename the folders if these names are classes."
        )
    if "train" not in named.values():
        raise UserError(f"{place} has {shown}, but no train/: name the folder of the training split so.")
    for split in named.values():
        same = [other for other in named if named[other] == split]
        if len(same) > 1:
            raise UserError(f"{place}: {same[0]}/ and {same[1]}/ both name the {split} split: put them together.")
    return named


def _class_rows(path: str, classes: dict[str, list[str]], split: str) -> list[files.Row]:
    """The files of the class folders in a folder."""
    rows = []
    for name, media in classes.items():
        if not media:
            folder = paths.shown(os.path.join(path, name))
            raise UserError(f"The class folder {folder} holds no pictures and no audio: fill or remove it.")
        if not paths.is_plain(name):
            raise UserError(
                f"The class folder {paths.shown(os.path.join(path, name))} has a name with line breaks or bytes that "
                "are not UTF-8: rename it."
            )
        # Examples are named by their path where that can be printed.
        label = class_name(name)
        rows += [
            files.Row(file, label, split, where="" if paths.is_plain(file) else paths.shown(file)) for file in media
        ]
    return rows


def _check_classes(root: str, rows: list[files.Row]) -> None:
    """UserError for a single class, which names the folder below it where that may be the one."""
    classes = sorted({row.label for row in rows})
    if len(classes) >= 2:
        return
    if not classes:
        raise UserError(f"{paths.shown(root)} holds no pictures and no audio: data.path must be another folder.")
    folder = os.path.join(root, classes[0])
    inner = {os.path.relpath(row.path, folder).split(os.sep)[0] for row in rows if os.path.dirname(row.path) != folder}
    hint = f", or set data.path to {paths.shown(folder)}, which holds folders" if len(inner) > 1 else ""
    raise UserError(f"{paths.shown(root)} holds only the class {classes[0]!r}: at least two are needed; add one{hint}.")
