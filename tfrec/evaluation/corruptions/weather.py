"""Weather: snow, frost, fog and brightness (Hendrycks & Dietterich 2019, arXiv:1903.12261).

Published frost overlays photographs of frozen windows. Here it overlays textures that are computed, of needles, veins
and clouds in the same colors, so that its scores are near the published ones and not equal to them.
"""

import functools
import math

import numpy as np

from tfrec.evaluation.corruptions.base import SMALL_SIDE, Corruption, Picture, to_channels, to_gray
from tfrec.evaluation.corruptions.blur import clipped_zoom, streak

FROST_TEXTURES = 5
FROST_SIDE = 256  # pixels, at least
FROST_COLOR = np.array([0.86, 0.94, 1.0], "float32")  # red, green, blue
FLAKE_LEVELS = 255  # of snow before it is blurred


def snow(
    picture: Picture,
    random: np.random.Generator,
    mean: float,
    deviation: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    opacity: float,
) -> np.ndarray:
    """Whitens the picture and adds flakes that fall in a random direction, and the same flakes upside down."""
    noise = mean + deviation * random.standard_normal((*picture.shape[:2], 1), "float32")
    flakes = clipped_zoom(noise, zoom)
    flakes = np.floor(np.clip(np.where(flakes < threshold, 0, flakes), 0, 1) * FLAKE_LEVELS) / FLAKE_LEVELS
    flakes = streak(flakes.astype("float32"), radius, sigma, random.uniform(-135, -45))
    whitened = np.maximum(picture, 1.5 * to_gray(picture) + 0.5)
    return opacity * picture + (1 - opacity) * whitened + flakes + flakes[::-1, ::-1]


def frost(picture: Picture, random: np.random.Generator, opacity: float, strength: float) -> np.ndarray:
    """Overlays a random piece of a computed texture of frost."""
    height, width = picture.shape[:2]
    side = 2 ** math.ceil(math.log2(max(FROST_SIDE, 2 * height, 2 * width)))
    texture = frost_texture(int(random.integers(FROST_TEXTURES)), side, min(height, width) <= SMALL_SIDE)
    top, left = random.integers(0, side - height), random.integers(0, side - width)
    piece = texture[top : top + height, left : left + width, None] * FROST_COLOR
    return opacity * picture + strength * to_channels(piece, picture)


@functools.lru_cache(maxsize=2 * FROST_TEXTURES)
def frost_texture(number: int, side: int, fine: bool) -> np.ndarray:
    """A texture of frost: clouds, veins on the level lines of other clouds, and needles in a few directions.

    Args:
        number: Which texture.
        side: Height and width, pixels, over which it repeats.
        fine: Whether its details are those of small pictures.

    Returns:
        float32 (side, side) in [0, 1].
    """
    random = np.random.default_rng([number, side])
    rows, columns = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    frequency = np.hypot(rows, columns) + 1 / side

    def filtered(response: np.ndarray) -> np.ndarray:
        """Noise with a spectrum, standardized."""
        field = np.fft.irfft2(np.fft.rfft2(random.standard_normal((side, side))) * response, (side, side))
        return (field - field.mean()) / field.std()

    scale = 1.0 if fine else 3.0  # pixels, of the finest details
    smooth = np.exp(-((scale * frequency) ** 2) * 8)
    clouds = filtered(smooth / frequency**1.6)
    veins = np.exp(-np.abs(filtered(smooth / frequency**1.2)) * 6)
    needles = np.zeros((side, side))
    for angle in random.uniform(0, np.pi, 4):
        across = rows * np.cos(angle) + columns * np.sin(angle)
        along = columns * np.cos(angle) - rows * np.sin(angle)
        lines = filtered(np.exp(-((16 * scale * along) ** 2) - (2 * scale * across) ** 2))
        needles = np.maximum(needles, np.clip(lines - 1, 0, 2) / 2)
    return np.clip(0.4 + 0.15 * clouds + 0.3 * veins + 0.5 * needles, 0, 1).astype("float32")


def fog(picture: Picture, random: np.random.Generator, strength: float, decay: float) -> np.ndarray:
    """Adds a plasma fractal and keeps the picture's maximum."""
    height, width = picture.shape[:2]
    side = 2 ** math.ceil(math.log2(max(height, width, 2)))
    maximum = picture.max()
    foggy = picture + strength * plasma(random, side, decay)[:height, :width, None]
    return foggy * maximum / (maximum + strength)


def plasma(random: np.random.Generator, side: int, decay: float) -> np.ndarray:
    """A height map by the diamond-square algorithm on a torus.

    Args:
        random: Random numbers.
        side: A power of two.
        decay: By how much the random steps shrink from level to level.

    Returns:
        float64 (side, side), from 0 to 1.
    """
    heights = np.zeros((side, side))
    step, roughness = side, 100.0

    def perturbed(total: np.ndarray) -> np.ndarray:
        return total / 4 + roughness * random.uniform(-roughness, roughness, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        centers = heights[half::step, half::step] = perturbed(pairs + np.roll(pairs, -1, 1))
        heights[::step, half::step] = perturbed(centers + np.roll(centers, 1, 0) + corners + np.roll(corners, -1, 1))
        heights[half::step, ::step] = perturbed(centers + np.roll(centers, 1, 1) + corners + np.roll(corners, -1, 0))
        step, roughness = half, roughness / decay
    heights -= heights.min()
    return heights / heights.max()


def brightness(picture: Picture, random: np.random.Generator, change: float) -> np.ndarray:
    """Raises the value of hue, saturation and value; black turns gray."""
    value = picture.max(axis=-1, keepdims=True)
    raised = np.minimum(value + change, 1)
    return np.where(value > 0, picture * (raised / np.maximum(value, 1e-6)), raised)


CORRUPTIONS = {
    "snow": Corruption(
        snow,
        "weather",
        small=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        large=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Corruption(
        frost,
        "weather",
        small=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        large=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    "fog": Corruption(
        fog,
        "weather",
        small=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        large=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": Corruption(
        brightness,
        "weather",
        small=((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        large=((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    ),
}
