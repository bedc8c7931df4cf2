"""Checkpoints and masks; test_loop.py covers callbacks in whole trainings."""

import dataclasses

import numpy as np
import pytest

from pipelines.layers import SpecAugment
from tests.tfrec.training.test_loop import corpus, small  # noqa: F401
from tfrec.config.schema import FitConfig
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.training.callbacks import WidenMasks
from tfrec.training.checkpoint import TrainingCheckpoint
from tfrec.training.schedules import Schedule
from tfrec.training.step import Training

LOSSES = (3.0, 1.0, 4.0, 2.0, 5.0)  # of the epochs; each weight is the number of its epoch


@pytest.fixture
def build(corpus):  # noqa: F811
    """A function from a run's path to a TrainingCheckpoint, the Training that it saves, and the Run."""

    def checkpoint_of(path, **settings):
        training = Training(Recognizer(small(corpus), corpus.class_names), corpus.splits["train"])
        training.compile("sgd")
        run = Run(path)
        if not run.path.exists():
            run.create()
        fit = FitConfig(epochs=9, **settings)
        checkpoint = TrainingCheckpoint(run, training, fit, Schedule.for_training(fit, 1), 1, "min")
        checkpoint.set_model(training)
        return checkpoint, training, run

    return checkpoint_of


def run_epochs(checkpoint, training, epochs):
    network = training.network
    for epoch in epochs:
        network.set_weights([np.full(weight.shape, epoch + 1, weight.dtype) for weight in network.get_weights()])
        checkpoint.on_epoch_end(epoch, {"loss": 0.0, "val_loss": LOSSES[epoch]})


@pytest.mark.parametrize(("which", "mean"), [("best", (2 + 4) / 2), ("last", (4 + 5) / 2)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_the_mean_of_checkpoints_is_kept(build, tmp_path, which, mean, interrupted):
    settings = {"checkpoints": 2, "checkpoints_of": which}
    checkpoint, training, run = build(tmp_path / "run", **settings)
    run_epochs(checkpoint, training, range(3))
    checkpoint.writer.flush()
    if interrupted:
        checkpoint, training, run = build(tmp_path / "run", **settings)
        checkpoint.restore()
        assert checkpoint.state["epoch"] == 3
    run_epochs(checkpoint, training, range(3, 5))
    checkpoint.writer.flush()
    kept = {epoch for _, epoch in checkpoint.state["checkpoints"]}
    names = {int(path.name.partition(".")[0]) for path in (run.path / "state" / "checkpoints").iterdir()}
    assert len(kept) == 2
    assert kept <= names  # next to those of the state before
    assert len(names) <= 4
    network = training.network
    checkpoint.average_checkpoints(network)
    network.load_weights(run.best_weights)
    for weight in network.get_weights():
        np.testing.assert_allclose(weight, mean)


def test_one_checkpoint_is_the_best(build, tmp_path):
    checkpoint, training, run = build(tmp_path / "run")
    run_epochs(checkpoint, training, range(5))
    network = training.network
    checkpoint.average_checkpoints(network)
    network.load_weights(run.best_weights)
    assert network.get_weights()[0].flat[0] == 2
    assert not (run.path / "state" / "checkpoints").exists()


def test_masks_reach_their_full_width_after_the_configured_epochs():
    masks = SpecAugment()
    masks.make_scalable()
    callback, strengths = WidenMasks(masks, 4), []
    for epoch in (0, 1, 4, 9):
        callback.on_epoch_begin(epoch)
        strengths.append(float(masks.strength))
    assert strengths == [0, 0.25, 1, 1]


def test_fit_refuses_no_checkpoint():
    with pytest.raises(ValueError, match=r"fit\.checkpoints must be 1 or more. Received: 0"):
        dataclasses.replace(FitConfig(), checkpoints=0)
