"""Aurora-2 (Hirsch and Pearce 2000, "The AURORA Experimental Framework"): TIDigits at 8 kHz, clean and in noise.

The corpus is licensed (by ELDA), so its users provide it. `data.path` is searched for these folders, in upper or lower
case, under the names that public recipes for the corpus use:

    train/clean                                 8,440 utterances of 110 speakers; also clean_train
    train/clean1 .. clean4, N1_SNR20 .. N4_SNR5 the same, in twenty conditions; also below train/multi or multi_train
    testa/clean1 .. clean4, N1_SNR20 .. N4_SNR-5 four times 1,001 utterances of 104 other speakers; testb likewise
    testc/clean1 .. clean2, N1_SNR20 .. N2_SNR-5 two times

Files are named `SPEAKER_DIGITS` and the production, A or B: `MAE_1A.08` is "one", `FAC_1Z9B.08` "one zero nine". They
hold 16-bit samples without a header, the most significant byte first; in some copies the bytes are swapped.
"""

import dataclasses
import math
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from pipelines import audio
from pipelines.datasets import files, memory
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.datasets.splitting import split_rows
from pipelines.errors import UserError, unknown

SAMPLE_RATE_HZ = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh")
# By number, 1 to 4. Set C is filtered with the characteristic of another microphone (MIRS).
NOISES: dict[str, tuple[str, ...]] = {
    "train": ("subway", "babble", "car", "exhibition"),
    "testa": ("subway", "babble", "car", "exhibition"),
    "testb": ("restaurant", "street", "airport", "station"),
    "testc": ("subway", "street"),
}
Snr = Literal["clean", "20", "15", "10", "5", "0", "-5"]  # dB; training stops at 5
SNRS: tuple[Snr, ...] = get_args(Snr)
MAX_SECONDS = 60  # TIDigits' longest strings have seven digits

_MAX_DEPTH = 6  # levels below data.path that are searched: links may lead in circles
_CODES = dict(zip("Z123456789O", WORDS, strict=True))
_FOLDER = re.compile(
    r"(?:^|/)(?:train/clean|clean_?train|(?P<part>train|train/multi|multi_?train|test_?[abc])/"
    r"(?:clean(?P<clean>[1-4])|n(?P<noisy>[1-4])_snr(?P<snr>-?\d+)))$"
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
    test_snr: tuple[Snr, ...] = ()  # dB; none = all, and the published averages take 20 15 10 5 0
    byte_order: Literal["big", "little"] = "big"  # of the samples: big as distributed


@dataclasses.dataclass(frozen=True)
class Condition:
    """One folder of the corpus."""

    part: str  # a key of NOISES
    subset: int | None = None  # 1 to 4; every noise has its own utterances. None = all of them, in train/clean
    snr_db: int | None = None  # None = clean

    @property
    def noise(self) -> str | None:
        """The noise of the subset, which its clean utterances do not contain; None for train/clean."""
        return NOISES[self.part][self.subset - 1] if self.subset else None

    def __str__(self) -> str:
        end = f"clean{self.subset or ''}" if self.snr_db is None else f"N{self.subset}_SNR{self.snr_db}"
        return f"{self.part}/{end}"


def words(code: str) -> tuple[str, ...]:
    """Reads a TIDigits string, such as a file's name holds.

    >>> words("1Z9O")
    ('one', 'zero', 'nine', 'oh')

    Args:
        code: Digits 1 to 9, Z (zero) and O (oh).

    Returns:
        Its words, of WORDS.

    Raises:
        ValueError: The code is empty or holds other characters.
    """
    if not code or set(code) - set(_CODES):
        raise ValueError(f"A digit string consists of 1 to 9, Z (zero) and O (oh). Received: {code!r}")
    return tuple(_CODES[letter] for letter in code)


def condition(path: str | os.PathLike) -> Condition | None:
    """Finds the Condition of a file (an example's source) by its folder.

    >>> condition("aurora2/speechdata/testa/N1_SNR10/MAE_1A.08")
    Condition(part='testa', subset=1, snr_db=10)

    Args:
        path: The file.

    Returns:
        The Condition; None where the folder is not one of the corpus.
    """
    match = _FOLDER.search(pathlib.PurePath(path).parent.as_posix().lower())
    if not match:
        return None
    part, subset = match["part"] or "train", match["clean"] or match["noisy"]
    part = f"test{part[-1]}" if part.startswith("test") else "train"
    if subset is None:
        return Condition(part)
    if int(subset) > len(NOISES[part]):
        return None
    return Condition(part, int(subset), int(match["snr"]) if match["snr"] else None)


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the isolated digits into memory.

    There are eleven classes, WORDS. A source is a file's path, and `condition` finds its noise and SNR. Strings of
    several digits are left out: about two of seven utterances remain. No speaker is in both training and validation.

    Args:
        config: Folder and conditions.
        sample_rate_hz: The rate that utterances are converted to; None is 8000.

    Returns:
        The Corpus.

    Raises:
        UserError: Folders are missing or duplicate, names are not TIDigits', or files cannot hold such samples.
    """
    folders = _folders(config.path)
    rows = [row for split, wanted in _wanted(config) for row in _rows(config.path, folders, split, wanted)]
    labels = np.array([WORDS.index(row.label) for row in rows], np.int64)
    parts = split_rows(rows, labels, config, by="speaker")
    samples = [_read(row.path, config.byte_order) for row in rows]
    _check_byte_order([samples[i] for i in parts["train"]], config)
    rate = sample_rate_hz or SAMPLE_RATE_HZ

    def split(indices: np.ndarray) -> Split:
        waveforms = [samples[i].astype(np.float32) / 32768 for i in indices]
        waveforms = [audio.resample_array(waveform, SAMPLE_RATE_HZ, rate) for waveform in waveforms]
        paths = [rows[i].path for i in indices]
        return memory.clips(waveforms, labels[indices], paths, conditions=[_noise_and_snr(path) for path in paths])

    return Corpus(
        name="aurora2",
        modality="audio",
        class_names=WORDS,
        splits={name: split(indices) for name, indices in parts.items()},
        sample_rate_hz=rate,
    )


def _noise_and_snr(path: str) -> tuple[str | None, float]:
    """A file's entry in `Split.conditions`."""
    known = condition(path)
    if known is None:
        raise ValueError(f"path must be a file of a folder that has a condition. Received: {path!r}")
    return known.noise, math.inf if known.snr_db is None else float(known.snr_db)


def _folders(path: str) -> dict[Condition, str]:
    """Condition -> its folder, for all that are below a path."""
    if not path:
        raise UserError("data.path is needed: the folder of Aurora-2; the corpus is licensed (by ELDA).")
    if not os.path.isdir(path):
        raise UserError(f"data.path {path} is not a folder: Aurora-2 is licensed (by ELDA), and its users provide it.")

    def fail(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error

    folders: dict[Condition, str] = {}
    for folder, below, _ in os.walk(path, onerror=fail, followlinks=True):
        if len(pathlib.Path(folder).relative_to(path).parts) == _MAX_DEPTH:
            below.clear()
        below.sort()
        known = condition(os.path.join(folder, "FILE"))
        if known and not os.path.samefile(folders.setdefault(known, folder), folder):
            raise UserError(f"{folders[known]} and {folder} both are {known} of Aurora-2: keep one below data.path.")
    if not folders:
        raise UserError(f"{path} holds no train/clean, testa/N1_SNR10 and so on: set data.path to Aurora-2's folder.")
    return folders


def _wanted(config: Config) -> list[tuple[str, Condition]]:
    """(split, Condition) of everything that the config names."""

    def conditions(part: str, subsets: Sequence[int], snrs: Sequence[str]) -> list[Condition]:
        return [Condition(part, k, None if snr == "clean" else int(snr)) for snr in snrs for k in subsets]

    part = f"test{config.test_set}"
    noises = NOISES[part]
    if config.test_noise is not None and config.test_noise not in noises:
        raise unknown(f"noise of test set {config.test_set} in data.test_noise", config.test_noise, noises)
    subsets = [k for k, noise in enumerate(noises, 1) if config.test_noise in (None, noise)]
    training = [Condition("train")] if config.training == "clean" else conditions("train", (1, 2, 3, 4), SNRS[:5])
    test = conditions(part, subsets, list(dict.fromkeys(config.test_snr or SNRS)))
    return [("train", wanted) for wanted in training] + [("test", wanted) for wanted in test]


def _rows(path: str, folders: dict[Condition, str], split: str, wanted: Condition) -> list[files.Row]:
    """A row per isolated digit of one condition."""
    if wanted not in folders:
        flags = "data.training" if split == "train" else "data.test_set, data.test_noise and data.test_snr"
        raise UserError(f"{path} has no folder {wanted}: copy it from the discs, or choose others by {flags}.")
    rows, folder = [], folders[wanted]
    for name in sorted(os.listdir(folder)):
        file = os.path.join(folder, name)
        if name.startswith(".") or not name.lower().endswith(".08"):
            continue
        match = _NAME.fullmatch(name.upper())
        if not match:
            raise UserError(
                f"{file} is not named as in TIDigits, such as MAE_1A.08 or FAC_1Z9B.08: rename or remove it."
            )
        if len(match["digits"]) == 1:
            rows.append(files.Row(file, words(match["digits"])[0], split, speaker=match["speaker"]))
    if not rows:
        raise UserError(f"{folder} holds no isolated digits, such as MAE_1A.08: copy it from the discs again.")
    return rows


def _read(path: str, byte_order: str) -> np.ndarray:
    """int16 `(samples,)` of a file without a header."""
    limit = 2 * MAX_SECONDS * SAMPLE_RATE_HZ
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not data:
        raise UserError(f"{path} is empty: copy it from the discs again.")
    if data.startswith((b"RIFF", b"NIST_1A")):
        raise UserError(f"{path} has a header, but .08 files of Aurora-2 are raw samples: copy them as distributed.")
    if len(data) > limit:
        raise UserError(f"{path} lasts more than {MAX_SECONDS} s, too long for spoken digits: remove it.")
    if len(data) % 2:
        raise UserError(f"{path} has {len(data)} bytes, but samples take two each: copy it from the discs again.")
    return np.frombuffer(data, ">i2" if byte_order == "big" else "<i2").astype(np.int16)


def _check_byte_order(clips: Sequence[np.ndarray], config: Config) -> None:
    """UserError where the other byte order gives smooth samples, as speech has and swapped bytes never have."""

    def roughness(clip: np.ndarray) -> np.ndarray:
        values = clip.astype(np.float64)
        return np.array([np.abs(np.diff(values)).sum(), np.abs(values).sum()])

    given, swapped = (
        np.sum([roughness(clip) for clip in some], axis=0) for some in (clips, [clip.byteswap() for clip in clips])
    )
    if swapped[0] * given[1] < 0.8 * given[0] * swapped[1]:
        other = "little" if config.byte_order == "big" else "big"
        raise UserError(f"{config.path} is noise when read as {config.byte_order}: set data.byte_order to {other!r}.")
