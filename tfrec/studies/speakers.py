"""Spoken digits by a voice never heard before: each speaker of spoken_digit in turn is the test, the others train.

The split by clip has every speaker on both sides, and is nearly solved; this one tells what a new user meets.
"""

import dataclasses

from tfrec.studies import noise, study
from tfrec.studies.study import Step

PASSES_FLAGS = True
EXPERIMENT = "spoken_digit_speakers"
SPEAKERS = ("george", "jackson", "nicolas", "theo", "yweweler")


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Spoken digits, leaving one speaker out at a time; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study speakers --noise NOISES/
    """

    noise: str | None = None  # folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # types that no training hears, set B


def steps(options, flags, runs):
    """The trainings, in order; `flags` go to all of them, `runs` is the folder of their runs."""
    heard, measure = noise.heard_and_measure(options)
    noise.require_free(flags, "--data.split", "--data.test_speakers")
    result = []
    for seed in map(str, options.seeds):
        for speaker in SPEAKERS:
            words = ("--seed", seed, "--data.split", "speaker", "--data.test_speakers", speaker, *flags)
            label = f"{speaker}-{seed}"
            group = noise.GROUPS[1]
            result.append(Step(label, speaker, (EXPERIMENT, *heard, *words), group, ((noise.MEASURED, measure),)))
    return result


def tables(folder, steps):
    """Accuracy for each speaker, and the mean over them."""
    found = noise.scores_of(folder, steps)
    title = "Accuracy in percent on a speaker never heard, by speaker."
    columns = {"clean": "clean", "A": "set A", "B": "set B"}
    return [noise.table("speakers", title, found, noise.GROUPS[1:], columns, mean="mean over speakers")]
