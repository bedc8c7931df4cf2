"""One trial: an ordinary run of `tfrec.fit` in a process of its own, and what is known of it afterwards."""

import dataclasses
import json
import math
import pathlib
import shutil
import sys
import tempfile

from pipelines.errors import UserError
from tfrec import building, flags, processes
from tfrec.config import as_json
from tfrec.runs import Run
from tuning import spaces
from tuning.objectives import COSTS, FALLING, RISING, Constraint, Objective

LOOK_SECONDS = 0.5  # between two looks at a training
INFEASIBLE = "infeasible: "  # begins the reason of a trial that breaks a constraint
ALWAYS = ("--no_test",)  # the test split is for the winner alone
# What hyperband adds to the values of a trial: its epochs, and the trial that it goes on with.
EPOCHS, BEFORE = "tuner/epochs", "tuner/trial_id"


class StopError(Exception):
    """The trial shall not go on: it is neither finished nor failed."""


class TrialError(Exception):
    """The trial is over without a result; says why."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all trials share. `words` are those of `tfrec.fit` before the values of a trial."""

    folder: pathlib.Path
    words: tuple[str, ...]
    parameters: tuple[spaces.Parameter, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]

    def run(self, label):
        """The run of a trial."""
        return Run(self.folder / "trials" / label)

    @property
    def logs(self):
        """What trainings print."""
        return self.folder / "logs"

    @property
    def scored(self):
        """Names of all scores that objectives and constraints look at."""
        return {one.name for one in (*self.objectives, *self.constraints)}

    def command(self, values):
        """The words of `tfrec.fit` for a trial's values."""
        return [*self.words, *spaces.words(chosen(values))]


def chosen(values):
    """The values of a trial without what hyperband adds."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def train(plan, label, values, alive, environment=None):
    """Trains a trial, or goes on with it where it has begun, and returns its scores, {name: number}.

    `alive()` is asked now and then; where it says no, the training is interrupted and StopError is raised. TrialError
    where the trial cannot be trained, gives no number, or breaks a constraint. What the network alone decides is
    measured before the training, which a broken constraint then saves.
    """
    run, stopped = plan.run(label), []
    scores = {}
    if plan.scored & set(COSTS):
        scores |= _costs(plan, label, values, environment)
        _require(plan, scores, COSTS)

    def follow(process, _):
        while not process.wait(LOOK_SECONDS):
            if not alive():
                stopped.append(True)
                return

    always = list(ALWAYS)
    if EPOCHS in values:
        _continue(plan, run, values.get(BEFORE))
        always.append(f"--fit.epochs={values[EPOCHS]}")
    reason = processes.train(run, plan.command(values), plan.logs, follow, always, environment)
    if stopped:
        raise StopError
    if reason:
        raise TrialError(reason)
    scores |= measured(run)
    if "export_mb" in plan.scored:
        scores["export_mb"] = _export_mb(plan, run, environment)
    for objective in plan.objectives:
        if not math.isfinite(scores.get(objective.name, math.nan)):
            raise TrialError(f"Its {objective.name} is no finite number.")
    _require(plan, scores, scores)
    return scores


def measured(run):
    """The scores of a finished run that a sweep can look at: of its validation split, and what it took."""
    metrics = run.read_json("metrics.json")
    scores = {name: metrics["validation"][name] for name in (*RISING, *FALLING) if name in metrics["validation"]}
    scores |= {name: metrics[name] for name in ("parameters", "fit_seconds")}
    return {name: float(value) for name, value in scores.items()}


def spent(plan, label):
    """Seconds that a trial's processes have taken; None where they ran elsewhere."""
    records = processes.read_records(plan.logs / f"{label}.jsonl")
    return sum(record["seconds"] for record in records) if records else None


def _continue(plan, run, before):
    """Gives a run what the trial before it has learnt, where it is on this machine; else it starts from nothing."""
    source = before and plan.run(before)
    if not source or run.read_history() or not source.read_history():
        return
    shutil.rmtree(run.path, ignore_errors=True)
    copy = run.path.with_name(f".tmp-{run.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source.path, copy, ignore=shutil.ignore_patterns("metrics.json", ".tmp-*"))
    copy.rename(run.path)


def _costs(plan, label, values, environment):
    config = flags.plain(flags.parse_fit(plan.command(values))[1])
    try:
        cost = building.costs({label: as_json(config)}, lambda *_: None, "latency_ms" in plan.scored, environment)[
            label
        ]
    except UserError as error:
        raise TrialError(str(error)) from None
    if "error" in cost:
        raise TrialError(cost["error"])
    return {name: float(cost[name]) for name in COSTS if cost[name] is not None}


def _require(plan, scores, known):
    """TrialError where a constraint on one of the scores in `known` does not hold."""
    for constraint in plan.constraints:
        if constraint.name in known and not constraint.holds(scores):
            value = scores.get(constraint.name)
            raise TrialError(
                f"{INFEASIBLE}{constraint.name} is {'unknown' if value is None else f'{value:g}'}, not {constraint}."
            )


def _export_mb(plan, run, environment):
    """Size of the SavedModel, in 10^6 bytes."""
    with tempfile.TemporaryDirectory(dir=plan.folder) as folder:
        log, record = (plan.logs / f"{run.name}-export{suffix}" for suffix in (".txt", ".jsonl"))
        command = [sys.executable, "-m", "tfrec.export", str(run.path), "--folder", folder, "--name", "model"]
        with processes.Process(command, log, record, environment) as process:
            while not process.wait(LOOK_SECONDS):
                pass
        if reason := process.failure():
            raise TrialError(f"It could not be exported: {reason}")
        return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file()) / 1e6


def config_of(run, export):
    """The configuration of a run as JSON, ready for `tfrec.fit --config`, with the export that the user asked for."""
    return json.loads(json.dumps({**run.read_json("config.json"), "export": dataclasses.asdict(export)}))
