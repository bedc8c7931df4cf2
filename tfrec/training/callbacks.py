"""What happens between the steps and the epochs of a training."""

import math

import keras

from pipelines.errors import UserError


class EpochSeeds(keras.callbacks.Callback):
    """Sets every source of randomness in the model from the seed and the epoch's number.

    Keras neither saves nor restores these states; set this way, a resumed run draws what an uninterrupted one would.
    """

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        """Gives each generator a state of its own."""
        states = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for i, state in enumerate(states):
            state.assign([self.seed * 100_003 + i, epoch << 20])


class WidenMasks(keras.callbacks.Callback):
    """SpecAugment's masks grow from nothing to their full width over so many epochs: a network first learns to hear."""

    def __init__(self, masks, epochs):
        super().__init__()
        self.masks, self.epochs = masks, epochs

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the width of this epoch's."""
        self.masks.strength.assign(min(epoch / self.epochs, 1.0))


class StopOnNaN(keras.callbacks.Callback):
    """Ends the run when the loss of a step is not a finite number, naming the step.

    Keras may call it from a thread, some steps later (`async_safe`): so no step waits for its loss to come back from
    the device. An epoch with such a step never ends, and nothing of it is kept.
    """

    async_safe = True

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers the epoch for the message."""
        self.epoch, self.bad_batches = epoch, []

    def on_train_batch_end(self, batch, logs=None):
        """The loss is a running mean, which one bad step spoils for good: the first bad mean is the bad step."""
        if not math.isfinite(logs["loss"]):
            self.bad_batches.append(batch)
            self._stop()

    def on_epoch_end(self, epoch, logs=None):
        """Waits no longer for the thread; the last step may also have spoiled the weights after its own loss."""
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("val_loss", 0.0)):
            self._stop()

    def _stop(self):
        where = f"at batch {min(self.bad_batches) + 1}" if self.bad_batches else "at the last batches"
        raise UserError(
            f"The loss was no finite number any more {where} of epoch {self.epoch + 1}: lower fit.learning_rate, set"
            " fit.clip_norm, or look for examples that are not numbers; the epochs before are kept in the run."
        )


class EndStage(keras.callbacks.Callback):
    """Ends `fit` before an epoch from which on other parts of the network are frozen."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def on_epoch_end(self, epoch, logs=None):
        """Keras looks at this after each epoch."""
        if epoch + 1 == self.end:
            self.model.stop_training = True


class Budget(keras.callbacks.Callback):
    """Ends a training whose time is over, in the middle of an epoch if need be, and tells the schedule what is gone."""

    async_safe = True

    def __init__(self, keeper):
        super().__init__()
        self.keeper = keeper
        self.seconds = 60 * keeper.config.budget_minutes

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the clock."""
        spent = self.keeper.seconds() / self.seconds
        self.keeper.schedule.spent.assign(min(spent, 1.0))
        if spent >= 1:
            self.model.stop_training = True
