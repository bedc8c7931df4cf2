"""A small program in place of `tfrec fit`, for tests of sweeps; run as a module, this one sweeps with that program."""

import json
import os
import pathlib
import sys

from tfrec.studies import fit_process, model_costs
from tfrec.utils import console
from tuning import command
from tuning.execution import comparison
from tuning.oracles import persistent

# Scores follow from the flags: the accuracy is highest at a learning rate of 0.001.
FIT = """
import json, math, os, pathlib, re, sys, time
words = sys.argv[1:]
run = pathlib.Path(words[words.index("--run") + 1])
flags = dict(word[2:].split("=") for word in words if word.startswith("--") and "=" in word)
with open("started", "a") as file:
    file.write(f"{run.name} {' '.join(words)}\\n")
if "--resume" in words:
    flags = {**json.loads((run / "config.json").read_text())["flags"], **flags}
rate = float(flags.get("fit.learning_rate", 0.002))
epochs = int(flags.get("fit.epochs", 2))
if flags.get("fit.optimizer") == "sgd":
    sys.exit("error: The loss is NaN or infinite.")
if flags.get("fit.optimizer") == "rmsprop":
    os.kill(os.getpid(), 9)
(run / "state").mkdir(parents=True, exist_ok=True)
(run / "config.json").write_text(json.dumps({"flags": flags, "export": {"after_fit": False}}))
(run / "best.weights.h5").write_text("weights")
state = run / "state" / "state.json"
done = len(json.loads(state.read_text())["history"]) if state.is_file() else 0
accuracy = 1 - abs(math.log10(rate / 1e-3)) / 10
for epoch in range(done, epochs):
    history = [{"epoch": i + 1, "loss": 1.0, "val_accuracy": accuracy, "minutes": 0.01} for i in range(epoch + 1)]
    temporary = state.with_name(f"tmp{os.getpid()}")
    temporary.write_text(json.dumps({"history": history, "seconds": 1.0}))
    os.replace(temporary, state)
    time.sleep(float(os.environ.get("EPOCH_SECONDS", "0")))
scores = {"accuracy": accuracy, "loss": 1.0}
metrics = {"validation": scores, "parameters": 1000 * rate, "fit_seconds": 1.0}
if "--no_test" not in words:
    metrics["test"] = {"accuracy": 0.5}
(run / "metrics.json").write_text(json.dumps(metrics))
"""
COST = {"parameters": 10, "multiply_adds": 9, "latency_ms": None}


def started_runs():
    file = pathlib.Path("started")
    return [line.split()[0] for line in file.read_text().splitlines()] if file.is_file() else []


def stored_trials(folder="mine"):
    """{label: (status, scores)} from Keras Tuner's files."""
    result = {}
    for path in sorted(pathlib.Path(folder, "oracle").glob("trial_*/trial.json")):
        trial = json.loads(path.read_text())
        scores = {name: one["observations"][-1]["value"] for name, one in trial["metrics"]["metrics"].items()}
        result[trial["trial_id"]] = (trial["status"], scores)
    return result


if __name__ == "__main__":
    pathlib.Path("fit.py").write_text(FIT)
    fit_process.COMMAND = (sys.executable, "fit.py")
    model_costs.try_build = lambda configs, *_, **__: dict.fromkeys(configs, COST)
    comparison.measure = lambda *_: None
    persistent.LEASE_S = float(os.environ.get("LEASE_S", "60"))
    console.configure_logging()
    console.run(lambda: command.main(sys.argv[1:]))
