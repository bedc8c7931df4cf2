"""After every epoch: history, best weights, and all that resuming needs."""

import csv
import io
import time

import keras
import numpy as np

from tfrec.utils import startup


class Keeper(keras.callbacks.Callback):
    """After every epoch: history, best weights, plateaus, early stopping, and all that resuming needs.

    One callback and not Keras's four (CSVLogger, ModelCheckpoint, EarlyStopping, ReduceLROnPlateau), because those
    forget what they know when the process ends.
    """

    def __init__(self, run, model, config, schedule, steps_per_epoch, direction):
        super().__init__()
        self.run, self.trained, self.config = run, model, config
        self.schedule, self.steps_per_epoch = schedule, steps_per_epoch
        self.sign = 1 if direction == "max" else -1
        self.state = {"history": [], "best": None, "best_epoch": None, "stopped": False}
        # Epochs without a better one; factor of the learning rate; time that finished epochs took.
        self.state |= {"stale": 0, "plateau": 0, "scale": 1.0, "seconds": 0.0}
        self.before, self.started = 0.0, time.monotonic()

    @property
    def history(self):
        """One dict for each finished epoch, counted from 1."""
        return self.state["history"]

    @property
    def done(self):
        """Whether early stopping or the end of the budget has ended this training."""
        return self.state["stopped"]

    def seconds(self):
        """Time that this training has taken, before interruptions too."""
        return self.before + time.monotonic() - self.started

    def restore(self):
        """Weights, optimizer and state as they were after the last finished epoch; returns the next epoch's number."""
        state = self.run.read_state()
        if state is None:
            return 0
        self.state |= state
        self.trained.load_weights(self.run.state_weights(len(self.history)))
        self.schedule.scale.assign(self.state["scale"])
        self.before = self.state["seconds"]
        return len(self.history)

    def on_epoch_begin(self, epoch, logs=None):
        """Ends what Ctrl-C should have ended."""
        startup.check_interrupted()

    def on_epoch_end(self, epoch, logs=None):
        """Judges the epoch and writes everything down."""
        state = self.state
        rate = float(self.schedule((epoch + 1) * self.steps_per_epoch - 1))
        values = {name: float(value) for name, value in logs.items()}
        minutes = self.seconds() / 60
        state["history"].append({"epoch": epoch + 1, **values, "learning_rate": rate, "minutes": minutes})
        score = logs[f"val_{self.config.monitor}"]
        if state["best"] is None or self.sign * (score - state["best"]) > 0:
            state.update(best=float(score), best_epoch=epoch + 1, stale=0, plateau=0)
            self.run.write_weights(self.trained.kept_net, self.run.best_weights)
        else:
            state["stale"] += 1
            state["plateau"] += 1
        self._keep_checkpoint(epoch + 1, self.sign * score if self.config.checkpoints_of == "best" else epoch)
        if self.config.schedule == "plateau" and state["plateau"] >= self.config.plateau_patience:
            state.update(scale=state["scale"] * self.config.step_factor, plateau=0)
            self.schedule.scale.assign(state["scale"])
        if self.config.patience and state["stale"] >= self.config.patience:
            state["stopped"] = self.model.stop_training = True
        state["seconds"] = self.seconds()
        if self.config.budget_minutes and state["seconds"] >= 60 * self.config.budget_minutes:
            state["stopped"] = self.model.stop_training = True
        self.run.write_state(state, self.model)
        self._forget_checkpoints()
        self.run.write_text("history.csv", _csv(state["history"]))

    def _keep_checkpoint(self, epoch, value):
        """Keeps the weights of the epochs of the highest values."""
        if self.config.checkpoints == 1:
            return
        kept = sorted([*self.state.get("checkpoints", []), [float(value), epoch]], reverse=True)
        self.state["checkpoints"] = kept[: self.config.checkpoints]
        if [float(value), epoch] in self.state["checkpoints"]:
            self.run.write_weights(self.trained.kept_net, self.run.checkpoint(epoch))

    def _forget_checkpoints(self):
        """Deletes those of other epochs, once no state on the disk names them any more."""
        if self.config.checkpoints > 1:
            kept = {self.run.checkpoint(epoch) for _, epoch in self.state["checkpoints"]}
            for old in set(self.run.checkpoint(0).parent.glob("*.weights.h5")) - kept:
                old.unlink()

    def keep_mean(self, net):
        """Makes the best weights of the run the mean of its checkpoints, where it has several; `net` is overwritten.

        Vaswani et al. 2017, section 6.1, average the last ones.
        """
        epochs = [epoch for _, epoch in self.state.get("checkpoints", [])]
        if len(epochs) < 2:
            return
        means = [np.zeros(weight.shape) for weight in net.weights]
        for epoch in epochs:
            net.load_weights(self.run.checkpoint(epoch))
            for mean, weight in zip(means, net.get_weights(), strict=True):
                mean += weight / len(epochs)
        net.set_weights(means)
        self.run.write_weights(net, self.run.best_weights)


def _csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
