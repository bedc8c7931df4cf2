"""Speech Commands (Warden 2018, arXiv:1804.03209) as it is distributed: a folder of clips for each word."""

import dataclasses
import hashlib
import os
import re

import numpy as np

from pipelines import paths
from pipelines.datasets import files, fingerprints, media_files
from pipelines.datasets.base import Corpus, FilesConfig, Modality
from pipelines.errors import UserError

SAMPLE_RATE_HZ = 16000
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")  # of the task with 12 classes
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_NAME = re.compile(r"(?P<speaker>.+?)_nohash_.*")
_SPLITS = ("train", "validation", "test")
_LARGEST = 2**27 - 1  # of the corpus's own hash
_PERCENT = 10  # of the speakers, in validation and in test


@dataclasses.dataclass(frozen=True)
class Config(FilesConfig):
    """The extracted archive; the splits are those of its lists, or without lists of the corpus's own hash."""

    name: str = "commands"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with a sub-folder per word, testing_list.txt and validation_list.txt


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the words; folders whose name begins with an underscore, as that of the background noise, are none.

    Args:
        config: The folder.
        sample_rate_hz: The rate that clips are converted to; None is 16000.

    Returns:
        The Corpus, with the speakers.

    Raises:
        UserError: The folder is missing or holds no words, a list names a clip that does not exist, or a clip cannot
            be read.
    """
    rows = fingerprints.add(list_files(config))
    classes = tuple(sorted({row.label for row in rows}))
    parts = {name: np.array([i for i, row in enumerate(rows) if row.split == name], np.int64) for name in _SPLITS}
    return files.build_corpus(
        config,
        rows,
        parts,
        class_names=classes,
        sample_rate_hz=sample_rate_hz or SAMPLE_RATE_HZ,
        **config.reading(),
    )


def list_files(config: Config) -> list[files.Row]:
    """Lists the clips with their words, splits and speakers.

    Args:
        config: The folder.

    Returns:
        A row per clip.

    Raises:
        UserError: As `load` raises it.
    """
    if not config.path:
        raise UserError("data.path is needed: the folder with the extracted archive of Speech Commands.")
    root = paths.local(config.path)
    if not os.path.isdir(root):
        raise UserError(f"data.path {paths.shown(root)} is not a folder.")
    listed = _lists(root)
    left_out = media_files.LeftOut()
    words, _ = media_files.folders(root, left_out)
    rows = []
    for word in sorted(word for word in words if not word.startswith("_")):
        for path in media_files.below(os.path.join(root, word), left_out):
            name = f"{word}/{os.path.basename(path)}"
            match = _NAME.fullmatch(os.path.basename(path))
            split = official_split(name) if listed is None else listed.pop(name, "train")
            rows.append(files.Row(path, word, split, speaker=match["speaker"] if match else ""))
    if len({row.label for row in rows}) < 2:
        raise UserError(f"{paths.shown(root)} holds no folders of words: data.path must be the extracted archive.")
    if listed:
        name, split = next(iter(listed.items()))
        raise UserError(
            f"{paths.shown(os.path.join(root, LISTS[split]))} names {name}, which does not exist: extract the archive"
            " again."
        )
    return rows


def official_split(name: str) -> str:
    """Finds a clip's split by the corpus's own hash of its speaker (Warden 2018, section 5.9).

    >>> official_split("bed/0a7c2a8d_nohash_0.wav")
    'train'

    Args:
        name: The clip's file name, with or without its folder.

    Returns:
        "train", "validation" or "test".
    """
    speaker = re.sub(r"_nohash_.*$", "", os.path.basename(name))
    number = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (_LARGEST + 1)
    percent = number * 100.0 / _LARGEST
    if percent < _PERCENT:
        return "validation"
    return "test" if percent < 2 * _PERCENT else "train"


def _lists(root: str) -> dict[str, str] | None:
    """Clip -> split of those in the lists; None without lists."""
    found = {split: os.path.join(root, name) for split, name in LISTS.items()}
    if not any(map(os.path.isfile, found.values())):
        return None
    listed = {}
    for split, path in found.items():
        if not os.path.isfile(path):
            raise UserError(f"{paths.shown(path)} is missing: extract the archive of Speech Commands again.")
        with open(path, encoding="utf-8") as file:
            listed.update({line.strip(): split for line in file if line.strip()})
    return listed
