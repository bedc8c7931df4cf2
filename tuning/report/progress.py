"""The progress of a sweep: a line for each trial that has ended, and the progress display of all long commands."""

import logging
from collections.abc import Callable

from tfrec.utils import progress
from tuning.report.results import Results, Trial

logger = logging.getLogger(__name__)


class Progress:
    """A context for a search, in which `update` is called now and then.

    Args:
        results: Returns the results so far.
        total: Returns the number of trials, or None.
        seconds_spent: Returns the seconds of a trial, or None.
        deadline: The value of `time.monotonic()` at which the search ends, or None.
    """

    def __init__(
        self,
        results: Callable[[], Results],
        total: Callable[[], float | None],
        seconds_spent: Callable[[str], float | None],
        deadline: float | None,
    ) -> None:
        self.results, self.total, self.seconds_spent = results, total, seconds_spent
        self.ended = {trial.label for trial in results().trials if trial.status != "running"}
        self.display = progress.Progress("trials", self._whole_total(), len(self.ended), deadline)

    def __enter__(self) -> "Progress":
        self.display.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.display.__exit__(*error)

    def update(self) -> None:
        """Reports the trials that have ended since the last call, and the progress of the search."""
        results = self.results()
        ended = [trial for trial in results.trials if trial.status != "running" and trial.label not in self.ended]
        self.ended |= {trial.label for trial in ended}
        self.display.done, self.display.total = len(self.ended), self._whole_total()
        best = _best(results)
        for trial in ended:
            logger.info(
                "%s %s", _describe(trial, results, self.seconds_spent(trial.label)), self.display.line(best=best)
            )
        self.display.update(best=best)

    def _whole_total(self) -> int | None:
        total = self.total()
        return int(total) if total else None


def _best(results: Results) -> str | None:
    if results.best is None:
        return None
    objective = results.objectives[0]
    return f"{results.best.label} with {objective.describe(results.best.scores[objective.name])}"


def _describe(trial: Trial, results: Results, seconds: float | None) -> str:
    texts = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in trial.values.items()}
    values = ", ".join(f"{name} {text}" for name, text in texts.items())
    if trial.status != "done":
        return f"Trial {trial.label} is {trial.status}: {trial.reason} ({values})"
    scores = ", ".join(objective.describe(trial.scores[objective.name]) for objective in results.objectives)
    duration = "" if seconds is None else f"; {progress.format_duration(seconds)}"
    return f"Trial {trial.label}: {scores} ({values}{duration})."
