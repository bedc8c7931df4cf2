"""The files of a prediction: those that are named, and those in folders that are named."""

from __future__ import annotations

import collections
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from pipelines import audio, images, paths
from pipelines.datasets import media_files
from pipelines.errors import UserError


class Source(NamedTuple):
    """A file, and how its answer is named in a folder of answers."""

    path: str
    name: pathlib.PurePath  # relative, without a suffix


def find(named: Sequence[str], modality: str) -> list[Source]:
    """Lists files and, recursively, what is in folders.

    Args:
        named: files, whatever their names end in, and folders.
        modality: "image" or "audio": files of folders are these.

    Raises:
        UserError: for a folder without such files.
    """
    found: list[tuple[str, pathlib.PurePath]] = []
    for name in map(paths.local, named):
        if not os.path.isdir(name):
            found.append((name, pathlib.PurePath(os.path.basename(name))))
            continue
        suffixes = images.SUFFIXES if modality == "image" else audio.SUFFIXES
        kind = "pictures" if modality == "image" else "audio files"
        files = [
            path
            for path in media_files.below(name, media_files.LeftOut())
            if os.path.splitext(path)[1].lower() in suffixes
        ]
        if not files:
            raise UserError(f"{paths.shown(name)} holds no {kind}: name a folder with some, or the files.")
        found += [(file, pathlib.PurePath(os.path.relpath(file, name))) for file in files]
    # a.wav and a.flac, or two files of one name in different folders, keep their answers apart.
    stems = collections.Counter(name.with_suffix("") for _, name in found)
    names = [name if stems[name.with_suffix("")] > 1 else name.with_suffix("") for _, name in found]
    seen: collections.Counter[pathlib.PurePath] = collections.Counter()
    sources = []
    for (path, _), relative in zip(found, names, strict=True):
        seen[relative] += 1
        number = seen[relative]
        sources.append(Source(path, relative if number == 1 else relative.with_name(f"{relative.name}-{number}")))
    return sources
