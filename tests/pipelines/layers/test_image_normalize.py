import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.layers.image_normalize import ImageNormalize
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images

OPTIONS = [
    {"mode": "unit"},
    {"mode": "symmetric"},
    {"mode": "imagenet"},
    {"mode": "caffe"},
    {"mode": "per_image"},
    {"mode": "given", "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)},
]


def test_golden():
    images = random_images()
    x = images.astype("float64")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = [
        x / 255,
        x / 127.5 - 1,
        (x / 255 - mean) / std,
        keras.applications.resnet.preprocess_input(x.copy()),
        tf.image.per_image_standardization(images).numpy(),
        (x / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6],
    ]
    for options, values in zip(OPTIONS, expected, strict=True):
        atol = 1e-4 if options["mode"] == "caffe" else 2e-6  # values up to 152
        np.testing.assert_allclose(checks.call(ImageNormalize(**options), (images,)), values, rtol=0, atol=atol)


def test_range():
    ends = np.array([0, 255], "uint8").reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(checks.call(ImageNormalize("unit"), (ends,)).ravel(), [0, 1])
    np.testing.assert_array_equal(checks.call(ImageNormalize("symmetric"), (ends,)).ravel(), [-1, 1])


def test_flat_image_becomes_zeros():
    images = np.concatenate([np.full((1, 13, 18, 3), 77, "uint8"), random_images(batch=1)])
    result = checks.call(ImageNormalize("per_image"), (images,))
    np.testing.assert_allclose(result[0], 0, atol=1e-3)
    np.testing.assert_allclose([result[1].mean(), result[1].std()], [0, 1], atol=1e-5)
    nearly = np.zeros((1, 10, 10, 1), "float32")
    nearly[0, 0, 0] = 0.01  # its deviation 0.001 is below 1 / sqrt(100)
    expected = tf.image.per_image_standardization(nearly).numpy()
    np.testing.assert_allclose(checks.call(ImageNormalize("per_image"), (nearly,)), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["imagenet", "caffe"])
def test_gray_images_use_the_average_of_the_channels(mode):
    gray = random_images(channels=1)
    result = checks.assert_same_everywhere(lambda: ImageNormalize(mode), (gray,), shapes=[(None, None, None, 1)])
    color = checks.call(ImageNormalize(mode), (np.repeat(gray, 3, axis=-1),))
    assert result.shape == gray.shape
    np.testing.assert_allclose(result, color.mean(axis=-1, keepdims=True), atol=0.01)  # means of ratios


def test_one_value_for_every_channel():
    result = checks.call(ImageNormalize("given", mean=[0.5], std=[0.25]), (random_images(channels=5),))
    np.testing.assert_allclose(result, (random_images(channels=5) / 255.0 - 0.5) / 0.25, atol=2e-6)


@pytest.mark.parametrize("options", OPTIONS)
def test_same_everywhere(options):
    expected = checks.assert_same_everywhere(lambda: ImageNormalize(**options), (random_images(),), shapes=UNKNOWN_SIZE)
    np.testing.assert_allclose(checks.call(ImageNormalize(**options), (random_images()[:1],)), expected[:1], atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS)
def test_shape_config_dtype(options):
    checks.assert_declared_shape_is_real(ImageNormalize(**options), [(2, 5, 7, 3), (1, 1, 1, 3)])
    checks.assert_config_round_trips(ImageNormalize(**options), (random_images(),))
    assert_config_is_complete(ImageNormalize(**options))
    checks.assert_stays_float32(lambda: ImageNormalize(**options), (random_images(),))


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"mode": "zscore"}, "zscore"),
        ({"mode": "given"}, "given"),
        ({"mode": "given", "mean": (0.5,)}, "given"),
        ({"mode": "unit", "mean": (0.5,), "std": (0.5,)}, "unit"),
        ({"mode": "given", "mean": (0.5, 0.5), "std": (0.5,)}, r"\(0.5, 0.5\)"),
        ({"mode": "given", "mean": (0.5,), "std": (0.0,)}, "0.0"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        ImageNormalize(**options)


def test_bad_channels():
    with pytest.raises(ValueError, match=r"1 or 3 channels. Received: shape=\(4, 13, 18, 4\)"):
        ImageNormalize("imagenet")(random_images(channels=4))
    with pytest.raises(ValueError, match=r"3 channels. Received: shape=\(4, 13, 18, 1\)"):
        ImageNormalize("given", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))(random_images(channels=1))
