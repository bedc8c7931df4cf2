"""What the tests of image layers share."""

import numpy as np

OPEN = [(None, None, None, 3)]  # the shapes of images of which only the channels are known


def pictures(height=13, width=18, channels=3, batch=4, dtype="uint8"):
    """Noise, the hardest picture to sample: (batch, height, width, channels) in [0, 255]."""
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, channels)).astype(dtype)
