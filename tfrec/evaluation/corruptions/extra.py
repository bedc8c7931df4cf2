"""What people's pictures have: rotation by 90 degrees, gray, a tint, strong JPEG, the borders of a screenshot."""

import numpy as np
from PIL import Image

from tfrec.evaluation.corruptions.base import Corruption, Picture, to_gray
from tfrec.evaluation.corruptions.digital import from_pillow, jpeg_compression, to_pillow

WARM, COLD = (1.15, 1.0, 0.7), (0.75, 0.95, 1.2)  # factors of red, green and blue under a lamp, and in the shade


def rotate_90(picture: Picture, random: np.random.Generator) -> np.ndarray:
    """Turns the picture by 90 degrees to either side, as files without orientation are; resized where it is oblong."""
    turned = np.rot90(picture, 1 if random.random() < 0.5 else 3)
    return turned if turned.shape == picture.shape else _resize(turned, *picture.shape[:2])


def gray(picture: Picture, random: np.random.Generator) -> np.ndarray:
    """Removes the color."""
    return np.broadcast_to(to_gray(picture), picture.shape)


def tint(picture: Picture, random: np.random.Generator) -> np.ndarray:
    """Gives the picture a warm or a cold tint, as a wrong white balance does."""
    factors = np.array(WARM if random.random() < 0.5 else COLD, "float32")
    return picture * factors if picture.shape[-1] == 3 else picture


def screenshot(picture: Picture, random: np.random.Generator, fraction: float) -> np.ndarray:
    """Shrinks the picture between two bars, black or white, above and below or left and right.

    Args:
        picture: The picture.
        random: Random numbers.
        fraction: Of the height or width that both bars take.
    """
    color, axis = float(random.random() < 0.5), int(random.random() < 0.5)
    size = list(picture.shape[:2])
    bar = round(size[axis] * fraction / 2)
    result = np.full_like(picture, color)
    inside = [slice(None), slice(None)]
    inside[axis] = slice(bar, size[axis] - bar)
    size[axis] -= 2 * bar
    result[inside[0], inside[1]] = _resize(picture, *size)
    return result


def occlusion(picture: Picture, random: np.random.Generator, fraction: float) -> np.ndarray:
    """Hides a part of the picture behind a gray rectangle of its own proportions.

    Args:
        picture: The picture.
        random: Random numbers.
        fraction: Of the area that is hidden.
    """
    result = picture.copy()
    sides = [max(1, round(size * fraction**0.5)) for size in picture.shape[:2]]
    tops = [int(random.integers(size - side + 1)) for size, side in zip(picture.shape[:2], sides, strict=True)]
    rows, columns = (slice(top, top + side) for top, side in zip(tops, sides, strict=True))
    result[rows, columns] = 0.5
    return result


def _resize(picture: Picture, height: int, width: int) -> np.ndarray:
    return from_pillow(to_pillow(picture).resize((width, height), Image.Resampling.BILINEAR))


CORRUPTIONS = {
    "rotate_90": Corruption(rotate_90, "extra", small=((),), large=((),)),
    "gray": Corruption(gray, "extra", small=((),), large=((),), needs_color=True),
    "tint": Corruption(tint, "extra", small=((),), large=((),), needs_color=True),
    "jpeg_quality_10": Corruption(jpeg_compression, "extra", small=((10,),), large=((10,),)),
    "occlusion_25": Corruption(occlusion, "extra", small=((0.25,),), large=((0.25,),)),
    "occlusion_50": Corruption(occlusion, "extra", small=((0.5,),), large=((0.5,),)),
    "screenshot_borders": Corruption(screenshot, "extra", small=((0.25,),), large=((0.25,),)),
}
