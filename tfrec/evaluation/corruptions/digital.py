"""Digital: contrast, elastic transforms, pixelation and JPEG (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from tfrec.evaluation.corruptions.base import Corruption, Picture


def contrast(picture: Picture, random: np.random.Generator, factor: float) -> np.ndarray:
    """Moves the values to the mean of their channel."""
    means = picture.mean(axis=(0, 1), keepdims=True)
    return (picture - means) * factor + means


def elastic_transform(
    picture: Picture, random: np.random.Generator, strength: float, smoothness: float, shift: float
) -> np.ndarray:
    """Moves three points of the picture, then every pixel by a smooth random field.

    Args:
        picture: The picture.
        random: Random numbers.
        strength: Factor of the field, in shorter sides.
        smoothness: Standard deviation of the field's Gaussian filter, in shorter sides.
        shift: Maximum shift of the points, in shorter sides.
    """
    side = min(picture.shape[:2])
    size = np.array(picture.shape[:2])
    corners = np.array([[1, 1], [-1, 1], [-1, -1]])
    points = size // 2 + corners * (side // 3 or 1)
    moved = points + random.uniform(-shift * side, shift * side, points.shape)
    # From the new picture back to the old one.
    to_old, *_ = np.linalg.lstsq(np.c_[moved, np.ones(3)], points.astype("float64"), rcond=None)
    grid = np.indices(tuple(size), "float64")
    turned = _sample(picture, np.einsum("ij,ihw->jhw", to_old[:2], grid) + to_old[2][:, None, None], "mirror")
    if not strength:
        return turned
    fields = random.uniform(-1, 1, (2, *size))
    moves: list[np.ndarray] = [
        ndimage.gaussian_filter(field, smoothness * side, mode="reflect", truncate=3) for field in fields
    ]
    return _sample(turned, grid + strength * side * np.array(moves), "reflect")


def _sample(picture: Picture, places: np.ndarray, border: str) -> np.ndarray:
    """The picture at places (2, height, width), bilinearly."""
    planes = np.moveaxis(picture, -1, 0)
    channels: list[np.ndarray] = [ndimage.map_coordinates(x, places, order=1, mode=border) for x in planes]
    return np.moveaxis(np.array(channels), 0, -1)


def pixelate(picture: Picture, random: np.random.Generator, factor: float) -> np.ndarray:
    """Makes the picture smaller by means over boxes, and larger again."""
    image = to_pillow(picture)
    small = image.resize([max(int(side * factor), 1) for side in image.size], Image.Resampling.BOX)
    return from_pillow(small.resize(image.size, Image.Resampling.BOX))


def jpeg_compression(picture: Picture, random: np.random.Generator, quality: int) -> np.ndarray:
    """Compresses the picture as JPEG."""
    data = io.BytesIO()
    to_pillow(picture).save(data, "JPEG", quality=quality)
    return from_pillow(Image.open(data))


def to_pillow(picture: Picture) -> Image.Image:
    """A picture as Pillow has it, of 8 bits."""
    values = np.round(picture * 255).astype("uint8")
    return Image.fromarray(values if values.shape[-1] == 3 else values[..., 0])


def from_pillow(image: Image.Image) -> np.ndarray:
    """Pillow's picture as an array (height, width, channels) in [0, 1]."""
    values = np.asarray(image, "float32") / 255
    return values if values.ndim == 3 else values[..., None]


_ELASTIC = 244 / 224  # of the published parameters for 224 pixels, which are fractions of 244

CORRUPTIONS = {
    "contrast": Corruption(
        contrast,
        "digital",
        small=((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        large=((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    ),
    "elastic_transform": Corruption(
        elastic_transform,
        "digital",
        small=((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        large=(
            (2 * _ELASTIC, 0.7 * _ELASTIC, 0.1 * _ELASTIC),
            (2 * _ELASTIC, 0.08 * _ELASTIC, 0.2 * _ELASTIC),
            (0.05 * _ELASTIC, 0.01 * _ELASTIC, 0.02 * _ELASTIC),
            (0.07 * _ELASTIC, 0.01 * _ELASTIC, 0.02 * _ELASTIC),
            (0.12 * _ELASTIC, 0.01 * _ELASTIC, 0.02 * _ELASTIC),
        ),
    ),
    "pixelate": Corruption(
        pixelate,
        "digital",
        small=((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        large=((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    ),
    "jpeg_compression": Corruption(
        jpeg_compression,
        "digital",
        small=((80,), (65,), (58,), (50,), (40,)),
        large=((25,), (18,), (15,), (10,), (7,)),
    ),
}
