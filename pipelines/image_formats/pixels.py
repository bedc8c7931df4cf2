"""Pixels of picture files in the channels that are asked for, as Pillow converts them: the reference."""

import functools
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines import storage
from pipelines.errors import UserError
from pipelines.image_formats import tiff

if TYPE_CHECKING:
    from PIL import Image

# JPEG also names the pictures of phones that hold a second one (MPO).
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF", "PPM", "MPO")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's mode
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow has it

Color = tuple[int, int, int]


def open_image(path: str) -> "Image.Image":
    """Opens a file with Pillow, as one of FORMATS by its content.

    Args:
        path: The file.

    Returns:
        Pillow's image, whose pixels are not decoded; close it.

    Raises:
        OSError: And Pillow's other errors for headers that are damaged.
    """
    from PIL import Image

    return Image.open(storage.open_binary(path) if storage.is_member(path) else path, formats=_formats())


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow reads."""
    from PIL import Image

    # Warnings name no file, and `MAX_PIXELS` replaces the limit about which Pillow warns.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def parse_color(name: str) -> Color:
    """Parses a color.

    Args:
        name: A CSS color name, or #rrggbb.

    Returns:
        (red, green, blue), 0 to 255.

    Raises:
        UserError: It is neither.
    """
    from PIL import ImageColor

    if name.lower() in ImageColor.colormap or re.fullmatch("#[0-9a-fA-F]{6}", name):
        red, green, blue = ImageColor.getrgb(name)[:3]
        return red, green, blue
    raise UserError(f"data.background must be a CSS color name, such as white, or #rrggbb. Received: {name!r}.")


def is_transparent(image: "Image.Image") -> bool:
    """Whether an image of Pillow has an alpha channel or transparent colors."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def convert(image: "Image.Image", channels: int, background: Color) -> np.ndarray:
    """Converts an image of 8 bits per value.

    Args:
        image: The image as opened.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.

    Returns:
        uint8 `(height, width, channels)`, upright.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if is_transparent(image):
        image = image.convert("RGBA")
        if channels != 4:
            canvas = Image.new("RGBA", image.size, (*background, 255))
            canvas.alpha_composite(image)
            image = canvas.convert("RGB")
    elif image.mode == "LAB":
        image = _lab_to_rgb(image)
    elif image.mode not in ("1", "L", "RGB"):  # gray of CMYK and others goes by RGB
        image = image.convert("RGB")
    pixels: Any = np.asarray(image.convert(MODES[channels]))
    return pixels[..., None] if channels == 1 else pixels


def convert_deep(values: np.ndarray, white: int, channels: int, background: Color) -> np.ndarray:
    """Converts values of more than 8 bits.

    Args:
        values: `(height, width, 1 to 4)`: gray, gray and alpha, color, color and alpha.
        white: The value that is white, and opaque.
        channels: See `convert`.
        background: See `convert`.

    Returns:
        float32 `(height, width, channels)` in [0, 255].
    """
    x: Any = values.astype(np.float32) * np.float32(255 / white)
    alpha = x[..., -1:] if x.shape[-1] in (2, 4) else None
    colors = x if alpha is None else x[..., :-1]
    if channels != 1 and colors.shape[-1] == 1:
        colors = np.repeat(colors, 3, axis=-1)
    if channels == 4:
        opaque = np.full((*colors.shape[:2], 1), 255, np.float32)
        return np.concatenate([colors, opaque if alpha is None else alpha], axis=-1)
    if alpha is not None:
        below = np.array(background, np.float32)
        colors = colors * (alpha / 255) + below * (1 - alpha / 255)
    if channels == 1 and colors.shape[-1] == 3:
        colors = colors @ np.array(LUMA, np.float32)[:, None]
    return np.clip(colors, 0, 255)


def read(path: str, kind: str, channels: int, background: Color, is_deep: bool) -> np.ndarray:
    """Reads the first picture of a file with Pillow.

    Args:
        path: The file.
        kind: Pillow's name of its format.
        channels: See `convert`.
        background: See `convert`.
        is_deep: Whether it has more than 8 bits per value.

    Returns:
        `(height, width, channels)`: uint8, or float32 in [0, 255] where it is deep.

    Raises:
        OSError: And Pillow's other errors for damaged files.
    """
    if is_deep and kind == "TIFF":
        values, white = tiff.read(path)
        return convert_deep(values, white, channels, background)
    with open_image(path) as image:
        if is_deep:  # Pillow scales the values of PPM to 16 bits
            return convert_deep(np.asarray(image)[..., None], 65535, channels, background)
        return convert(image, channels, background)


def _lab_to_rgb(image: "Image.Image") -> Any:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))
