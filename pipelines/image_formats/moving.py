"""Moving pictures: the frames of animated GIF, PNG, WebP and AVIF files at a fixed rate."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import FileError
from pipelines.image_formats import headers, pixels
from pipelines.image_formats.pixels import Color

if TYPE_CHECKING:
    from PIL import Image

KINDS = ("GIF", "PNG", "WEBP", "AVIF")  # Pillow's names of formats whose pictures have durations
MAX_FRAMES = 3000  # of a file, and of what is read from it: two minutes at 25 frames per second
MAX_PIXELS = 50_000_000  # likewise, of all frames
DEFAULT_MS = 100.0  # how long browsers show a frame that has no duration


def read(path: str | os.PathLike, channels: int, background: Color, frames_per_second: int) -> np.ndarray:
    """Reads the frames of a file at a fixed rate: each is what is shown in the middle of its interval.

    Args:
        path: The file.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.
        frames_per_second: The rate, at least 1.

    Returns:
        uint8 `(frames, height, width, channels)`, at least one frame.

    Raises:
        FileError: The file cannot be read, does not move, or has too many frames or pixels.
    """
    info = probe(path)
    frames: list[np.ndarray] = []
    ends_ms = [0.0]
    with headers.file_errors(info.path), pixels.open_image(info.path) as image:
        for frame, duration_ms in _frames(image):
            if len(frames) == MAX_FRAMES or (len(frames) + 1) * info.height * info.width > MAX_PIXELS:
                raise _too_long(info.path)
            frames.append(pixels.convert(frame, channels, background))
            ends_ms.append(ends_ms[-1] + duration_ms)
    if not frames:
        raise headers.damaged(info.path, "it has no frames")
    count = max(1, round(ends_ms[-1] * frames_per_second / 1000))
    if count > MAX_FRAMES or count * info.height * info.width > MAX_PIXELS:
        raise _too_long(info.path)
    middles_ms = (np.arange(count) + 0.5) * (1000 / frames_per_second)
    shown = np.minimum(np.searchsorted(ends_ms[1:], middles_ms, side="right"), len(frames) - 1)
    return np.stack(frames)[shown]


def probe(path: str | os.PathLike) -> headers.ImageInfo:
    """Reads the header of a file with moving pictures.

    Args:
        path: The file.

    Returns:
        The ImageInfo.

    Raises:
        FileError: The file is no picture that is read, or does not move.
    """
    info = headers.probe(path)
    with headers.file_errors(info.path), pixels.open_image(info.path) as image:
        moves = info.kind in KINDS and (info.is_animated or "duration" in image.info)
    if not moves:
        raise FileError(
            f"{info.path} is a single {info.kind} picture, which does not move: give an animated GIF, PNG, WebP or"
            " AVIF.",
            "no moving picture",
        )
    if info.is_deep:
        raise FileError(f"{info.path} has more than 8 bits per value: save it with 8.", "more than 8 bits")
    return info


def _frames(image: "Image.Image") -> Iterator[tuple["Image.Image", float]]:
    """Every frame with its duration in milliseconds."""
    number = 0
    while True:
        try:
            image.seek(number)
        except EOFError:
            return
        image.load()
        duration: Any = image.info.get("duration")
        yield image, float(duration) if duration and 0 < float(duration) < float("inf") else DEFAULT_MS
        number += 1


def _too_long(path: str) -> FileError:
    return FileError(
        f"{path} is too long: moving pictures have at most {MAX_FRAMES:,} frames and {MAX_PIXELS:,} pixels in all; cut"
        " it into shorter ones, or scale it down.",
        "too long",
    )
