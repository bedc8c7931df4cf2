"""Spoken digits of an unseen speaker: each speaker of spoken_digit in turn is the test split, the others train.

The split by clip has every speaker in all splits, and is nearly solved; this one measures the accuracy for a new user.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from tfrec.studies import noise, noise_scores, study
from tfrec.studies.study import Step
from tfrec.studies.tables import Table

ACCEPTS_FIT_FLAGS = True
EXPERIMENT = "spoken_digit_speakers"
SPEAKERS = ("george", "jackson", "nicolas", "theo", "yweweler")


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Spoken digits, leaving out one speaker at a time; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study speakers --noise NOISES/
    """

    noise: str | None = None  # folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # types that are in no training, set B


def steps(options: Options, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans a training for each speaker and seed; see `Study.steps`."""
    training_noise, report = noise.noise_words(options.noise, options.unseen)
    study.reject_flags(flags, "--data.split", "--data.test_speakers")
    result = []
    for seed in map(str, options.seeds):
        for speaker in SPEAKERS:
            split = ("--data.split", "speaker", "--data.test_speakers", speaker)
            words = (EXPERIMENT, *training_noise, "--seed", seed, *split, *flags)
            result.append(
                Step(f"{speaker}-{seed}", speaker, words, noise.MULTI_CONDITION, ((noise_scores.REPORT, report),))
            )
    return result


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the table of accuracies by speaker, with their mean; see `Study.tables`."""
    scores = noise_scores.read_scores(folder, steps)
    title = "Accuracy in percent on an unseen speaker, by speaker."
    columns = {"clean": "clean", "A": "set A", "B": "set B"}
    groups = (noise.MULTI_CONDITION,)
    return [noise_scores.score_table("speakers", title, scores, groups, columns, mean="mean over speakers")]


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> None:
    """Draws nothing; see `Study.draw`."""
