"""Scores of a recognizer in its run folder: metrics.json, the answer to each example, and plots."""

from __future__ import annotations

import contextlib
import errno
import logging
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrec.reports import plots
from tfrec.reports.gallery import csv_text
from tfrec.runs.run import Run
from tfrec.utils import short_numbers

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

logger = logging.getLogger(__name__)


def record(
    run: Run,
    recognizer: Recognizer,
    scores: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    plotted: Sequence[str] = ("test",),
) -> dict[str, Any]:
    """Merges scores into metrics.json, writes the answer to each example, and draws the scores.

    Args:
        run: the run folder.
        recognizer: whose task draws the scores.
        scores: scores by the name of what was measured: a split, a split decoded in another way such as
            "test_beam", or single figures such as "fit_seconds".
        history: the epochs, for the learning curves.
        plotted: names of scores that are drawn: "test" in the run itself, others in a folder of their name.

    Returns:
        What was merged: the scores without the bulky ones.
    """
    before = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    brief = without_bulky(recognizer, scores)
    run.write_json("metrics.json", {**before, **brief})
    for name, score in scores.items():
        if isinstance(score, dict):
            _write_predictions(run, name, recognizer.task.predictions(score))
    for name, score in scores.items():
        if name in plotted:
            folder = folder_of(run, name)
            folder.mkdir(exist_ok=True)
            recognizer.task.plot(score, folder)
    if history:
        plots.learning_curves(history, run.path / "learning_curves.png", run.read_kept_epochs())
    return brief


def without_bulky(recognizer: Recognizer, scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores without the bulky ones, as metrics.json has them."""
    bulky = recognizer.task.bulky_scores
    return short_numbers.shorten(
        {
            name: {key: value for key, value in score.items() if key not in bulky} if isinstance(score, dict) else score
            for name, score in scores.items()
        }
    )


@contextlib.contextmanager
def unless_read_only(run: Run) -> Iterator[None]:
    """Context that ends with a warning where nothing can be written into a run, as on a read-only disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        logger.warning("%s cannot be written (%s): its scores are printed only.", run.path, error.strerror)


def finish(run: Run, seconds: float) -> None:
    """Adds the seconds of the training to metrics.json, which says that the run is complete."""
    run.write_json("metrics.json", {**run.read_json("metrics.json"), "fit_seconds": round(seconds, 1)})


def forget_finish(run: Run) -> None:
    """Removes from metrics.json that a run has finished, since its training continues."""
    if run.is_finished():
        metrics = run.read_json("metrics.json")
        run.write_json("metrics.json", {name: value for name, value in metrics.items() if name != "fit_seconds"})


def folder_of(run: Run, name: str) -> pathlib.Path:
    """Where the drawings of scores lie; `name` is that of `record`."""
    return run.path if name == "test" else run.path / name


def written_files(run: Run, name: str) -> list[str]:
    """Names of the files of a run that hold scores; `name` is that of `record`."""
    folder = folder_of(run, name)
    drawn = sorted(path for kind in ("*.png", "*.txt", "*.html") for path in folder.glob(kind))
    answers = [each for each in (predictions_file(run, name),) if each.is_file()]
    return ["metrics.json", *(str(path.relative_to(run.path)) for path in (*answers, *drawn))]


def predictions_file(run: Run, name: str) -> pathlib.Path:
    """The file of a run with the answer to each example; `name` is that of `record`."""
    return run.path / f"predictions_{name}.csv"


def _write_predictions(run: Run, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a row for each example, in the order of the split."""
    if not rows:
        return
    text = csv_text.of_records(list(rows[0]), map(short_numbers.shorten, rows))
    run.write_text(predictions_file(run, name).name, text)
