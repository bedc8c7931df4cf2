"""Places Audio Captions (Harwath et al. 2018): spoken descriptions of pictures of the Places 205 data.

The folder as it is distributed, with lists of pairs; the pictures are a corpus of their own:

    metadata/train_2020.json, dev_seen_2020.json, test_seen_2020.json, ...; or train.json and val.json
    wavs/1/utterance_1.wav, ...

A list is a JSON object with "data": objects with "wav", "image", "speaker" and "asr_text".
"""

import dataclasses
import json
import os
from typing import Any, Literal

from pipelines import paths
from pipelines.datasets import paired, text_files
from pipelines.datasets.base import Corpus, LabelKind, Modality
from pipelines.errors import UserError

LABELS: LabelKind = "pairs"
# Lists of each split: the first that is there counts; a version without a test list has its validation list as a test.
LISTS = {
    "train": ("train_2020.json", "train.json"),
    "validation": ("dev_{speakers}_2020.json", "val.json"),
    "test": ("test_{speakers}_2020.json", "val.json"),
}


@dataclasses.dataclass(frozen=True)
class Config(paired.PairsConfig):
    """The splits are the official ones; without a list of the test, validation pairs are of the training list."""

    name: str = "places_audio"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with metadata/ and wavs/
    images: str = ""  # folder of the pictures, to which the lists' paths are relative
    speakers: Literal["seen", "unseen"] = "seen"  # in validation and test: speakers of the training, or others
    verify: bool = False  # decode every file once before training, to find damaged ones


def modality(config: Config) -> Modality:
    """Returns "image_audio"."""
    return "image_audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus.

    Args:
        config: The folders.
        sample_rate_hz: The rate that clips are converted to; None is the corpus's own, 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: Files are missing or damaged, or a list is malformed.
    """
    if not config.path or not config.images:
        raise UserError("data.path and data.images are needed: the folders of the captions and of the pictures.")
    chosen = {split: _list(config, split) for split in LISTS}
    pairs = []
    for split, path in chosen.items():
        if split == "validation" and path == chosen["test"]:
            continue  # a fraction of the training
        pairs += _pairs(config, path, split)
    if chosen["validation"] == chosen["test"]:
        pairs = [dataclasses.replace(pair, split="" if pair.split == "train" else pair.split) for pair in pairs]
    return paired.build_corpus(config, pairs, sample_rate_hz)


def _list(config: Config, split: str) -> str:
    """The list of a split."""
    folder = os.path.join(paths.local(config.path), "metadata")
    names = [name.format(speakers=config.speakers) for name in LISTS[split]]
    found = next((name for name in names if os.path.isfile(os.path.join(folder, name))), None)
    if found is None:
        raise UserError(f"{paths.shown(folder)} has neither {' nor '.join(names)}: is data.path the corpus's folder?")
    return os.path.join(folder, found)


def _pairs(config: Config, path: str, split: str) -> list[paired.Pair]:
    """The pairs of a list."""
    try:
        stored = json.loads(text_files.read(path, "data.path"))["data"]
        entries: list[dict[str, Any]] = [{**entry, "wav": entry["wav"], "image": entry["image"]} for entry in stored]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{paths.shown(path)} must be a JSON object with "data", a list of pairs: {error}.') from None
    pairs = []
    for number, entry in enumerate(entries, start=1):
        where = f"{paths.shown(path)}: pair {number}"
        files = {
            "audio": os.path.join(paths.local(config.path), entry["wav"]),
            "image": os.path.join(paths.local(config.images), entry["image"]),
        }
        paired.require_files(files, where)
        text = " ".join(str(entry.get("asr_text", "")).split())
        pairs.append(paired.Pair(**files, where=where, split=split, text=text, speaker=str(entry.get("speaker", ""))))
    return pairs
