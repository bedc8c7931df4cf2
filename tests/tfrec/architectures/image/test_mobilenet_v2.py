"""MobileNetV2: Keras's, at the paper's width and at others."""

import keras
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras


@pytest.mark.parametrize("width", [1.0, 0.35, pytest.param(1.3, marks=pytest.mark.slow)])
def test_equals_keras(width):
    shape = (67, 82, 3)  # odd and even sides, whose paddings differ
    twin = keras.applications.MobileNetV2(
        weights=None, input_shape=shape, alpha=width, classes=10, classifier_activation=None
    )
    check_equals_keras("mobilenet_v2", twin, shape, width_multiplier=width)
