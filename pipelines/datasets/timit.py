"""TIMIT (Garofolo et al. 1993, LDC93S1): ten read English sentences by each of 630 speakers, as phonemes or words.

The corpus is licensed (by the LDC), so its users provide it. Below `data.path`, in upper or lower case:

    TRAIN/DR1/FCJF0/SI1027.WAV         NIST SPHERE at 16 kHz, or another format under the same name; also SI1027.WAV.wav
    TRAIN/DR1/FCJF0/SI1027.PHN         a line for each phoneme: first sample, last sample, one of 61 symbols
    TRAIN/DR1/FCJF0/SI1027.TXT         a line with first sample, last sample and the words
    TEST/...                           168 other speakers

The two sentences that every speaker reads (SA) are left out, as usual. The test split is the core test set of the
corpus's documentation: 24 speakers, 192 sentences. The validation split has 50 of the other speakers of TEST, with 400
sentences: those that Halberstadt chose (1998, "Heterogeneous acoustic measurements and multiple classifiers for speech
recognition", MIT) and that recipes such as Kaldi's list.
"""

import dataclasses
import os
from typing import Literal

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import Corpus, Modality, SkippingConfig
from pipelines.errors import UserError

LABELS = "texts"
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
class Config(SkippingConfig):
    """Where the corpus is and what its transcripts consist of; the usual splits are used."""

    name: str = "timit"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds TRAIN/ and TEST/; the corpus is licensed
    unit: Literal["phonemes", "words"] = "phonemes"  # phonemes: the 61 symbols, with spaces between


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus; a group is a dialect region, DR1 to DR8.

    Args:
        config: The folder and the unit.
        sample_rate_hz: The rate that sentences are converted to; None is 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: Speakers or files are missing, or, with file and line, a transcript is malformed.
    """
    root = transcripts.require_folder(
        config.path, "the folder of TIMIT, with TRAIN/ and TEST/; it is licensed (by the LDC)"
    )
    rows = _rows(root, config, "TRAIN", None, "train")
    rows += _rows(root, config, "TEST", DEVELOPMENT, "validation") + _rows(root, config, "TEST", CORE_TEST, "test")
    return transcripts.build_corpus(config, rows, sample_rate_hz, own_hz=SAMPLE_RATE_HZ)


def _rows(root: str, config: Config, part: str, wanted: tuple[str, ...] | None, split: str) -> list[files.Row]:
    """The sentences in a part of the corpus by the wanted speakers (None = all)."""
    folder = _entries(root).get(part)
    if folder is None:
        raise UserError(f"{root} has no folder {part}: data.path must be the folder of TIMIT, which holds it.")
    speakers = {
        speaker: (region, path)
        for region, below in _entries(folder).items()
        for speaker, path in _entries(below).items()
        if wanted is None or speaker in wanted
    }
    missing = sorted(set(wanted or ()) - set(speakers))
    if missing:
        raise UserError(
            f"{folder} lacks {len(missing)} speakers of the {split} split: {', '.join(missing)}; copy it again."
        )
    rows = [
        row
        for speaker, (region, path) in sorted(speakers.items())
        for row in _sentences(config, path, split, speaker, region)
    ]
    if not rows:
        raise UserError(f"{folder} holds no sentences, such as DR1/FCJF0/SI1027.WAV: copy it again.")
    return rows


def _sentences(config: Config, folder: str, split: str, speaker: str, region: str) -> list[files.Row]:
    """The rows of one speaker."""
    suffix = ".PHN" if config.unit == "phonemes" else ".TXT"
    paths: dict[str, str] = {}
    texts: dict[str, tuple[str, str]] = {}
    for name, path in _entries(folder).items():
        sentence, _, kind = name.partition(".")
        if sentence.startswith("SA"):
            continue
        if kind in ("WAV", "WAV.WAV"):
            paths.setdefault(sentence, path)
        elif name.endswith(suffix):
            transcripts.add(texts, path, sentence, _text(path, config.unit))
    pairs = transcripts.match(texts, paths, folder)
    return [files.Row(path, split=split, group=region, text=text, speaker=speaker) for _, path, text in pairs]


def _text(path: str, unit: str) -> str:
    """The text of a transcript without its times."""
    texts = []
    for where, line in transcripts.lines(path):
        first, last, text = [*line.split(None, 2), "", "", ""][:3]
        if not (first.isdecimal() and last.isdecimal() and text) or (unit == "phonemes" and " " in text.strip()):
            form = "SYMBOL" if unit == "phonemes" else "WORDS"
            raise UserError(f"{where}: not of the form FIRST_SAMPLE LAST_SAMPLE {form}: {line[:80]!r}.")
        texts.append(text.strip())
    return " ".join(texts)


def _entries(folder: str) -> dict[str, str]:
    """Name in capitals -> path of the entries of a folder, sorted, without hidden ones; empty for a file."""
    if not os.path.isdir(folder):
        return {}
    entries: dict[str, str] = {}
    for name in sorted(os.listdir(folder)):
        if not name.startswith("."):
            if name.upper() in entries:
                raise UserError(f"{folder} holds {name!r} in capitals and in small letters: keep one of them.")
            entries[name.upper()] = os.path.join(folder, name)
    return entries
