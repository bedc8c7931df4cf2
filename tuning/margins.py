"""What the best trial of a sweep and the default are worth on examples that chose nothing, and how far they are apart.

In a process of its own, as the trainings are, once the search is over: the test split is looked at for no other trial.
"""

import pathlib
import sys
import tempfile

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.evaluation import scores as evaluation
from tfrec.evaluation.metrics import per_example
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.utils import processes
from tuning.objectives import MEASURED, Objective
from tuning.results import DEFAULT

FILE = "winner.json"
MEASURE = "import sys; from tuning import margins; margins.write(*sys.argv[1:])"
SPLITS = ("validation", "test")


def measure(plan, folder, label):
    """Writes winner.json for the trial `label` and the default, unless it is there; UserError where that fails."""
    run, default, known = plan.run(label), plan.run(DEFAULT), _read(folder)
    if not run.is_measured():
        return  # it is on another machine
    if known and known["trial"] == label and ("default" in known["test"] or not default.is_measured()):
        return
    with tempfile.TemporaryDirectory() as scratch:
        log, record = pathlib.Path(scratch, "log"), pathlib.Path(scratch, "record")
        name = next((one.name for one in plan.objectives if one.name in MEASURED), "")
        command = [sys.executable, "-c", MEASURE, str(folder.path), str(run.path), str(default.path), name]
        if reason := processes.call(command, log, record):
            raise UserError(f"Trial {label} could not be measured on the test split: {reason}")


def write(folder, best, default, name=""):
    """Measures two runs, or one where the default has none, and writes winner.json into a sweep's folder.

    The margin is that of the score `name`, or of the task's usual one.
    """
    folder = Run(folder)
    looked = _read(folder)
    runs = [Run(path) for path in (best, default) if Run(path).is_measured()]
    found, tested = {split: [] for split in SPLITS}, {}
    for run in runs:
        recognizer = Recognizer.from_run(run)
        config, task = recognizer.config, recognizer.task
        known = tasks.scores(config.task)
        corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
        scores = recognizer.evaluate(corpus.splits["test"], config.fit.batch_size)
        evaluation.record(run, recognizer, {"test": scores}, run.read_history())
        tested[run.name] = {one: scores[one] for one in known if one in scores}
        for split in SPLITS:
            found[split].append(
                task.per_example(recognizer, corpus.splits[split], config.fit.batch_size, name or known[0])
            )
    looks = 1 + (looked["looks"] if looked else 0)
    told = {split: margin(*found[split]) for split in SPLITS}
    folder.write_json(FILE, {"trial": Run(best).name, "looks": looks, **told, "scores": tested})


def margin(best, default=None):
    """Two PerExampleScores of the same examples -> {"measure", "examples", "best", "default", "margin", "interval"}.

    The margin is that of the best over the default, with its 95 % interval; without a default only the best is told.
    """
    result = {"measure": best.name, "examples": len(best.sizes), "best": best.rate()}
    if default is None:
        return result
    apart, interval = per_example.paired_difference(best, default)
    return {**result, "default": default.rate(), "margin": apart, "interval": interval}


def sentences(folder, results):
    """What is to be said of the best trial beside the default; of winner.json only where it is about that trial."""
    found, best, told = _read(folder), results.best, []
    if results.best and results.winner is results.default:
        objective = results.objectives[0]
        score = objective.told(results.default.scores[objective.name])
        told.append(f"No trial beats the default and its {score}: keep that configuration.")
    if best is None or not found or found["trial"] != best.label:
        return tuple(told)
    flattered = "The best was chosen by these examples, which flatters it."
    told += [
        f"validation: {_told(found['validation'], best.label)} {flattered}",
        f"test: {_told(found['test'], best.label)}",
    ]
    if "default" in found["test"]:
        low, high = found["test"]["interval"]
        better = low > 0 if Objective(found["test"]["measure"]).rises else high < 0
        told.append(
            "The test split supports that the best trial beats the default."
            if better
            else "The test split does not support that the best trial beats the default: the interval holds 0."
            if low <= 0 <= high
            else "On the test split the best trial is worse than the default."
        )
    if found["looks"] > 1:
        told.append(f"The test split was looked at {found['looks']} times, for the best trial of each search.")
    return tuple(told)


def _told(one, label):
    """What one split says, as a sentence."""
    objective = Objective(one["measure"])
    sentence = f"{per_example.TITLES[objective.name]} {objective.valued(one['best'])} of trial {label}"
    if "default" in one:
        low, high = (objective.apart(bound) for bound in one["interval"])
        sentence += f", {objective.valued(one['default'])} of the default, {objective.apart(one['margin'])}"
        sentence += f"{' points' if objective.is_share else ''} (95 % interval {low} to {high},"
        sentence += f" {one['examples']:,} examples)"
    return f"{sentence}."


def tested(folder):
    """{trial: {score: of its test split}} of the best trial and the default, as winner.json has them."""
    found = _read(folder)
    return found["scores"] if found else {}


def _read(folder):
    found = folder.read_json(FILE) if (folder.path / FILE).is_file() else None
    if found is not None and not (isinstance(found, dict) and set(found) >= {"trial", "looks", "scores", *SPLITS}):
        raise UserError(f"{folder.path / FILE} is damaged: delete it, and go on with --resume.")
    return found
