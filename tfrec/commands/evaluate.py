"""Measure a run on a split or on other data, with plots: `tfrec evaluate RUN`.

`--json` prints one object, {NAME: SCORES}. NAME is the split, with the method of decoding where that is not the run's
(`test_beam`), `test_remaining` where files were left out, `data_FOLDER` for other data, and `ood_FOLDER` for data of no
class, whose scores are in `evaluation.metrics.out_of_domain`. SCORES are those that metrics.json has under this name:
"examples", "split", "data_path" of other data, "left_out" (files), and

- of classes "accuracy", "accuracy_interval", "macro_precision", "macro_recall", "macro_f1", "macro_f1_interval",
  "top5_accuracy" (of more than five classes), "loss", "classes", "confusion", "calibration" and "conformal",
- of transcripts "wer", "cer" or "per", and "sentence_error_rate", each with "NAME_interval",
- of pairs "recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank" and "mean_average_precision", means of
  both directions, whose own scores "image_to_audio" and "audio_to_image" hold,
- of features without labels "embedding_std", and where there are classes "probe_accuracy" and "knn_accuracy", each with
  "NAME_interval",
- of `--groups` "groups", see `evaluation.groups.score`,
- of numbers "mae", "mae_interval", "rmse", "r2" and "loss".
"""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import tyro

from pipelines import paths
from pipelines.datasets import example_columns
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.devices import file_recognizer, formats
from tfrec.evaluation import groups, other_data, out_of_domain
from tfrec.explain import mistakes
from tfrec.recognizer import DECISION, Recognizer
from tfrec.reports import scores
from tfrec.reports.reliability import conformal
from tfrec.reports.reliability import groups as groups_report
from tfrec.reports.reliability import out_of_domain as ood_report
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import short_numbers
from tfrec.utils.console import console, messages_to_stderr

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Data:
    """The files that are measured; without a flag those in the run's splits.csv."""

    path: str | None = None  # other data: a folder with a sub-folder per class, or a manifest
    run: str | None = None  # of a file for devices: the run whose split is measured
    moved_to: str | None = None  # where the run's own files are now; they are checked by their content


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Scores of a trained run on a split or on other data, with plots."""

    run: tyro.conf.Positional[str]  # run folder, or a file for devices: NAME.tflite or NAME.onnx
    split: Literal["test", "validation", "train"] = "test"  # examples to measure
    data: Data = Data()
    skip_missing: bool = False  # leave out files of the run that are gone or have changed
    batch_size: int = 64  # examples in a batch; does not change the scores
    mistakes: int = 0  # errors, the most confident ones, to show on a page with what led to each: mistakes.html
    conformal: float | None = None  # coverage of the prediction sets of classes, such as 0.9; exports have them
    # Also score each group of examples by a column of the data: speaker, group, noise, snr, or any of a manifest
    groups: tuple[str, ...] = ()
    # Folder of pictures or clips of no class: how well scores separate them from the examples that are measured
    ood: str | None = None
    json: bool = False  # print the scores as JSON
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")
        if self.mistakes < 0:
            raise ValueError(f"mistakes must be 0 or more. Received: {self.mistakes}")
        if self.conformal is not None and not 0 < self.conformal < 1:
            raise ValueError(f"conformal must be above 0 and below 1. Received: {self.conformal}")
        if self.groups and self.decode != DecodeConfig():
            raise ValueError("groups are scored by greedy texts: leave out the flags of decode.")
        if self.data.path is not None and self.data.moved_to is not None:
            raise ValueError("data.path names other data, data.moved_to the same files: leave one of them out.")
        if self.data.path is not None and self.data.run is not None:
            raise ValueError("data.path names other data, data.run that of a run: leave one of them out.")


def main(argv: Sequence[str]) -> int:
    """Measures a run, writes scores and plots into the run, and prints the scores."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec evaluate")
    if _is_file(arguments):
        return _measure_file(arguments)
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    for flag in ("mistakes", "conformal", "ood"):
        if getattr(arguments, flag) and recognizer.task.label_kind != "classes":
            raise UserError(f"--{flag}: task.name {recognizer.task.name} has no classes; leave it out.")
    if arguments.ood and len(recognizer.frontend.parts()) > 1:
        raise UserError("--ood is for pictures or clips, and the run takes pairs; leave it out.")
    decode = arguments.decode if arguments.decode != DecodeConfig() else None
    with messages_to_stderr(arguments.json):
        name, corpus, facts = _load(arguments, run, recognizer)
        if arguments.conformal:
            _choose_sets(arguments, run, recognizer)
        outside = other_data.load_unlabeled(recognizer, arguments.ood) if arguments.ood else None
        measured = _measured(arguments, recognizer, corpus.splits[arguments.split], decode) | facts
        others = _measure_others(arguments, run, recognizer, corpus, outside) if outside else {}
    if decode:
        name = f"{name}_{decode.resolved}" + ("_lm" if decode.lm else "")
    all_scores = {name: measured, **{other: each.scores for other, each in others.items()}}
    files: dict[str, None] = {}
    with messages_to_stderr(arguments.json), scores.unless_read_only(run):
        scores.record(run, recognizer, all_scores, run.read_history(), plotted=(name,))
        for other, each in others.items():
            ood_report.write(each.values, each.scores, scores.folder_of(run, other))
        if arguments.groups:
            groups_report.write(measured["groups"], scores.folder_of(run, name))
        if arguments.mistakes:
            folder, rows = scores.folder_of(run, name), recognizer.task.predictions(measured)
            mistakes.write(recognizer, corpus.splits[arguments.split], rows, folder, arguments.mistakes)
        files = dict.fromkeys(file for each in (name, *others) for file in scores.written_files(run, each))
    if arguments.json:
        print(short_numbers.dumps(scores.without_bulky(recognizer, all_scores)))
    else:
        title = f"{name} split" if arguments.data.path is None else paths.shown(arguments.data.path)
        console.print(recognizer.task.report(measured, title=title))
        if arguments.conformal:
            console.print(conformal.table(measured["conformal"]))
        for column, by_group in measured.get("groups", {}).items():
            console.print(groups_report.table(column, by_group))
        for each in others.values():
            console.print(ood_report.table(each.scores, title=f"{name} split and {paths.shown(arguments.ood or '')}"))
        if files:
            console.print(f"In {run.path}: {', '.join(files)}.")
    return 0


def _is_file(arguments: Arguments) -> bool:
    """Whether a file for devices is measured; UserError for a run with its flags."""
    is_file = formats.is_file(pathlib.Path(arguments.run))
    if arguments.data.run is not None and not is_file:
        raise UserError("--data.run is for files for devices, and a run has data of its own: leave it out.")
    return is_file


def _measure_file(arguments: Arguments) -> int:
    """Measures a file for devices, and prints its scores."""
    if unused := [f"--{name}" for name in ("mistakes", "conformal", "ood") if getattr(arguments, name)]:
        raise UserError(f"{', '.join(unused)}: only a run takes this, and {arguments.run} is a file: leave it out.")
    recognizer = file_recognizer.FileRecognizer.open(arguments.run)
    decode = arguments.decode if arguments.decode != DecodeConfig() else None
    with messages_to_stderr(arguments.json):
        if arguments.data.path is not None:
            title = paths.shown(arguments.data.path)
            corpus, facts = _load_other(arguments, recognizer, arguments.data.path)
        elif arguments.data.run is not None:
            run = Run.open(arguments.data.run)
            title, corpus, facts = _load(arguments, run, recognizer.with_data_of(run))
        else:
            raise UserError(f"{arguments.run} holds no data: give --data.run RUN, or --data.path FOLDER.")
        measured = _measured(arguments, recognizer, corpus.splits[arguments.split], decode) | facts
    if arguments.json:
        print(short_numbers.dumps(scores.without_bulky(recognizer, {title: measured})))
        return 0
    console.print(recognizer.task.report(measured, title=f"{paths.shown(arguments.run)}, {title}"))
    for column, by_group in measured.get("groups", {}).items():
        console.print(groups_report.table(column, by_group))
    return 0


def _measure_others(
    arguments: Arguments, run: Run, recognizer: Recognizer, corpus: Corpus, outside: Split
) -> dict[str, out_of_domain.Measured]:
    """The scores of examples of no class, under their name in metrics.json."""
    assert arguments.ood is not None
    training = _load_own(arguments, run, recognizer, "train").splits["train"]
    inside = corpus.splits[arguments.split]
    measured = out_of_domain.measure(recognizer, inside, outside, training, arguments.batch_size)
    measured.scores["data_path"] = os.path.abspath(os.path.expanduser(arguments.ood))
    return {other_data.name(run, arguments.ood, "ood"): measured}


def _measured(
    arguments: Arguments, recognizer: Recognizer, split: Split, decode: DecodeConfig | None
) -> dict[str, Any]:
    """The scores of a split, with those of the groups of each column."""
    measured = recognizer.evaluate(split, arguments.batch_size, decode)
    return measured | {"groups": _by_group(arguments, recognizer, split)} if arguments.groups else measured


def _by_group(arguments: Arguments, recognizer: Recognizer, split: Split) -> dict[str, Any]:
    values = {column: example_columns.values(split, column) for column in arguments.groups}
    of_examples = recognizer.task.per_example(recognizer, split, arguments.batch_size)
    return {column: groups.score(of_examples, own, column) for column, own in values.items()}


def _choose_sets(arguments: Arguments, run: Run, recognizer: Recognizer) -> None:
    """Fits the prediction sets on the validation split, unless the run has those of this coverage already."""
    sets = run.read_json(DECISION).get("conformal") if (run.path / DECISION).is_file() else None
    if sets is not None and sets["level"] == arguments.conformal:
        return
    if recognizer.config.data.train_on_validation:
        raise UserError(
            f"--conformal: {run.path} was trained on its validation examples (data.train_on_validation), so that sets"
            " fitted on them guarantee nothing: train again without."
        )
    corpus = _load_own(arguments, run, recognizer, "validation")
    task = recognizer.task
    task.config = dataclasses.replace(task.config, conformal=arguments.conformal)
    recognizer.calibrate(run, corpus.splits["validation"], arguments.batch_size)


def _load(arguments: Arguments, run: Run, recognizer: Recognizer) -> tuple[str, Corpus, dict[str, Any]]:
    """The name of what is measured, the data, and what its scores say of it."""
    if arguments.data.path is not None:
        return other_data.name(run, arguments.data.path), *_load_other(arguments, recognizer, arguments.data.path)
    corpus, facts = _load_own(arguments, run, recognizer, arguments.split), {"split": arguments.split}
    left_out = splits.count_missing(run, corpus.splits[arguments.split], arguments.split)
    if not left_out:
        return arguments.split, corpus, facts
    if corpus.splits[arguments.split].size == 0:
        raise UserError(f"None of the files of {arguments.split} is left.")
    return f"{arguments.split}_remaining", corpus, {**facts, "left_out": left_out}


def _load_other(arguments: Arguments, recognizer: Recognizer, path: str) -> tuple[Corpus, dict[str, Any]]:
    """Other data than the run's, of which it says what a reader must know, and what the scores say of it."""
    corpus = other_data.load(recognizer, path, arguments.split)
    for note in corpus.notes:
        logger.warning(note)
    return corpus, {"split": arguments.split, "data_path": os.path.abspath(os.path.expanduser(path))}


def _load_own(arguments: Arguments, run: Run, recognizer: Recognizer, split: str) -> Corpus:
    """The run's own data with a split, wherever its files are now."""
    moved, skipped = arguments.data.moved_to, arguments.skip_missing
    return splits.load_checked(run, recognizer, split, moved_to=moved, skip_missing=skipped)
