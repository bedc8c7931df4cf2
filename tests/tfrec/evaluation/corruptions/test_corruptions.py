"""Single corruptions: their published definitions, strength, determinism."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipelines.errors import UserError
from tfrec.evaluation.corruptions import blur, digital, registry, weather
from tfrec.evaluation.corruptions.base import SEVERITIES, apply

# The order of the paper's table.
NAMES = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip


def picture(height=32, width=32, channels=3, seed=0):
    """A smooth picture with edges, uint8."""
    noise = np.random.default_rng(seed).normal(size=(height, width, channels))
    smooth = ndimage.gaussian_filter(noise, (3, 3, 0)) * 400 + 120
    smooth[height // 4 : height // 2, width // 4 : width // 2] += 70
    return smooth.clip(0, 255).astype("uint8")


def corrupt(name, image, severity=1, key=(0, 0)):
    return apply(name, registry.CORRUPTIONS[name], image, severity, key)


def test_the_fifteen_of_the_paper():
    assert tuple(registry.BENCHMARK) == NAMES
    assert {corruption.family for corruption in registry.BENCHMARK.values()} == {"noise", "blur", "weather", "digital"}
    assert all(corruption.severities == SEVERITIES for corruption in registry.BENCHMARK.values())
    assert all(len(corruption.large) == len(corruption.small) for corruption in registry.CORRUPTIONS.values())


def test_an_unknown_name():
    assert list(registry.select(["fog", "snow"])) == ["snow", "fog"]
    with pytest.raises(UserError, match="Unknown corruption 'fogg': did you mean 'fog'"):
        registry.select(["fogg"])


@pytest.mark.parametrize("name", registry.CORRUPTIONS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (8, 8, 1), (40, 51, 3), (9, 7, 4), (1, 1, 3)])
def test_every_corruption_of_every_shape(name, shape):
    image = picture(*shape)
    for severity in registry.CORRUPTIONS[name].severities:
        result = corrupt(name, image, severity, (0, 3))
        assert (result.shape, result.dtype) == (image.shape, np.uint8)
        np.testing.assert_array_equal(result, corrupt(name, image, severity, (0, 3)))
    if shape[-1] == 4:
        np.testing.assert_array_equal(result[..., 3], image[..., 3])
    is_changed = not np.array_equal(result, image)
    assert is_changed != (shape[-1] == 1 and registry.CORRUPTIONS[name].needs_color) or shape[0] == 1


@pytest.mark.parametrize("name", NAMES)
def test_severities_grow(name):
    """On the mean of several pictures; glass blur and elastic transforms have no published order at 32 pixels."""
    images = [picture(seed=seed) for seed in range(6)]

    def change(severity):
        pairs = [(image, corrupt(name, image, severity, (0, i))) for i, image in enumerate(images)]
        return np.mean([np.abs(after.astype(float) - before).mean() for before, after in pairs])

    changes = [change(severity) for severity in SEVERITIES]
    assert min(changes) > 0.1
    if name not in ("glass_blur", "elastic_transform", "frost"):
        assert changes == sorted(changes)
        assert changes[-1] > 1.5 * changes[0]


@pytest.mark.parametrize("name", ["gaussian_noise", "glass_blur", "motion_blur", "snow", "frost", "fog", "tint"])
def test_seed_and_number_determine_the_random_numbers(name):
    image = picture()
    results = [corrupt(name, image, key=key).tobytes() for key in [(0, number) for number in range(6)]]
    assert len(set(results)) > 1
    assert any(corrupt(name, image, key=(1, number)).tobytes() != results[number] for number in range(6))


def test_noise_has_the_published_strength():
    image = np.full((200, 200, 3), 128, "uint8")[:32]  # 32 pixels high: the parameters of CIFAR-10-C
    assert corrupt("gaussian_noise", image, 5).std() == pytest.approx(0.10 * 255, rel=0.02)
    photons = 128 / 255 * 50
    assert corrupt("shot_noise", image, 5).std() == pytest.approx(128 / np.sqrt(photons), rel=0.03)
    values = corrupt("impulse_noise", image, 5)
    assert np.mean(values == 0) == pytest.approx(0.035, rel=0.1)
    assert np.mean(values == 255) == pytest.approx(0.035, rel=0.1)
    assert corrupt("gaussian_noise", np.full((64, 64, 3), 128, "uint8"), 1).std() == pytest.approx(0.08 * 255, rel=0.03)


def test_blur_against_direct_sums():
    image = picture(24, 30).astype("float32") / 255
    kernel = blur.disk(1.5, 0.1)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert kernel.shape == (3, 3)  # all pixels within 1.5 of the center
    expected = np.stack([ndimage.correlate(image[..., i], kernel, mode="mirror") for i in range(3)], axis=-1)
    np.testing.assert_allclose(blur.defocus_blur(image, None, 1.5, 0.1), expected, atol=1e-5)
    assert len(blur.disk(10, 0.5)) >= 21
    # A streak to the right, by hand: weights of half a Gaussian, the last column repeated.
    weights = np.exp(-(np.arange(5) ** 2) / 2)
    expected = ndimage.correlate1d(image, np.r_[np.zeros(4), weights / weights.sum()], axis=1, mode="nearest")
    np.testing.assert_allclose(blur.streak(image, 2, 1.0, 0.0), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1.03, 1.25, 2.25])
def test_zoom_against_scipy(factor):
    image = picture().astype("float32") / 255
    kept = int(np.ceil(32 / factor))
    top = (32 - kept) // 2
    zoomed = ndimage.zoom(image[top : top + kept, top : top + kept], (factor, factor, 1), order=1)
    trim = (len(zoomed) - 32) // 2
    np.testing.assert_allclose(blur.clipped_zoom(image, factor), zoomed[trim : trim + 32, trim : trim + 32], atol=1e-5)


def test_glass_moves_pixels_without_new_values():
    image = np.arange(32 * 32).reshape(32, 32, 1).astype("float32") % 256 / 255
    moved = blur.glass_blur(image, np.random.default_rng(0), 1e-6, 1, 1)
    assert set(np.round(moved * 255).ravel()) <= set(np.round(image * 255).ravel())
    assert 0.3 < np.mean(moved != image) < 0.95
    np.testing.assert_allclose(moved[0, 0], image[0, 0], atol=1e-6)


def test_brightness_is_that_of_hsv():
    image = picture()
    hsv = np.asarray(Image.fromarray(image).convert("HSV")).astype(int)
    brighter = np.asarray(Image.fromarray(corrupt("brightness", image, 2)).convert("HSV")).astype(int)
    expected = np.minimum(hsv[..., 2] + 0.1 * 255, 255)
    assert np.abs(brighter[..., 2] - expected).max() <= 1.5
    assert np.median(np.abs(brighter[..., 1] - hsv[..., 1])) <= 2
    np.testing.assert_array_equal(corrupt("brightness", np.zeros((9, 9, 3), "uint8"), 2), 25)


def test_contrast_keeps_means():
    image = picture()
    flat = corrupt("contrast", image, 5).astype(float)
    np.testing.assert_allclose(flat.mean((0, 1)), image.mean((0, 1)), atol=0.6)
    np.testing.assert_allclose(flat.std((0, 1)), 0.15 * image.std((0, 1)), rtol=0.05)


def test_plasma_is_a_torus_of_all_heights():
    heights = weather.plasma(np.random.default_rng(0), 32, 3)
    assert (heights.min(), heights.max(), heights.shape) == (0, 1, (32, 32))
    steps = np.abs(np.diff(heights, axis=0)).mean()
    assert np.abs(heights[0] - heights[-1]).mean() < 4 * steps
    assert np.abs(np.diff(weather.plasma(np.random.default_rng(0), 32, 1.75), axis=0)).mean() > 1.3 * steps


def test_fog_keeps_the_maximum_and_grays():
    image = picture()
    foggy = corrupt("fog", image, 5)
    assert foggy.max() <= image.max()
    assert foggy.std((0, 1)).max() < image.std((0, 1)).max()


def test_frost_textures_differ_and_repeat():
    one, other = weather.frost_texture(0, 256, True), weather.frost_texture(1, 256, True)
    assert 0.3 < one.mean() < 0.7
    assert one.std() > 0.1
    assert np.abs(one - other).mean() > 0.1
    np.testing.assert_array_equal(weather.frost_texture.__wrapped__(0, 256, True), one)


def test_elastic_moves_the_three_points():
    """A shift of all three points by one vector is a translation."""

    class Random:
        def uniform(self, low, high, shape):
            return np.full(shape, high)

    image = picture().astype("float32") / 255
    moved = digital.elastic_transform(image, Random(), 0, 0, 2 / 32)
    np.testing.assert_allclose(moved[4:, 4:], image[2:-2, 2:-2], atol=1e-5)


def test_digital_by_pillow():
    image = picture()
    small = Image.fromarray(image).resize((20, 20), Image.Resampling.BOX)
    expected = np.asarray(small.resize((32, 32), Image.Resampling.BOX))
    np.testing.assert_array_equal(corrupt("pixelate", image, 5), expected)
    for name, severity, quality in (("jpeg_compression", 5, 40), ("jpeg_quality_10", 1, 10)):
        result = corrupt(name, image, severity).astype(int)
        data = io.BytesIO()
        Image.fromarray(image).save(data, "JPEG", quality=quality)
        np.testing.assert_array_equal(result, np.asarray(Image.open(data)))


def test_extra_corruptions():
    image = picture()
    turned = [corrupt("rotate_90", image, key=(0, number)) for number in range(8)]
    for one in turned:
        assert np.array_equal(one, np.rot90(image)) or np.array_equal(one, np.rot90(image, 3))
    assert not all(np.array_equal(one, turned[0]) for one in turned)
    gray = corrupt("gray", image)
    assert np.ptp(gray, axis=-1).max() == 0
    assert np.abs(gray[..., 0] - np.asarray(Image.fromarray(image).convert("L")).astype(int)).max() <= 1
    hidden = (corrupt("occlusion_25", image) == 127).all(axis=-1)
    assert hidden.mean() == pytest.approx(0.25, abs=0.03)
    assert hidden.any(axis=1).sum() * hidden.any(axis=0).sum() == hidden.sum()
    framed = corrupt("screenshot_borders", image)
    bars = framed[:, :4] if np.ptp(framed[:, :4]) == 0 else framed[:4]
    assert bars.min() == bars.max() in (0, 255)
