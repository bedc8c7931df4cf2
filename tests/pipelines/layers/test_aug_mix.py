import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.layers.aug_mix import OPERATIONS, AugMix
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images


def augment(seed=5, **options):
    return AugMix(**options, seed=seed)


def apply(images, *names, level=10.0, direction=1.0, **options):
    """Every image after one chain of these operations."""
    drawn = np.float32([[OPERATIONS.index(name)] * len(images) for name in names])
    ways, levels = np.full_like(drawn, direction), np.full_like(drawn, level)
    return np.asarray(AugMix(**options).apply(images.astype("float32"), drawn, ways, levels))


def narrow():
    """Noise of a narrow range, so that autocontrast has an effect."""
    return (random_images(30, 40) * np.linspace(0.3, 0.7, 3) + 30).astype("uint8")


def by_pil(function, images):
    return np.stack([np.asarray(function(Image.fromarray(image))) for image in images]).astype("float32")


def test_the_operations_of_the_paper():
    assert len(OPERATIONS) == 9
    assert not {"color", "contrast", "brightness", "sharpness"} & set(OPERATIONS)


# Level, and the same operation in PIL, with the published parameters.
GOLDEN = {
    "autocontrast": (3, ImageOps.autocontrast),
    "equalize": (3, ImageOps.equalize),
    "posterize": (2, lambda image: ImageOps.posterize(image, 4)),
    "posterize more": (7.6, lambda image: ImageOps.posterize(image, 1)),
    "solarize": (3, lambda image: ImageOps.solarize(image, 256 - 76)),
    "solarize all": (10, ImageOps.invert),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_against_pil(name):
    level, function = GOLDEN[name]
    images = narrow()
    expected = by_pil(function, images)
    tolerance = 1.9 if name == "autocontrast" else 0  # PIL cuts off where we do not round
    np.testing.assert_allclose(apply(images, name.split()[0], level=level), expected, rtol=0, atol=tolerance)
    assert np.abs(expected - images).max() > 2


def test_translations_are_whole_pixels():
    images = random_images(30, 40)
    moved = apply(images, "translate_x", level=2.0)  # 40 / 3 * 0.2 = 2.67
    np.testing.assert_allclose(moved[:, :, :-2], images[:, :, 2:], atol=1e-3)
    moved = apply(images, "translate_y", level=5.0, direction=-1.0)  # 30 / 3 * 0.5
    np.testing.assert_allclose(moved[:, 5:], images[:, :-5], atol=1e-3)
    assert moved[:, :4].max() == 0


def test_rotation_and_shear_grow_with_the_level():
    images = random_images(41, 41, channels=1)
    np.testing.assert_allclose(apply(images, "rotate", level=0.3), images, atol=1e-2)  # 0.9 degrees, cut off
    for name in ("rotate", "shear_x", "shear_y"):
        assert np.abs(apply(images, name, level=3) - images).mean() > 5
        opposite = apply(images[:, ::-1], name, level=3, direction=-1.0)[:, ::-1]
        np.testing.assert_allclose(opposite, apply(images, name, level=3), atol=0.1)


def test_what_is_drawn():
    indices, directions, levels = map(np.asarray, AugMix(severity=4.0, seed=1).sample_operations(30_000))
    assert indices.shape == directions.shape == levels.shape == (3, 30_000)
    depths = (indices >= 0).sum(axis=0)
    np.testing.assert_allclose(np.bincount(depths)[1:] / 30_000, 1 / 3, atol=0.01)
    assert (np.diff((indices >= 0).astype(int), axis=0) <= 0).all()  # the first draws are the chain's
    drawn = indices[indices >= 0].astype(int)
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), 1 / 9, rtol=0.06)
    assert set(np.unique(directions)) == {-1, 1}
    assert (levels.min(), levels.max()) == (pytest.approx(0.1, abs=0.01), pytest.approx(4, abs=0.01))


def test_weights_of_the_mixture():
    own, weights = map(np.asarray, AugMix(width=3, seed=1).sample_weights(30_000))
    assert weights.shape == (3, 30_000, 1, 1, 1)
    np.testing.assert_allclose(own + weights.sum(axis=0), 1, atol=1e-5)
    assert own.mean() == pytest.approx(0.5, abs=0.01)  # of Beta(1, 1)
    assert own.var() == pytest.approx(1 / 12, rel=0.03)
    shares = weights[:, own[:, 0, 0, 0] < 0.9] / (1 - own[own[:, 0, 0, 0] < 0.9])
    np.testing.assert_allclose(shares.mean(axis=1), 1 / 3, atol=0.01)
    np.testing.assert_allclose(shares.var(axis=1), 1 / 18, rtol=0.05)  # of Dirichlet(1, 1, 1)


def test_probability():
    images = np.repeat(random_images(8, 8, batch=1), 400, axis=0)
    changed = np.abs(checks.call(augment(probability=0.25), (images,), training=True) - images).max((1, 2, 3)) > 1e-3
    assert changed.mean() == pytest.approx(0.25, abs=0.07)
    np.testing.assert_allclose(checks.call(augment(probability=0.0), (images,), training=True), images, atol=1e-3)


def test_a_mixture_stays_in_the_range_and_near_the_image():
    images = np.repeat(random_images(16, 16, batch=1), 64, axis=0)
    result = checks.call(augment(), (images,), training=True)
    assert result.min() >= 0
    assert result.max() <= 255 + 1e-3
    changed = np.abs(result - images).max((1, 2, 3)) > 1
    assert changed.mean() > 0.9
    assert len(np.unique(result[changed].reshape(changed.sum(), -1), axis=0)) == changed.sum()
    weak = checks.call(augment(severity=1.0), (images,), training=True)
    assert np.abs(weak - images).mean() < np.abs(checks.call(augment(severity=10.0), (images,), True) - images).mean()


@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (3, "float32")])
def test_same_everywhere(channels, dtype):
    shapes, images = [(*UNKNOWN_SIZE[0][:3], channels)], random_images(channels=channels, dtype=dtype)
    checks.assert_same_everywhere(augment, (images,), training=True, shapes=shapes, atol=1e-3)
    checks.assert_same_everywhere(augment, (images,), shapes=shapes)


def test_randomness_config_dtype_shape():
    checks.assert_identity_without_training(augment, (random_images(),))
    checks.assert_random_per_example(augment, random_images()[0])
    checks.assert_seed_reproduces(augment, (random_images(),))
    checks.assert_config_round_trips(augment(), (random_images(),))
    assert_config_is_complete(augment())
    checks.assert_stays_float32(augment, (random_images(),), training=True)
    checks.assert_declared_shape_is_real(augment(), [(2, 5, 7, 3), (1, 1, 1, 1)])


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"width": 0}, "0"),
        ({"width": 1.5}, "1.5"),
        ({"width": True}, "True"),
        ({"severity": 10.5}, "10.5"),
        ({"severity": -1}, "-1"),
        ({"probability": 1.1}, "1.1"),
        ({"fill": "wrap"}, "wrap"),
        ({"fill_value": None}, "None"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        AugMix(**options)


def test_bad_channels():
    with pytest.raises(ValueError, match=r"1 or 3 channels. Received: shape=\(4, 13, 18, 4\)"):
        AugMix()(random_images(channels=4))
