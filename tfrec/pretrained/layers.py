"""The layers of a network that hold weights, and copying between two networks of the same structure."""

import itertools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import keras

# (layer, {name of an array: array}) of a layer and of each layer inside it, as `load_own_variables` takes them.
StoredParts = list[tuple[keras.Layer, Mapping[str, Any]]]
# {name of a layer: function from that layer of a network to its stored parts}.
StoredLayers = dict[str, Callable[[keras.Layer], StoredParts]]
OpenLayers = Callable[[keras.Model], AbstractContextManager[StoredLayers]]


class MisfitError(Exception):
    """Stored weights do not fit a layer; the message completes "Conv2D 'stem_conv' ..."."""


def layers_with_weights(model: keras.Model) -> list[keras.Layer]:
    """Returns the layers that hold weights, in the order of `model.layers`.

    `keras.layers.Normalization` is left out: its statistics belong to the features, not to the network.
    """
    return [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.layers.Normalization)]


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all weights between two networks of the same structure, layer by layer in order; names may differ.

    Args:
        source: network to copy from.
        target: network to copy to.

    Raises:
        ValueError: for the first pair of layers that differ in kind or in the shapes of their weights; nothing is
            copied then.
    """
    sources, targets = layers_with_weights(source), layers_with_weights(target)
    for from_layer, to_layer in itertools.zip_longest(sources, targets):
        paired = from_layer and to_layer
        if not (paired and same_kind(from_layer, to_layer) and _shapes(from_layer) == _shapes(to_layer)):
            raise ValueError(
                "Layers with weights must pair up in number, kind and shapes. Received:"
                f" {_describe(from_layer)} of {source.name} for {_describe(to_layer)} of {target.name}"
            )
    for from_layer, to_layer in zip(sources, targets, strict=True):
        to_layer.set_weights(from_layer.get_weights())


def same_kind(one: keras.Layer, other: keras.Layer) -> bool:
    """Whether one layer's class is the other's or derives from it."""
    return isinstance(one, type(other)) or isinstance(other, type(one))


def _shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _describe(layer: keras.Layer | None) -> str:
    return f"{type(layer).__name__} {layer.name!r} {_shapes(layer)}" if layer else "no layer"
