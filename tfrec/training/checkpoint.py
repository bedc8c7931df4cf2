"""What a training keeps: history, best weights, and at any step all that resuming needs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.config.schema import FitConfig
from tfrec.runs import training_state
from tfrec.runs.run import Run
from tfrec.training.schedules import Schedule
from tfrec.utils import interrupts, startup
from tfrec.utils.writer_thread import WriterThread

if TYPE_CHECKING:
    from tfrec.training.step import Training


class TrainingCheckpoint(keras.callbacks.Callback):
    """History, best weights, plateaus, early stopping, and the state that resuming needs.

    The state is written after each epoch, every `config.checkpoint_minutes` and at signals, by a thread. One callback
    and not Keras's four (CSVLogger, ModelCheckpoint, EarlyStopping, ReduceLROnPlateau), because those lose what they
    know when the process ends.

    Args:
        run: the run folder.
        training: the model in training, compiled.
        config: the FitConfig.
        schedule: the schedule of the optimizer's learning rate.
        steps_per_epoch: number of steps in an epoch.
        direction: whether the monitored score is better when it is higher ("max") or lower ("min").

    Attributes:
        writer: the thread that writes states.
        state: what is kept as JSON: the position, the history, and the figures of the finished epochs.
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
        # Finished epochs; steps of the next one, and their means once all have been taken.
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "logs": None, "steps_per_epoch": steps_per_epoch}
        self.state |= {"history": [], "best": None, "best_epoch": None, "stopped": False}
        # Epochs without a better one; factor of the learning rate; seconds of the training so far.
        self.state |= {"stale": 0, "plateau": 0, "scale": 1.0, "seconds": 0.0}
        self.seconds_before, self.started = 0.0, time.monotonic()
        self.writer, self.is_unsaved, self.last_save = WriterThread(), False, time.monotonic()
        self._within_epoch: list[tuple[Any, np.ndarray]] = []  # variables that the start of an epoch resets
        self._kept_before: list[set[int]] = []  # epochs of the weights to be averaged, of the last states on the disk

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

    def variables(self) -> list[Any]:
        """All that changes in a training, and what must not have changed when it resumes, such as lengths of noises.

        The noises themselves are read from their files at each start.
        """
        optimizer = [self.schedule.scale, self.schedule.spent, *self.training.optimizer.variables]
        own = [each for each in self.training.variables if not each.path.endswith(("/noises", "/responses"))]
        every = [*own, *self.training.metrics_variables, *optimizer]
        return list({id(variable): variable for variable in every}.values())

    def restore(self) -> None:
        """Restores the last state, if there is one."""
        stored = training_state.read(self.run)
        if stored is None:
            return
        variables = self.variables()
        self._require_fitting(stored, variables)
        self.state |= stored.values
        for variable, value in zip(variables, stored.variables, strict=True):
            variable.assign(_as_stored(value, variable))
        if self.state["step"]:
            reset = {id(each) for each in self.training.metrics_variables}
            pairs = zip(variables, stored.variables, strict=True)
            self._within_epoch = [
                (each, value)
                for each, value in pairs
                if id(each) in reset or each.path.endswith("seed_generator_state")
            ]
        self._kept_before = [{epoch for _, epoch in self.state.get("checkpoints", [])}]
        self.seconds_before = self.state["seconds"]

    def _require_fitting(self, stored: training_state.Stored, variables: Sequence[Any]) -> None:
        """UserError where the state is that of another network, optimizer or data."""
        for variable, value in zip(variables, stored.variables, strict=False):
            if variable.path.endswith("/noise_lengths") and not np.array_equal(np.array(variable), value):
                raise UserError(
                    f"{self.run.path} cannot be resumed: the noises in frontend.noise_path have changed since it was"
                    " started; restore them, or start another run."
                )
        shapes = [tuple(each.shape) for each in variables]
        if shapes != [value.shape for value in stored.variables]:
            raise UserError(
                f"{self.run.path} cannot be resumed: its state has other weights than this version of tfrec builds from"
                " its config.json; resume it with the version in its environment.json, or start another run."
            )
        steps = stored.values.get("steps_per_epoch")
        if steps != self.steps_per_epoch:
            raise UserError(
                f"{self.run.path} cannot be resumed: an epoch has {self.steps_per_epoch:,} steps now and had {steps:,}"
                " when it was started, so that its data has changed; restore it, or start another run."
            )

    def count_step(self) -> None:
        """Notes that a step has been taken; saves the state where it is time to."""
        self.state["step"] += 1
        self.is_unsaved = True
        interrupts.set_unsaved(True)
        is_due = time.monotonic() - self.last_save >= 60 * self.config.checkpoint_minutes
        if interrupts.pop_save_request() or (is_due and self.writer.is_idle):
            self.save()

    def end_steps(self, logs: dict[str, float]) -> None:
        """Notes the means of an epoch whose steps have all been taken."""
        self.state["logs"] = logs

    def save(self) -> None:
        """Has the thread write the state as it is now.

        Reading a variable on a CPU copies nothing: TensorFlow copies it where a step changes it while it is still in
        use.
        """
        self.last_save, self.is_unsaved = time.monotonic(), False
        self.state["seconds"] = self.seconds()
        with tf.device("CPU:0"):
            values = [tf.identity(variable.value) for variable in self.variables()]
        state = json.loads(json.dumps(self.state))
        self.writer.submit(lambda: self._write(state, values))

    def save_unsaved(self) -> None:
        """Writes what has changed since the last save, and waits until all is written."""
        if self.is_unsaved:
            self.save()
        self.writer.flush()

    def _write(self, state: dict[str, Any], values: list[Any]) -> None:
        """Writes a state and what follows from it; runs in the thread."""
        if state["step"] and not all(np.isfinite(value).all() for value in values if value.dtype.is_floating):
            return  # the training has diverged: the state before is worth more
        training_state.write(self.run, state, values)
        if not state["step"]:
            self.run.write_json("state/state.json", state)
            self.run.write_text("history.csv", _csv(state["history"]))
        self._delete_checkpoints(state)
        interrupts.set_unsaved(self.is_unsaved)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Ends the training at a Ctrl-C that Python has lost; sets what a resumed epoch had reached."""
        startup.check_interrupted()
        for variable, value in self._within_epoch:
            variable.assign(_as_stored(value, variable))
        self._within_epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares the epoch with the best one and saves the state."""
        with interrupts.deferred():
            self._end_epoch(epoch, logs or {})

    def _end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
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
        self.state.update(epoch=epoch + 1, step=0, logs=None)
        self.save()

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

    def _delete_checkpoints(self, state: dict[str, Any]) -> None:
        """Deletes those of other epochs, once neither the state that has just been written nor that before names them.

        Those of later epochs wait for their state.
        """
        if self.config.checkpoints == 1:
            return
        self._kept_before = [*self._kept_before, {epoch for _, epoch in state.get("checkpoints", [])}]
        self._kept_before = self._kept_before[-training_state.KEPT :]
        kept = {self.run.checkpoint(epoch) for epochs in self._kept_before for epoch in epochs}
        for epoch in range(1, state["epoch"] + 1):
            if (path := self.run.checkpoint(epoch)) not in kept:
                path.unlink(missing_ok=True)

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


def _as_stored(value: np.ndarray, variable: Any) -> Any:
    """A value of `training_state`, which keeps bfloat16 as its bits."""
    return tf.bitcast(value, variable.dtype) if variable.dtype == "bfloat16" else value


def _csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
