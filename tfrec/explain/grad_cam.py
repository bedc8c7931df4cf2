"""Grad-CAM: where the last map of a network has evidence for a class (Selvaraju et al. 2017, arXiv:1610.02391)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import UserError, unknown
from tfrec.explain.example import Example

EMBEDDING = "embedding"  # the layer that ends the backbone of every network of the registry


def grad_cam(example: Example, layer: str | None = None) -> np.ndarray:
    """Explains by the maps of a layer, each weighted by the mean gradient over it (equations 1 and 2).

    Args:
        example: What is explained.
        layer: Name of the layer; None is the last one before the pooling whose map has at least two cells that the
            output depends on.

    Returns:
        Relevance (height, width), at least 0; interpolated from the layer's map.

    Raises:
        UserError: There is no such layer, or none with a map.
    """
    network = example.network
    candidates = _maps(network, example) if layer is None else [_named(network, layer, example)]
    model = keras.Model(network.input, [network.output, *(each.output for each in candidates)])
    with tf.GradientTape() as tape:
        output, *maps = model(example.inputs(tf.constant(example.features[None])), training=False)
        score = example.score(output)
    gradients = tape.gradient(score, maps)
    for found, gradient in zip(reversed(maps), reversed(gradients), strict=True):
        if gradient is None:
            continue
        cells, slopes = (to_grid(np.asarray(tf.cast(each, "float32"))[0], example) for each in (found, gradient))
        if layer is not None or np.count_nonzero(np.abs(slopes).sum(axis=-1)) > 1:
            weights = slopes.mean(axis=(0, 1))
            return resized(np.maximum((cells * weights).sum(axis=-1), 0), example.cells)
    raise no_map(network)


def no_map(network: keras.Model) -> UserError:
    """The error for a network without a map."""
    return UserError(
        f"{network.name} has no layer whose output keeps places of the input, so that no map of it can be drawn: use"
        " --method integrated_gradients or occlusion."
    )


def _maps(network: keras.Model, example: Example) -> list[Any]:
    """The layers with a map, up to the pooling, in the order of computation."""
    names = [layer.name for layer in network.layers]
    end = names.index(EMBEDDING) + 1 if EMBEDDING in names else len(names)
    found = [layer for layer in network.layers[1:end] if _grid(layer, example) is not None]
    if not found:
        raise no_map(network)
    return found


def _named(network: keras.Model, name: str, example: Example) -> Any:
    layers = {layer.name: layer for layer in network.layers}
    if name not in layers:
        raise unknown("layer", name, [each.name for each in network.layers if _grid(each, example) is not None])
    if _grid(layers[name], example) is None:
        raise UserError(f"The layer {name} outputs no map of the input: name another --layer, or leave it out.")
    return layers[name]


def _grid(layer: Any, example: Example) -> tuple[int | None, ...] | None:
    """Rows and columns of a layer's output, None where open; None for a layer without a map."""
    shape = getattr(getattr(layer, "output", None), "shape", None)
    if isinstance(layer, keras.layers.InputLayer) or shape is None or not tf.as_dtype(layer.output.dtype).is_floating:
        return None
    if len(shape) == 4:
        return shape[1:3] if shape[1:3] != (1, 1) else None
    if len(shape) != 3:
        return None
    if len(example.features.shape) == 2:  # frames, or samples
        return (shape[1], 1)
    return token_grid(shape[1], example.cells)


def token_grid(tokens: int | None, cells: Sequence[int]) -> tuple[int, int] | None:
    """Rows and columns of the patches of a picture; None where tokens are no grid.

    >>> token_grid(65, (32, 32)), token_grid(64, (32, 32)), token_grid(7, (32, 32))
    ((8, 8), (8, 8), None)

    Args:
        tokens: Their number, maybe with a class token before them.
        cells: Height and width of the picture.
    """
    for count in (tokens, tokens - 1) if tokens else ():
        rows = round((count * cells[0] / cells[1]) ** 0.5)
        if rows and count % rows == 0 and count > 1 and rows * cells[1] == count // rows * cells[0]:
            return rows, count // rows
    return None


def to_grid(values: np.ndarray, example: Example) -> np.ndarray:
    """A layer's output for one example -> (rows, columns, units), without a class token."""
    if values.ndim == 3:
        return values
    if example.features.ndim == 2:
        return values[:, None]
    grid = token_grid(len(values), example.cells)
    assert grid is not None
    return values[-grid[0] * grid[1] :].reshape(*grid, -1)


def resized(values: np.ndarray, cells: Sequence[int]) -> np.ndarray:
    """A small map, interpolated to the size of the features; float32."""
    large = tf.image.resize(values[..., None].astype("float32"), cells, method="bilinear")
    return np.asarray(large)[..., 0]
