"""One trial: a run of `tfrec fit` in a process of its own, and its scores."""

import contextlib
import math
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.studies import model_costs
from tuning.execution import workers
from tuning.execution.plan import Plan, without_tuner_values
from tuning.objectives import NETWORK_SCORES, SCORES, VALIDATION_SCORES
from tuning.report.results import DEFAULT

INFEASIBLE = "infeasible: "  # begins the reason of a trial that violates a constraint
FIT_FLAGS = ("--no_test", "--export.no_after_fit")  # only the winner is measured on the test split and exported
# What hyperband adds to the values of a trial: its epochs, and the trial whose training it continues.
EPOCHS, PARENT = "tuner/epochs", "tuner/trial_id"


class TrialStoppedError(Exception):
    """The trial was interrupted: it has neither finished nor failed."""


class TrialError(Exception):
    """The trial failed or is infeasible; the message says why."""


def train(
    plan: Plan,
    label: str,
    values: Mapping[str, Any],
    should_continue: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Trains a trial, or resumes it.

    The scores that the network alone decides are measured before the training, which a violated constraint then saves.

    Args:
        plan: What all trials share.
        label: The trial, and the name of its run.
        values: Its values, of the active parameters, and what tuners add.
        should_continue: Is called now and then; False interrupts the trial.
        environment: Is added to the environment of its processes.

    Returns:
        The scores, {name: number}.

    Raises:
        TrialStoppedError: If the trial is interrupted, or another worker with the same folder is still training it,
            because its lease expired.
        TrialError: If the trial cannot be trained, an objective is not finite, or a constraint is violated.
    """
    _require_known(plan, label, values)
    lock = Run(plan.logs / f"{label}.lock")
    lock.path.mkdir(parents=True, exist_ok=True)

    def poll() -> None:
        if not should_continue():
            raise TrialStoppedError

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.lock())
        except UserError:
            raise TrialStoppedError from None
        return _train(plan, label, values, poll, environment)


def _train(
    plan: Plan,
    label: str,
    values: Mapping[str, Any],
    poll: Callable[[], None],
    environment: Mapping[str, str] | None,
) -> dict[str, float]:
    run = plan.run(label)
    scores: dict[str, float] = {}
    if plan.score_names & set(NETWORK_SCORES):
        scores |= _network_scores(plan, label, values, environment, poll)
        _require_constraints(plan, scores, NETWORK_SCORES)
    _prepare_folder(plan, run, values)
    resume_words = list(FIT_FLAGS)
    if EPOCHS in values:
        _copy_parent(plan, run, values.get(PARENT))
        resume_words.append(f"--fit.epochs={values[EPOCHS]}")
    if reason := workers.train_run(run, plan.command(values), plan.logs, poll, resume_words, environment):
        raise TrialError(reason)
    scores |= read_scores(run)
    if "export_mb" in plan.score_names:
        scores["export_mb"] = _export_mb(plan, run, environment, poll)
    _require_finite(plan, scores, [objective.name for objective in plan.objectives])
    _require_constraints(plan, scores, [constraint.name for constraint in plan.constraints])
    return scores


def _require_known(plan: Plan, label: str, values: Mapping[str, Any]) -> None:
    """Raises a TrialError for a message that no oracle of this space sends: labels become folders, values arguments."""
    known = {(parameter.name, choice) for parameter in plan.parameters for choice in parameter.choices}
    for name in (label, values.get(PARENT) or "0"):
        if name != DEFAULT and not str(name).isdecimal():
            raise TrialError(f"{name!r} is not the label of a trial.")
    for name, value in without_tuner_values(values).items():
        if isinstance(value, str) and (name, value) not in known:
            raise TrialError(f"{value!r} is not a value of {name}.")


def _prepare_folder(plan: Plan, run: Run, values: Mapping[str, Any]) -> None:
    """Records what the run is trained with, and deletes one that was trained with anything else."""
    record = {"words": plan.command(values), "after": values.get(PARENT)}
    logs = Run(plan.logs)
    plan.logs.mkdir(parents=True, exist_ok=True)
    if not (logs.path / f"{run.name}.json").is_file() or logs.read_json(f"{run.name}.json") != record:
        shutil.rmtree(run.path, ignore_errors=True)
        logs.write_json(f"{run.name}.json", record)


def split_reason(reason: str) -> tuple[str, str]:
    """Splits the message of a TrialError into the status of the trial, "infeasible" or "failed", and the reason."""
    if reason.startswith(INFEASIBLE):
        return "infeasible", reason.removeprefix(INFEASIBLE)
    return "failed", reason


def read_scores(run: Run) -> dict[str, float]:
    """Reads the scores of a finished run: of its validation split, its parameters and its seconds."""
    metrics = run.read_json("metrics.json")
    names = {name: SCORES[name].metric or name for name in VALIDATION_SCORES}
    scores = {name: metrics["validation"][key] for name, key in names.items() if key in metrics["validation"]}
    scores |= {name: metrics[name] for name in ("parameters", "fit_seconds")}
    return {name: float(value) for name, value in scores.items()}


def _copy_parent(plan: Plan, run: Run, label: str | None) -> None:
    """Copies the run of the trial whose training this one continues; does nothing where it is on another machine."""
    if not label or run.has_state():
        return
    parent = plan.run(label)
    if not parent.read_history():
        return
    shutil.rmtree(run.path, ignore_errors=True)
    copy = run.path.with_name(f".tmp-{run.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(parent.path, copy, ignore=shutil.ignore_patterns("metrics.json", ".tmp-*", ".lock*"))
    copy.rename(run.path)


def _network_scores(
    plan: Plan,
    label: str,
    values: Mapping[str, Any],
    environment: Mapping[str, str] | None,
    poll: Callable[[], None],
) -> dict[str, float]:
    """Measures the network; TrialError where it cannot be built, or an objective cannot be measured."""
    config = plan.config(values).to_dict()
    timed = "latency_ms" in plan.score_names
    cost = model_costs.try_build({label: config}, latency=timed, environment=environment, on_poll=poll)[label]
    if reason := cost.get("user_error") or cost.get("error"):
        raise TrialError(reason)
    scores = {name: float(cost[name]) for name in NETWORK_SCORES if cost[name] is not None}
    _require_finite(plan, scores, NETWORK_SCORES)
    return scores


def _require_finite(plan: Plan, scores: Mapping[str, float], names: Collection[str]) -> None:
    """Raises a TrialError where an objective among `names` is not a finite number."""
    for objective in plan.objectives:
        if objective.name in names and not math.isfinite(scores.get(objective.name, math.nan)):
            raise TrialError(f"Its {objective.name} is unknown, NaN or infinite.")


def _require_constraints(plan: Plan, scores: Mapping[str, float], names: Collection[str]) -> None:
    """Raises a TrialError where a constraint on one of the scores `names` is violated."""
    for constraint in plan.constraints:
        if constraint.name in names and not constraint.is_satisfied(scores):
            value = scores.get(constraint.name)
            received = "unknown" if value is None else f"{value:g}"
            raise TrialError(f"{INFEASIBLE}{constraint.name} is {received}, not {constraint}.")


def _export_mb(plan: Plan, run: Run, environment: Mapping[str, str] | None, poll: Callable[[], None]) -> float:
    """Exports a run and returns the size of the SavedModel, in 10^6 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        log, record = (plan.logs / f"{run.name}-export{suffix}" for suffix in (".txt", ".jsonl"))
        command = [sys.executable, "-m", "tfrec", "export", str(run.path), "--folder", folder, "--name", "model"]
        if reason := workers.run_command(command, log, record, poll, environment):
            raise TrialError(f"It could not be exported: {reason}")
        return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file()) / 1e6
