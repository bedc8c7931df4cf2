"""A causal network that hears in pieces: what it must keep in mind, and what it need not compute again."""

import itertools

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.inference.chunking import timing

LONGEST_MEMORY = 4096  # steps


class Network:
    """Features in pieces -> logits of the steps that became known."""

    def __init__(self, recognizer):
        encoder = recognizer.classifier
        self._frames, self._bins = timing(recognizer).frames, recognizer.frontend.feature_shape[-1]
        self._steps = _memory(recognizer, self._frames, self._bins)
        self._carriers = []
        self._skip = tf.Variable(0, dtype=tf.int32)
        net = keras.models.clone_model(encoder, clone_function=self._carrying)

        def forward(features, skip):
            self._skip.assign(skip)
            return net({"features": features[None], "frames": tf.shape(features)[:1]}, training=False)["logits"][0]

        signature = [tf.TensorSpec([None, self._bins], tf.float32), tf.TensorSpec([], tf.int32)]
        self._forward = tf.function(forward, input_signature=signature)
        self._outputs = recognizer.task.outputs

    def _carrying(self, layer):
        """The layer itself, or for a recurrent one another with its cell, and so its weights."""
        if not isinstance(layer, layers.RNN):
            return layer
        self._carriers.append(_Carrier(layer.cell, self._skip, name=layer.name))
        return self._carriers[-1]

    def start(self):
        """Forgets all that was heard."""
        self._buffer, self._known = np.zeros((0, self._bins), "float32"), 0
        for carrier in self._carriers:
            carrier.start()

    def feed(self, features, last):
        """Features (frames, bins) -> logits (steps, outputs); a step of fewer frames than others is only the last."""
        self._buffer = np.concatenate([self._buffer, features])
        count = len(self._buffer)
        steps = -(-count // self._frames) if last else count // self._frames
        if steps <= self._known:
            return np.zeros((0, self._outputs), "float32")
        heard = self._buffer[: steps * self._frames]
        logits = self._forward(heard, self._known).numpy()[self._known :]
        self._known = min(self._steps, steps)
        self._buffer = self._buffer[(steps - self._known) * self._frames :]
        return logits


class _Carrier(layers.Layer):
    """A recurrent layer of a given cell for one clip in pieces: its states are kept from call to call.

    (1, steps, units) and mask (1, steps) -> (1, steps, units); the first `skip` steps, heard before, change no state.
    """

    def __init__(self, cell, skip, **kwargs):
        super().__init__(**kwargs)
        self.layer = layers.RNN(cell, return_sequences=True, return_state=True)
        self.supports_masking = True
        self.skip = skip
        sizes = [cell.state_size] if isinstance(cell.state_size, int) else cell.state_size
        self.states = [self.add_weight(shape=(1, size), initializer="zeros", trainable=False) for size in sizes]

    def start(self):
        """Sets the states to zero."""
        for state in self.states:
            state.assign(ops.zeros_like(state))

    def build(self, x_shape):
        """Nothing but what the cell has."""
        self.layer.build(x_shape)

    def call(self, x, mask=None):
        """Goes on from the states."""
        x = ops.reshape(x, (1, -1, x.shape[-1]))  # functional models leave the batch open
        fresh = ops.arange(ops.shape(x)[1], dtype="int32")[None] >= self.skip
        mask = fresh if mask is None else ops.logical_and(ops.reshape(mask, (1, -1)), fresh)
        x, *states = self.layer(x, mask=mask, initial_state=[ops.convert_to_tensor(state) for state in self.states])
        for state, new in zip(self.states, states, strict=True):
            state.assign(new)
        return x

    def compute_output_shape(self, x_shape):
        """(batch, steps, units)."""
        return (*x_shape[:-1], self.layer.cell.output_size)


def _memory(recognizer, frames, bins):
    """How many steps back a step depends on what was heard, but for what the states of recurrent layers keep.

    Measured with features that are not numbers, which show in every step that sees them. UserError where they show in
    steps before them, in steps however far, or, above a recurrent layer, in later ones.
    """
    encoder = recognizer.classifier
    recurrent = [layer for layer in encoder.layers if isinstance(layer, layers.RNN)]
    whole = keras.models.clone_model(
        encoder, clone_function=lambda layer: _Passing(layer) if isinstance(layer, layers.RNN) else layer
    )
    total = below = _reach(keras.Model(whole.input, whole.output["logits"]), frames, bins)
    if recurrent and total is not None:
        first = keras.tree.flatten(recurrent[0].input)[0]
        below = _reach(keras.Model(encoder.input, first), frames, bins)
    if total is None or total != below or any(layer.go_backwards for layer in recurrent):
        raise UserError(
            f"--stream needs a network that sees nothing of the future and keeps what it heard in mind, which"
            f" model.name {recognizer.config.model.name} as configured is not: train one such as {_causal_names()}."
        )
    return below


def _reach(model, frames, bins):
    """How many steps after its own a step's frames show in the output (batch, steps, units); None if before it too."""
    for steps in (4**power for power in itertools.count(3)):
        place = steps // 4
        features = np.zeros((1, steps * frames, bins), "float32")
        features[:, place * frames : (place + 1) * frames] = np.nan
        with tf.device("CPU:0"):  # a GPU's convolutions may mix what does not belong together
            output = model({"features": features, "frames": np.array([steps * frames], "int32")}, training=False)
        shown = np.flatnonzero(np.isnan(ops.convert_to_numpy(output)).any(axis=(0, 2)))
        if not len(shown) or shown[0] < place or steps > LONGEST_MEMORY:
            return None
        if shown[-1] < steps - 1:
            return int(shown[-1]) - place


class _Passing(layers.Layer):
    """In the place of a recurrent layer: the same units, each step by itself."""

    def __init__(self, layer):
        super().__init__(name=layer.name)
        self.units, self.supports_masking = layer.cell.output_size, True

    def call(self, x, mask=None):
        """Every unit is the sum of what comes in."""
        return ops.repeat(ops.sum(x, axis=-1, keepdims=True), self.units, axis=-1)


def _causal_names():
    """The architectures with the output kind "sequence" that are causal by default."""
    entries = map(architectures.find, architectures.ARCHITECTURES)
    return " or ".join(entry.name for entry in entries if entry.output_kind == "sequence" and entry.causal_layer)
