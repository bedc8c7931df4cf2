"""The files of a prediction: those that are named, and those in folders that are named."""

from __future__ import annotations

import collections
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines import audio, images, paths
from pipelines.datasets import media_files, paired
from pipelines.datasets.base import INPUTS
from pipelines.errors import UserError

KINDS = {
    "image": ("pictures", images.SUFFIXES),
    "audio": ("audio files", audio.SUFFIXES),
    "image_audio": ("pictures or audio files", (*images.SUFFIXES, *audio.SUFFIXES)),
    "video_audio": ("moving pictures or audio files", (*images.SUFFIXES, *audio.SUFFIXES)),
    "served": ("JPEG, PNG or WAV files", (".jpg", ".jpeg", ".png", ".wav")),  # that every export reads by itself
}
LISTS = (".csv", ".tsv", ".jsonl")  # of pairs


class Source(NamedTuple):
    """A file, and how its answer is named in a folder of answers."""

    path: str
    name: pathlib.PurePath  # relative, without a suffix
    error: UserError | None = None  # why there is nothing to answer
    pair: tuple[str, str] | None = None  # picture and clip that are one example
    names: tuple[str, ...] = INPUTS["image_audio"]  # of their inputs

    @property
    def example(self) -> str | dict[str, str]:
        """What `Recognizer.predict` takes: a path, or the dict of those of a pair."""
        return dict(zip(self.names, self.pair, strict=True)) if self.pair else self.path


def find(named: Sequence[str], modality: str, takes_pairs: bool = False) -> list[Source]:
    """Lists files and, recursively, what is in folders.

    Args:
        named: files, whatever their names end in, and folders.
        modality: a key of KINDS: files of folders are these.
        takes_pairs: whether .csv, .tsv and .jsonl files are lists of pairs, see `pipelines.datasets.paired`.

    Returns:
        A Source for each file; a folder without such files is one with an error.

    Raises:
        UserError: for a folder or a list that cannot be read.
    """
    if takes_pairs:
        lists = [name for name in named if os.path.splitext(name)[1].lower() in LISTS]
        others = [name for name in named if name not in lists]
        return (find(others, modality) if others else []) + [
            source for name in lists for source in _pairs(name, modality)
        ]
    found: list[tuple[str, pathlib.PurePath]] = []
    errors: dict[str, UserError] = {}
    for name in map(paths.local, named):
        if not os.path.isdir(name):
            found.append((name, _name_of(name)))
            continue
        kind, suffixes = KINDS[modality]
        files = [
            path
            for path in media_files.below(name, media_files.LeftOut())
            if os.path.splitext(path)[1].lower() in suffixes
        ]
        if not files:
            errors[name] = UserError(f"{paths.shown(name)} holds no {kind}: name a folder with some, or the files.")
            found.append((name, _name_of(name)))
        found += [(file, pathlib.PurePath(os.path.relpath(file, name))) for file in files]
    # a.wav and a.flac, or two files of one name in different folders, keep their answers apart.
    stems = collections.Counter(name.with_suffix("") for _, name in found)
    names = [name if stems[name.with_suffix("")] > 1 else name.with_suffix("") for _, name in found]
    seen: collections.Counter[pathlib.PurePath] = collections.Counter()
    sources = []
    for (path, _), relative in zip(found, names, strict=True):
        seen[relative] += 1
        number = seen[relative]
        unique = relative if number == 1 else relative.with_name(f"{relative.name}-{number}")
        sources.append(Source(path, unique, errors.get(path)))
    return sources


def of_pairs(pairs: Iterable[tuple[str, str]], stem: str = "pair", modality: str = "image_audio") -> list[Source]:
    """The sources of pairs.

    Args:
        pairs: the files of a picture and of a clip each.
        stem: beginning of their names; numbers follow.
        modality: "image_audio", or "video_audio" where pictures move.
    """
    names = INPUTS["video_audio" if modality == "video_audio" else "image_audio"]
    return [
        Source(f"{image} + {audio}", pathlib.PurePath(f"{stem}-{number}"), pair=(image, audio), names=names)
        for number, (image, audio) in enumerate(pairs, start=1)
    ]


def _pairs(path: str, modality: str) -> list[Source]:
    """The pairs of a list, named by their numbers."""
    listed = paired.read(paired.Config(path=path))
    stem = pathlib.PurePath(os.path.basename(path)).stem
    return of_pairs(((pair.image, pair.audio) for pair in listed), stem, modality)


def _name_of(path: str) -> pathlib.PurePath:
    return pathlib.PurePath(os.path.basename(os.path.abspath(path)) or "root")
