"""Checks of the image layers' arguments and inputs."""

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from keras import ops

from pipelines.layers.base import Shape, Tensor

if TYPE_CHECKING:
    import keras

T = TypeVar("T")


def check_number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Checks a number.

    Args:
        name: The argument's name, for the message.
        value: The argument's value.
        low: Smallest valid value.
        high: Largest valid value.

    Returns:
        The value as a float.

    Raises:
        ValueError: The value is no number in [low, high].
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}. Received: {value!r}")
    return float(value)


def check_range(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> tuple[float, float]:
    """Checks a pair (low, high).

    Args:
        name: The argument's name, for the message.
        value: The argument's value.
        low: Smallest valid value of both.
        high: Largest valid value of both.

    Returns:
        The pair as floats.

    Raises:
        ValueError: The value is no pair of numbers in [low, high], the smaller one first.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name} must be a pair (low, high). Received: {value!r}")
    first, last = (check_number(name, v, low, high) for v in value)
    if first > last:
        raise ValueError(f"{name} must be a pair (low, high), the smaller one first. Received: {value!r}")
    return first, last


def check_choice(name: str, value: T, known: Iterable[T]) -> T:
    """Checks that a value is one of a few.

    Args:
        name: The argument's name, for the message.
        value: The argument's value.
        known: All valid values.

    Returns:
        The value.

    Raises:
        ValueError: The value is not among `known`.
    """
    known = list(known)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(str, known))}. Received: {value!r}")
    return value


def check_image_shape(layer: "keras.layers.Layer", shape: Shape, channels: Collection[int] = ()) -> tuple[Any, ...]:
    """Checks the shape of a batch of images.

    Args:
        layer: The layer that receives the images, for the message.
        shape: Shape of the images.
        channels: Valid numbers of channels; empty accepts any.

    Returns:
        The shape as a tuple.

    Raises:
        ValueError: The shape is not `(batch, height, width, channels)` with valid channels.
    """
    shape = tuple(shape)
    if len(shape) != 4:
        raise ValueError(f"{layer.name} takes images (batch, height, width, channels). Received: shape={shape}")
    if channels and shape[-1] not in channels:
        expected = " or ".join(map(str, channels))
        raise ValueError(f"{layer.name} takes images with {expected} channels. Received: shape={shape}")
    return shape


def to_float_images(layer: "keras.layers.Layer", images: Tensor, channels: Collection[int] = ()) -> Tensor:
    """Casts images to float32 without scaling.

    Args:
        layer: The layer that receives the images, for the message.
        images: `(batch, height, width, channels)`, any dtype.
        channels: Valid numbers of channels; empty accepts any.

    Returns:
        The images, float32.

    Raises:
        ValueError: The shape is not that of a batch of images with valid channels.
    """
    check_image_shape(layer, images.shape, channels)
    return ops.cast(images, "float32")
