"""CMU's census corpus AN4 (Acero 1993, "Acoustical and environmental robustness in automatic speech recognition").

Spelled words, numbers, dates and commands in English at 16 kHz: 948 training utterances of 74 speakers, 130 test
utterances (773 words) of 10 others. `data.path` is the folder as it is distributed:

    etc/an4_train.fileids, an4_test.fileids              an4_clstk/fash/an251-fash-b, for example, whose speaker is fash
    etc/an4_train.transcription, an4_test.transcription  <s> YES </s> (an251-fash-b); the test's lines have no <s> </s>
    wav/an4_clstk/fash/an251-fash-b.sph                  NIST SPHERE

The last test file, cen8-mmxg-b, lacks the end that its header announces in some copies: a file of which at least three
quarters are there is used as it is, and the corpus says so.
"""

import dataclasses
import os
import re

import numpy as np

from pipelines import audio, sphere
from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError

TASK = "transcribe"  # where none is named
SAMPLE_RATE_HZ = 16000
MAX_SECONDS = 60
MAY_LACK = 0.25  # fraction of a file


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where the corpus lies, and which of its training speakers validate, since it names none for that."""

    name: str = "an4"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds etc/ and wav/
    validation_utterances: int = 100  # so many at least, of whole training speakers; split_seed says which

    def __post_init__(self):
        super().__post_init__()
        if self.validation_utterances < 1:
            raise ValueError(f"data.validation_utterances must be 1 or more. Received: {self.validation_utterances}")


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, transcripts in capitals as distributed, audio at `sample_rate_hz` (None = 16000).

    Raises UserError, with file and line, for what is missing, there twice, broken, or not at 16 kHz.
    """
    transcripts.folder(config.path, "the folder of AN4, with etc/ and wav/")
    rows = _rows(config.path, "train") + _rows(config.path, "test")
    training = np.array([i for i, row in enumerate(rows) if row.split == "train"])
    validating = _chosen(np.array([rows[i].speaker for i in training]), config)
    parts = {
        "train": training[~validating],
        "validation": training[validating],
        "test": np.array([i for i, row in enumerate(rows) if row.split == "test"]),
    }
    clips, notes = _audio(rows, sample_rate_hz or SAMPLE_RATE_HZ)
    return transcripts.in_memory(config, rows, clips, parts, sample_rate_hz or SAMPLE_RATE_HZ, notes)


def _rows(root, split):
    """The utterances of a list, in the list's order."""
    paths, speakers = {}, {}
    listed = os.path.join(root, "etc", f"an4_{split}.fileids")
    for where, line in transcripts.lines(listed):
        parts = line.strip().split("/")
        # Three plain names, so that no line leads out of the folder.
        if len(parts) != 3 or not all(re.fullmatch(r"[\w-]+", part) for part in parts):
            raise UserError(f"{where}: not of the form an4_clstk/SPEAKER/UTTERANCE: {line.strip()[:80]!r}.")
        if parts[2] in paths:
            raise UserError(f"{where}: the utterance {parts[2]!r} is listed twice: remove one of the lines.")
        paths[parts[2]], speakers[parts[2]] = os.path.join(root, "wav", *parts) + ".sph", parts[1]
    if not paths:
        raise UserError(f"{listed} lists no utterances: bring it as distributed.")
    texts = {}
    for where, line in transcripts.lines(os.path.join(root, "etc", f"an4_{split}.transcription")):
        found = re.fullmatch(r"(?:<s>)?(?P<text>.*?)(?:</s>)?\s*\((?P<name>[\w-]+)\)", line.strip())
        if not found:
            raise UserError(f"{where}: not of the form WORDS (UTTERANCE): {line.strip()[:80]!r}.")
        transcripts.add(texts, where, found["name"], found["text"])
    pairs = transcripts.matched(texts, paths, f"etc/an4_{split}.fileids")
    return [files.Row(path, split=split, text=text, speaker=speakers[name]) for name, path, text in pairs]


def _chosen(speakers, config):
    """Which training utterances validate: those of whole speakers, until there are enough. Boolean, one for each."""
    names, counts = np.unique(speakers, return_counts=True)
    order = np.random.default_rng(config.split_seed).permutation(len(names))
    taken = 1 + int(np.searchsorted(np.cumsum(counts[order]), config.validation_utterances))
    if taken >= len(names):
        raise UserError(
            f"data.validation_utterances is {config.validation_utterances}, but the {len(names)} training speakers have"
            f" {len(speakers)} utterances together, and some must be trained on: lower it."
        )
    return np.isin(speakers, names[order[:taken]])


def _audio(rows, rate):
    """(float32 waveforms at a rate, sentences on what is amiss with them) of all rows."""
    waveforms, cut = [], []
    for row in rows:
        try:
            header = sphere.read_header(row.path, MAY_LACK)
            if header.sample_rate_hz != SAMPLE_RATE_HZ or header.channels != 1:
                raise UserError(
                    f"{row.path} has {header.sample_rate_hz} Hz and channels: {header.channels}, but AN4 has "
                    f"{SAMPLE_RATE_HZ} Hz and 1: bring it as distributed."
                )
            if not 0 < header.samples <= MAX_SECONDS * SAMPLE_RATE_HZ:
                raise UserError(f"{row.path} has {header.samples} samples: none, or too many to be of AN4.")
            samples = sphere.read(row.path, header)[:, 0]
        except OSError as error:
            raise UserError(f"{row.path} cannot be read: {error.strerror}.") from error
        if header.lacking:
            cut.append(f"{row.path} lacks the last {header.lacking} of {header.lacking + header.samples} samples.")
        waveforms.append(audio.resample_array(samples.astype(np.float32) / 32768, SAMPLE_RATE_HZ, rate))
    return waveforms, cut
