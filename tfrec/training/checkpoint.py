"""What a training keeps after every epoch: history, best weights, and all that resuming needs."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from pipelines.errors import UserError
from tfrec.config.schema import FitConfig
from tfrec.runs.run import Run
from tfrec.training.schedules import Schedule
from tfrec.utils import startup

if TYPE_CHECKING:
    from tfrec.training.step import Training


class TrainingCheckpoint(keras.callbacks.Callback):
    """After every epoch: history, best weights, plateaus, early stopping, and the state that resuming needs.

    One callback and not Keras's four (CSVLogger, ModelCheckpoint, EarlyStopping, ReduceLROnPlateau), because those
    lose what they know when the process ends.

    Args:
        run: the run folder.
        training: the model in training, compiled.
        config: the FitConfig.
        schedule: the schedule of the optimizer's learning rate.
        steps_per_epoch: number of steps in an epoch.
        direction: whether the monitored score is better when it is higher ("max") or lower ("min").
    """

    def __init__(
        self,
        run: Run,
        training: Training,
        config: FitConfig,
        schedule: Schedule,
        steps_per_epoch: int,
        direction: Literal["min", "max"],
    ) -> None:
        super().__init__()
        self.run, self.training, self.config = run, training, config
        self.schedule, self.steps_per_epoch = schedule, steps_per_epoch
        self.sign = 1 if direction == "max" else -1
        self.state: dict[str, Any] = {"history": [], "best": None, "best_epoch": None, "stopped": False}
        # Epochs without a better one; factor of the learning rate; seconds of the finished epochs.
        self.state |= {"stale": 0, "plateau": 0, "scale": 1.0, "seconds": 0.0}
        self.seconds_before, self.started = 0.0, time.monotonic()

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict for each finished epoch, counted from 1."""
        return self.state["history"]

    @property
    def done(self) -> bool:
        """Whether early stopping or the end of the time budget has ended this training."""
        return self.state["stopped"]

    def seconds(self) -> float:
        """Seconds that this training has taken, those before interruptions included."""
        return self.seconds_before + time.monotonic() - self.started

    def restore(self) -> int:
        """Restores weights, optimizer and state of the last finished epoch; returns the number of the next one."""
        state = self.run.read_state()
        if state is None:
            return 0
        self.state |= state
        try:
            self.training.load_weights(self.run.state_weights(len(self.history)))
        except ValueError as error:
            if "noises have changed" not in str(error):
                raise
            raise UserError(
                f"{self.run.path} cannot be resumed: the noises in frontend.noise_path have changed since it was"
                " started; restore them, or start another run."
            ) from error
        self.schedule.scale.assign(self.state["scale"])
        self.seconds_before = self.state["seconds"]
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Ends the training at a Ctrl-C that Python has lost."""
        startup.check_interrupted()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares the epoch with the best one and writes its state."""
        logs = logs or {}
        rate = float(self.schedule((epoch + 1) * self.steps_per_epoch - 1))
        values = {name: float(value) for name, value in logs.items()}
        minutes = self.seconds() / 60
        self.history.append({"epoch": epoch + 1, **values, "learning_rate": rate, "minutes": minutes})
        score = float(logs[f"val_{self.config.monitor}"])
        self._keep_best(epoch + 1, score)
        self._keep_checkpoint(epoch + 1, self.sign * score if self.config.checkpoints_of == "best" else epoch)
        self._lower_rate_on_plateau()
        self.state["seconds"] = self.seconds()
        if self._is_over():
            self.state["stopped"] = self.training.stop_training = True
        self.run.write_state(self.state, self.training)
        self._delete_checkpoints()
        self.run.write_text("history.csv", _csv(self.history))

    def _keep_best(self, epoch: int, score: float) -> None:
        state = self.state
        if state["best"] is None or self.sign * (score - state["best"]) > 0:
            state.update(best=score, best_epoch=epoch, stale=0, plateau=0)
            self.run.write_weights(self.training.kept_network, self.run.best_weights)
        else:
            state["stale"] += 1
            state["plateau"] += 1

    def _lower_rate_on_plateau(self) -> None:
        state = self.state
        if self.config.schedule == "plateau" and state["plateau"] >= self.config.plateau_patience:
            state.update(scale=state["scale"] * self.config.step_factor, plateau=0)
            self.schedule.scale.assign(state["scale"])

    def _is_over(self) -> bool:
        stale = self.config.patience is not None and self.state["stale"] >= self.config.patience
        minutes = self.config.budget_minutes
        return stale or (minutes is not None and self.state["seconds"] >= 60 * minutes)

    def _keep_checkpoint(self, epoch: int, value: float) -> None:
        """Keeps the weights of the epochs with the highest values."""
        if self.config.checkpoints == 1:
            return
        kept = sorted([*self.state.get("checkpoints", []), [float(value), epoch]], reverse=True)
        self.state["checkpoints"] = kept[: self.config.checkpoints]
        if [float(value), epoch] in self.state["checkpoints"]:
            self.run.write_weights(self.training.kept_network, self.run.checkpoint(epoch))

    def _delete_checkpoints(self) -> None:
        """Deletes those of other epochs, once no state on the disk names them any more."""
        if self.config.checkpoints > 1:
            kept = {self.run.checkpoint(epoch) for _, epoch in self.state["checkpoints"]}
            for old in set(self.run.checkpoint(0).parent.glob("*.weights.h5")) - kept:
                old.unlink()

    def average_checkpoints(self, network: keras.Model) -> None:
        """Writes the mean of the kept checkpoints as the run's best weights, where there are several.

        Vaswani et al. 2017, section 6.1, average the last ones. The weights of `network` are overwritten.
        """
        epochs = [epoch for _, epoch in self.state.get("checkpoints", [])]
        if len(epochs) < 2:
            return
        means = [np.zeros(weight.shape) for weight in network.weights]
        for epoch in epochs:
            network.load_weights(self.run.checkpoint(epoch))
            for mean, weight in zip(means, network.get_weights(), strict=True):
                mean += weight / len(epochs)
        network.set_weights(means)
        self.run.write_weights(network, self.run.best_weights)


def _csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
