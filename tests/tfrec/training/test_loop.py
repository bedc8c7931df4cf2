"""Schedules, weight decay, plateaus, stopping, resuming, NaN, several devices."""

import dataclasses
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.config import experiments
from tfrec.config.schema import FitConfig
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks.classification import class_counts
from tfrec.training import loop
from tfrec.training.checkpoint import TrainingCheckpoint
from tfrec.training.distributed import strategies


@pytest.fixture(scope="module")
def corpus():
    return datasets.load(experiments.find("digits")().data)


def small(corpus, **fit):
    """A configuration that trains in a second, with every source of randomness on: order, dropout, augmentation."""
    config = experiments.find("digits")()
    model = dataclasses.replace(config.model, width=4, depth=1)
    config = dataclasses.replace(config, model=model, fit=FitConfig(**{"epochs": 2, "batch_size": 256, **fit}))
    return dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))


def fit(config, corpus, path, resume=False):
    run = Run(path)
    if not resume:
        run.create()
    with strategies.scope(strategies.start(config.fit)):
        recognizer = Recognizer(config, corpus.class_names)
        history = loop.train(recognizer, corpus, run, resume=resume, verbose=0)
    return recognizer, history


def weights(recognizer):
    return [np.array(weight) for weight in recognizer.network.weights]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(corpus, tmp_path, monkeypatch):
    """After an epoch; test_resume.py covers the steps."""
    config = small(corpus, epochs=4, optimizer="adam", warmup_epochs=1)
    whole, history = fit(config, corpus, tmp_path / "whole")

    def interrupt(self, epoch, logs=None):
        end_epoch(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    end_epoch = TrainingCheckpoint.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(TrainingCheckpoint, "on_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(config, corpus, tmp_path / "parts")
    assert (tmp_path / "parts" / "history.csv").read_text().count("\n") == 3
    parts, history_of_parts = fit(config, corpus, tmp_path / "parts", resume=True)
    for one, other in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, other in zip(history, history_of_parts, strict=True):
        assert {**one, "minutes": 0} == pytest.approx({**other, "minutes": 0}, abs=1e-4)
    assert [path.name for path in Run(tmp_path / "parts").states()] == ["000003-000000000.npz", "000004-000000000.npz"]
    again, _ = fit(config, corpus, tmp_path / "parts", resume=True)  # no epoch is left
    np.testing.assert_array_equal(weights(again)[0], weights(parts)[0])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(corpus, tmp_path):
    config = small(corpus, epochs=1)
    one, two = (weights(fit(config, corpus, tmp_path / name)[0]) for name in "ab")
    other = weights(fit(dataclasses.replace(config, seed=1), corpus, tmp_path / "c")[0])
    np.testing.assert_allclose(one[0], two[0], atol=1e-6)
    assert np.abs(one[0] - other[0]).max() > 1e-3


def test_the_best_epoch_is_kept_and_a_stale_run_stops(corpus, tmp_path):
    # With a rate this high the first epoch, or one soon after it, stays the best.
    config = small(
        corpus, epochs=40, learning_rate=3.0, optimizer="sgd", schedule="constant", patience=2, clip_norm=1.0
    )
    recognizer, history = fit(config, corpus, tmp_path / "run")
    losses = [row["val_loss"] for row in history]
    best = int(np.argmin(losses))
    assert len(history) == best + 3 < 40
    logits, targets = recognizer.outputs(corpus.splits["validation"], 64)
    assert recognizer.task.score(logits, targets)["loss"] == pytest.approx(losses[best], rel=1e-3)
    assert len(fit(config, corpus, tmp_path / "run", resume=True)[1]) == len(history)


def test_a_plateau_lowers_the_learning_rate(corpus, tmp_path):
    config = small(
        corpus,
        epochs=6,
        learning_rate=3.0,
        optimizer="sgd",
        schedule="plateau",
        plateau_patience=1,
        step_factor=0.5,
        clip_norm=1.0,
    )
    _, history = fit(config, corpus, tmp_path / "run")
    best, rate = math.inf, 3.0
    for row in history:
        assert row["learning_rate"] == pytest.approx(rate, rel=1e-5)
        if row["val_loss"] >= best:
            rate *= 0.5
        best = min(best, row["val_loss"])
    assert rate < 3.0


def test_the_message_about_a_nan_loss_names_the_batch(corpus, tmp_path):
    config = small(corpus, learning_rate=1e30, optimizer="sgd", schedule="constant", epochs=3)
    with pytest.raises(UserError, match=r"batch \d+ of epoch \d.*fit.learning_rate"):
        fit(config, corpus, tmp_path / "run")


@pytest.mark.parametrize("precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_mixed_precision_learns_and_resumes(corpus, tmp_path, precision):
    config = small(corpus, precision=precision, epochs=2, learning_rate=3e-3)
    recognizer, history = fit(config, corpus, tmp_path / "run")
    assert recognizer.network.get_layer("block0_0_conv").compute_dtype == precision.removeprefix("mixed_")
    assert history[-1]["loss"] < history[0]["loss"]
    longer = dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=3))
    assert len(fit(longer, corpus, tmp_path / "run", resume=True)[1]) == 3


def test_tensorboard_and_xla(corpus, tmp_path):
    config = small(corpus, epochs=1, tensorboard=True, jit_compile=True)
    fit(config, corpus, tmp_path / "run")
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))


def test_class_weights_and_counts(corpus):
    counts = class_counts(corpus.splits["train"], 10)
    assert counts.sum() == corpus.splits["train"].size
    unlabeled = dataclasses.replace(corpus.splits["train"], labels=None)
    np.testing.assert_array_equal(class_counts(unlabeled, 10), counts)


MIRRORED = """
import sys
from tfrec.config.schema import FitConfig
from tfrec.training.distributed import strategies
strategies.start(FitConfig(strategy="mirrored", cpu_devices=2))
from tests.tfrec.training import test_loop
test_loop.compare_with_two_devices(sys.argv[1])
"""


def compare_with_two_devices(folder):
    """Clipped gradients of uneven parts, without batch normalization; each part also in two."""
    corpus = datasets.load(experiments.find("digits")().data)
    plain = frontends.resolve(frontends.ImageConfig(), corpus)
    mlp = dataclasses.replace(architectures.default_config("mlp"), width=32, dropout=0.0)
    two = {"strategy": "mirrored", "cpu_devices": 2}
    for own, settings in (({}, {"average": 0.8}), ({"accumulate_steps": 2}, {"epochs": 1})):
        trained = []
        for strategy in ({}, {**two, **own}):
            config = small(corpus, batch_size=101, learning_rate=3e-3, clip_norm=0.1, **settings, **strategy)
            config = dataclasses.replace(config, frontend=plain, model=mlp)
            path = pathlib.Path(folder) / f"{len(own)}{len(trained)}"
            trained.append(weights(fit(config, corpus, path)[0]))
        for one, other in zip(*trained, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    assert len(tf.config.list_logical_devices("CPU")) == 2


@pytest.mark.slow
def test_two_devices_train_as_one(tmp_path):
    """In a process of its own: the number of devices can be set only before TensorFlow starts."""
    command = [sys.executable, "-c", MIRRORED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pathlib.Path(__file__).parents[3], timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(tmp_path.glob("*/best.weights.h5"))) == 4


def test_weights_with_nan_from_the_last_step_are_not_kept(corpus, tmp_path):
    """An epoch has one step, whose loss is that of the weights before it."""
    config = small(corpus, learning_rate=1e30, optimizer="sgd", schedule="constant", batch_size=2000)
    with pytest.raises(UserError, match=r"fit.learning_rate"):
        fit(config, corpus, tmp_path / "run")
    assert not (tmp_path / "run" / "best.weights.h5").exists()
