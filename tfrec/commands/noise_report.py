"""Measure a run on speech in noise, with plots: `tfrec noise_report RUN --noise DIR`."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import tyro

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import flags
from tfrec.evaluation import noise, pair_noise, recording, retrieval_noise
from tfrec.evaluation.metrics.per_example import COUNTED
from tfrec.evaluation.noise_conditions import Conditions, parse_ratios
from tfrec.recognizer import Recognizer
from tfrec.reports.noise import pairs, report, tables
from tfrec.reports.noise import recording as recording_report
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import short_numbers
from tfrec.utils.console import messages_to_stderr, print_report


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Accuracy or error rate of a trained run on speech with every type of noise at every signal-to-noise ratio.

    Set A: the noises of the training, from the held-out part of each file; set B: the others. The mixes follow from the
    data, the noises, the ratios, what was seen and the seed: they are the same for every run. A classifier of pairs is
    measured on degraded pictures too, with both inputs and with each alone; of a search, whether a clip still finds its
    picture (recall at 1).
    """

    run: tyro.conf.Positional[str]  # run folder
    recording: bool = False  # also measure recordings with other places, levels, bands, rooms, tempos
    noise: str | None = None  # folder of noises, a sub-folder for each type; None: those in the corpus, as aurora2 has
    snr: str = "clean,20,15,10,5,0,-5"  # decibels, with commas between them; clean is without noise
    split: Literal["test", "validation", "train"] = "test"  # examples to measure
    seen: tuple[str, ...] | None = None  # types of noise in set A; None is those of the training
    seen_fraction: float | None = None  # the first part of each file of set A, left out; None is that of the training
    seed: int = 0  # which piece of which file is mixed with a clip
    repeats: int = 1  # mixes of each clip with each type of noise, with different pieces
    pictures: tuple[str, ...] = pair_noise.PICTURES  # of pairs: CORRUPTION or CORRUPTION:SEVERITY of the pictures
    # Also score each group of clips by a column of the data, such as speaker; for mixes with --noise
    groups: tuple[str, ...] = ()
    batch_size: int = 64  # examples in a batch; does not change the scores
    json: bool = False  # print everything as JSON

    def __post_init__(self) -> None:
        for field in ("repeats", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be 1 or more. Received: {getattr(self, field)}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more. Received: {self.seed}")
        if self.seen_fraction is not None and not 0 <= self.seen_fraction < 1:
            raise ValueError(f"seen_fraction must be at least 0 and below 1. Received: {self.seen_fraction}")
        if self.seen is not None and len(set(self.seen)) < len(self.seen):
            raise ValueError(f"seen must name each type of noise once. Received: {' '.join(self.seen)}")
        parse_ratios(self.snr)
        pair_noise.parse_pictures(self.pictures)


def main(argv: Sequence[str]) -> int:
    """Measures a run in all conditions, writes tables and plots into a folder of the run, and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec noise_report")
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    config = recognizer.config
    if config.frontend.name == "paired":
        return _report_pairs(arguments, recognizer, run)
    if config.frontend.name == "audio_visual":
        raise UserError(f"{run.path} was trained on moving pictures, which a noise report does not take: give another.")
    if config.frontend.name != "speech":
        raise UserError(f"{run.path} was trained on images, and noise is mixed into speech only: give a run on speech.")
    if tasks.scores(config.task)[0] not in COUNTED:
        raise UserError(f"{run.path}: task.name {config.task.name} has no accuracy and no error rate to report.")
    conditions = _conditions(arguments, config.frontend)
    if arguments.groups and conditions is None:
        raise UserError("--groups goes with --noise FOLDER; a corpus with noises is grouped by `tfrec evaluate`.")
    with messages_to_stderr(arguments.json):
        corpus = splits.load_checked(run, recognizer, arguments.split)
        changed = None
        if arguments.recording:
            split = corpus.splits[arguments.split]
            changed = {"split": arguments.split, "seed": arguments.seed}
            changed |= recording.measure(recognizer, split, arguments.batch_size, arguments.seed)
            changed_folder = recording_report.write(run, changed)
            if conditions is None and split.conditions is None:
                print_report(changed_folder, {"recording": changed}, [recording_report.table(changed)], arguments.json)
                return 0
        if conditions is None:
            result = noise.measure_noisy_corpus(recognizer, corpus, arguments.split, arguments.batch_size)
        else:
            result = noise.measure(recognizer, corpus, conditions, arguments.batch_size, arguments.groups)
    folder, result = _write(run, "noise", result, report.write)
    shown = [*([recording_report.table(changed)] if changed else []), tables.for_terminal(result)]
    shown += [tables.of_groups(name, by_ratio) for name, by_ratio in result.get("groups", {}).items()]
    print_report(folder, result | ({"recording": changed} if changed else {}), shown, arguments.json)
    return 0


def _report_pairs(arguments: Arguments, recognizer: Recognizer, run: Run) -> int:
    """Measures a run on pairs with noise in the clips and degraded pictures."""
    config = recognizer.config
    measure = tasks.scores(config.task)[0]
    if measure not in ("accuracy", retrieval_noise.MEASURE):
        raise UserError(f"{run.path}: task.name {config.task.name} has no accuracy of pairs to report.")
    for flag in ("recording", "groups"):
        if getattr(arguments, flag):
            raise UserError(f"--{flag} is for runs on speech alone: leave it out for a run on pairs.")
    conditions = _conditions(arguments, config.frontend.speech)
    if conditions is None:
        raise UserError("--noise FOLDER is needed for a run on pairs, with a sub-folder for each type of noise.")
    with messages_to_stderr(arguments.json):
        corpus = splits.load_checked(run, recognizer, arguments.split)
        if measure == "accuracy":
            name, write, table = pairs.NAME, pairs.write, pairs.for_terminal
            result = pair_noise.measure_pairs(recognizer, corpus, conditions, arguments.pictures, arguments.batch_size)
        else:
            name, write, table = "noise", report.write, tables.for_terminal
            result = retrieval_noise.measure_retrieval(recognizer, corpus, conditions, arguments.batch_size)
    folder, result = _write(run, name, result, write)
    print_report(folder, result, [table(result)], arguments.json)
    return 0


def _write(
    run: Run, name: str, result: Mapping[str, Any], write: Callable[[pathlib.Path, Mapping[str, Any]], None]
) -> tuple[pathlib.Path, dict[str, Any]]:
    """Writes a report into a folder of the run; returns the folder, and the result as its files have it."""
    # Keys are strings and tuples are lists, as in the files of other reports.
    stored = json.loads(short_numbers.dumps(result))
    folder = run.free_report(name, stored)
    write(folder, stored)
    return folder, stored


def _conditions(arguments: Arguments, frontend: object) -> Conditions | None:
    """The conditions of mixes; None for a corpus with noises."""
    if arguments.noise is None:
        return None
    return Conditions.for_run(
        frontend,
        arguments.noise,
        arguments.seen,
        arguments.seen_fraction,
        snr_db=parse_ratios(arguments.snr),
        split=arguments.split,
        seed=arguments.seed,
        repeats=arguments.repeats,
    )
