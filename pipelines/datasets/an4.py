"""CMU's census corpus AN4 (Acero 1993, "Acoustical and environmental robustness in automatic speech recognition").

Spelled words, numbers, dates and commands in English at 16 kHz: 948 training utterances of 74 speakers, 130 test
utterances (773 words) of 10 others. `data.path` is the folder as it is distributed:

    etc/an4_train.fileids, an4_test.fileids              an4_clstk/fash/an251-fash-b, for example, whose speaker is fash
    etc/an4_train.transcription, an4_test.transcription  <s> YES </s> (an251-fash-b); the test's lines have no <s> </s>
    wav/an4_clstk/fash/an251-fash-b.sph                  NIST SPHERE

In some copies the last test file, cen8-mmxg-b, lacks the end that its header announces: a file that holds at least
three quarters of its samples is used as it is, and the corpus has a note of it.
"""

import dataclasses
import os
import re

import numpy as np

from pipelines import audio
from pipelines.audio_formats import sphere
from pipelines.datasets import files, transcripts
from pipelines.datasets.base import Corpus, DataConfig, Modality
from pipelines.errors import UserError

LABELS = "texts"
SAMPLE_RATE_HZ = 16000
MAX_SECONDS = 60
MAX_MISSING = 0.25  # fraction of a file's samples


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where the corpus is, and which of its training speakers validate, since it names no validation split."""

    name: str = "an4"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds etc/ and wav/
    validation_utterances: int = 100  # minimum, of whole training speakers, whom split_seed chooses

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation_utterances < 1:
            raise ValueError(f"data.validation_utterances must be 1 or more. Received: {self.validation_utterances}")


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus into memory, transcripts in capitals as distributed.

    Args:
        config: The folder and the validation speakers.
        sample_rate_hz: The rate that utterances are converted to; None is 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: With file and line, something is missing, duplicate, damaged, or not at 16 kHz.
    """
    root = transcripts.require_folder(config.path, "the folder of AN4, with etc/ and wav/")
    rows = _rows(root, "train") + _rows(root, "test")
    training = np.array([i for i, row in enumerate(rows) if row.split == "train"])
    validating = _validating(np.array([rows[i].speaker for i in training]), config)
    parts = {
        "train": training[~validating],
        "validation": training[validating],
        "test": np.array([i for i, row in enumerate(rows) if row.split == "test"]),
    }
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    waveforms, notes = _waveforms(rows, rate)
    return transcripts.build_corpus_in_memory(config, rows, waveforms, parts, rate, notes)


def _rows(root: str, split: str) -> list[files.Row]:
    """The utterances of a list, in the list's order."""
    paths, speakers = {}, {}
    fileids = os.path.join(root, "etc", f"an4_{split}.fileids")
    for where, line in transcripts.lines(fileids):
        names = line.strip().split("/")
        # Three plain names, so that no line leads out of the folder.
        if len(names) != 3 or not all(re.fullmatch(r"[\w-]+", name) for name in names):
            raise UserError(f"{where}: not of the form an4_clstk/SPEAKER/UTTERANCE: {line.strip()[:80]!r}.")
        if names[2] in paths:
            raise UserError(f"{where}: the utterance {names[2]!r} is listed twice: remove one of the lines.")
        paths[names[2]], speakers[names[2]] = os.path.join(root, "wav", *names) + ".sph", names[1]
    if not paths:
        raise UserError(f"{fileids} lists no utterances: copy it as distributed.")
    texts: dict[str, tuple[str, str]] = {}
    for where, line in transcripts.lines(os.path.join(root, "etc", f"an4_{split}.transcription")):
        match = re.fullmatch(r"(?:<s>)?(?P<text>.*?)(?:</s>)?\s*\((?P<name>[\w-]+)\)", line.strip())
        if not match:
            raise UserError(f"{where}: not of the form WORDS (UTTERANCE): {line.strip()[:80]!r}.")
        transcripts.add(texts, where, match["name"], match["text"])
    pairs = transcripts.match(texts, paths, f"etc/an4_{split}.fileids")
    return [files.Row(path, split=split, text=text, speaker=speakers[name]) for name, path, text in pairs]


def _validating(speakers: np.ndarray, config: Config) -> np.ndarray:
    """Which training utterances validate: those of whole speakers, until there are enough. bool `(utterances,)`."""
    names, counts = np.unique(speakers, return_counts=True)
    order = np.random.default_rng(config.split_seed).permutation(len(names))
    taken = 1 + int(np.searchsorted(np.cumsum(counts[order]), config.validation_utterances))
    if taken >= len(names):
        raise UserError(
            f"data.validation_utterances is {config.validation_utterances}, but the {len(names)} training speakers have"
            f" {len(speakers)} utterances together, and some must be trained on: lower it."
        )
    return np.isin(speakers, names[order[:taken]])


def _waveforms(rows: list[files.Row], rate: int) -> tuple[list[np.ndarray], list[str]]:
    """(float32 waveforms at a rate, sentences about truncated files) of all rows."""
    waveforms, notes = [], []
    for row in rows:
        try:
            header = sphere.read_header(row.path, MAX_MISSING)
            if header.sample_rate_hz != SAMPLE_RATE_HZ or header.channels != 1:
                raise UserError(
                    f"{row.path} has {header.sample_rate_hz} Hz and channels: {header.channels}, but AN4 has "
                    f"{SAMPLE_RATE_HZ} Hz and 1: copy it as distributed."
                )
            if not 0 < header.samples <= MAX_SECONDS * SAMPLE_RATE_HZ:
                raise UserError(
                    f"{row.path} has {header.samples} samples, but AN4's files last 0 to {MAX_SECONDS} s: copy it as "
                    "distributed."
                )
            samples = sphere.read(row.path, header)[:, 0]
        except OSError as error:
            raise UserError(f"{row.path} cannot be read: {error.strerror}.") from error
        if header.missing_samples:
            announced = header.samples + header.missing_samples
            notes.append(f"{row.path} lacks the last {header.missing_samples} of {announced} samples.")
        waveforms.append(audio.resample_array(samples.astype(np.float32) / 32768, SAMPLE_RATE_HZ, rate))
    return waveforms, notes
