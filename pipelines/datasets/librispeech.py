"""LibriSpeech (Panayotov et al. 2015, "LibriSpeech: an ASR corpus based on public domain audio books").

English audio books at 16 kHz. `data.path` is the folder that holds the subsets as they are distributed:

    train-clean-100, train-clean-360, train-other-500, dev-clean, dev-other, test-clean, test-other
    test-clean/1089/134686/1089-134686-0000.flac         of speaker 1089, chapter 134686
    test-clean/1089/134686/1089-134686.trans.txt         1089-134686-0000 HE HOPED THERE WOULD BE STEW FOR DINNER ...

What TensorFlow Datasets prepared is read too, under its name with a version, such as `librispeech:2.*.*` (see `tfds`).
"""

import dataclasses
import os
from typing import Literal

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError

TASK = "transcribe"  # where none is named
SAMPLE_RATE_HZ = 16000


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Which subsets train, validate and test; or one of them, cut by the fractions."""

    name: str = "librispeech"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds train-clean-100/ and so on
    train: tuple[str, ...] = ("train-clean-100",)  # subsets to train on
    validation: tuple[str, ...] = ("dev-clean",)  # subsets to validate on
    test: tuple[str, ...] = ("test-clean",)  # subsets to test on
    only: str | None = None  # this subset instead, cut into train, validation and test by the fractions
    split_by: Literal["speaker", "utterance"] = "speaker"  # what never stands on both sides, with `only`
    verify: bool = (
        False  # decode every file once before training, to find the broken ones: hours of speech take minutes
    )


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, transcripts in capitals as distributed, audio at `sample_rate_hz` (None = 16000).

    Raises UserError for subsets that are not there or are named twice, with file and line for what is missing, there
    twice or empty, and for files that are broken or not at 16 kHz.
    """
    transcripts.folder(config.path, "the folder of LibriSpeech, with train-clean-100/ and so on")
    wanted = [("", config.only)] if config.only else _wanted(config)
    rows = [row for split, subset in wanted for row in _rows(config.path, subset, split)]
    by = "speaker" if config.only and config.split_by == "speaker" else None
    return transcripts.corpus(config, rows, sample_rate_hz, by=by, own_hz=SAMPLE_RATE_HZ, verify=config.verify)


def _wanted(config):
    """(split, subset) of everything that the config names."""
    wanted = [(split, subset) for split in ("train", "validation", "test") for subset in getattr(config, split)]
    subsets = [subset for _, subset in wanted]
    for split, subset in wanted:
        if subsets.count(subset) > 1:
            raise UserError(
                f"data.{split} names {subset!r}, which is named twice: to cut one subset into train, validation and "
                f"test, set data.only to it."
            )
    if not config.train:
        raise UserError("data.train names no subset: LibriSpeech's are train-clean-100 and so on.")
    return wanted


def _rows(root, subset, split):
    """The utterances of a subset, by speaker and chapter."""
    home = os.path.join(root, subset)
    if os.path.basename(subset) != subset or subset.startswith(".") or not os.path.isdir(home):
        there = ", ".join(name for name in sorted(os.listdir(root)) if os.path.isdir(os.path.join(root, name)))
        flag = f"data.{split}" if split else "data.only"
        raise UserError(
            f"{root} has no subset {subset!r} ({flag}), it has {there or 'none'}: name others by data.train, "
            "data.validation and data.test, or set data.only to one that is to be cut into all three."
        )
    texts, paths, speakers = {}, {}, {}
    for speaker in _listed(home):
        for chapter in _listed(os.path.join(home, speaker)):
            below = os.path.join(home, speaker, chapter)
            for name in _listed(below):
                stem, suffix = os.path.splitext(name)
                if suffix == ".flac":
                    paths[stem], speakers[stem] = os.path.join(below, name), speaker
                elif name.endswith(".trans.txt"):
                    for where, line in transcripts.lines(os.path.join(below, name)):
                        utterance, _, text = line.partition(" ")
                        transcripts.add(texts, where, utterance, text)
    if not texts:
        raise UserError(f"{home} holds no transcripts, such as 1089/134686/1089-134686.trans.txt: copy it anew.")
    pairs = transcripts.matched(texts, paths, home)
    return [files.Row(path, split=split, text=text, speaker=speakers[name]) for name, path, text in pairs]


def _listed(folder):
    """The sorted names in a folder, none in what is not one; hidden ones are left out."""
    if not os.path.isdir(folder):
        return []
    return [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
