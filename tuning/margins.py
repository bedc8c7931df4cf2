"""What the best trial of a sweep and the default are worth on examples that chose nothing, and how far they are apart.

In a process of its own, as the trainings are, once the search is over: the test split is looked at for no other trial.
"""

import pathlib
import sys
import tempfile

import numpy as np

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import evaluation, processes
from tfrec.metrics import transcription
from tfrec.metrics.quality import TITLES
from tfrec.recogniser import Recogniser
from tfrec.runs import Run
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
        command = [sys.executable, "-c", MEASURE, str(folder.path), str(run.path), str(default.path)]
        if reason := processes.call(command, log, record):
            raise UserError(f"Trial {label} could not be measured on the test split: {reason}")


def write(folder, best, default):
    """Measures two runs, or one where the default has none, and writes winner.json into a sweep's folder."""
    folder = Run(folder)
    looked = _read(folder)
    runs = [Run(path) for path in (best, default) if Run(path).is_measured()]
    found = {split: [] for split in SPLITS}
    for run in runs:
        recogniser = Recogniser.load(run)
        config = recogniser.config
        corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
        scores = evaluation.measure(recogniser, corpus, "test", config.fit.batch_size)
        evaluation.record(run, recogniser, {"test": scores}, run.read_history())
        for split in SPLITS:
            found[split].append(recogniser.task.quality(recogniser, corpus.splits[split], config.fit.batch_size))
    looks = 1 + (looked["looks"] if looked else 0)
    folder.write_json(
        FILE, {"trial": Run(best).name, "looks": looks, **{split: margin(*found[split]) for split in SPLITS}}
    )


def margin(best, default=None):
    """Two Qualities of the same examples -> {"measure", "best", "default", "margin", "interval"}.

    The margin is of the best over the default; its 95 % interval a bootstrap over the examples, each of which counts
    for both (Efron 1979). Without a default there are only the first two.
    """
    result = {"measure": best.name, "examples": len(best.sizes), "best": _rate(best)}
    if default is None:
        return result
    ours, wholes, theirs, others = transcription.resampled_sums(
        [np.asarray(part, int) for one in (best, default) for part in (one.counts, one.sizes)]
    ).T
    drawn = ours / np.maximum(wholes, 1) - theirs / np.maximum(others, 1)
    bounds = [float(bound) for bound in np.quantile(drawn, [0.025, 0.975])]
    return {**result, "default": _rate(default), "margin": _rate(best) - _rate(default), "interval": bounds}


def sentences(folder, results):
    """What winner.json says, for people; nothing where it is about another trial than the best."""
    found = _read(folder)
    if results.best is None or not found or found["trial"] != results.best.label:
        return ()
    told = []
    for split in SPLITS:
        one = found[split]
        title, label = TITLES[one["measure"]], found["trial"]
        sentence = f"{split}: {title} {one['best']:.2%} of trial {label}"
        if "default" in one:
            low, high = one["interval"]
            sentence += f", {one['default']:.2%} of the default, {100 * one['margin']:+.2f} points"
            sentence += f" (95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {one['examples']:,} examples)"
        told.append(f"{sentence}.")
    told[0] += " The best was chosen by these examples, which flatters it."
    if "default" in found["test"]:
        low, high = found["test"]["interval"]
        better = low > 0 if found["test"]["measure"] == "accuracy" else high < 0
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


def tested(folder):
    """{trial: {score: of its test split}} of the best trial and the default, as winner.json has them."""
    found = _read(folder)
    if not found:
        return {}
    name, one = found["test"]["measure"], found["test"]
    return {found["trial"]: {name: one["best"]}} | ({DEFAULT: {name: one["default"]}} if "default" in one else {})


def _rate(quality):
    return float(quality.counts.sum() / max(quality.sizes.sum(), 1))


def _read(folder):
    return folder.read_json(FILE) if (folder.path / FILE).is_file() else None
