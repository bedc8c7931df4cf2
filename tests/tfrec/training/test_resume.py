"""A training that ends at any step, by whatever cause, continues as if it had not."""

import dataclasses
import functools
import json
import os
import signal

import numpy as np
import pytest

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tests.tfrec.training.test_loop import corpus, fit, small, weights  # noqa: F401
from tfrec import tasks
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.runs import training_state
from tfrec.runs.run import Run
from tfrec.training import loop
from tfrec.training.checkpoint import TrainingCheckpoint
from tfrec.utils.interrupts import Interrupted


class KilledError(BaseException):
    """Stands for a signal that no process survives."""


def end_at(monkeypatch, step, end):
    """Calls `end` after that number of steps, counted over all epochs of this process."""
    steps = 0
    count_step = TrainingCheckpoint.count_step

    def count(self):
        nonlocal steps
        count_step(self)
        steps += 1
        if steps == step:
            end()

    monkeypatch.setattr(TrainingCheckpoint, "count_step", count)


def until(monkeypatch, step, end, train):
    """Calls `train`, which ends after that number of steps."""
    with monkeypatch.context() as patch:
        end_at(patch, step, end)
        with pytest.raises((KilledError, Interrupted)):
            train()


def kill():
    raise KilledError


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def without_minutes(history):
    return [{**row, "minutes": 0} for row in history]


def assert_same(one, other):
    (recognizer, history), (other_recognizer, other_history) = one, other
    assert without_minutes(history) == without_minutes(other_history)
    for weight, other_weight in zip(weights(recognizer), weights(other_recognizer), strict=True):
        np.testing.assert_array_equal(weight, other_weight)


STEPS = 7  # of an epoch


@pytest.fixture(scope="module")
def trained_whole(corpus, tmp_path_factory):  # noqa: F811
    """A function from a placement to a configuration with dropout, augmentation and averages, and its training."""

    @functools.cache
    def trained_on(placement):
        config = small(corpus, epochs=2, batch_size=200, average=0.9, checkpoint_minutes=1e-9, warmup_epochs=1)
        config = dataclasses.replace(config, frontend=dataclasses.replace(config.frontend, placement=placement))
        return config, fit(config, corpus, tmp_path_factory.mktemp("whole") / "run")

    return trained_on


@pytest.fixture
def whole(trained_whole):
    return trained_whole("device")


# In the middle of an epoch; before its validation; after the first step of the next one.
@pytest.mark.parametrize(
    ("step", "end", "placement"),
    [(4, kill, "host"), (4, kill, "device"), (STEPS, terminate, "device"), (STEPS + 1, terminate, "host")],
)
def test_an_end_at_any_step(trained_whole, corpus, tmp_path, monkeypatch, step, end, placement):  # noqa: F811
    config, result = trained_whole(placement)
    run = Run(tmp_path / "run")
    until(monkeypatch, step, end, lambda: fit(config, corpus, run.path))
    assert len(run.states()) <= training_state.KEPT
    if end is terminate:
        values = training_state.read_values(run)
        assert values["epoch"] * STEPS + values["step"] == step
    assert_same(fit(config, corpus, run.path, resume=True), result)


@pytest.mark.slow
def test_several_ends(whole, corpus, tmp_path, monkeypatch):  # noqa: F811
    config, result = whole
    for number, end in enumerate((terminate, kill, terminate)):
        until(monkeypatch, 2, end, functools.partial(fit, config, corpus, tmp_path / "run", number > 0))
    assert_same(fit(config, corpus, tmp_path / "run", resume=True), result)


def speech(path, *more):
    words = ["--data.name", "manifest", "--data.path", str(path), "--model.name", "bilstm_ctc", "--task.name"]
    words += ["transcribe", "--task.shown", "0", "--model.depth", "1", "--model.units", "8", "--fit.epochs", "2"]
    words += ["--fit.batch_seconds", "6", "--fit.checkpoint_minutes", "1e-9", "--frontend.time_masks", "1", *more]
    config = flags.to_config(flags.parse_fit(words)[1])
    data = datasets.load(config.data)
    return dataclasses.replace(config, frontend=frontends.resolve(config.frontend, data)), data


def fit_speech(config, data, path, resume=False):
    run = Run(path)
    if not resume:
        run.create()
    recognizer = Recognizer(config, tasks.labels(config.task, data))
    recognizer.task.prepare(data.splits["train"])
    return recognizer, loop.train(recognizer, data, run, resume=resume, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["device", "host"])
def test_clips_in_buckets(melodies, tmp_path, monkeypatch, placement):
    masks = ["--frontend.mask_epochs", "2"] if placement == "device" else []
    config, data = speech(melodies, "--frontend.placement", placement, *masks)
    whole = fit_speech(config, data, tmp_path / "whole")
    steps = training_state.read_values(Run(tmp_path / "whole"))["steps_per_epoch"]
    assert steps > 3
    until(
        monkeypatch,
        steps + 2 if placement == "device" else 2,
        terminate,
        lambda: fit_speech(config, data, tmp_path / "run"),
    )
    assert_same(fit_speech(config, data, tmp_path / "run", resume=True), whole)


def test_a_damaged_state_is_passed_over(whole, corpus, tmp_path, monkeypatch, caplog):  # noqa: F811
    config, result = whole
    for number, step in enumerate((3, 2)):
        until(monkeypatch, step, terminate, functools.partial(fit, config, corpus, tmp_path / "run", number > 0))
    run = Run(tmp_path / "run")
    last = run.states()[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    caplog.set_level("WARNING")
    assert_same(fit(config, corpus, run.path, resume=True), result)
    assert f"{last} is damaged and passed over" in caplog.text
    assert "The training continues after step" in caplog.text
    for path in run.states():
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="state is damaged"):
        fit(config, corpus, run.path, resume=True)


def test_sigusr1_saves_and_the_training_goes_on(whole, corpus, tmp_path, monkeypatch):  # noqa: F811
    config, result = whole
    config = dataclasses.replace(config, fit=dataclasses.replace(config.fit, checkpoint_minutes=60))
    seen = []
    monkeypatch.setattr(
        training_state, "write", lambda run, values, variables: seen.append((values["epoch"], values["step"]))
    )
    end_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert_same(fit(config, corpus, tmp_path / "run"), result)
    assert seen == [(0, 3), (1, 0), (2, 0)]


def test_a_state_of_other_data_or_another_network(whole, corpus, tmp_path, monkeypatch):  # noqa: F811
    config, _ = whole
    until(monkeypatch, 2, terminate, lambda: fit(config, corpus, tmp_path / "run"))
    other = dataclasses.replace(config, fit=dataclasses.replace(config.fit, batch_size=100))
    with pytest.raises(UserError, match="an epoch has 13 steps now and had 7"):
        fit(other, corpus, tmp_path / "run", resume=True)
    other = dataclasses.replace(config, model=dataclasses.replace(config.model, width=5))
    with pytest.raises(UserError, match="its state has other weights"):
        fit(other, corpus, tmp_path / "run", resume=True)


def test_a_diverged_step_is_not_saved(corpus, tmp_path, monkeypatch):  # noqa: F811
    config = small(corpus, learning_rate=1e30, optimizer="sgd", schedule="constant", checkpoint_minutes=1e-9)
    with pytest.raises(UserError, match="diverged"):
        fit(config, corpus, tmp_path / "run")
    assert Run(tmp_path / "run").states()
    for path in Run(tmp_path / "run").states():
        with np.load(path) as file:
            assert all(np.isfinite(file[name]).all() for name in file.files)
            assert json.loads(file["state"].tobytes())["step"] > 0
