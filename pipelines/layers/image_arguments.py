"""What the image layers ask of their arguments and of their input."""

import math

from keras import ops


def number(name, value, low=-math.inf, high=math.inf):
    """`value` as a float in [low, high]; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}. Received: {value!r}")
    return float(value)


def span(name, value, low=-math.inf, high=math.inf):
    """`value` as a pair of floats in [low, high], the smaller one first; ValueError otherwise."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name} must be a pair (low, high). Received: {value!r}")
    first, last = (number(name, v, low, high) for v in value)
    if first > last:
        raise ValueError(f"{name} must be a pair (low, high), the smaller one first. Received: {value!r}")
    return first, last


def choice(name, value, known):
    """`value`, one of `known`; ValueError otherwise."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(str, known))}. Received: {value!r}")
    return value


def image_shape(layer, shape, channels=()):
    """`shape` as a tuple, checked: (batch, height, width, channels), channels among `channels` unless that is empty.

    Raises ValueError otherwise.
    """
    shape = tuple(shape)
    if len(shape) != 4:
        raise ValueError(f"{layer.name} takes images (batch, height, width, channels). Received: shape={shape}")
    if channels and shape[-1] not in channels:
        wanted = " or ".join(map(str, channels))
        raise ValueError(f"{layer.name} takes images with {wanted} channels. Received: shape={shape}")
    return shape


def float_images(layer, images, channels=()):
    """Images (batch, height, width, channels) of any dtype as float32, values unchanged."""
    image_shape(layer, images.shape, channels)
    return ops.cast(images, "float32")
