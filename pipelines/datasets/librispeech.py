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
from pipelines.datasets.base import Corpus, Modality, SkippingConfig
from pipelines.errors import UserError

LABELS = "texts"
SAMPLE_RATE_HZ = 16000


@dataclasses.dataclass(frozen=True)
class Config(SkippingConfig):
    """Which subsets train, validate and test; or one of them, cut by the fractions."""

    name: str = "librispeech"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds train-clean-100/ and so on
    train: tuple[str, ...] = ("train-clean-100",)  # subsets to train on
    validation: tuple[str, ...] = ("dev-clean",)  # subsets to validate on
    test: tuple[str, ...] = ("test-clean",)  # subsets to test on
    only: str | None = None  # this subset instead, cut into train, validation and test by the fractions
    split_by: Literal["speaker", "utterance"] = "speaker"  # with `only`: each is in one split only
    verify: bool = False  # decode every file before training, to find damaged ones; hours of speech take minutes


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus, transcripts in capitals as distributed.

    Args:
        config: The folder and the subsets.
        sample_rate_hz: The rate that utterances are converted to; None is 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: Subsets are missing or named twice; with file and line, something is missing, duplicate or empty; or
            files are damaged or not at 16 kHz.
    """
    root = transcripts.require_folder(config.path, "the folder of LibriSpeech, with train-clean-100/ and so on")
    named = [("", config.only)] if config.only else _named(config)
    rows = [row for split, subset in named for row in _rows(root, subset, split)]
    by = "speaker" if config.only and config.split_by == "speaker" else None
    return transcripts.build_corpus(config, rows, sample_rate_hz, by=by, own_hz=SAMPLE_RATE_HZ, verify=config.verify)


def _named(config: Config) -> list[tuple[str, str]]:
    """(split, subset) of everything that the config names."""
    named = [(split, subset) for split in ("train", "validation", "test") for subset in getattr(config, split)]
    subsets = [subset for _, subset in named]
    for split, subset in named:
        if subsets.count(subset) > 1:
            raise UserError(
                f"data.{split} names {subset!r}, which is named twice: to cut one subset into train, validation and "
                f"test, set data.only to it."
            )
    if not config.train:
        raise UserError("data.train names no subset: LibriSpeech's are train-clean-100 and so on.")
    return named


def _rows(root: str, subset: str, split: str) -> list[files.Row]:
    """The utterances of a subset, by speaker and chapter."""
    folder = os.path.join(root, subset)
    if os.path.basename(subset) != subset or subset.startswith(".") or not os.path.isdir(folder):
        present = ", ".join(name for name in sorted(os.listdir(root)) if os.path.isdir(os.path.join(root, name)))
        flag = f"data.{split}" if split else "data.only"
        raise UserError(
            f"{root} has no subset {subset!r} ({flag}), it has {present or 'none'}: name others by data.train, "
            "data.validation and data.test, or set data.only to one that is to be cut into all three."
        )
    texts: dict[str, tuple[str, str]] = {}
    paths, speakers = {}, {}
    for speaker in _names(folder):
        for chapter in _names(os.path.join(folder, speaker)):
            below = os.path.join(folder, speaker, chapter)
            for name in _names(below):
                stem, suffix = os.path.splitext(name)
                if suffix == ".flac":
                    paths[stem], speakers[stem] = os.path.join(below, name), speaker
                elif name.endswith(".trans.txt"):
                    for where, line in transcripts.lines(os.path.join(below, name)):
                        utterance, _, text = line.partition(" ")
                        transcripts.add(texts, where, utterance, text)
    if not texts:
        raise UserError(f"{folder} holds no transcripts, such as 1089/134686/1089-134686.trans.txt: copy it again.")
    pairs = transcripts.match(texts, paths, folder)
    return [files.Row(path, split=split, text=text, speaker=speakers[name]) for name, path, text in pairs]


def _names(folder: str) -> list[str]:
    """The sorted names in a folder without the hidden ones; empty for what is not a folder."""
    if not os.path.isdir(folder):
        return []
    return [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
