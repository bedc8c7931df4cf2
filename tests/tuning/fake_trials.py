"""Oracles without trainings, for tests: one of a small space, and a worker that reports fake scores."""

from keras_tuner.engine.trial import Trial

from tfrec.config import experiments
from tuning.objectives import Objective
from tuning.oracles import construction
from tuning.search_space import grammar, parameters

LINES = ("fit.learning_rate=1e-4..1e-2:log", "model.depth=1..3")


def open_oracle(folder, tuner="random", trials=6, lines=LINES, has_leases=False, epochs=4):
    space = parameters.to_hyperparameters(grammar.parse(lines, experiments.find("digits")()))
    oracle = construction.build(tuner, space, Objective("accuracy"), trials, epochs, 0)
    oracle.has_leases = has_leases
    oracle.open(folder)
    return oracle


def end(oracle, trial, accuracy=0.5, status="COMPLETED"):
    """What a worker reports, as a message from another machine delivers it."""
    if status == "COMPLETED":
        oracle.update_trial(trial.trial_id, {"accuracy": accuracy})
    ended = Trial.from_proto(trial.to_proto())
    ended.status = status
    oracle.end_trial(ended)


def run(oracle, reopen=lambda oracle: oracle, accuracy=lambda trial: 0.5):
    """Runs one worker until no trial is left; returns the values of all trials in their order."""
    tried = []
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        assert len(tried) < 100
        if trial.status == "RUNNING":
            tried.append({"trial": trial.trial_id, **trial.hyperparameters.values})
            end(oracle, trial, accuracy(trial))
        oracle = reopen(oracle)
    return tried
