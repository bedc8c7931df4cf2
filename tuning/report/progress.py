"""The progress of a sweep: a line for each trial that has ended, and on a terminal a status line."""

import logging
import time
from collections.abc import Callable

from tfrec.utils.console import console
from tuning.report.results import Results, Trial

logger = logging.getLogger(__name__)

REPORT_INTERVAL_S = 60.0  # between two lines without a terminal


class Progress:
    """A context around a search, in which `update` is called now and then."""

    def __init__(
        self,
        results: Callable[[], Results],
        total: Callable[[], float | None],
        seconds_spent: Callable[[str], float | None],
        deadline: float | None,
    ) -> None:
        """Creates the display.

        Args:
            results: Returns the results so far.
            total: Returns the number of trials, or None.
            seconds_spent: Returns the seconds of a trial, or None.
            deadline: The value of `time.monotonic()` at which the search ends, or None.
        """
        self.results, self.total, self.seconds_spent, self.deadline = results, total, seconds_spent, deadline
        self.started = self.reported = time.monotonic()
        self.ended = {trial.label for trial in results().trials if trial.status != "running"}
        self.num_ended_before = len(self.ended)
        self.status = console.status("") if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def update(self) -> None:
        """Reports the trials that have ended since the last call, and the progress of the search."""
        results = self.results()
        ended = [trial for trial in results.trials if trial.status != "running" and trial.label not in self.ended]
        self.ended |= {trial.label for trial in ended}
        for trial in ended:
            logger.info("%s %s", _describe(trial, results, self.seconds_spent(trial.label)), self._summary(results))
            self.reported = time.monotonic()
        if self.status:
            self.status.update(self._summary(results))
        elif time.monotonic() - self.reported >= REPORT_INTERVAL_S:
            self.reported = time.monotonic()
            logger.info(self._summary(results))

    def _summary(self, results: Results) -> str:
        total, objective = self.total(), results.objectives[0]
        summary = f"{len(self.ended)} of {total:,} trials" if total else f"{len(self.ended)} trials"
        if results.best is not None:
            score = objective.describe(results.best.scores[objective.name])
            summary += f", best {results.best.label} with {score}"
        left = self._seconds_left(total)
        return f"{summary}{'' if left is None else f', about {_duration(left)} left'}."

    def _seconds_left(self, total: float | None) -> float | None:
        """The time for the trials that are left, at the pace so far, or until the deadline if that is earlier."""
        now, estimates = time.monotonic(), []
        if total and len(self.ended) > self.num_ended_before:
            pace = (now - self.started) / (len(self.ended) - self.num_ended_before)
            estimates.append(pace * (total - len(self.ended)))
        if self.deadline is not None:
            estimates.append(max(0.0, self.deadline - now))
        return min(estimates, default=None)


def _describe(trial: Trial, results: Results, seconds: float | None) -> str:
    texts = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in trial.values.items()}
    values = ", ".join(f"{name} {text}" for name, text in texts.items())
    if trial.status != "done":
        return f"Trial {trial.label} is {trial.status}: {trial.reason} ({values})"
    scores = ", ".join(objective.describe(trial.scores[objective.name]) for objective in results.objectives)
    duration = "" if seconds is None else f"; {_duration(seconds)}"
    return f"Trial {trial.label}: {scores} ({values}{duration})."


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
