"""The best trial of a sweep compared with the default, on examples that selected neither of them.

It is measured in a process of its own, as the trainings are, once the search has ended: no other trial is ever measured
on the test split.
"""

import pathlib
import sys
import tempfile
from typing import Any

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.evaluation.metrics import per_example
from tfrec.recognizer import Recognizer
from tfrec.reports import scores as score_files
from tfrec.runs.run import Run
from tuning.execution import workers
from tuning.execution.plan import Plan
from tuning.objectives import VALIDATION_SCORES, Objective
from tuning.report.results import DEFAULT, Results

FILE = "winner.json"
MEASURE = "import sys; from tuning.execution import comparison; comparison.write(*sys.argv[1:])"
SPLITS = ("validation", "test")
TEST_VERDICTS = {
    "better": "The test split supports that the best trial beats the default.",
    "undecided": ("The test split does not support that the best trial beats the default: the interval contains 0."),
    "worse": "On the test split the best trial is worse than the default.",
}


def measure(plan: Plan, folder: Run, label: str) -> None:
    """Writes winner.json for a trial and the default, unless it is there or the trial's run is on another machine.

    Args:
        plan: What all trials share.
        folder: The folder of the sweep.
        label: The best trial.

    Raises:
        UserError: If the measurement fails.
    """
    run, default, record = plan.run(label), plan.run(DEFAULT), _read(folder)
    if not run.is_finished():
        return
    if record and record["trial"] == label and ("default" in record["test"] or not default.is_finished()):
        return
    with tempfile.TemporaryDirectory() as scratch:
        log, process_record = pathlib.Path(scratch, "log"), pathlib.Path(scratch, "record")
        name = next((objective.name for objective in plan.objectives if objective.name in VALIDATION_SCORES), "")
        command = [sys.executable, "-c", MEASURE, str(folder.path), str(run.path), str(default.path), name]
        if reason := workers.run_command(command, log, process_record):
            raise UserError(f"Trial {label} could not be measured on the test split: {reason}")


def write(folder: str, best: str, default: str, name: str = "") -> None:
    """Measures two runs, or only the best where the default has none, and writes winner.json.

    Args:
        folder: The folder of the sweep.
        best: The run of the best trial.
        default: The run of the default.
        name: The score to compare by; empty for the task's usual one.
    """
    before = _read(Run(folder))
    runs = [Run(path) for path in (best, default) if Run(path).is_finished()]
    per_split: dict[str, list[per_example.PerExampleScores]] = {split: [] for split in SPLITS}
    test_scores = {}
    for run in runs:
        recognizer = Recognizer.from_run(run)
        config, task = recognizer.config, recognizer.task
        names = tasks.scores(config.task)
        corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
        if task.needs_reference:
            task.use_reference(recognizer, corpus.splits["train"], config.fit.batch_size)
        scores = recognizer.evaluate(corpus.splits["test"], config.fit.batch_size)
        score_files.record(run, recognizer, {"test": scores}, run.read_history())
        test_scores[run.name] = {score: scores[score] for score in names if score in scores}
        for split in SPLITS:
            quality = task.per_example(recognizer, corpus.splits[split], config.fit.batch_size, name or names[0])
            per_split[split].append(quality)
    record = {"trial": Run(best).name, "test_evaluations": 1 + (before["test_evaluations"] if before else 0)}
    record |= {split: compare(*per_split[split]) for split in SPLITS}
    Run(folder).write_json(FILE, {**record, "scores": test_scores})


def compare(best: per_example.PerExampleScores, default: per_example.PerExampleScores | None = None) -> dict[str, Any]:
    """Compares two recognizers on the same examples.

    Args:
        best: How the best trial recognized each example.
        default: How the default did, or None.

    Returns:
        {"score", "examples", "best", "default", "margin", "interval"}: the margin is the value of the best minus that
        of the default, with its 95 % interval; without a default, the last three are left out.
    """
    result = {"score": best.name, "examples": len(best.sizes), "best": best.rate()}
    if default is None:
        return result
    margin, interval = per_example.paired_difference(best, default)
    return {**result, "default": default.rate(), "margin": margin, "interval": interval}


def sentences(folder: Run, results: Results) -> tuple[str, ...]:
    """Describes the best trial compared with the default; by winner.json only where it is about that trial."""
    record, best, result = _read(folder), results.best, []
    if results.default and results.best and results.winner is results.default:
        objective = results.objectives[0]
        score = objective.describe(results.default.scores[objective.name])
        result.append(f"No trial beats the default and its {score}: keep that configuration.")
    if best is None or not record or record["trial"] != best.label:
        return tuple(result)
    selection = "The best trial was selected on these examples, so its score is optimistic."
    result += [
        f"validation: {_sentence(record['validation'], best.label)} {selection}",
        f"test: {_sentence(record['test'], best.label)}",
    ]
    if "default" in record["test"]:
        result.append(TEST_VERDICTS[_verdict(record["test"])])
    if record["test_evaluations"] > 1:
        times = record["test_evaluations"]
        result.append(f"The test split was evaluated {times} times, for the best trial of each search.")
    return tuple(result)


def _verdict(record: dict[str, Any]) -> str:
    low, high = record["interval"]
    if low > 0 if Objective(record["score"]).maximize else high < 0:
        return "better"
    return "undecided" if low <= 0 <= high else "worse"


def _sentence(record: dict[str, Any], label: str) -> str:
    """Describes the comparison on one split."""
    objective = Objective(record["score"])
    best = objective.format_with_unit(record["best"])
    sentence = f"{per_example.TITLES[objective.name]} {best} of trial {label}"
    if "default" in record:
        low, high = (objective.format_difference(bound) for bound in record["interval"])
        default, margin = objective.format_with_unit(record["default"]), objective.format_difference(record["margin"])
        points = " points" if objective.is_share else ""
        sentence += f", {default} of the default, {margin}{points}"
        sentence += f" (95 % interval {low} to {high}, {record['examples']:,} examples)"
    return f"{sentence}."


def read_test_scores(folder: Run) -> dict[str, dict[str, float]]:
    """Reads the scores on the test split from winner.json: {trial: {name: value}} of the best trial and the default."""
    record = _read(folder)
    return record["scores"] if record else {}


def _read(folder: Run) -> dict[str, Any] | None:
    record = folder.read_json(FILE) if (folder.path / FILE).is_file() else None
    keys = {"trial", "test_evaluations", "scores", *SPLITS}
    if record is not None and not (isinstance(record, dict) and set(record) >= keys):
        raise UserError(f"{folder.path / FILE} is damaged: delete it, then resume with --resume.")
    return record
