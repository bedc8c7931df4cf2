"""What the tests of image layers share."""

import inspect

import numpy as np

UNKNOWN_SIZE = [(None, None, None, 3)]  # the shapes of images of which only the channels are known


def random_images(height=13, width=18, channels=3, batch=4, dtype="uint8"):
    """Noise, the hardest picture to sample: (batch, height, width, channels) in [0, 255]."""
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, channels)).astype(dtype)


def assert_config_is_complete(layer):
    """The config holds every argument of the constructor with the layer's value."""
    names = [name for name in inspect.signature(type(layer)).parameters if name != "kwargs"]
    config = layer.get_config()
    assert {name: config.get(name, "missing") for name in names} == {name: getattr(layer, name) for name in names}
