import numpy as np
import pytest

from pipelines.layers.random_erase import RandomErase
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images


def always(seed=5, **options):
    return RandomErase(probability=1.0, seed=seed, **options)


def rectangles(layer, n=1000, height=40, width=60):
    """(top, left, height, width) of what was erased of each image; fails unless it is exactly one full rectangle."""
    erased = checks.call(layer, (np.zeros((n, height, width, 2), "uint8"),), training=True)
    assert set(np.unique(erased)) <= {0, 1}
    boxes = []
    for mask in erased:
        np.testing.assert_array_equal(mask[..., 0], mask[..., 1])
        rows, columns = np.flatnonzero(mask[..., 0].any(1)), np.flatnonzero(mask[..., 0].any(0))
        box = (rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
        assert mask[..., 0].sum() == box[2] * box[3]
        boxes.append(box)
    return np.array(boxes).T


def test_one_rectangle_of_the_given_area_and_aspect():
    top, left, tall, wide = rectangles(always(fill="constant", fill_value=1.0, area=(0.05, 0.25), aspect=(0.5, 2.0)))
    area, aspect = tall * wide / 2400, tall / wide
    rounding = 0.5 / np.minimum(tall, wide)
    assert (area * (1 + rounding) >= 0.05).all()
    assert (area * (1 - rounding) <= 0.25).all()
    assert area.min() < 0.06
    assert area.max() > 0.24
    assert (aspect * (1 + 2.2 * rounding) >= 0.5).all()
    assert (aspect * (1 - 2.2 * rounding) <= 2.0).all()
    assert np.mean(aspect < 1) == pytest.approx(0.5, abs=0.06)
    assert top.min() == left.min() == 0
    assert (top + tall).max() == 40
    assert (left + wide).max() == 60


def test_a_rectangle_too_long_is_limited_to_the_image():
    _, _, tall, wide = rectangles(always(fill="constant", fill_value=1.0, area=(0.5, 0.5), aspect=(50.0, 100.0)))
    assert set(tall) == {40}
    assert set(wide) == {30}
    _, _, tall, wide = rectangles(always(fill="constant", fill_value=1.0, area=(1.0, 1.0)))
    assert set(tall) == {40}
    assert set(wide) == {60}


def test_probability():
    images = np.ones((1000, 8, 8, 1), "float32")
    for probability in (0.0, 0.3, 1.0):
        result = checks.call(RandomErase(probability, fill="constant", seed=1), (images,), training=True)
        assert np.mean(result.min(axis=(1, 2, 3)) == 0) == pytest.approx(probability, abs=0.05 * (0 < probability < 1))


def test_noise_covers_the_range_and_leaves_the_rest():
    images = np.full((50, 40, 60, 3), -1, "float32")
    result = checks.call(always(area=(0.3, 0.3)), (images,), training=True)
    noise = result[result != -1]
    assert noise.size == pytest.approx(0.3 * images.size, rel=0.03)
    assert noise.min() == pytest.approx(0, abs=1)
    assert noise.max() == pytest.approx(255, abs=1)
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert np.unique(noise).size > 0.9 * noise.size


def test_a_color_fills_the_whole_rectangle():
    images = np.full((500, 12, 16, 3), -1, "float32")
    result = checks.call(always(area=(0.3, 0.3), fill="color"), (images,), training=True)
    colors = []
    for image in result:
        erased = image[image[..., 0] != -1]
        assert erased.shape[0] > 30
        assert (erased == erased[0]).all()
        colors.append(erased[0])
    assert np.unique(colors).size == 1500
    assert np.mean(colors) == pytest.approx(127.5, abs=8)
    assert np.std(colors) == pytest.approx(255 / 12**0.5, rel=0.05)


@pytest.mark.parametrize("fill", ["noise", "color", "constant"])
def test_same_everywhere(fill):
    make = lambda: always(fill=fill, fill_value=7.0)  # noqa: E731
    for dtype in ("uint8", "float32"):
        checks.assert_same_everywhere(
            make, (random_images(dtype=dtype),), training=True, shapes=UNKNOWN_SIZE, atol=1e-4
        )
    checks.assert_same_everywhere(make, (random_images(),), shapes=UNKNOWN_SIZE)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_declared_shape(channels):
    checks.assert_declared_shape_is_real(always(), [(2, 5, 7, channels), (1, 1, 1, channels)])
    images = random_images(channels=channels)
    assert checks.call(always(), (images,), training=True).shape == images.shape


def test_randomness_config_dtype():
    checks.assert_identity_without_training(always, (random_images(),))
    checks.assert_random_per_example(always, random_images()[0])
    checks.assert_random_per_example(lambda: always(fill="constant", seed=1), random_images(40, 60)[0])
    checks.assert_seed_reproduces(always, (random_images(),))
    checks.assert_config_round_trips(always(), (random_images(),))
    assert_config_is_complete(always())
    checks.assert_stays_float32(always, (random_images(),), training=True)


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"probability": 1.5}, "1.5"),
        ({"area": 0.3}, "0.3"),
        ({"area": (0.3, 0.1)}, r"\(0.3, 0.1\)"),
        ({"area": (0.0, 0.1)}, "0.0"),
        ({"aspect": (0.3, 200.0)}, "200.0"),
        ({"fill": "random"}, "random"),
        ({"fill_value": "0"}, "'0'"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        RandomErase(**options)


def test_bad_rank():
    with pytest.raises(ValueError, match=r"Received: shape=\(13, 18, 3\)"):
        RandomErase()(random_images()[0])
