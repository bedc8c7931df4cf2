import numpy as np
import pytest
import scipy.ndimage

from pipelines.layers.affine import sample_affine
from tests.pipelines.layers.images import random_images

SCIPY_MODES = {"constant": "grid-constant", "edge": "nearest", "reflect": "reflect"}


def sample(images, matrix, shift=(0, 0), **options):
    """`sample_affine` with the same parameters for every image."""
    n = len(images)
    matrix, shift = np.tile(np.float32(matrix), (n, 1, 1)), np.tile(np.float32(shift), (n, 1))
    return np.asarray(sample_affine(images.astype("float32"), matrix, shift, **options))


@pytest.mark.parametrize("fill", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("size", [(17, 24), (1, 5), (8, 1)])
@pytest.mark.parametrize(
    ("matrix", "shift"),
    [
        ([[1, 0], [0, 1]], [0.25, -0.5]),
        ([[0.8, -0.6], [0.6, 0.8]], [1.3, -2.1]),
        ([[-1.7, 0.4], [0.3, 2.2]], [3, 4.4]),
        ([[0.3, 0.1], [-0.2, 0.4]], [-30, 55]),
    ],
)
def test_golden_against_scipy(fill, size, matrix, shift):
    images = random_images(*size, batch=2)
    center = (np.array(size) - 1) / 2
    offset = center - np.array(matrix) @ center + shift
    expected = np.empty(images.shape)
    for i in np.ndindex(2, 3):
        plane = images[i[0], ..., i[1]].astype("float64")
        expected[i[0], ..., i[1]] = scipy.ndimage.affine_transform(
            plane, np.array(matrix), offset, order=1, mode=SCIPY_MODES[fill], cval=42.0
        )
    np.testing.assert_allclose(sample(images, matrix, shift, fill=fill, fill_value=42.0), expected, rtol=0, atol=0.02)


def test_flips_and_whole_shifts_are_exact():
    images = random_images(dtype="float32") / np.float32(3)
    np.testing.assert_array_equal(sample(images, [[1, 0], [0, 1]]), images)
    np.testing.assert_array_equal(sample(images, [[-1, 0], [0, 1]]), images[:, ::-1])
    np.testing.assert_array_equal(sample(images, [[1, 0], [0, -1]]), images[:, :, ::-1])
    shifted = sample(images, [[1, 0], [0, 1]], [3, -2], fill_value=9.0)
    np.testing.assert_array_equal(shifted[:, :-3, 2:], images[:, 3:, :-2])
    assert (shifted[:, -3:] == 9).all()
    assert (shifted[:, :, :2] == 9).all()
