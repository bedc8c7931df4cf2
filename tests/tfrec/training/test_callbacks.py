"""What callbacks keep, beside what whole trainings show."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines.layers import SpecAugment
from tfrec.config.schema import FitConfig
from tfrec.runs.run import Run
from tfrec.training.callbacks import WidenMasks
from tfrec.training.checkpoint import Keeper
from tfrec.training.schedules import Schedule
from tfrec.training.step import TrainingModel

LOSSES = (3.0, 1.0, 4.0, 2.0, 5.0)  # of the epochs, in each of which the weights are the epoch's number


def keeper(path, **settings):
    inputs = keras.Input((2,))
    net = keras.Model(inputs, keras.layers.Dense(1, name="only")(inputs))
    model = TrainingModel(inputs, net(inputs))
    model.net = net
    model.compile("sgd", "mse")
    run = Run(path)
    if not run.path.exists():
        run.create()
    fit = FitConfig(epochs=9, **settings)
    result = Keeper(run, model, fit, Schedule.of(fit, 1), 1, "min")
    result.set_model(model)
    return result, model, run


def live(result, model, epochs):
    for epoch in epochs:
        model.set_weights([np.full(weight.shape, epoch + 1.0) for weight in model.get_weights()])
        result.on_epoch_end(epoch, {"loss": 0.0, "val_loss": LOSSES[epoch]})


@pytest.mark.parametrize(("which", "mean"), [("best", (2 + 4) / 2), ("last", (4 + 5) / 2)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_the_mean_of_checkpoints_is_kept(tmp_path, which, mean, interrupted):
    settings = {"checkpoints": 2, "checkpoints_of": which}
    result, model, run = keeper(tmp_path / "run", **settings)
    live(result, model, range(3))
    if interrupted:
        result, model, run = keeper(tmp_path / "run", **settings)
        assert result.restore() == 3
    live(result, model, range(3, 5))
    assert len(list((run.path / "state" / "checkpoints").iterdir())) == 2
    result.keep_mean(model.net)
    model.net.load_weights(run.best_weights)
    for weight in model.get_weights():
        np.testing.assert_allclose(weight, mean)


def test_one_checkpoint_is_the_best(tmp_path):
    result, model, run = keeper(tmp_path / "run")
    live(result, model, range(5))
    result.keep_mean(model.net)
    model.net.load_weights(run.best_weights)
    assert model.get_weights()[0][0, 0] == 2
    assert not (run.path / "state" / "checkpoints").exists()


def test_masks_are_as_wide_as_they_get_after_so_many_epochs():
    masks = SpecAugment()
    masks.make_scalable()
    callback, found = WidenMasks(masks, 4), []
    for epoch in (0, 1, 4, 9):
        callback.on_epoch_begin(epoch)
        found.append(float(masks.strength))
    assert found == [0, 0.25, 1, 1]


def test_fit_refuses_no_checkpoint():
    with pytest.raises(ValueError, match=r"fit\.checkpoints must be 1 or more. Received: 0"):
        dataclasses.replace(FitConfig(), checkpoints=0)
