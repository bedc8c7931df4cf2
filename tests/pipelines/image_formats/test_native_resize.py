"""Pictures whose sizes differ are resized by another kernel than the layer's, to the same values."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets.base import Split
from pipelines.image_formats.native_resize import resize
from pipelines.layers import ImageResize

SIZES = [(24, 32), (60, 80), (150, 131), (19, 40), (8, 9), (300, 17), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "layer", [ImageResize(20, 28), ImageResize(24, 24, 0.875, "bicubic")], ids=["bilinear", "bicubic"]
)
def test_the_values_of_the_layer(layer, dtype, size):
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(dtype)
    graph = tf.function(
        lambda x: resize(layer, x), input_signature=[tf.TensorSpec([None, None, None, 3], dtype)], autograph=False
    )
    for result in (resize(layer, images), graph(images)):
        assert result.dtype == tf.float32
        np.testing.assert_allclose(result, layer(images), rtol=0, atol=255e-4)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_an_image_of_the_size_does_not_change(interpolation):
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 1)).astype("uint8")
    np.testing.assert_array_equal(resize(ImageResize(20, 30, 1.0, interpolation), images), images)


def test_it_is_what_batches_are_made_with():
    """All sizes in one batch, as the frontend's layer resizes them."""
    random = np.random.default_rng(0)
    raw = [random.integers(0, 256, (*size, 3)).astype("uint8") for size in SIZES]
    signature = {"image": tf.TensorSpec((None, None, 3), tf.uint8), "label": tf.TensorSpec((), tf.int64)}
    examples = tf.data.Dataset.from_generator(
        lambda: ({"image": image, "label": 0} for image in raw), output_signature=signature
    )
    split = Split(examples, len(raw))
    frontend = frontends.ImageFrontend(
        frontends.ImageConfig(height=20, width=28, channels=3, normalize="unit"), raw_shape=(None, None, 3)
    )
    ((batch, _),) = assemble.evaluation_batches(split, frontend, len(raw))
    for features, image in zip(frontend(batch), raw, strict=True):
        np.testing.assert_allclose(features, frontend.resize(image[None])[0] / 255, rtol=0, atol=1e-4)
