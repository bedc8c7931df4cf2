import numpy as np
import PIL.Image
import pytest

from pipelines.layers.image_resize import ImageResize
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images

RESAMPLING = {"bilinear": PIL.Image.Resampling.BILINEAR, "bicubic": PIL.Image.Resampling.BICUBIC}


def pillow(images, height, width, interpolation="bilinear"):
    """Plane by plane in Pillow's "F" mode, which neither rounds nor clips."""
    planes = [PIL.Image.fromarray(plane) for image in images.astype("float32") for plane in np.moveaxis(image, -1, 0)]
    planes = [np.asarray(plane.resize((width, height), RESAMPLING[interpolation])) for plane in planes]
    return np.moveaxis(np.reshape(planes, (len(images), -1, height, width)), 1, -1).clip(0, 255)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(60, 90), (50, 75), (22, 33), (4, 6), (200, 300), (2, 3)])
def test_golden_against_pillow(interpolation, size):
    images = random_images(*size)
    result = checks.call(ImageResize(20, 30, interpolation=interpolation), (images,))
    np.testing.assert_allclose(result, pillow(images, 20, 30, interpolation), rtol=0, atol=1e-3)


def test_keeps_the_aspect_and_crops_the_center():
    images = random_images(40, 60)
    result = checks.call(ImageResize(20, 20), (images,))
    np.testing.assert_allclose(result, pillow(images, 20, 30)[:, :, 5:25], rtol=0, atol=1e-3)
    result = checks.call(ImageResize(20, 20), (images.swapaxes(1, 2),))
    np.testing.assert_allclose(result, pillow(images, 20, 30)[:, :, 5:25].swapaxes(1, 2), rtol=0, atol=1e-3)


def test_crop_fraction():
    images = random_images(64, 52)  # half of it is (32, 26), of whose shorter side 20 is the crop_fraction
    result = checks.call(ImageResize(20, 20, crop_fraction=20 / 26), (images,))
    np.testing.assert_allclose(result, pillow(images, 32, 26)[:, 6:26, 3:23], rtol=0, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shapes", [UNKNOWN_SIZE, [(None, 20, 30, 3)]])
def test_an_image_of_the_target_size_does_not_change(interpolation, shapes):
    images = random_images(20, 30, dtype="float32") / np.float32(1.7)
    make = lambda: ImageResize(20, 30, interpolation=interpolation)  # noqa: E731
    for context, result in checks.outputs_by_context(make, (images,), None, shapes).items():
        np.testing.assert_array_equal(result, images, err_msg=context)


@pytest.mark.parametrize("size", [(31, 47), (15, 9)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_same_everywhere(size, dtype):
    make = lambda: ImageResize(20, 30, crop_fraction=0.875)  # noqa: E731
    images = random_images(*size, dtype=dtype)
    expected = checks.assert_same_everywhere(make, (images,), shapes=UNKNOWN_SIZE, atol=1e-3)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(checks.call(make(), (images[:1],)), expected[:1], rtol=0, atol=1e-4)


def test_known_and_unknown_size_agree():
    images = random_images(31, 47)
    results = [
        checks.outputs_by_context(lambda: ImageResize(20, 30), (images,), shapes=s)["graph"]
        for s in (UNKNOWN_SIZE, [images.shape])
    ]
    np.testing.assert_allclose(*results, rtol=0, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_declared_shape(channels):
    checks.assert_declared_shape_is_real(
        ImageResize(8, 5), [(2, h, w, channels) for h in (1, 5, 8, 40) for w in (1, 5, 33)]
    )


def test_config_and_dtype():
    make = lambda: ImageResize(8, 5, crop_fraction=0.9, interpolation="bicubic")  # noqa: E731
    checks.assert_config_round_trips(make(), (random_images(),))
    assert_config_is_complete(make())
    checks.assert_stays_float32(make, (random_images(),))


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"height": 0}, "0"),
        ({"width": 2.5}, "2.5"),
        ({"height": True}, "True"),
        ({"crop_fraction": 0.0}, "0.0"),
        ({"crop_fraction": 1.5}, "1.5"),
        ({"interpolation": "cubic"}, "cubic"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        ImageResize(**{"height": 8, "width": 8, **options})


def test_bad_rank():
    with pytest.raises(ValueError, match=r"Received: shape=\(8, 8, 3\)"):
        ImageResize(4, 4)(np.zeros((8, 8, 3), "float32"))
