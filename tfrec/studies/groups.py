"""What training against the worst speaker gains, and what it costs on average: group DRO on an imbalance that is made.

Of one speaker of spoken_digit, training has so few clips that they are a tenth of all. Each seed trains as usual and
with `--task.group_weights worst`; both are measured on the same clips, mixed with the same noises at 0 dB.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrec.evaluation.metrics.transcription import bootstrap_interval
from tfrec.runs.run import Run
from tfrec.studies import noise, study
from tfrec.studies.noise_scores import REPORT
from tfrec.studies.study import Step
from tfrec.studies.tables import Table

ACCEPTS_FIT_FLAGS = True
EXPERIMENT = "spoken_digit_light"  # a small network, which makes errors to be shared among the speakers
RATIO_DB = "0"
AVERAGE, WORST = "average of all examples", "worst group"  # what a training minimizes

Counts = tuple[np.ndarray, np.ndarray, np.ndarray]  # errors and answers (clips,), groups (clips,)


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Training against the worst speaker, one of whom is rare; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study groups --noise NOISES/
    """

    noise: str | None = None  # folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # types that are in no training
    rare_speaker: str = "jackson"  # whose clips are a tenth of those in training
    repeats: int = 2  # mixes of each clip with each type of noise

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repeats < 1:
            raise ValueError(f"repeats must be 1 or more. Received: {self.repeats}")


def steps(options: Options, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans both trainings of each seed; see `Study.steps`."""
    training_noise, report = noise.noise_words(options.noise, options.unseen)
    study.reject_flags(flags, "--task.group_weights", "--data.rare_speaker")
    report = (*report, "--snr", RATIO_DB, "--groups", "speaker", "--repeats", str(options.repeats))
    rare = ("--data.rare_speaker", options.rare_speaker)
    kinds = {AVERAGE: (), WORST: ("--task.group_weights", "worst")}
    return [
        Step(
            f"{row.split()[0]}-{seed}",
            row,
            (EXPERIMENT, *training_noise, "--seed", str(seed), *rare, *words, *flags),
            measures=((REPORT, report),),
        )
        for seed in options.seeds
        for row, words in kinds.items()
    ]


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the table of errors by group and their differences; see `Study.tables`."""
    counts = {row: _pooled(folder, [step for step in steps if step.row == row]) for row in (AVERAGE, WORST)}
    names = np.unique(counts[AVERAGE][2]).tolist()
    rates = {row: {name: _rate(of_row, name) for name in [*names, None]} for row, of_row in counts.items()}
    worst = max(names, key=lambda name: rates[AVERAGE][name])
    headings = ("training against the", *(f"{name}, % errors" for name in names), "all")
    lines = [(row, *(f"{100 * of_row[name]:.1f}" for name in [*names, None])) for row, of_row in rates.items()]
    of_worst, of_all = (difference(counts[AVERAGE], counts[WORST], group) for group in (worst, None))
    fewer = [-100 * each for each in (of_worst["relative"], *reversed(of_worst["relative_interval"]))]
    points = [100 * each for each in (of_all["change"], *of_all["change_interval"])]
    answers = int(counts[AVERAGE][1][counts[AVERAGE][2] == worst].sum())
    title = (
        f"Errors at {RATIO_DB} dB, all seeds. The usual training's worst speaker, {worst}, with {answers:,} answers,"
        f" has {fewer[0]:.0f} % fewer errors against the worst group (95 % interval {fewer[1]:.0f} to {fewer[2]:.0f} %,"
        f" paired by clips); all errors change by {points[0]:+.1f} points ({points[1]:+.1f} to {points[2]:+.1f})."
    )
    records = [{"training": row, **{name or "all": rate for name, rate in of.items()}} for row, of in rates.items()]
    return [Table("groups", title, headings, lines, records)]


def difference(usual: Counts, robust: Counts, group: str | None) -> dict[str, Any]:
    """Compares the errors of two trainings on the same clips.

    Args:
        usual: errors and answers of each clip, and its group.
        robust: the same of the other training.
        group: whose clips are compared; None is all.

    Returns:
        "change" of the error rate and "relative", the change as a fraction of the first rate, each with a 95 %
        percentile bootstrap over the clips.
    """
    chosen = np.ones(len(usual[2]), bool) if group is None else usual[2] == group
    first, second, answers = usual[0][chosen], robust[0][chosen], usual[1][chosen]
    change = second - first
    return {
        "change": float(change.sum() / answers.sum()),
        "change_interval": bootstrap_interval(change, answers),
        "relative": float(change.sum() / max(first.sum(), 1)),
        "relative_interval": bootstrap_interval(change, first),
    }


def _pooled(folder: pathlib.Path, steps: Sequence[Step]) -> Counts:
    """Errors and answers of each clip over the runs of all seeds."""
    reports = [Run(folder / "runs" / step.label).read_json(REPORT) for step in steps]
    clips = [report["groups"]["speaker"][RATIO_DB]["clips"] for report in reports]
    answers = np.sum([each["sizes"] for each in clips], axis=0)
    return answers - np.sum([each["counts"] for each in clips], axis=0), answers, np.array(clips[0]["groups"])


def _rate(counts: Counts, group: str | None) -> float:
    errors, answers, groups = counts
    chosen = np.ones(len(groups), bool) if group is None else groups == group
    return float(errors[chosen].sum() / answers[chosen].sum())


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> None:
    """Draws nothing; see `Study.draw`."""
