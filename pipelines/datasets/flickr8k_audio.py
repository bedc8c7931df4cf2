"""Flickr8k Audio Captions (Harwath and Glass 2015): 8,000 pictures, each with five captions that people read aloud.

The corpus comes in parts, which lie in one folder as they were distributed; text files may be in a folder of it:

    flickr_audio/wavs/1000268201_693b08cb0e_0.wav, ...
    flickr_audio/wav2capt.txt           clip, picture, # and the number of the caption
    flickr_audio/wav2spk.txt            clip, speaker
    Flicker8k_Dataset/1000268201_693b08cb0e.jpg, ...
    Flickr_8k.trainImages.txt, ...      pictures of the splits: train, dev, test
    Flickr8k.token.txt                  picture#number of the caption, caption
"""

import dataclasses
import os
from collections.abc import Mapping

from pipelines import paths
from pipelines.datasets import paired, text_files
from pipelines.datasets.base import Corpus, LabelKind, Modality
from pipelines.errors import UserError

LABELS: LabelKind = "pairs"
SPLITS = {"train": "train", "validation": "dev", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Config(paired.PairsConfig):
    """The splits are the official ones; captions of pictures in none of them are left out."""

    name: str = "flickr8k_audio"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder with flickr_audio/, Flicker8k_Dataset/ and the text files
    verify: bool = False  # decode every file once before training, to find damaged ones


def modality(config: Config) -> Modality:
    """Returns "image_audio"."""
    return "image_audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus.

    Args:
        config: The folder.
        sample_rate_hz: The rate that clips are converted to; None is the corpus's own, 16000.

    Returns:
        The Corpus; the captions of a picture match it and each other.

    Raises:
        UserError: Files are missing or damaged, or a line is malformed.
    """
    return paired.build_corpus(config, _pairs(config), sample_rate_hz)


def _pairs(config: Config) -> list[paired.Pair]:
    """The pairs of the official splits."""
    if not config.path:
        raise UserError("data.path is needed: the folder with flickr_audio/, Flicker8k_Dataset/ and the text files.")
    root = paths.local(config.path)
    split_of = {}
    for split, name in SPLITS.items():
        for _, (picture,) in _lines(root, f"Flickr_8k.{name}Images.txt", 1):
            split_of[picture] = split
    speakers = dict(fields for _, fields in _lines(root, "wav2spk.txt", 2))
    captions = _captions(root)
    pairs = []
    for where, (clip, picture, number) in _lines(root, "wav2capt.txt", 3):
        if picture not in split_of:
            continue
        files = {
            "audio": os.path.join(root, "flickr_audio", "wavs", clip),
            "image": os.path.join(root, "Flicker8k_Dataset", picture),
        }
        paired.require_files(files, where, "extract all archives into one folder")
        text = captions.get(f"{picture}{number}", "")
        pairs.append(
            paired.Pair(**files, where=where, split=split_of[picture], text=text, speaker=speakers.get(clip, ""))
        )
    if not pairs:
        raise UserError(f"{paths.shown(root)}: wav2capt.txt names no picture of the splits: copy the files again.")
    return pairs


def _captions(root: str) -> Mapping[str, str]:
    """Picture#number -> caption."""
    rows = (line.split("\t") for _, line in _texts(root, "Flickr8k.token.txt"))
    return {row[0]: " ".join(row[1].split()) for row in rows if len(row) == 2}


def _lines(root: str, name: str, fields: int) -> list[tuple[str, list[str]]]:
    """(file and line, the fields of a line) of a text file of the corpus."""
    result = []
    for where, line in _texts(root, name):
        found = line.split()
        if len(found) != fields:
            raise UserError(f"{where}: the line must have {fields} fields. Received: {line!r}")
        result.append((where, found))
    return result


def _texts(root: str, name: str) -> list[tuple[str, str]]:
    """(file and line, line) of a text file of the corpus, in its folder or one below."""
    for folder in ("", "flickr_audio", "Flickr8k_text"):
        path = os.path.join(root, folder, name)
        if os.path.isfile(path):
            lines = text_files.read(path, "data.path").splitlines()
            return [(f"{paths.shown(path)}:{i}", line) for i, line in enumerate(lines, start=1) if line.strip()]
    raise UserError(f"{paths.shown(root)} has no file {name}: extract all archives of the corpus into one folder.")
