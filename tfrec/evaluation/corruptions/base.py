"""What a corruption is: a function of one picture with parameters that depend on the severity."""

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Picture = np.ndarray  # float32 (height, width, 1 or 3), values in [0, 1]

SMALL_SIDE = 32  # pixels; pictures whose shorter side is longer have the parameters of ImageNet-C
SEVERITIES = (1, 2, 3, 4, 5)
ROUNDING = 1e-3  # of 255: what float32 loses, since values are cut off to whole numbers
LUMA = np.array([0.299, 0.587, 0.114], "float32")  # of red, green and blue in gray (ITU-R BT.601)


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A corruption.

    Attributes:
        function: From (picture, random numbers, *parameters) to the corrupted picture, which may leave [0, 1].
        family: noise, blur, weather, digital or extra.
        small: Parameters of each severity up to `SMALL_SIDE` pixels, those of CIFAR-10-C.
        large: Parameters of each severity for larger pictures, those of ImageNet-C.
        needs_color: Whether it leaves pictures of one channel as they are.
    """

    function: Callable[..., np.ndarray]
    family: str
    small: tuple[tuple[Any, ...], ...]
    large: tuple[tuple[Any, ...], ...]
    needs_color: bool = False

    @property
    def severities(self) -> tuple[int, ...]:
        """Levels of severity, from 1."""
        return tuple(range(1, len(self.small) + 1))


def apply(name: str, corruption: Corruption, image: np.ndarray, severity: int, key: tuple[int, int]) -> np.ndarray:
    """Corrupts one picture.

    Args:
        name: The corruption's name, on which the random numbers depend.
        corruption: The corruption.
        image: uint8 `(height, width, 1, 3 or 4)`; a fourth channel, alpha, stays as it is.
        severity: From 1.
        key: Seed and number of the picture. A picture has the same random numbers at every severity.

    Returns:
        uint8, the image's shape; fractions are cut off, as in the published sets.
    """
    color, alpha = np.split(image, [3], axis=-1)
    random = np.random.default_rng([*key, zlib.crc32(name.encode())])
    parameters = corruption.large if min(image.shape[:2]) > SMALL_SIDE else corruption.small
    result = corruption.function(color.astype("float32") / 255, random, *parameters[severity - 1])
    values = np.clip(result, 0, 1) * 255 + ROUNDING
    return np.concatenate([values.astype("uint8"), alpha], axis=-1)


def to_gray(picture: Picture) -> np.ndarray:
    """The gray values of a picture, `(height, width, 1)`."""
    return picture @ LUMA[:, None] if picture.shape[-1] == 3 else picture


def to_channels(color: np.ndarray, picture: Picture) -> np.ndarray:
    """Converts red, green and blue in the last axis to the picture's number of channels."""
    return color if picture.shape[-1] == 3 else to_gray(color)
