"""Inception-v3: Keras's; smaller images than Keras takes."""

import keras
import pytest

from tests.tfrec.architectures.keras_applications import check_equals_keras
from tfrec.architectures.image import inception_v3


def test_equals_keras():
    shape = (75, 96, 3)
    twin = keras.applications.InceptionV3(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    check_equals_keras("inception_v3", twin, shape)


@pytest.mark.parametrize(
    ("stem", "pixels", "places"), [("large", 75, 1), ("large", 74, 3), ("small", 32, 4), ("small", 1, 1)]
)
def test_small_images_have_same_padding(stem, pixels, places):
    config = inception_v3.Config(stem=stem, width_multiplier=0.1, depth_multiplier=0.1)
    net = inception_v3.build((pixels, pixels, 3), 10, config)
    assert net.get_layer("embedding").input.shape[1:3] == (places, places)


def test_depth_spreads_the_widths():
    config = inception_v3.Config(stem="small", width_multiplier=0.5, depth_multiplier=0.5)
    net = inception_v3.build((32, 32, 3), 10, config)
    ends = [layer.name for layer in net.layers if layer.name.endswith("_concat") and "branch" not in layer.name]
    blocks = ["stage1_0", "stage1_1", "stage2_reduce", "stage2_0", "stage2_1", "stage3_reduce", "stage3_0"]
    assert ends == [f"{block}_concat" for block in blocks]
    # Of the 128, 160, 160 and 192 channels inside, half as many blocks take the first and the third.
    assert [net.get_layer(f"stage2_{i}_branch1_0_conv").filters for i in range(2)] == [64, 80]
