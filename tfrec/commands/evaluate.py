"""Measure a run on a split or on other data, with plots: `tfrec evaluate RUN`.

`--json` prints one object, {NAME: SCORES}. NAME is the split, with the method of decoding where that is not the run's
(`test_beam`), `test_remaining` where files were left out, and `data_FOLDER` for other data. SCORES are those that
metrics.json has under this name: "examples", "split", "data_path" of other data, "left_out" (files), and

- of classes "accuracy", "accuracy_interval", "macro_precision", "macro_recall", "macro_f1", "macro_f1_interval",
  "top5_accuracy" (of more than five classes), "loss", "classes" and "confusion",
- of transcripts "wer", "cer" or "per", and "sentence_error_rate", each with "NAME_interval",
- of pairs "recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank" and "mean_average_precision", means of
  both directions, whose own scores "image_to_audio" and "audio_to_image" hold,
- of features without labels "embedding_std", and where there are classes "probe_accuracy" and "knn_accuracy", each with
  "NAME_interval",
- of numbers "mae", "mae_interval", "rmse", "r2" and "loss".
"""

import dataclasses
import logging
import os
from collections.abc import Sequence
from typing import Any, Literal

import tyro

from pipelines import paths
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.evaluation import other_data
from tfrec.explain import mistakes
from tfrec.recognizer import Recognizer
from tfrec.reports import scores
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import short_numbers
from tfrec.utils.console import console, messages_to_stderr

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Data:
    """The files that are measured; without a flag those in the run's splits.csv."""

    path: str | None = None  # other data: a folder with a sub-folder per class, or a manifest
    moved_to: str | None = None  # where the run's own files are now; they are checked by their content


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Scores of a trained run on a split or on other data, with plots."""

    run: tyro.conf.Positional[str]  # run folder
    split: Literal["test", "validation", "train"] = "test"  # examples to measure
    data: Data = Data()
    skip_missing: bool = False  # leave out files of the run that are gone or have changed
    batch_size: int = 64  # examples in a batch; does not change the scores
    mistakes: int = 0  # errors, the most confident ones, to show on a page with what led to each: mistakes.html
    json: bool = False  # print the scores as JSON
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")
        if self.mistakes < 0:
            raise ValueError(f"mistakes must be 0 or more. Received: {self.mistakes}")
        if self.data.path is not None and self.data.moved_to is not None:
            raise ValueError("data.path names other data, data.moved_to the same files: leave one of them out.")


def main(argv: Sequence[str]) -> int:
    """Measures a run, writes scores and plots into the run, and prints the scores."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec evaluate")
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    if arguments.mistakes and recognizer.task.label_kind != "classes":
        raise UserError(f"--mistakes: task.name {recognizer.task.name} has no classes; leave it out.")
    decode = arguments.decode if arguments.decode != DecodeConfig() else None
    with messages_to_stderr(arguments.json):
        name, corpus, facts = _load(arguments, run, recognizer)
        measured = recognizer.evaluate(corpus.splits[arguments.split], arguments.batch_size, decode) | facts
    if decode:
        name = f"{name}_{decode.resolved}" + ("_lm" if decode.lm else "")
    brief = scores.record(run, recognizer, {name: measured}, run.read_history(), plotted=(name,))
    if arguments.mistakes:
        folder, rows = scores.folder_of(run, name), recognizer.task.predictions(measured)
        mistakes.write(recognizer, corpus.splits[arguments.split], rows, folder, arguments.mistakes)
    if arguments.json:
        print(short_numbers.dumps(brief))
    else:
        title = f"{name} split" if arguments.data.path is None else paths.shown(arguments.data.path)
        console.print(recognizer.task.report(measured, title=title))
        console.print(f"In {run.path}: {', '.join(scores.written_files(run, name))}.")
    return 0


def _load(arguments: Arguments, run: Run, recognizer: Recognizer) -> tuple[str, Corpus, dict[str, Any]]:
    """The name of what is measured, the data, and what its scores say of it."""
    facts: dict[str, Any] = {"split": arguments.split}
    path = arguments.data.path
    if path is not None:
        corpus = other_data.load(recognizer, path, arguments.split)
        for note in corpus.notes:
            logger.warning(note)
        facts["data_path"] = os.path.abspath(os.path.expanduser(path))
        return other_data.name(run, path), corpus, facts
    corpus = splits.load_checked(
        run,
        recognizer,
        arguments.split,
        moved_to=arguments.data.moved_to,
        skip_missing=arguments.skip_missing,
    )
    left_out = splits.count_missing(run, corpus.splits[arguments.split], arguments.split)
    if not left_out:
        return arguments.split, corpus, facts
    if corpus.splits[arguments.split].size == 0:
        raise UserError(f"None of the files of {arguments.split} is left.")
    return f"{arguments.split}_remaining", corpus, {**facts, "left_out": left_out}
