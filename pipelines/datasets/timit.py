"""TIMIT (Garofolo et al. 1993, LDC93S1): ten read English sentences by each of 630 speakers, as phonemes or words.

The corpus is licensed (by the LDC), so its users bring it. Below `data.path`, in upper or lower case:

    TRAIN/DR1/FCJF0/SI1027.WAV         NIST SPHERE at 16 kHz, or another format under the same name; also SI1027.WAV.wav
    TRAIN/DR1/FCJF0/SI1027.PHN         a line for each phoneme: first sample, last sample, one of 61 symbols
    TRAIN/DR1/FCJF0/SI1027.TXT         a line with first sample, last sample and the words
    TEST/...                           168 other speakers

The two sentences that everybody reads (SA) are left out, as usual. The test split is the core test set of the corpus's
documentation: 24 speakers, 192 sentences. The validation split are the 50 speakers of the rest of TEST, 400 sentences,
that Halberstadt (1998, "Heterogeneous acoustic measurements and multiple classifiers for speech recognition", MIT)
chose and recipes such as Kaldi's list.
"""

import dataclasses
import os
from typing import Literal

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError

TASK = "transcribe"  # where none is named
SAMPLE_RATE_HZ = 16000
_CORE_TEST = (
    "MDAB0 MWBT0 FELC0 MTAS1 MWEW0 FPAS0 MJMP0 MLNT0 FPKT0 MLLL0 MTLS0 FJLM0 "
    "MBPM0 MKLT0 FNLP0 MCMJ0 MJDH0 FMGD0 MGRT0 MNJM0 FDHC0 MJLN0 MPAM0 FMLD0"
)
_DEVELOPMENT = (
    "FAKS0 FDAC1 FJEM0 MGWT0 MJAR0 MMDB1 MMDM2 MPDF0 FCMH0 FKMS0 MBDG0 MBWM0 MCSH0 FADG0 FDMS0 FEDW0 MGJF0 "
    "MGLB0 MRTK0 MTAA0 MTDT0 MTHC0 MWJG0 FNMR0 FREW0 FSEM0 MBNS0 MMJR0 MDLS0 MDLF0 MDVC0 MERS0 FMAH0 FDRW0 "
    "MRCS0 MRJM4 FCAL1 MMWH0 FJSJ0 MAJC0 MJSW0 MREB0 FGJD0 FJMG0 MROA0 MTEB0 MJFC0 MRJR0 FMML0 MRWS1"
)
CORE_TEST, DEVELOPMENT = tuple(_CORE_TEST.split()), tuple(_DEVELOPMENT.split())


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where the corpus lies and what its transcripts are made of; the usual splits."""

    name: str = "timit"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds TRAIN/ and TEST/; the corpus is licensed
    unit: Literal["phonemes", "words"] = "phonemes"  # phonemes: the 61 symbols, with spaces between


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, audio at `sample_rate_hz` (None = 16000); a group is a dialect region, DR1 to DR8.

    Raises UserError for speakers and files that are missing, and, with file and line, for transcripts that are none.
    """
    transcripts.folder(config.path, "the folder of TIMIT, with TRAIN/ and TEST/; it is licensed (by the LDC)")
    rows = _rows(config, "TRAIN", None, "train")
    rows += _rows(config, "TEST", DEVELOPMENT, "validation") + _rows(config, "TEST", CORE_TEST, "test")
    return transcripts.corpus(config, rows, sample_rate_hz, own_hz=SAMPLE_RATE_HZ)


def _rows(config, part, wanted, split):
    """The sentences in a part of the corpus by the wanted speakers (None = all)."""
    home = _below(config.path).get(part)
    if home is None:
        raise UserError(f"{config.path} has no folder {part}: data.path is to be TIMIT's folder, which holds it.")
    speakers = {
        speaker: (region, path)
        for region, below in _below(home).items()
        for speaker, path in _below(below).items()
        if wanted is None or speaker in wanted
    }
    missing = sorted(set(wanted or ()) - set(speakers))
    if missing:
        raise UserError(
            f"{home} lacks {len(missing)} speakers of the {split} split: {', '.join(missing)}; copy it anew."
        )
    rows = [
        row
        for speaker, (region, path) in sorted(speakers.items())
        for row in _sentences(config, path, split, speaker, region)
    ]
    if not rows:
        raise UserError(f"{home} holds no sentences, such as DR1/FCJF0/SI1027.WAV: copy it anew.")
    return rows


def _sentences(config, folder, split, speaker, region):
    """The Rows of one speaker."""
    suffix = ".PHN" if config.unit == "phonemes" else ".TXT"
    paths, texts = {}, {}
    for name, path in _below(folder).items():
        sentence, _, kind = name.partition(".")
        if sentence.startswith("SA"):
            continue
        if kind in ("WAV", "WAV.WAV"):
            paths.setdefault(sentence, path)
        elif name.endswith(suffix):
            transcripts.add(texts, path, sentence, _said(path, config.unit))
    pairs = transcripts.matched(texts, paths, folder)
    return [files.Row(path, split=split, group=region, text=text, speaker=speaker) for _, path, text in pairs]


def _said(path, unit):
    """The text of a transcript without its times."""
    said = []
    for where, line in transcripts.lines(path):
        first, last, text = [*line.split(None, 2), "", "", ""][:3]
        if not (first.isdecimal() and last.isdecimal() and text) or (unit == "phonemes" and " " in text.strip()):
            what = "SYMBOL" if unit == "phonemes" else "WORDS"
            raise UserError(f"{where}: not of the form FIRST_SAMPLE LAST_SAMPLE {what}: {line[:80]!r}.")
        said.append(text.strip())
    return " ".join(said)


def _below(folder):
    """Name in capitals -> path of what is in a folder, in order; nothing in what is none. Hidden files are left out."""
    if not os.path.isdir(folder):
        return {}
    found = {}
    for name in sorted(os.listdir(folder)):
        if not name.startswith("."):
            if name.upper() in found:
                raise UserError(f"{folder} holds {name!r} in capitals and in small letters: keep one of them.")
            found[name.upper()] = os.path.join(folder, name)
    return found
