"""Drawings, made like the pictures that a classifier of handwriting was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from pipelines.errors import UserError

CANVAS = 280  # pixels of a side
MAX_POINTS = 20_000  # of a drawing
DRAWN_SHARE = 0.7  # of the canvas that people fill
NEAR = 40  # difference of brightness up to which a pixel belongs to the background
MIN_BACKGROUND = 0.4  # share of the pixels of pictures of strokes
PERCENTILE = 90  # of the sizes of the strokes of examples


@dataclasses.dataclass(frozen=True)
class DrawingStyle:
    """How strokes lie in the pictures of a corpus such as MNIST, where they fill 20 of 28 rows, white on black.

    Attributes:
        size: Height and width of a picture, pixels.
        background: Brightness around the strokes, 0 to 255.
        ink: Brightness of the strokes.
        box: Height and width that strokes fill at most, pixels.
        center: Row and column of their center of mass.
        stroke: Width of a stroke, pixels.
    """

    size: tuple[int, int]
    background: float
    ink: float
    box: tuple[float, float]
    center: tuple[float, float]
    stroke: float

    @classmethod
    def of(cls, pictures: Sequence[np.ndarray]) -> DrawingStyle | None:
        """Measures examples (height, width, channels); None where they are not strokes on one background."""
        if not pictures or any(np.ptp(picture, axis=-1).any() for picture in pictures):  # colors
            return None
        gray = [picture[..., 0].astype("float64") for picture in pictures]
        edges = [np.concatenate([each[0], each[-1], each[:, 0], each[:, -1]]) for each in gray]
        background = float(np.median(np.concatenate(edges)))
        share = np.mean([np.mean(np.abs(each - background) < NEAR) for each in gray])
        if share < MIN_BACKGROUND or 64 < background < 191:
            return None
        ink = float(np.median([each.max() if background < 128 else each.min() for each in gray]))
        if abs(ink - background) < NEAR:
            return None
        masks = [np.clip((each - background) / (ink - background), 0, 1) for each in gray]
        masks = [mask for mask in masks if (mask > 0.5).any()]
        boxes, centers = np.array([_box(mask > 0.25) for mask in masks]), [_center(mask) for mask in masks]
        height, width = np.percentile(boxes[:, 2:] - boxes[:, :2], PERCENTILE, axis=0)
        row, column = np.mean(centers, axis=0)
        size = int(np.median([len(mask) for mask in masks])), int(np.median([mask.shape[1] for mask in masks]))
        stroke = float(np.median([_stroke(mask) for mask in masks]))
        return cls(size, background, ink, (float(height), float(width)), (float(row), float(column)), stroke)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DrawingStyle:
        """The style of `dataclasses.asdict`, also after a way through JSON."""
        given: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in values.items()}
        return cls(**given)

    @property
    def brush(self) -> int:
        """Width of a brush on the canvas, pixels: of the examples' strokes, or thinner where those are very wide."""
        return int(np.clip(round(self.stroke / max(self.box) * DRAWN_SHARE * CANVAS), 4, CANVAS // 12))

    def picture(self, ink: np.ndarray) -> np.ndarray | None:
        """Scales and places a drawing as those of the corpus.

        Args:
            ink: (rows, columns) in [0, 1], where 1 is a stroke.

        Returns:
            uint8 (height, width, 1); None where nothing is drawn.
        """
        if not (ink > 0.25).any():
            return None
        ink = self._widened(ink)
        top, left, bottom, right = _box(ink > 0.25)
        scale = self._scale(ink)
        height, width = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
        part = Image.fromarray(ink[top:bottom, left:right].astype("float32"))
        strokes = np.asarray(part.resize((width, height), Image.Resampling.BOX))
        mask = np.zeros(self.size)
        places = []
        for middle, target, length, whole in zip(_center(strokes), self.center, strokes.shape, self.size, strict=True):
            places.append(int(np.clip(round(target - middle), 0, max(0, whole - length))))
        strokes = strokes[: self.size[0], : self.size[1]]
        mask[places[0] : places[0] + len(strokes), places[1] : places[1] + strokes.shape[1]] = strokes
        values = self.background + mask * (self.ink - self.background)
        return np.round(values).clip(0, 255).astype("uint8")[..., None]

    def _scale(self, ink: np.ndarray) -> float:
        """By what a drawing is to be scaled for its box to be that of the examples."""
        top, left, bottom, right = _box(ink > 0.25)
        return min(self.box[0] / (bottom - top), self.box[1] / (right - left))

    def _widened(self, ink: np.ndarray) -> np.ndarray:
        """A drawing whose strokes are, after scaling, not thinner than those of the examples."""
        missing = self.stroke / self._scale(ink) - _stroke(ink)
        if missing <= 1:
            return ink
        margin = int(np.ceil(missing / 2))
        padded = np.pad(ink, margin)
        near = ndimage.distance_transform_edt(padded < 0.5) <= missing / 2
        return np.maximum(padded, near)


def ink_of(strokes: Any, width: int) -> np.ndarray:
    """Draws strokes with a round brush.

    Args:
        strokes: A list of strokes, which are lists of points [x, y] in the unit square; None for nothing.
        width: Of the brush, pixels of a canvas of CANVAS pixels.

    Returns:
        (CANVAS, CANVAS) in [0, 1], where 1 is a stroke.

    Raises:
        UserError: The strokes are something else, or too long.
    """
    try:
        lines = [np.asarray(stroke, "float64").reshape(-1, 2).clip(0, 1) * CANVAS for stroke in strokes or ()]
        if sum(map(len, lines)) > MAX_POINTS or not all(np.isfinite(line).all() for line in lines):
            raise ValueError
    except (TypeError, ValueError):
        limit = f"{MAX_POINTS:,} points"
        raise UserError(f"A drawing must be strokes of up to {limit}: clear it, and begin again.") from None
    picture = Image.new("L", (CANVAS, CANVAS))
    pen, radius = ImageDraw.Draw(picture), width / 2
    for line in lines:
        pen.line(list(map(tuple, line)), 255, width)
        for x, y in line:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(picture, "float32") / 255


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what is True."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _center(mask: np.ndarray) -> tuple[float, float]:
    """Row and column of the center of mass."""
    total = mask.sum()
    rows, columns = np.arange(mask.shape[0]) + 0.5, np.arange(mask.shape[1]) + 0.5
    return float(mask.sum(axis=1) @ rows / total), float(mask.sum(axis=0) @ columns / total)


def _stroke(mask: np.ndarray) -> float:
    """Width of strokes: twice their area by the length of their outline, which is the total variation."""
    padded = np.pad(mask, 1)
    down, right = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
    return float(2 * mask.sum() / max(np.hypot(down, right).sum(), 1e-9))
