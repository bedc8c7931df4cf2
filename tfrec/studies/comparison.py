"""A comparison at work: its folder, what is trained already, one training after the other.

comparison.json       how it was started, what each model costs, how each ended
report.md             table and pictures; table.md, table.csv, *.png
runs/LABEL/           an ordinary run for each model
logs/LABEL.txt        what its training printed; LABEL.jsonl what each of its starts took
"""

import contextlib
import pathlib
import shlex
import time

from pipelines.errors import UserError
from tfrec.reports import comparison
from tfrec.runs.environment import environment
from tfrec.runs.run import Run
from tfrec.studies import candidates, model_costs
from tfrec.utils.console import console
from tfrec.utils.processes import read_records, train

LOOK_SECONDS = 0.5  # between two looks at a training
TELL_SECONDS = 60  # between two lines about it where there is no terminal


class Comparison:
    """`chosen` are the Candidates; `record` is what comparison.json holds."""

    def __init__(self, path, chosen, record):
        self.folder = Run(path)  # for its files, which are written whole or not at all
        self.chosen, self.record = chosen, record

    @classmethod
    def of(cls, chosen, arguments, experiment, words):
        """A new comparison, of which nothing is written yet; UserError where its folder already holds something."""
        path = pathlib.Path(arguments.report or Run.free(f"compare-{chosen[0].config.data.name}"))
        Run(path).require_empty("--report")
        start = {"models": arguments.models, "experiment": experiment, "words": words}
        start |= {"budget_minutes": arguments.budget_minutes, "data": chosen[0].config.data.name}
        record = {**start, "sessions": [], "costs": {}, "results": {}}
        return cls(path, chosen, record)

    @classmethod
    def open(cls, path):
        """One that was started before; UserError where there is none."""
        if not (pathlib.Path(path) / "comparison.json").is_file():
            raise UserError(f"{path} is no report to go on with, since it has no comparison.json: leave out --resume.")
        record = Run(path).read_json("comparison.json")
        try:
            start = [record[name] for name in ("models", "experiment", "words", "budget_minutes")]
            record["sessions"], record["costs"], record["results"]
        except (KeyError, TypeError):
            raise UserError(f"{path}/comparison.json is damaged: start another --report.") from None
        return cls(path, candidates.parse(*start), record)

    @property
    def again(self):
        """The command that goes on after an interruption."""
        return f"python -m tfrec compare --report {shlex.quote(str(self.folder.path))} --resume"

    @property
    def failed(self):
        """The labels of models that failed."""
        return [label for label, result in self.record["results"].items() if result["status"] == "failed"]

    def require_same(self, chosen):
        """UserError unless these are the candidates that it was started with."""
        if [one.words for one in chosen] != [one.words for one in self.chosen]:
            raise UserError(
                f"{self.folder.path} was started with other models or flags, which --resume cannot change: leave out"
                " all but --report."
            )

    def table(self):
        """What is known of each model by now, for the terminal."""
        return comparison.terminal_table(self._rows())

    def go(self):
        """Builds every model once, then trains those that are not trained yet, and reports after each."""
        costs, results = self.record["costs"], self.record["results"]
        unknown = [one for one in self.chosen if "error" in costs.get(one.label, {"error": None})]
        costs |= model_costs.costs({one.label: one.config.to_dict() for one in unknown}, self._tell_cost)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        with self.folder.alone():
            (self.folder.path / "logs").mkdir(exist_ok=True)
            self.record["sessions"].append({**environment(), "hardware": comparison.hardware()})
            for label in self.failed:
                del results[label]
            self._save()
            waiting = [one for one in self.chosen if one.label not in results]
            self._announce(waiting)
            for number, one in enumerate(waiting):
                error = costs[one.label].get("error")
                followed = _Progress(self, waiting[number:])
                results[one.label] = {"status": "failed", "reason": error} if error else self._train(one, followed)
                self._save()
                console.print(comparison.result_sentence(one.label, results[one.label]))

    def _train(self, one, progress):
        """Trains one model, or goes on with it; returns how it ended."""
        run = Run(self.folder.path / "runs" / one.label)
        reason = train(run, one.words, self.folder.path / "logs", progress.follow)
        result = {"status": "failed", "reason": reason} if reason else {"status": "done", **comparison.scores(run)}
        peaks = [start["peak_bytes"] for start in read_records(self.folder.path / "logs" / f"{one.label}.jsonl")]
        return {**result, "peak_bytes": max(peaks, default=None)}

    def _rows(self):
        return comparison.rows(self.chosen, self.record, self.folder.path)

    def _save(self):
        self.folder.write_json("comparison.json", self.record)
        comparison.write(self._rows(), self.record, self.again, self.folder)

    def _announce(self, waiting):
        minutes = self.record["budget_minutes"]
        done = len(self.chosen) - len(waiting)
        console.print(
            f"{done} of {len(self.chosen)} models are trained; {minutes:g} min for each of the others,"
            f" {minutes * len(waiting):.4g} min in all, and their start and evaluation; report {self.folder.path}."
        )
        console.print(f"After an interruption: {self.again}")

    def _tell_cost(self, label, cost):
        if "mistake" not in cost:
            console.print(f"{label} can be built: {comparison.cost_sentence(cost)}")


class _Progress:
    """How far a comparison is: a line that changes on a terminal, or else one a minute."""

    def __init__(self, comparison, waiting):
        self.label, self.later = waiting[0].label, len(waiting) - 1
        self.minutes = comparison.record["budget_minutes"]
        self.place = f"{len(comparison.chosen) - self.later} of {len(comparison.chosen)}"

    def follow(self, process, run):
        """Waits for a training, telling how far it is."""
        started, told = time.time(), 0.0
        with console.status(self._line(run, started)) if console.is_terminal else contextlib.nullcontext() as status:
            while not process.wait(LOOK_SECONDS):
                if status:
                    status.update(self._line(run, started))
                elif time.time() - told >= TELL_SECONDS:
                    told = time.time()
                    console.print(self._line(run, started))

    def _line(self, run, started):
        state = run.path / "state" / "state.json"
        history, spent, since = [], 0.0, started
        if state.is_file():
            stored = run.read_json("state/state.json")
            history, spent, since = stored["history"], stored["seconds"], max(started, state.stat().st_mtime)
        spent = min((spent + time.time() - since) / 60, self.minutes)
        known = f"epoch {len(history) + 1}" if spent < self.minutes else "being measured"
        if history:
            known += f", validation accuracy {max(epoch['val_accuracy'] for epoch in history):.2%} at best"
        left = self.minutes - spent + self.minutes * self.later
        return f"{self.label} ({self.place}): {spent:.1f} of {self.minutes:g} min, {known}; about {left:.1f} min left"
