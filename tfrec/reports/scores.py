"""Scores of a recognizer in its run folder: metrics.json and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrec.reports import plots
from tfrec.runs.run import Run

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


def record(
    run: Run, recognizer: Recognizer, scores: Mapping[str, Any], history: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Merges scores into metrics.json and draws them.

    Args:
        run: the run folder.
        recognizer: whose task draws the scores.
        scores: scores by the name of what was measured: a split, a split decoded in another way such as
            "test_beam", whose plots go into a folder of that name, or single figures such as "fit_seconds".
        history: the epochs, for the learning curves.

    Returns:
        What was merged: the scores without the bulky ones.
    """
    before = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    bulky = recognizer.task.bulky_scores
    brief = {
        name: {key: value for key, value in score.items() if key not in bulky} if isinstance(score, dict) else score
        for name, score in scores.items()
    }
    run.write_json("metrics.json", {**before, **brief})
    for name, score in scores.items():
        if name.startswith("test"):
            folder = run.path if name == "test" else run.path / name
            folder.mkdir(exist_ok=True)
            recognizer.task.plot(score, folder)
    if history:
        plots.learning_curves(history, run.path / "learning_curves.png")
    return brief


def written_files(run: Run, name: str) -> list[str]:
    """Names of the files of a run that hold scores; `name` is that of `record`."""
    files = sorted(path.name for kind in ("*.png", "*.txt", "*.html") for path in run.path.glob(kind))
    folders = [f"{name}/"] if (run.path / name).is_dir() else []
    return ["metrics.json", *files, *folders]
