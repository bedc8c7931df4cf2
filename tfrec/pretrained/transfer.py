"""Loads pretrained weights into a network: what fits is loaded, some is adapted, the head may stay random."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from pipelines.errors import UserError
from tfrec.config.schema import Config
from tfrec.pretrained import messages
from tfrec.pretrained.layers import MisfitError, StoredLayers, StoredParts
from tfrec.pretrained.pretrained_weights import PretrainedWeights, split_at_embedding

Shape = tuple[int, ...]


def load(weights: PretrainedWeights, net: keras.Model, config: Config, class_names: Sequence[str]) -> list[str]:
    """Loads the weights that fit into a network.

    The head, the layers after `embedding`, may stay random. Another number of input channels is adapted and, by the
    layer's own method `resize_weight`, another input size.

    Args:
        weights: the weights to load.
        net: the network, whose weights change.
        config: the config of its training.
        class_names: the classes that it learns.

    Returns:
        What a user should know about it, one sentence each.

    Raises:
        UserError: where anything else does not fit; no weight of the network changes then.
    """
    if weights.name == "imagenet" and config.model.small_stem(net.input_shape[1:]):
        raise UserError(
            "model.weights imagenet is for the large stem, and this network has the small one: set --model.stem large."
        )
    transfer = _Transfer(weights, net, config)
    if transfer.head and weights.class_names not in (None, tuple(class_names)):
        # A decoder also embeds the symbols, and may predict them in another layer than the last.
        transcribes = isinstance(net.output, dict)
        transfer.leave_random(
            transfer.head if transcribes else transfer.head[-1:],
            "the vocabulary differs" if transcribes else "the classes differ",
        )
    with weights.open_layers(net) as stored:
        transfer.check_names(stored)
        for layer in transfer.layers:
            if layer not in transfer.random:
                transfer.plan(layer, stored)
    for layer, values in transfer.assignments:
        layer.load_own_variables(values)
    summary = messages.summary(weights, len(transfer.layers), transfer.random, transfer.reason)
    return [summary, *transfer.notes, *messages.differences(weights, config)]


@dataclasses.dataclass
class _Transfer:
    """What is to be assigned, what stays random and why; nothing is assigned before everything is known to fit."""

    weights: PretrainedWeights
    net: keras.Model
    config: Config

    def __post_init__(self) -> None:
        backbone, self.head = split_at_embedding(self.net)
        self.layers = backbone + self.head
        self.first_conv = next((layer for layer in self.layers if isinstance(layer, keras.layers.Conv2D)), None)
        self.assignments: StoredParts = []
        self.notes: list[str] = []
        self.random: list[keras.Layer] = []
        self.reason = ""

    def leave_random(self, layers: list[keras.Layer], reason: str) -> None:
        """Leaves layers of the head as they are initialized."""
        self.random, self.reason = layers, reason

    def check_names(self, stored: StoredLayers) -> None:
        """Leaves the head random where the stored head has other layers; UserError where the backbone has."""
        extra = sorted(stored.keys() - {layer.name for layer in self.layers})
        if not extra:
            return
        if unknown := sorted(set(extra) - set(self.weights.read_head())):
            raise messages.refusal(self.weights, self.config, f"this network has no layer {unknown[0]!r}")
        self.leave_random(self.head, f"the head in the weights has {extra[0]!r}")

    def plan(self, layer: keras.Layer, stored: StoredLayers) -> None:
        """Plans the assignment of one layer; UserError where a layer of the backbone does not fit."""
        try:
            if layer.name not in stored:
                raise MisfitError("is missing in the weights")
            parts, notes = _fit(layer, stored[layer.name](layer), layer is self.first_conv)
        except MisfitError as misfit:
            problem = f"{type(layer).__name__} {layer.name!r} {misfit}"
            if layer not in self.head:
                raise messages.refusal(self.weights, self.config, problem) from None
            # After a random layer, pretrained ones are of no use.
            self.leave_random(self.head[self.head.index(layer) :], problem)
            return
        self.assignments += parts
        self.notes += notes


def _fit(layer: keras.Layer, parts: StoredParts, is_first_conv: bool) -> tuple[StoredParts, list[str]]:
    """The parts of a layer with arrays of its own shapes, and notes on those that were adapted; MisfitError."""
    result: StoredParts = []
    notes = []
    for part, stored in parts:
        own: dict[str, Any] = {}
        values = {}
        part.save_own_variables(own)
        for key, variable in own.items():
            wanted, received = tuple(variable.shape), stored[key].shape
            value = np.asarray(stored[key])
            if received != wanted:
                value = np.asarray(_adapt(part, value, wanted, is_first_conv))
                if value.shape != wanted:
                    raise MisfitError(f"has shape {received} in the weights and {wanted} in this network")
                notes.append(messages.adapted(layer, received, wanted))
            if not np.isfinite(value).all():
                raise MisfitError("holds NaN or infinite values in the weights")
            values[key] = value
        result.append((part, values))
    return result, notes


def _adapt(layer: keras.Layer, values: np.ndarray, wanted: Shape, is_first_conv: bool) -> np.ndarray:
    """Values of another shape adapted to the layer where a way is known, otherwise as they are."""
    if hasattr(layer, "resize_weight"):
        try:
            return layer.resize_weight(values)
        except ValueError:
            return values
    shape = values.shape
    same_but_channels = len(shape) == len(wanted) == 4 and (*shape[:2], shape[3]) == (*wanted[:2], wanted[3])
    if is_first_conv and same_but_channels and isinstance(layer, keras.layers.Conv2D) and layer.groups == 1:
        # On a gray image, whose channels are equal, the sum over the channels does not change.
        return np.repeat(values.mean(axis=2, keepdims=True) * (shape[2] / wanted[2]), wanted[2], axis=2)
    return values
