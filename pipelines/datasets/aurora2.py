"""Aurora-2 (Hirsch and Pearce 2000, "The AURORA Experimental Framework"): TIDigits at 8 kHz, clean and in noise.

The corpus is licensed (by ELDA), so its users bring it. These folders, in upper or lower case, are looked for below
`data.path`, under the names that public recipes for the corpus use:

    train/clean                                 8,440 utterances of 110 speakers; also clean_train
    train/clean1 .. clean4, N1_SNR20 .. N4_SNR5 the same, in twenty conditions; also below train/multi or multi_train
    testa/clean1 .. clean4, N1_SNR20 .. N4_SNR-5 four times 1,001 utterances of 104 other speakers; testb likewise
    testc/clean1 .. clean2, N1_SNR20 .. N2_SNR-5 two times

Files are named `SPEAKER_DIGITS` and the production, A or B: `MAE_1A.08` is "one", `FAC_1Z9B.08` "one zero nine". They
hold 16-bit samples without a header, the most significant byte first; some copies have been swapped.
"""

import dataclasses
import math
import os
import pathlib
import re
from typing import Literal

import numpy as np

from pipelines import audio
from pipelines.datasets import files, memory
from pipelines.datasets.base import Corpus, DataConfig
from pipelines.errors import UserError, unknown

SAMPLE_RATE_HZ = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh")
# By number, 1 to 4. Set C went through another microphone's characteristic (MIRS).
NOISES = {
    "train": ("subway", "babble", "car", "exhibition"),
    "testa": ("subway", "babble", "car", "exhibition"),
    "testb": ("restaurant", "street", "airport", "station"),
    "testc": ("subway", "street"),
}
SNRS = ("clean", "20", "15", "10", "5", "0", "-5")  # dB; training stops at 5
MAX_SECONDS = 60  # TIDigits' longest strings have seven digits

_DEPTH = 6  # levels below data.path that are looked at: links may lead in circles
_CODES = dict(zip("Z123456789O", WORDS, strict=True))
_FOLDER = re.compile(
    r"(?:^|/)(?:train/clean|clean_?train|(?P<part>train|train/multi|multi_?train|test_?[abc])/"
    r"(?:clean(?P<still>[1-4])|n(?P<noisy>[1-4])_snr(?P<snr>-?\d+)))$"
)
_NAME = re.compile(r"(?P<speaker>[A-Z]{2,4})_(?P<digits>[1-9ZO]+)[AB]\.08")


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Which of the corpus's isolated digits are used; the validation split is a fraction of the training speakers."""

    name: str = "aurora2"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds train/, testa/, testb/ and testc/, or folders of them; the corpus is licensed
    training: Literal["clean", "multi"] = "multi"  # multi: clean and four noises at 20 to 5 dB
    test_set: Literal["a", "b", "c"] = "a"  # a: noises of the training; b: others; c: another channel
    test_noise: str | None = None  # a: subway babble car exhibition; b: restaurant street airport station; none = all
    test_snr: tuple[Literal[SNRS], ...] = ()  # dB; none = all, and the published averages take 20 15 10 5 0
    byte_order: Literal["big", "little"] = "big"  # of the samples: big as distributed


@dataclasses.dataclass(frozen=True)
class Condition:
    """One folder of the corpus."""

    part: str  # a key of NOISES
    subset: int | None = None  # 1 to 4; every noise has its own utterances. None = all of them, in train/clean
    snr_db: int | None = None  # None = clean

    @property
    def noise(self):
        """The noise of the subset, which its clean utterances do not contain; None for train/clean."""
        return self.subset and NOISES[self.part][self.subset - 1]

    def __str__(self):
        end = f"clean{self.subset or ''}" if self.snr_db is None else f"N{self.subset}_SNR{self.snr_db}"
        return f"{self.part}/{end}"


def words(code):
    """The words of a TIDigits string, such as a file's name holds.

    >>> words("1Z9O")
    ('one', 'zero', 'nine', 'oh')
    """
    if not code or set(code) - set(_CODES):
        raise ValueError(f"A digit string consists of 1 to 9, Z (zero) and O (oh). Received: {code!r}")
    return tuple(_CODES[letter] for letter in code)


def condition(path):
    """The Condition of a file (an example's source), from its folder; None where no such folder is known.

    >>> condition("aurora2/speechdata/testa/N1_SNR10/MAE_1A.08")
    Condition(part='testa', subset=1, snr_db=10)
    """
    found = _FOLDER.search(pathlib.PurePath(path).parent.as_posix().lower())
    if not found:
        return None
    part, subset = found["part"] or "train", found["still"] or found["noisy"]
    part = f"test{part[-1]}" if part.startswith("test") else "train"
    if subset is None:
        return Condition(part)
    if int(subset) > len(NOISES[part]):
        return None
    return Condition(part, int(subset), found["snr"] and int(found["snr"]))


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus of the isolated digits, all clips in memory, at `sample_rate_hz` (None = 8000).

    Eleven classes, `WORDS`. A source is a file's path, and `condition` tells its noise and SNR. Strings of several
    digits are left out: about two of seven utterances remain. No speaker is in both training and validation. Raises
    UserError for folders that are missing or there twice, names that are not TIDigits', and files that cannot hold
    such samples.
    """
    folders = _folders(config.path)
    rows = [row for split, wanted in _wanted(config) for row in _rows(config.path, folders, split, wanted)]
    labels = np.array([WORDS.index(row.label) for row in rows], np.int64)
    parts = files.split_rows(rows, labels, config, by="speaker")
    samples = [_read(row.path, config.byte_order) for row in rows]
    _check_byte_order([samples[i] for i in parts["train"]], config)
    rate = sample_rate_hz or SAMPLE_RATE_HZ

    def split(indices):
        waveforms = [samples[i].astype(np.float32) / 32768 for i in indices]
        waveforms = [audio.resample_array(waveform, SAMPLE_RATE_HZ, rate) for waveform in waveforms]
        clips = memory.clips(waveforms, labels[indices], [rows[i].path for i in indices])
        found = [condition(path) for path in clips.sources]
        told = [(one.noise, math.inf if one.snr_db is None else float(one.snr_db)) for one in found]
        return dataclasses.replace(clips, conditions=told)

    return Corpus(
        name="aurora2",
        modality="audio",
        class_names=WORDS,
        splits={name: split(indices) for name, indices in parts.items()},
        sample_rate_hz=rate,
    )


def _folders(path):
    """Condition -> its folder, for all that lie below a path."""
    if not path:
        raise UserError("data.path is needed: the folder of Aurora-2, which is licensed (by ELDA) and must be brought.")
    if not os.path.isdir(path):
        raise UserError(f"data.path {path} is not a folder: Aurora-2 is licensed (by ELDA) and must be brought.")

    def fail(error):
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error

    found = {}
    for here, below, _ in os.walk(path, onerror=fail, followlinks=True):
        if len(pathlib.Path(here).relative_to(path).parts) == _DEPTH:
            below.clear()
        below.sort()
        known = condition(os.path.join(here, "FILE"))
        if known and not os.path.samefile(found.setdefault(known, here), here):
            raise UserError(f"{found[known]} and {here} both are {known} of Aurora-2: keep one below data.path.")
    if not found:
        raise UserError(f"{path} holds no train/clean, testa/N1_SNR10 and so on: data.path is to be Aurora-2's folder.")
    return found


def _wanted(config):
    """(split, Condition) of everything that the config names."""

    def conditions(part, subsets, snrs):
        return [Condition(part, k, None if snr == "clean" else int(snr)) for snr in snrs for k in subsets]

    part = f"test{config.test_set}"
    noises = NOISES[part]
    if config.test_noise not in (None, *noises):
        raise unknown(f"noise of test set {config.test_set} in data.test_noise", config.test_noise, noises)
    subsets = [k for k, noise in enumerate(noises, 1) if config.test_noise in (None, noise)]
    training = [Condition("train")] if config.training == "clean" else conditions("train", (1, 2, 3, 4), SNRS[:5])
    test = conditions(part, subsets, dict.fromkeys(config.test_snr or SNRS))
    return [("train", wanted) for wanted in training] + [("test", wanted) for wanted in test]


def _rows(path, folders, split, wanted):
    """A Row per isolated digit of one condition."""
    if wanted not in folders:
        flags = "data.training" if split == "train" else "data.test_set, data.test_noise and data.test_snr"
        raise UserError(f"{path} has no folder {wanted}: copy it from the discs, or choose others by {flags}.")
    rows, folder = [], folders[wanted]
    for name in sorted(os.listdir(folder)):
        file = os.path.join(folder, name)
        if name.startswith(".") or not name.lower().endswith(".08"):
            continue
        parts = _NAME.fullmatch(name.upper())
        if not parts:
            raise UserError(
                f"{file} is not named as in TIDigits, such as MAE_1A.08 or FAC_1Z9B.08: rename or remove it."
            )
        if len(parts["digits"]) == 1:
            rows.append(files.Row(file, words(parts["digits"])[0], split, speaker=parts["speaker"]))
    if not rows:
        raise UserError(f"{folder} holds no isolated digits, such as MAE_1A.08: copy it from the discs anew.")
    return rows


def _read(path, byte_order):
    """int16 samples (samples,) of a file without a header."""
    limit = 2 * MAX_SECONDS * SAMPLE_RATE_HZ
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not data:
        raise UserError(f"{path} is empty: copy it from the discs anew.")
    if data.startswith((b"RIFF", b"NIST_1A")):
        raise UserError(f"{path} has a header, but .08 files of Aurora-2 are raw samples: bring them as distributed.")
    if len(data) > limit:
        raise UserError(f"{path} lasts more than {MAX_SECONDS} s, too long for spoken digits: remove it.")
    if len(data) % 2:
        raise UserError(f"{path} has {len(data)} bytes, but samples take two each: copy it from the discs anew.")
    return np.frombuffer(data, ">i2" if byte_order == "big" else "<i2").astype(np.int16)


def _check_byte_order(clips, config):
    """UserError where the samples would be smooth the other way round, as speech is and swapped bytes never are."""

    def roughness(clip):
        values = clip.astype(np.float64)
        return np.array([np.abs(np.diff(values)).sum(), np.abs(values).sum()])

    given, swapped = (
        np.sum([roughness(clip) for clip in some], axis=0) for some in (clips, [clip.byteswap() for clip in clips])
    )
    if swapped[0] * given[1] < 0.8 * given[0] * swapped[1]:
        other = "little" if config.byte_order == "big" else "big"
        raise UserError(f"{config.path} is noise when read as {config.byte_order}: set data.byte_order to {other!r}.")
