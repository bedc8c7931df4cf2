"""MobileNetV3: Keras's, both sizes, at the paper's width and at others."""

import keras
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras
from tfrec.architectures.image.mobilenet_v3 import IMAGENET


@pytest.mark.parametrize("name", IMAGENET)
@pytest.mark.parametrize("width", [1.0, *(pytest.param(width, marks=pytest.mark.slow) for width in (0.75, 1.25))])
def test_equals_keras(name, width):
    shape = (67, 82, 3)  # odd and even sides, whose paddings differ
    make = getattr(keras.applications, IMAGENET[name][0])
    twin = make(
        weights=None,
        input_shape=shape,
        alpha=width,
        classes=10,
        classifier_activation=None,
        include_preprocessing=False,
    )
    check_equals_keras(name, twin, shape, width_multiplier=width)
