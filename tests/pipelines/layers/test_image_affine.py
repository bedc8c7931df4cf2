import keras
import numpy as np
import pytest

from pipelines.layers.affine import sample_affine
from pipelines.layers.image_affine import ImageAffine
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images


def everything(seed=5, **options):
    geometry = {
        "horizontal_flip": True,
        "vertical_flip": True,
        "rotation_degrees": 30.0,
        "scale": (0.7, 1.4),
        "shift_fraction": 0.2,
        "shift_pixels": 1,
        "shear_degrees": 15.0,
        "min_area": 0.5,
        "fill": "reflect",
    }
    return ImageAffine(**{**geometry, **options}, seed=seed)


def test_random_flips_are_exact_everywhere():
    images = np.repeat(random_images(batch=1, dtype="float32"), 32, axis=0)
    make = lambda: ImageAffine(horizontal_flip=True, vertical_flip=True, seed=3)  # noqa: E731
    ways = [images[0, ::v, ::h] for v in (1, -1) for h in (1, -1)]
    for context, result in checks.outputs_by_context(make, (images,), training=True, shapes=UNKNOWN_SIZE).items():
        seen = [next(i for i, way in enumerate(ways) if np.array_equal(x, way)) for x in result]
        assert set(seen) == {0, 1, 2, 3}, context


def parameters(layer, height=40, width=60, n=4000):
    matrix, shift = layer.sample_parameters(n, height, width)
    return np.asarray(matrix, "float64"), np.asarray(shift, "float64")


def test_rotation_keeps_shapes_and_the_center():
    matrix, shift = parameters(ImageAffine(rotation_degrees=30.0, seed=1))
    np.testing.assert_allclose(matrix @ matrix.swapaxes(1, 2), np.tile(np.eye(2), (4000, 1, 1)), atol=1e-6)
    np.testing.assert_array_equal(shift, 0)
    angle = np.degrees(np.arctan2(matrix[:, 0, 1], matrix[:, 0, 0]))
    assert -30 <= angle.min() < -29.5
    assert 29.5 < angle.max() <= 30


def test_scale_and_shear_and_shift_within_their_range():
    matrix, _ = parameters(ImageAffine(scale=(0.5, 2.0), rotation_degrees=10, seed=1))
    scale = 1 / np.sqrt(np.linalg.det(matrix))
    assert scale.min() >= 0.5 * (1 - 1e-5)
    assert scale.max() <= 2 * (1 + 1e-5)
    assert abs(np.median(scale) - 1) < 0.05  # as often smaller as larger
    matrix, _ = parameters(ImageAffine(shear_degrees=20.0, seed=1))
    np.testing.assert_array_equal(matrix[:, 0], [[1, 0]] * 4000)
    shear = np.degrees(np.arctan(matrix[:, 1, 0]))
    assert -20.001 <= shear.min() < -19
    assert 19 < shear.max() <= 20.001
    matrix, shift = parameters(ImageAffine(shift_fraction=0.1, seed=1))
    assert 3.9 < np.abs(shift[:, 0]).max() <= 4.0001
    assert 5.9 < np.abs(shift[:, 1]).max() <= 6.0001


def test_moves_by_whole_pixels_keep_every_value():
    _, shift = parameters(ImageAffine(shift_pixels=2, seed=1))
    steps, counts = np.unique(shift, return_counts=True)
    np.testing.assert_array_equal(steps, [-2, -1, 0, 1, 2])
    assert counts.min() > 0.8 * counts.mean()  # all alike
    picture = random_images()[:1]
    result = checks.call(ImageAffine(shift_pixels=3, fill="reflect", horizontal_flip=True), (picture,), training=True)
    assert np.isin(np.round(result, 3), np.round(picture, 3)).all()


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_content_grows_with_the_scale(scale):
    picture = np.zeros((1, 100, 100, 1), "float32")
    picture[:, 30:70, 40:60] = 1
    result = checks.call(ImageAffine(scale=(scale, scale)), (picture,), training=True)
    assert result.sum() == pytest.approx(scale**2 * 800, rel=0.02)
    assert result[0, 50].sum() == pytest.approx(scale * 20, rel=0.02)


def test_everything_together_is_one_map():
    determinant = np.linalg.det(
        parameters(everything())[0]
    )  # the window's area over the square of the scale, negative for one flip
    assert (np.abs(determinant) >= 0.5 / 1.4**2 - 1e-4).all()
    assert (np.abs(determinant) <= 1 / 0.7**2 + 1e-4).all()
    assert np.mean(determinant < 0) == pytest.approx(0.5, abs=0.05)


def test_crop_is_a_window_inside_the_image():
    matrix, shift = parameters(ImageAffine(min_area=0.3, crop_aspect=(0.25, 4.0), seed=1))
    np.testing.assert_array_equal(matrix[:, [0, 1], [1, 0]], 0)
    high, wide = matrix[:, 0, 0], matrix[:, 1, 1]
    area, aspect = high * wide, wide / high
    assert 0.3 - 1e-5 <= area.min() < 0.31
    assert 0.99 < area.max() <= 1 + 1e-5
    assert aspect.min() < 0.4
    assert aspect.max() > 2.5
    for window, size, move in ((high, 40, shift[:, 0]), (wide, 60, shift[:, 1])):
        first, last = move - size * window / 2, move + size * window / 2
        assert first.min() >= -size / 2 - 1e-3
        assert last.max() <= size / 2 + 1e-3
        assert np.abs(first + size / 2).min() < 0.2
        assert np.abs(last - size / 2).min() < 0.2


@pytest.mark.parametrize("fill", ["constant", "edge", "reflect"])
def test_same_everywhere(fill):
    make = lambda: everything(fill=fill, fill_value=100.0)  # noqa: E731
    dtype = "float32" if fill == "edge" else "uint8"
    checks.assert_same_everywhere(make, (random_images(dtype=dtype),), training=True, shapes=UNKNOWN_SIZE, atol=0.02)


def test_same_everywhere_without_training():
    checks.assert_same_everywhere(everything, (random_images(),), shapes=UNKNOWN_SIZE)


def test_call_draws_for_the_size_it_gets():
    images = random_images(7, 31, batch=3)
    drawn = everything().sample_parameters(3, 7, 31)
    expected = sample_affine(images.astype("float32"), *drawn, fill="reflect")
    np.testing.assert_array_equal(checks.call(everything(), (images,), training=True), expected)


def test_an_image_depends_on_itself_alone():
    images = random_images()
    matrix, shift = everything().sample_parameters(4, 13, 18)
    together = sample_affine(images.astype("float32"), matrix, shift)
    for i in range(4):
        alone = sample_affine(images[i : i + 1].astype("float32"), matrix[i : i + 1], shift[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_declared_shape(channels):
    checks.assert_declared_shape_is_real(everything(), [(2, 5, 7, channels), (1, 1, 1, channels)])
    images = random_images(channels=channels)
    assert checks.call(everything(), (images,), training=True).shape == images.shape


def test_randomness_config_dtype():
    checks.assert_identity_without_training(everything, (random_images(),))
    checks.assert_random_per_example(everything, random_images()[0])
    checks.assert_seed_reproduces(everything, (random_images(),))
    checks.assert_config_round_trips(everything(), (random_images(),))
    assert_config_is_complete(everything())
    checks.assert_stays_float32(everything, (random_images(),), training=True)


def test_gradient_reaches_the_pixels():
    import tensorflow as tf

    images = tf.Variable(random_images(dtype="float32"))
    with tf.GradientTape() as tape:
        total = keras.ops.sum(everything(fill="edge", min_area=1.0)(images, training=True))
    assert np.abs(tape.gradient(total, images).numpy()).sum() > 0


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"horizontal_flip": 0.5}, "0.5"),
        ({"rotation_degrees": -1}, "-1"),
        ({"rotation_degrees": "10"}, "'10'"),
        ({"scale": 1.2}, "1.2"),
        ({"scale": (1.2, 0.8)}, r"\(1.2, 0.8\)"),
        ({"scale": (0.0, 1.0)}, "0.0"),
        ({"shift_fraction": 2.0}, "2.0"),
        ({"shift_pixels": -1}, "-1"),
        ({"shear_degrees": 90.0}, "90.0"),
        ({"min_area": 0.0}, "0.0"),
        ({"crop_aspect": (0.5,)}, r"\(0.5,\)"),
        ({"fill": "wrap"}, "wrap"),
        ({"fill_value": None}, "None"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        ImageAffine(**options)


def test_bad_rank():
    with pytest.raises(ValueError, match=r"Received: shape=\(13, 18, 3\)"):
        ImageAffine()(random_images()[0])
