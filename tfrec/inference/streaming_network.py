"""A causal network that is fed in pieces: the states that it carries, and the steps that it computes again."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.inference.chunking import timing

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

LONGEST_MEMORY = 4096  # steps


class StreamingNetwork:
    """Features in pieces -> logits of the steps that became known."""

    def __init__(self, recognizer: Recognizer) -> None:
        encoder = recognizer.inference_network
        self._frames, self._bins = timing(recognizer).frames, recognizer.feature_size
        self._steps = _memory(recognizer, self._frames, self._bins)
        self._carriers: list[StatefulRecurrent] = []
        self._skip = tf.Variable(0, dtype=tf.int32)
        network = keras.models.clone_model(encoder, clone_function=self._carrying)
        streaming = recognizer.replace(inference_network=network)

        def forward(features: Any, skip: Any) -> Any:
            self._skip.assign(skip)
            inputs = {"features": features[None], "frames": tf.shape(features)[:1]}
            return streaming(streaming.as_features(inputs))["logits"][0]

        signature = [tf.TensorSpec([None, self._bins], tf.float32), tf.TensorSpec([], tf.int32)]
        self._forward = tf.function(forward, input_signature=signature)
        self._outputs = recognizer.task.num_outputs

    def _carrying(self, layer: layers.Layer) -> layers.Layer:
        """The layer itself, or for a recurrent layer one with the same cell, and so the same weights."""
        if not isinstance(layer, layers.RNN):
            return layer
        self._carriers.append(StatefulRecurrent(layer.cell, self._skip, name=layer.name))
        return self._carriers[-1]

    def start(self) -> None:
        """Begins a recording."""
        self._buffer, self._known = np.zeros((0, self._bins), "float32"), 0
        for carrier in self._carriers:
            carrier.start()

    def feed(self, features: np.ndarray, last: bool) -> np.ndarray:
        """Features `(frames, bins)` -> logits `(steps, outputs)`; only the last step may have fewer frames."""
        self._buffer = np.concatenate([self._buffer, features])
        count = len(self._buffer)
        steps = -(-count // self._frames) if last else count // self._frames
        if steps <= self._known:
            return np.zeros((0, self._outputs), "float32")
        logits = self._forward(self._buffer[: steps * self._frames], self._known).numpy()[self._known :]
        self._known = min(self._steps, steps)
        self._buffer = self._buffer[(steps - self._known) * self._frames :]
        return logits


class StatefulRecurrent(layers.Layer):
    """A recurrent layer of a given cell for one clip in pieces: its states are kept from call to call.

    `(1, steps, units)` and mask `(1, steps)` -> `(1, steps, units)`; the first `skip` steps, fed before, change no
    state.
    """

    def __init__(self, cell: layers.Layer, skip: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layers.RNN(cell, return_sequences=True, return_state=True)
        self.supports_masking = True
        self.skip = skip
        sizes = [cell.state_size] if isinstance(cell.state_size, int) else cell.state_size
        self.states = [self.add_weight(shape=(1, size), initializer="zeros", trainable=False) for size in sizes]

    def start(self) -> None:
        """Sets the states to zero."""
        for state in self.states:
            state.assign(ops.zeros_like(state))

    def build(self, x_shape: Any) -> None:
        """Builds the cell."""
        self.layer.build(x_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        """Continues from the states."""
        x = ops.reshape(x, (1, -1, x.shape[-1]))  # functional models leave the batch open
        fresh = ops.arange(ops.shape(x)[1], dtype="int32")[None] >= self.skip
        mask = fresh if mask is None else ops.logical_and(ops.reshape(mask, (1, -1)), fresh)
        x, *states = self.layer(x, mask=mask, initial_state=[ops.convert_to_tensor(state) for state in self.states])
        for state, new in zip(self.states, states, strict=True):
            state.assign(new)
        return x

    def compute_output_shape(self, x_shape: Any) -> tuple[int | None, ...]:
        """`(batch, steps, units)`."""
        return (*x_shape[:-1], self.layer.cell.output_size)


def _memory(recognizer: Recognizer, frames: int, bins: int) -> int:
    """How many steps back a step depends on its input, the states of recurrent layers aside.

    Measured with features that are NaN, which spread to every step that depends on them.

    Raises:
        UserError: where they spread to earlier steps, to steps at any distance, or, above a recurrent layer, to later
            ones.
    """
    encoder = recognizer.inference_network
    recurrent = [layer for layer in encoder.layers if isinstance(layer, layers.RNN)]
    whole = keras.models.clone_model(
        encoder, clone_function=lambda layer: StepByStep(layer) if isinstance(layer, layers.RNN) else layer
    )
    total = below = _reach(keras.Model(whole.input, whole.output["logits"]), frames, bins)
    if recurrent and total is not None:
        first = keras.tree.flatten(recurrent[0].input)[0]
        below = _reach(keras.Model(encoder.input, first), frames, bins)
    if below is None or total != below or any(layer.go_backwards for layer in recurrent):
        names = " or ".join(_causal_names(recognizer.task.output_kind))
        raise UserError(
            f"--stream needs a causal network whose states can be carried, which model.name"
            f" {recognizer.config.model.name} as configured is not: train one such as {names}."
        )
    return below


def _causal_names(output_kind: str) -> list[str]:
    """Names of the architectures with such outputs that are causal with their default settings."""
    entries = [architectures.find(name) for name in architectures.ARCHITECTURES]
    return [entry.name for entry in entries if entry.output_kind == output_kind and entry.causal_layer]


def _reach(model: keras.Model, frames: int, bins: int) -> int | None:
    """How many later steps of the output `(batch, steps, units)` depend on a step's frames; None if earlier ones do."""
    for steps in (4**power for power in itertools.count(3)):
        place = steps // 4
        features = np.zeros((1, steps * frames, bins), "float32")
        features[:, place * frames : (place + 1) * frames] = np.nan
        with tf.device("CPU:0"):  # a GPU's convolutions may mix what does not belong together
            output = model({"features": features, "frames": np.array([steps * frames], "int32")}, training=False)
        spread = np.flatnonzero(np.isnan(ops.convert_to_numpy(output)).any(axis=(0, 2)))
        if not len(spread) or spread[0] < place or steps > LONGEST_MEMORY:
            return None
        if spread[-1] < steps - 1:
            return int(spread[-1]) - place
    return None


class StepByStep(layers.Layer):
    """Replaces a recurrent layer: the same units, each step independent of the others."""

    def __init__(self, layer: layers.RNN) -> None:
        super().__init__(name=layer.name)
        self.units, self.supports_masking = layer.cell.output_size, True

    def call(self, x: Any, mask: Any = None) -> Any:
        """Every unit is the sum of the inputs."""
        return ops.repeat(ops.sum(x, axis=-1, keepdims=True), self.units, axis=-1)
