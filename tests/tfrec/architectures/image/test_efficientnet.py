"""EfficientNet: Keras's at every scale, from one table and two coefficients."""

import keras
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras
from tfrec.architectures.image.efficientnet import IMAGENET, SCALES, Config, scaled

NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name != "efficientnet_b0")) for name in SCALES]


@pytest.mark.parametrize("name", NAMES)
def test_equals_keras(name):
    shape = (67, 82, 3)  # odd and even sides, whose paddings differ
    make = getattr(keras.applications, IMAGENET[name][0])
    twin = make(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    check_equals_keras(name, twin, shape, rescaling=1 / 255)


def test_scales_as_the_paper():
    """Width, depth and resolution grow as 1.1, 1.2 and 1.15 to the power of phi, apart from the authors' rounding."""
    for phi, (width, depth, pixels, _) in zip((0, 0.5, 1, 2, 3.5, 5, 6, 7), SCALES.values(), strict=True):
        assert width == pytest.approx(1.1**phi, rel=0.05), phi
        assert depth == pytest.approx(1.2**phi, rel=0.15), phi
        assert pixels == pytest.approx(224 * 1.15**phi, rel=0.05), phi


def test_multipliers_come_after_the_coefficients():
    large = scaled("efficientnet_b7")
    assert (large.channels(16), large.repeats(3)) == (32, 10)
    half = Config(width_coefficient=2.0, depth_coefficient=3.1, width_multiplier=0.5, depth_multiplier=0.5)
    assert (half.channels(16), half.repeats(3)) == (16, 5)


@pytest.mark.parametrize("field", ["width_coefficient", "depth_coefficient"])
def test_refuses_coefficients(field):
    with pytest.raises(ValueError, match=f"{field} must be above 0. Received: 0"):
        Config(**{field: 0})
