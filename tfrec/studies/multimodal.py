"""Handwritten and spoken digits together: which belong to each other, and what both say where one of them is bad.

`digit_pairs` learns from pairs alone; it is tested with clips of known speakers and with each speaker of the Free
Spoken Digit Dataset left out. `digit_fusion` classifies both together, with noise in the clips and degraded pictures.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pipelines.errors import unknown
from tfrec.runs.run import Run
from tfrec.studies import noise, noise_scores, study
from tfrec.studies.noise_scores import Scores
from tfrec.studies.speakers import SPEAKERS
from tfrec.studies.study import Step
from tfrec.studies.tables import Table, percent, percent_range, t_interval

ACCEPTS_FIT_FLAGS = True
KNOWN, UNSEEN, FUSION = "known speakers", "unseen speaker", "fusion"  # groups of steps
REPORT = "pairs/pairs.json"  # of a run
DIRECTIONS = {"audio_to_image": "speech to image", "image_to_audio": "image to speech"}


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Handwritten and spoken digits, found by each other and classified together; `tfrec.fit`'s flags go to all.

    python -m tfrec study multimodal --noise NOISES/
    """

    parts: tuple[Literal["retrieval", "fusion"], ...] = ("retrieval", "fusion")  # tables to make
    speakers: tuple[str, ...] = SPEAKERS  # of retrieval: who is left out, one at a time
    noise: str | None = None  # of fusion: folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # of fusion: types that are in no training

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise ValueError("parts must name at least one. Received: none")


def steps(options: Options, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans for each seed the trainings of retrieval and the one of fusion; see `Study.steps`."""
    study.reject_flags(flags, "--data.split", "--data.test_speakers")
    for speaker in options.speakers:
        if speaker not in SPEAKERS:
            raise unknown("speaker", speaker, SPEAKERS)
    training_noise: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    if "fusion" in options.parts:
        training_noise, report = noise.noise_words(options.noise, options.unseen, "--frontend.speech")
    result = []
    for seed in map(str, options.seeds):
        if "retrieval" in options.parts:
            words = ("digit_pairs", "--seed", seed)
            result.append(Step(f"pairs-{seed}", f"seed {seed}", (*words, *flags), KNOWN))
            for speaker in options.speakers:
                split = ("--data.split", "speaker", "--data.test_speakers", speaker)
                result.append(Step(f"pairs-{speaker}-{seed}", speaker, (*words, *split, *flags), UNSEEN))
        if "fusion" in options.parts:
            fused = ("digit_fusion", *training_noise, "--seed", seed, *flags)
            result.append(Step(f"fusion-{seed}", "both inputs", fused, FUSION, ((REPORT, report),)))
    return result


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the tables of retrieval by seed and by speaker, and the one of fusion; see `Study.tables`."""
    result = []
    known, unseen = (_retrieval_scores(folder, steps, group) for group in (KNOWN, UNSEEN))
    if known:
        if len(known) > 1:
            known["all seeds"] = {KNOWN: [of_seed[KNOWN][0] for of_seed in known.values()]}
        title = "Right digit at 1 in percent, test clips of known speakers."
        result.append(noise_scores.score_table("pairs", title, known, (KNOWN,), DIRECTIONS))
    if unseen:
        title = "Right digit at 1 in percent, test clips of a speaker who is left out of the training."
        mean = "mean over speakers"
        result.append(noise_scores.score_table("speakers", title, unseen, (UNSEEN,), DIRECTIONS, mean=mean))
    if reports := [Run(folder / "runs" / step.label).read_json(REPORT) for step in steps if step.group == FUSION]:
        result.append(_fusion_table(reports))
    return result


def _retrieval_scores(folder: pathlib.Path, steps: Sequence[Step], group: str) -> Scores:
    """The recall at 1 of both directions of the steps of a group, with their intervals."""
    scores: Scores = {}
    for step in steps:
        if step.group == group and step.row:
            metrics = Run(folder / "runs" / step.label).read_json("metrics.json")
            found = {name: metrics["test"][name] for name in DIRECTIONS}
            cells = {name: (each["recall_at_1"], each["recall_at_1_interval"]) for name, each in found.items()}
            of_run = {**cells, "minutes": metrics["fit_seconds"] / 60}
            scores.setdefault(step.row, {}).setdefault(group, []).append(of_run)
    return scores


def _fusion_table(reports: Sequence[Mapping[str, Any]]) -> Table:
    """The accuracies of noise reports of pairs: means over the seeds, with intervals."""
    first = reports[0]
    pictures, ratios = list(first["image"]), list(first["audio"])
    lines, records = [], []

    def cell(inputs: str, ratio: str, picture: str, cells: Sequence[Mapping[str, Any]]) -> str:
        accuracies = [each["accuracy"] for each in cells]
        mean, bounds = float(np.mean(accuracies)), t_interval(accuracies) or cells[0]["interval"]
        low, high = bounds
        records.append(
            {"inputs": inputs, "speech": ratio, "picture": picture, "accuracy": mean, "low": low, "high": high}
        )
        return f"{percent(mean)} ({percent_range(bounds)})"

    alone = [cell("picture alone", "", name, [each["image"][name] for each in reports]) for name in pictures]
    lines.append(("picture alone", "", *alone))
    for ratio in ratios:
        clip = cell("clip alone", ratio, "", [each["audio"][ratio] for each in reports])
        both = [cell("both", ratio, name, [each["fused"][ratio][name] for each in reports]) for name in pictures]
        lines.append((ratio if ratio == "clean" else f"{ratio} dB", clip, *both))
    title = "Accuracy of both inputs in percent, by the ratio of speech to noise and the picture."
    return Table("fusion", title, ("speech", "clip alone", *pictures), lines, records)


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> None:
    """Draws nothing; see `Study.draw`."""
