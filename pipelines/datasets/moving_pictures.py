"""A table of files with moving pictures, read at a fixed rate."""

import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipelines import images
from pipelines.datasets import broken
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from pipelines.image_formats import moving
from pipelines.image_formats.pixels import Color, parse_color


def load(
    paths: Sequence[str],
    parts: Mapping[str, np.ndarray],
    channels: int,
    background: str,
    frames_per_second: int,
    verify: bool,
) -> dict[str, Split]:
    """Builds the splits of files with moving pictures.

    Args:
        paths: A file per example.
        parts: Split name -> indices of paths.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.
        frames_per_second: The rate.
        verify: Whether every file is decoded once, to find the damaged ones; headers are read in any case.

    Returns:
        The Splits, whose examples are {"video": uint8 `(frames, height, width, channels)`}.

    Raises:
        UserError: The channels or the color are unknown, or files cannot be read.
    """
    if channels not in images.CHANNELS:
        raise UserError(f"data.channels must be 1 (gray), 3 (color) or 4 (color and alpha). Received: {channels}.")
    settings = channels, parse_color(background), frames_per_second

    def probe(path: str) -> None:
        if verify:
            moving.read(path, *settings)
        else:
            moving.probe(path)

    files = list(dict.fromkeys(paths))
    _, errors = broken.probe_all(probe, files)
    if errors:
        raise _refusal(errors, len(files))
    encoded = np.array([os.fsencode(path) for path in paths])

    def example(path: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"video": decode(path, *settings)}

    return {
        name: Split.from_rows(tf.data.Dataset.from_tensor_slices(encoded[indices]), example, len(indices))
        for name, indices in parts.items()
    }


def decode(path: tf.Tensor, channels: int, background: Color, frames_per_second: int) -> tf.Tensor:
    """Decodes a file in a graph.

    Args:
        path: String scalar.
        channels: See `load`.
        background: The color below transparent pixels, unless alpha is kept.
        frames_per_second: The rate.

    Returns:
        uint8 `(frames, height, width, channels)`.
    """
    read = functools.partial(_read, channels=channels, background=background, frames_per_second=frames_per_second)
    return tf.ensure_shape(tf.numpy_function(read, [path], tf.uint8), (None, None, None, channels))


def _read(path: bytes | np.ndarray, channels: int, background: Color, frames_per_second: int) -> np.ndarray:
    """The frames, as a graph calls it: with bytes, and in eager mode with an array of them."""
    name = os.fsdecode(path if isinstance(path, bytes) else path.item())
    return np.ascontiguousarray(moving.read(name, channels, background, frames_per_second))


def _refusal(errors: Mapping[str, UserError], total: int) -> UserError:
    """One error about all files that cannot be read."""
    first = next(iter(errors.values()))
    return first if len(errors) == 1 else UserError(f"{broken.describe(errors, total)}. The first: {first}")
