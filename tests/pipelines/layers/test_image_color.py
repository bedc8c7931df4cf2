import colorsys

import numpy as np
import pytest

from pipelines.layers.image_color import ImageColor, adjust_color
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images


def everything(seed=5):
    return ImageColor(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2, seed=seed)


def adjust(images, brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0):
    factors = (np.full(len(images), v, "float32") for v in (brightness, contrast, saturation, hue))
    return np.asarray(adjust_color(images.astype("float32"), *factors))


def step_by_step(images, brightness, contrast, saturation, hue):
    """The same, one adjustment after the other, in float64, the hue through the plane of I and Q."""
    luma = lambda x: (x @ [0.299, 0.587, 0.114])[..., None]  # noqa: E731
    x = images.astype("float64") * brightness
    x = contrast * x + (1 - contrast) * luma(x).mean((1, 2), keepdims=True)
    x = saturation * x + (1 - saturation) * luma(x)
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    y, i, q = np.moveaxis(x @ to_yiq.T, -1, 0)
    turned = (i + 1j * q) * np.exp(-2j * np.pi * hue)
    return (np.stack([y, turned.real, turned.imag], -1) @ np.linalg.inv(to_yiq).T).clip(0, 255)


@pytest.mark.parametrize(
    "factors",
    [
        (1.3, 1, 1, 0),
        (1, 0.6, 1, 0),
        (1, 1, 0.2, 0),
        (1, 1, 1, 0.1),
        (1, 1, 1, -0.3),
        (0.8, 1.4, 1.3, 0.07),
        (0, 0, 0, 0),
    ],
)
def test_golden_step_by_step(factors):
    np.testing.assert_allclose(
        adjust(random_images(), *factors), step_by_step(random_images(), *factors), rtol=0, atol=2e-3
    )


def test_hue_turns_as_in_hsv():
    muted = 127 + random_images() // 8 * np.float32(0.5)  # so that nothing is clipped
    for turns in (0.1, 0.25, -0.2):
        result = adjust(muted, hue=turns)
        before = [colorsys.rgb_to_hsv(*x)[0] for x in muted.reshape(-1, 3)]
        after = [colorsys.rgb_to_hsv(*x)[0] for x in result.reshape(-1, 3)]
        difference = (np.subtract(after, before) - turns + 0.5) % 1 - 0.5
        assert abs(np.median(difference)) < 0.02
        assert np.abs(difference).mean() < 0.06


def test_hue_and_saturation_keep_the_luma_and_gray():
    muted = 127 + random_images() // 8
    luma = [0.299, 0.587, 0.114]
    result = adjust(muted, saturation=1.2, hue=0.3)
    np.testing.assert_allclose(result @ luma, muted @ luma, rtol=0, atol=1e-3)
    gray = np.repeat(random_images(channels=1), 3, axis=-1)
    np.testing.assert_allclose(adjust(gray, saturation=0.3, hue=0.4), gray, rtol=0, atol=1e-3)


def test_a_full_turn_and_no_factors_are_the_identity():
    np.testing.assert_allclose(adjust(random_images(), hue=1.0), random_images(), rtol=0, atol=1e-3)
    np.testing.assert_allclose(adjust(random_images()), random_images(), rtol=0, atol=1e-3)


def test_stays_in_range():
    result = adjust(random_images(), brightness=2.0, contrast=2.0)
    assert result.min() == 0
    assert result.max() == 255


def test_one_channel_takes_brightness_and_contrast_only():
    gray = random_images(channels=1)
    expected = step_by_step(np.repeat(gray, 3, axis=-1), 0.9, 0.5, 1, 0)[..., :1]
    np.testing.assert_allclose(adjust(gray, 0.9, 0.5, 0.1, 0.4), expected, rtol=0, atol=2e-3)
    checks.assert_identity_without_training(everything, (gray,))
    result = checks.call(ImageColor(saturation=1.0, hue=0.5), (gray,), training=True)
    np.testing.assert_array_equal(result, gray)


def test_factors_lie_within_their_range():
    flat = np.full((2000, 1, 1, 3), 100, "float32")
    bright = checks.call(ImageColor(brightness=0.2, seed=1), (flat,), training=True)[:, 0, 0, 0] / 100
    assert 0.8 - 1e-5 <= bright.min() < 0.81
    assert 1.19 < bright.max() <= 1.2 + 1e-5
    np.testing.assert_allclose(checks.call(ImageColor(contrast=1.0), (flat,), training=True), flat, atol=1e-3)


def test_an_image_depends_on_itself_alone():
    images = random_images()
    together = adjust(images, 1.1, 0.7, 1.2, 0.1)
    for i in range(len(images)):
        np.testing.assert_allclose(adjust(images[i : i + 1], 1.1, 0.7, 1.2, 0.1)[0], together[i], rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_same_everywhere(channels):
    shapes = [(*UNKNOWN_SIZE[0][:3], channels)]
    for dtype in ("uint8", "float32"):
        images = random_images(channels=channels, dtype=dtype)
        checks.assert_same_everywhere(everything, (images,), training=True, shapes=shapes, atol=1e-3)
    checks.assert_same_everywhere(everything, (random_images(channels=channels),), shapes=shapes)


def test_randomness_config_dtype_shape():
    checks.assert_identity_without_training(everything, (random_images(),))
    checks.assert_random_per_example(everything, random_images()[0])
    checks.assert_seed_reproduces(everything, (random_images(),))
    checks.assert_config_round_trips(everything(), (random_images(),))
    assert_config_is_complete(everything())
    checks.assert_stays_float32(everything, (random_images(),), training=True)
    checks.assert_declared_shape_is_real(everything(), [(2, 5, 7, 3), (1, 1, 1, 1)])


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"brightness": -0.1}, "-0.1"),
        ({"contrast": 1.5}, "1.5"),
        ({"saturation": (0.5, 1.5)}, r"\(0.5, 1.5\)"),
        ({"hue": 0.6}, "0.6"),
        ({"hue": float("nan")}, "nan"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        ImageColor(**options)


@pytest.mark.parametrize("channels", [2, 4])
def test_bad_channels(channels):
    with pytest.raises(ValueError, match=rf"1 or 3 channels. Received: shape=\(4, 13, 18, {channels}\)"):
        ImageColor()(random_images(channels=channels))
