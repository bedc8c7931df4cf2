"""How far a sweep is: a line for each trial that has ended, and on a terminal one that changes."""

import time

from tfrec.utils.console import console
from tuning import trials
from tuning.durable import FINISHED

TELL_SECONDS = 60.0  # between two lines about it where there is no terminal


class Progress:
    """A context around a Sweep's work; `show()` is called now and then."""

    def __init__(self, sweep):
        self.sweep, self.started, self.told = sweep, time.monotonic(), time.monotonic()
        self.known = {label for label, trial in sweep.oracle.trials.items() if trial.status in FINISHED}
        self.before = len(self.known)
        self.line = console.status("") if console.is_terminal else None

    def __enter__(self):
        if self.line:
            self.line.start()
        return self

    def __exit__(self, *_):
        if self.line:
            self.line.stop()

    def show(self):
        """Tells what has ended since the last call, and how far the sweep is."""
        results = self.sweep.results(whole=False)
        ended = [trial for trial in results.trials if trial.status != "running" and trial.label not in self.known]
        self.known |= {trial.label for trial in ended}
        for trial in ended:
            seconds = trials.spent(self.sweep.plan, trial.label)
            console.print(f"{_sentence(trial, results, seconds)} {self._far(results)}")
            self.told = time.monotonic()
        if self.line:
            self.line.update(self._far(results))
        elif time.monotonic() - self.told >= TELL_SECONDS:
            self.told = time.monotonic()
            console.print(self._far(results))

    def _far(self, results):
        total, objective = self.sweep.oracle.total, results.objectives[0]
        told = f"{len(self.known)} of {total:,} trials" if total else f"{len(self.known)} trials"
        if results.best is not None:
            best = results.best
            told += f", best {best.label} with {objective.told(best.scores[objective.name])}"
        left = self._seconds_left(total)
        return f"{told}{'' if left is None else f', about {_duration(left)} left'}."

    def _seconds_left(self, total):
        """Of the trials that are left at the pace so far, or of the hours if those end before."""
        now, bounds = time.monotonic(), []
        if total and len(self.known) > self.before:
            pace = (now - self.started) / (len(self.known) - self.before)
            bounds.append(pace * (total - len(self.known)))
        if self.sweep.deadline is not None:
            bounds.append(max(0.0, self.sweep.deadline - now))
        return min(bounds, default=None)


def _sentence(trial, results, seconds):
    shown = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in trial.values.items()}
    values = ", ".join(f"{name} {value}" for name, value in shown.items())
    if trial.status != "done":
        return f"Trial {trial.label} is {trial.status}: {trial.reason} ({values})"
    scores = ", ".join(one.told(trial.scores[one.name]) for one in results.objectives)
    took = "" if seconds is None else f"; {_duration(seconds)}"
    return f"Trial {trial.label}: {scores} ({values}{took})."


def _duration(seconds):
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
