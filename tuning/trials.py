"""One trial: an ordinary run of `tfrec.fit` in a process of its own, and what is known of it afterwards."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import pathlib
import shutil
import sys
import tempfile

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import as_json
from tfrec.runs.run import Run
from tfrec.studies import fit_process, model_costs
from tfrec.utils import processes
from tuning import spaces
from tuning.objectives import COSTS, MEASURED, Constraint, Objective
from tuning.results import DEFAULT

INFEASIBLE = "infeasible: "  # begins the reason of a trial that breaks a constraint
ALWAYS = ("--no_test", "--export.no_after_fit")  # the test split and the export are for the winner alone
DECIDING = ("data", "frontend", "model", "task", "fit")  # parts of a configuration that decide what a trial gives
PLACES = ("path", "data_dir", "noise_path")  # their fields that other machines may have elsewhere
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

    @functools.cached_property
    def mark(self):
        """A text that only plans share whose trials can be compared; where data and folders are does not count."""
        config = as_json(config_of(self, {}))
        parts = [{name: value for name, value in config[part].items() if name not in PLACES} for part in DECIDING]
        told = [parts, config["seed"], *(list(map(str, own)) for own in (self.objectives, self.constraints))]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def chosen(values):
    """The values of a trial without what hyperband adds."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def train(plan, label, values, alive, environment=None):
    """Trains a trial, or goes on with it where it has begun, and returns its scores, {name: number}.

    `alive()` is asked now and then; where it says no, the work is interrupted and StopError is raised, as where another
    worker that sees the same folder is still at this trial, though it was taken for lost. TrialError where the trial
    cannot be trained, gives no number, or breaks a constraint. What the network alone decides is measured before the
    training, which a broken constraint then saves.
    """
    _require_known(plan, label, values)
    place = Run(plan.logs / f"{label}.lock")
    place.path.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(place.lock())
        except UserError:
            raise StopError from None
        return _train(plan, label, values, alive, environment)


def _train(plan, label, values, alive, environment):
    run, scores = plan.run(label), {}
    look = functools.partial(_go_on, alive)
    if plan.scored & set(COSTS):
        scores |= _costs(plan, label, values, environment, look)
        _require(plan, scores, COSTS)
    _make_room(plan, run, values)
    always = list(ALWAYS)
    if EPOCHS in values:
        _continue(plan, run, values.get(BEFORE))
        always.append(f"--fit.epochs={values[EPOCHS]}")
    call = functools.partial(processes.call, on_poll=look, environment=environment)
    reason = fit_process.fit(run, plan.command(values), plan.logs, call, always)
    if reason:
        raise TrialError(reason)
    scores |= measured(run)
    if "export_mb" in plan.scored:
        scores["export_mb"] = _export_mb(plan, run, environment, look)
    _require_numbers(plan, scores, [one.name for one in plan.objectives])
    _require(plan, scores, [one.name for one in plan.constraints])
    return scores


def _go_on(alive):
    if not alive():
        raise StopError


def _require_known(plan, label, values):
    """TrialError for what no oracle of this space says: labels become folders, and values words of a command."""
    known = {(one.name, choice) for one in plan.parameters for choice in one.choices}
    for name in (label, values.get(BEFORE) or "0"):
        if name != DEFAULT and not str(name).isdecimal():
            raise TrialError(f"{name!r} is no trial's name.")
    for name, value in chosen(values).items():
        if isinstance(value, str) and (name, value) not in known:
            raise TrialError(f"{value!r} is no value of {name}.")


def _make_room(plan, run, values):
    """Writes down what the run is trained with, and deletes one that was trained with anything else."""
    told = {"words": plan.command(values), "after": values.get(BEFORE)}
    logs = Run(plan.logs)
    plan.logs.mkdir(parents=True, exist_ok=True)
    if not (logs.path / f"{run.name}.json").is_file() or logs.read_json(f"{run.name}.json") != told:
        shutil.rmtree(run.path, ignore_errors=True)
        logs.write_json(f"{run.name}.json", told)


def verdict(reason):
    """Why a trial has no result -> ("infeasible" or "failed", the reason for people)."""
    if reason.startswith(INFEASIBLE):
        return "infeasible", reason.removeprefix(INFEASIBLE)
    return "failed", reason


def measured(run):
    """The scores of a finished run that a sweep can look at: of its validation split, and what it took."""
    metrics = run.read_json("metrics.json")
    scores = {name: metrics["validation"][name] for name in MEASURED if name in metrics["validation"]}
    scores |= {name: metrics[name] for name in ("parameters", "fit_seconds")}
    return {name: float(value) for name, value in scores.items()}


def spent(plan, label):
    """Seconds that a trial's processes have taken; None where they ran elsewhere."""
    records = processes.read_records(plan.logs / f"{label}.jsonl")
    return sum(record["seconds"] for record in records) if records else None


def _continue(plan, run, before):
    """Gives a run what the trial before it has learned, where it is on this machine; else it starts from nothing."""
    source = before and plan.run(before)
    if not source or run.read_history() or not source.read_history():
        return
    shutil.rmtree(run.path, ignore_errors=True)
    copy = run.path.with_name(f".tmp-{run.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source.path, copy, ignore=shutil.ignore_patterns("metrics.json", ".tmp-*"))
    copy.rename(run.path)


def _costs(plan, label, values, environment, look):
    """What the network costs; TrialError where it cannot be built, or what is searched for cannot be told."""
    config = as_json(config_of(plan, values))
    timed = "latency_ms" in plan.scored
    cost = model_costs.try_build({label: config}, latency=timed, environment=environment, on_poll=look)[label]
    if reason := cost.get("user_error") or cost.get("error"):
        raise TrialError(reason)
    scores = {name: float(cost[name]) for name in COSTS if cost[name] is not None}
    _require_numbers(plan, scores, COSTS)
    return scores


def _require_numbers(plan, scores, known):
    for objective in plan.objectives:
        if objective.name in known and not math.isfinite(scores.get(objective.name, math.nan)):
            raise TrialError(f"Its {objective.name} is no finite number.")


def _require(plan, scores, known):
    """TrialError where a constraint on one of the scores in `known` does not hold."""
    for constraint in plan.constraints:
        if constraint.name in known and not constraint.holds(scores):
            value = scores.get(constraint.name)
            raise TrialError(
                f"{INFEASIBLE}{constraint.name} is {'unknown' if value is None else f'{value:g}'}, not {constraint}."
            )


def _export_mb(plan, run, environment, look):
    """Size of the SavedModel, in 10^6 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        log, record = (plan.logs / f"{run.name}-export{suffix}" for suffix in (".txt", ".jsonl"))
        command = [sys.executable, "-m", "tfrec", "export", str(run.path), "--folder", folder, "--name", "model"]
        if reason := processes.call(command, log, record, look, environment):
            raise TrialError(f"It could not be exported: {reason}")
        return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file()) / 1e6


def config_of(plan, values):
    """The Config of a trial, with the export that the user asked for."""
    return flags.plain(flags.parse_fit(plan.command(values))[1])
