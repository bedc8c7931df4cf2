import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, ImageEnhance, ImageOps

from pipelines.layers.rand_augment import OPERATIONS, RandAugment
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images

GEOMETRY = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


def augment(seed=5, **options):
    return RandAugment(**{"operations": 3, **options}, seed=seed)


def apply(images, *names, magnitude=10.0, directions=None, **options):
    """Every image after the operations of these names."""
    drawn = np.float32([[OPERATIONS.index(name)] * len(images) for name in names])
    directions = np.float32([[way] * len(images) for way in directions or [1] * len(names)])
    layer = RandAugment(operations=len(names), magnitude=magnitude, **options)
    return np.asarray(layer.apply(images.astype("float32"), drawn, directions))


def narrow(channels=3):
    """Noise of a narrow range, which differs between channels, so that autocontrast has an effect."""
    return (random_images(30, 40, channels) * np.linspace(0.3, 0.7, channels) + 30).astype("uint8")


def by_pil(function, images):
    return np.stack([np.asarray(function(Image.fromarray(image))) for image in images]).astype("float32")


# Direction, magnitude, and the same operation in PIL.
GOLDEN = {
    "identity": (1, 10, lambda image: image),
    "autocontrast": (1, 10, ImageOps.autocontrast),
    "equalize": (1, 10, ImageOps.equalize),
    "posterize": (1, 10, lambda image: ImageOps.posterize(image, 4)),
    "posterize a little": (1, 5, lambda image: ImageOps.posterize(image, 6)),
    "solarize": (1, 10, ImageOps.invert),
    "solarize a little": (1, 5, lambda image: ImageOps.solarize(image, 128)),
    "contrast": (1, 5, lambda image: ImageEnhance.Contrast(image).enhance(1.45)),
    "contrast, less": (-1, 10, lambda image: ImageEnhance.Contrast(image).enhance(0.1)),
    "brightness": (1, 10, lambda image: ImageEnhance.Brightness(image).enhance(1.9)),
    "brightness, less": (-1, 5, lambda image: ImageEnhance.Brightness(image).enhance(0.55)),
    "color": (1, 10, lambda image: ImageEnhance.Color(image).enhance(1.9)),
    "color, less": (-1, 5, lambda image: ImageEnhance.Color(image).enhance(0.55)),
    "sharpness": (1, 10, lambda image: ImageEnhance.Sharpness(image).enhance(1.9)),
    "sharpness, less": (-1, 10, lambda image: ImageEnhance.Sharpness(image).enhance(0.1)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_against_pil(name):
    direction, magnitude, function = GOLDEN[name]
    operation = name.split()[0].strip(",")
    images = narrow()
    expected = by_pil(function, images)
    # PIL works in whole numbers throughout, cutting off where we round once or not at all.
    tolerance = {"identity": 0, "equalize": 0, "posterize": 0, "solarize": 0}.get(operation, 1.9)
    result = apply(images, operation, magnitude=magnitude, directions=[direction])
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)
    if operation != "identity":
        assert np.abs(expected - images).max() > 2


@pytest.mark.parametrize("size", [(15, 17), (16, 16), (20, 25), (70, 50)])
def test_equalize_of_few_and_of_many_pixels(size):
    images = random_images(*size)
    np.testing.assert_array_equal(apply(images, "equalize"), by_pil(ImageOps.equalize, images))


def test_equalize_and_autocontrast_leave_flat_images():
    images = np.full((2, 9, 9, 3), 77)
    for name in ("equalize", "autocontrast"):
        np.testing.assert_array_equal(apply(images, name), images)


def smooth():
    return scipy.ndimage.gaussian_filter(random_images(60, 60, dtype="float32"), (0, 4, 4, 0)) * 3 - 255


def test_where_geometry_moves_a_pixel():
    """One bright pixel right of the center: its new position shows the operation, its size and its direction."""
    images = np.zeros((1, 41, 41, 1))
    images[0, 20, 30] = 200

    def position(name, magnitude=10.0, direction=1):
        result = apply(images, name, magnitude=magnitude, directions=[direction])[0, ..., 0]
        return np.subtract(scipy.ndimage.center_of_mass(result), 20)

    turned = 10 * np.array([np.sin(np.pi / 6), np.cos(np.pi / 6)])
    for direction in (1, -1):
        sign = np.sign(position("rotate", direction=direction)[0])
        np.testing.assert_allclose(position("rotate", direction=direction), turned * [sign, 1], atol=0.1)
    np.testing.assert_allclose(np.abs(position("shear_y")), [3, 10], atol=0.1)
    np.testing.assert_allclose(np.abs(position("shear_y", 5)), [1.5, 10], atol=0.1)
    np.testing.assert_allclose(position("shear_x"), [0, 10], atol=0.1)
    np.testing.assert_allclose(np.abs(position("translate_y", 5)), [0.225 * 41, 10], atol=0.1)
    np.testing.assert_allclose(position("translate_x", 5), [0, 10 - 0.225 * 41], atol=0.1)
    for name in ("rotate", "shear_y", "translate_y"):
        np.testing.assert_allclose(position(name), position(name, direction=-1) * [-1, 1], atol=0.1)


@pytest.mark.parametrize("first", GEOMETRY)
@pytest.mark.parametrize("second", GEOMETRY)
def test_geometry_acts_in_the_order_drawn(first, second):
    images = smooth()
    one_by_one = apply(apply(images, first, magnitude=3), second, magnitude=3, directions=[-1])
    together = apply(images, first, second, magnitude=3, directions=[1, -1])
    inside = (slice(None), slice(20, 40), slice(20, 40))
    np.testing.assert_allclose(together[inside], one_by_one[inside], rtol=0, atol=2)
    change = np.abs(together - images)[inside].max()
    assert change < 1 if first == second else change > 5  # there and back again


def test_color_acts_in_the_order_of_the_docstring():
    images = narrow()
    order = ("equalize", "brightness", "contrast", "posterize", "solarize", "color", "sharpness", "shear_x")

    def one_by_one(names):
        result = images
        for name in names:
            result = apply(result, name, magnitude=4)
        return result

    together = apply(images, *order, magnitude=4)
    np.testing.assert_array_equal(apply(images, *order[::-1], magnitude=4), together)
    # One by one there is also rounding, which moves some values over a step of posterize, and clipping after color.
    assert np.abs(together - one_by_one(order)).mean() < 1
    assert np.abs(together - one_by_one(order[::-1])).mean() > 10


def test_an_operation_drawn_twice():
    images = narrow()
    for name in ("equalize", "autocontrast", "posterize", "solarize"):
        np.testing.assert_array_equal(apply(images, name, name, magnitude=6), apply(images, name, magnitude=6))
    muted = 100 + images // 4
    twice = apply(muted, "color", "color", magnitude=10, directions=[1, -1])
    once = apply(apply(muted, "color", magnitude=10), "color", magnitude=10, directions=[-1])
    np.testing.assert_allclose(twice, once, rtol=0, atol=1.1)


def test_every_operation_is_drawn_alike():
    for channels, count in ((3, 14), (1, 13)):
        drawn, directions = map(np.asarray, RandAugment(operations=2, seed=1).sample_operations(20_000, channels))
        assert drawn.shape == directions.shape == (2, 20_000)
        shares = np.bincount(drawn.astype(int).ravel(), minlength=14) / 40_000
        np.testing.assert_allclose(shares[:count], 1 / count, rtol=0.08)
        assert not shares[count:].any()
        assert np.mean(drawn[0] == drawn[1]) == pytest.approx(1 / count, rel=0.1)
        assert set(np.unique(directions)) == {-1, 1}
        assert directions.mean() == pytest.approx(0, abs=0.02)


def test_magnitude_0_changes_only_what_has_none():
    images = np.repeat(narrow(), 16, axis=0)
    layer = augment(magnitude=0.0, operations=1)
    drawn, directions = layer.sample_operations(64, 3)
    changed = (np.abs(np.asarray(layer.apply(images.astype("float32"), drawn, directions)) - images) > 1e-3).any(
        (1, 2, 3)
    )
    names = [OPERATIONS[int(i)] for i in np.asarray(drawn)[0]]
    assert {name for name, moved in zip(names, changed, strict=True) if moved} == {"equalize", "autocontrast"}
    assert {"rotate", "solarize", "posterize"} <= {
        name for name, moved in zip(names, changed, strict=True) if not moved
    }


def test_most_images_of_a_batch_change():
    """Same size and range; nearly every image changes, each differently."""
    images = np.repeat(random_images(16, 16, batch=1), 64, axis=0)
    result = checks.call(augment(), (images,), training=True)
    assert result.shape == images.shape
    assert result.min() >= 0
    assert result.max() <= 255
    changed = np.abs(result - images).max((1, 2, 3)) > 1
    assert 0.8 < changed.mean() <= 1
    assert len(np.unique(result[changed].reshape(changed.sum(), -1), axis=0)) > 0.9 * changed.sum()


def test_outside_is_filled():
    images = np.full((1, 20, 20, 1), 100)
    assert set(np.unique(apply(images, "translate_x", fill_value=7.0))) == {7, 100}
    assert set(np.unique(apply(images, "translate_x", fill="edge"))) == {100}


def test_values_outside_the_range_stay_with_their_image():
    images = np.zeros((2, 8, 8, 1))
    images[0] = 100
    images[1, 0] = 1000
    images[1, 1] = -1000
    np.testing.assert_array_equal(apply(images, "solarize")[0], 155)


def test_an_image_depends_on_itself_alone():
    images = narrow()
    for names in (("equalize", "rotate"), ("autocontrast", "contrast")):
        together = apply(images, *names)
        for i in range(len(images)):
            np.testing.assert_allclose(apply(images[i : i + 1], *names)[0], together[i], rtol=0, atol=1e-3)


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


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 1)])
def test_tiny_images(size):
    images = random_images(*size, batch=20)
    result = checks.call(augment(operations=6), (images,), training=True)
    assert result.shape == images.shape
    assert np.isfinite(result).all()


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"operations": 0}, "0"),
        ({"operations": 1.5}, "1.5"),
        ({"operations": True}, "True"),
        ({"magnitude": 10.5}, "10.5"),
        ({"magnitude": -1}, "-1"),
        ({"fill": "wrap"}, "wrap"),
        ({"fill_value": None}, "None"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        RandAugment(**options)


@pytest.mark.parametrize("channels", [2, 4])
def test_bad_channels(channels):
    with pytest.raises(ValueError, match=rf"1 or 3 channels. Received: shape=\(4, 13, 18, {channels}\)"):
        RandAugment()(random_images(channels=channels))
