"""Blur: defocus, frosted glass, motion and zoom (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

import functools
import math

import numpy as np
from scipy import ndimage, signal

from tfrec.evaluation.corruptions.base import Corruption, Picture

SMALL_DISK = 8  # pixels: smaller disks lie in a kernel of this radius


def defocus_blur(picture: Picture, random: np.random.Generator, radius: float, alias_blur: float) -> np.ndarray:
    """Convolves with a disk, smoothed at its edge."""
    kernel = disk(radius, alias_blur)
    border = len(kernel) // 2
    padded = np.pad(picture, ((border, border), (border, border), (0, 0)), mode="reflect")
    return signal.fftconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1))


@functools.cache
def disk(radius: float, alias_blur: float) -> np.ndarray:
    """A disk of sum 1, blurred by a Gaussian of a standard deviation in pixels; without its border of zeros."""
    reach = max(SMALL_DISK, math.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = (rows**2 + columns**2 <= radius**2).astype("float32")
    taps = np.arange(-1, 2) if radius <= SMALL_DISK else np.arange(-2, 3)
    smooth = np.exp(-(taps**2) / (2 * alias_blur**2))
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, smooth / smooth.sum(), axis, mode="mirror")
    first = int(np.flatnonzero(kernel[reach] > 1e-9)[0])
    inside = slice(first, 2 * reach + 1 - first)
    return kernel[inside, inside] / kernel.sum()


def glass_blur(picture: Picture, random: np.random.Generator, sigma: float, reach: int, repetitions: int) -> np.ndarray:
    """Blurs, replaces each pixel by a random one within reach, and blurs again.

    In the published code the exchange of two pixels copies the second over the first, and so it is here.
    """
    blurred = np.floor(_gaussian(picture, sigma) * 255 + 1e-3) / 255
    height, width = picture.shape[:2]
    source = list(range(height * width))
    rows, columns = range(height - reach, reach, -1), range(width - reach, reach, -1)
    for _ in range(repetitions):
        offsets = random.integers(-reach, reach, (len(rows), len(columns), 2))
        steps = (offsets[..., 0] + offsets[..., 1] * width).tolist()
        for row, row_steps in zip(rows, steps, strict=True):
            for column, step in zip(columns, row_steps, strict=True):
                source[row * width + column] = source[row * width + column + step]
    return _gaussian(blurred.reshape(height * width, -1)[source].reshape(picture.shape), sigma)


def motion_blur(picture: Picture, random: np.random.Generator, radius: int, sigma: float) -> np.ndarray:
    """Blurs in a random direction within 45 degrees of the horizontal."""
    return streak(picture, radius, sigma, random.uniform(-45, 45))


def streak(picture: Picture, radius: int, sigma: float, degrees: float) -> np.ndarray:
    """Averages the pixels of a line from each pixel, with the weights of half a Gaussian, as ImageMagick does.

    Args:
        picture: float32 (height, width, channels).
        radius: Pixels of the line on each side; it has 2 * radius + 1 pixels, all on one side.
        sigma: Standard deviation of the Gaussian, pixels.
        degrees: Direction, clockwise from the right.
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    angle = math.radians(degrees)
    down, right = (np.ceil(steps * part - 0.5).astype(int) for part in (math.sin(angle), math.cos(angle)))
    height, width = picture.shape[:2]
    border = int(max(np.abs(down).max(), np.abs(right).max()))
    padded = np.pad(picture, ((border, border), (border, border), (0, 0)), mode="edge")
    result = np.zeros_like(picture)
    for weight, row, column in zip(weights, down + border, right + border, strict=True):
        if weight > 1e-7:
            result += np.float32(weight) * padded[row : row + height, column : column + width]
    return result


def zoom_blur(picture: Picture, random: np.random.Generator, end: float, step: float) -> np.ndarray:
    """Averages the picture with zooms of it from 1 up to a factor."""
    factors = np.arange(1, end, step).tolist()
    total = picture + sum(clipped_zoom(picture, factor) for factor in factors)
    return total / (len(factors) + 1)


def clipped_zoom(picture: Picture, factor: float) -> np.ndarray:
    """Enlarges the center of a picture to the picture's size, bilinearly."""
    height, width = picture.shape[:2]
    rows = np.tensordot(_zoom_matrix(height, factor), picture, (1, 0))
    return np.tensordot(_zoom_matrix(width, factor), rows, (1, 1)).transpose(1, 0, 2)


@functools.cache
def _zoom_matrix(size: int, factor: float) -> np.ndarray:
    """The matrix (size, size) that enlarges the center of one axis, as SciPy's zoom does."""
    kept = math.ceil(size / factor)
    zoomed = ndimage.zoom(np.eye(kept), (factor, 1), order=1)
    first, trimmed = (size - kept) // 2, (len(zoomed) - size) // 2
    matrix = np.zeros((size, size), "float32")
    matrix[:, first : first + kept] = zoomed[trimmed : trimmed + size]
    return matrix


def _gaussian(picture: Picture, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")


CORRUPTIONS = {
    "defocus_blur": Corruption(
        defocus_blur,
        "blur",
        small=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        large=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass_blur": Corruption(
        glass_blur,
        "blur",
        small=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        large=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion_blur": Corruption(
        motion_blur,
        "blur",
        small=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        large=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom_blur": Corruption(
        zoom_blur,
        "blur",
        small=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        large=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
}
