"""A table of picture files: what decodes it, whether the files are whole, and what a reader of the scores must know."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import images
from pipelines.counts import counted, share, verb
from pipelines.errors import UserError
from pipelines.images import ImageInfo
from pipelines.storage import graph

LOW_RANGE = 1 / 8  # files of more than 8 bits that use less of their range are named


def table(
    infos: Sequence[ImageInfo], channels: int, background: str
) -> tuple[dict[str, np.ndarray], Callable[[Mapping[str, Any]], Any]]:
    """Builds the columns that decode pictures.

    Args:
        infos: One per row.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.

    Returns:
        The columns, an entry per row each; a function from a row of them, as tensors, to pixels: uint8
        `(height, width, channels)`, or float32 in [0, 255] if any file has more than 8 bits per value.

    Raises:
        UserError: The channels or the color are unknown.
    """
    if channels not in images.CHANNELS:
        raise UserError(f"data.channels must be 1 (gray), 3 (color) or 4 (color and alpha). Received: {channels}.")
    color = images.parse_color(background)
    codes = np.array([info.code for info in infos], np.int32)
    orientations = np.array([info.orientation for info in infos], np.int32)
    columns = {"path": np.array([os.fsencode(info.path) for info in infos])}
    is_deep = any(info.is_deep for info in infos)
    # One branch instead of a switch, where all files are alike.
    code, orientation = (int(values[0]) if np.ptp(values) == 0 else None for values in (codes, orientations))
    # What is the same in all rows is no column: each one costs time at every row.
    varying = {"code": codes, "orientation": orientations}
    columns |= {name: values for name, values in varying.items() if np.ptp(values)}
    read_bytes = graph.reader_of(info.path for info in infos)

    def decode(row: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return images.decode_file(
            row["path"],
            row["code"] if code is None else code,
            row["orientation"] if orientation is None else orientation,
            channels,
            color,
            is_deep,
            (lambda path: row["bytes"]) if "bytes" in row else read_bytes,
        )

    return columns, decode


def header_notes(infos: Mapping[str, ImageInfo], channels: int, background: str) -> list[str]:
    """Says what the headers of files ask for.

    Args:
        infos: Path -> what its header says.
        channels: As `table` takes it.
        background: Likewise.

    Returns:
        Sentences.
    """
    total = counted(len(infos), "picture")

    def count(attribute: str) -> int:
        return sum(bool(getattr(info, attribute)) for info in infos.values())

    notes = []
    if turned := sum(info.orientation > 1 for info in infos.values()):
        notes.append(
            f"{turned:,} of {total} {verb(turned, 'has', 'have')} an EXIF orientation and"
            f" {verb(turned, 'is', 'are')} turned"
            " upright."
        )
    if (transparent := count("is_transparent")) and channels != 4:
        notes.append(
            f"{transparent:,} of {total} can be transparent and {verb(transparent, 'lies', 'lie')} on {background}"
            " (data.background); data.channels 4 keeps the alpha."
        )
    if deep := count("is_deep"):
        notes.append(
            f"{deep:,} of {total} {verb(deep, 'has', 'have')} more than 8 bits per value: all are read as float32."
        )
    if animated := count("is_animated"):
        notes.append(
            f"{animated:,} of {total} {verb(animated, 'has', 'have')} several frames or pages: the first of each is"
            f" read."
        )
    return notes


def verify(infos: Mapping[str, ImageInfo]) -> tuple[dict[str, UserError], dict[str, ImageInfo], list[str]]:
    """Decodes every file once.

    Args:
        infos: Path -> what its header says.

    Returns:
        Path -> what is wrong with it; path -> how it is read from now on, so that no decoder reports the same again
        in training; sentences about the others.
    """
    checks = images.check_all(list(infos.values()))
    errors: dict[str, UserError] = {}
    odd, low, changed = [], [], {}
    for (path, info), check in zip(infos.items(), checks, strict=True):
        if isinstance(check, UserError):
            errors[path] = check
            continue
        if check.messages:
            odd.append(f"{path} ({check.messages[0]})")
            changed[path] = info.read_by_pillow()
        if check.peak < LOW_RANGE * 255:
            white = 2**info.bits - 1
            low.append(f"{path} (values up to {round(check.peak / 255 * white)} of {white})")
    notes = []
    if odd:
        notes.append(
            f"{share(len(odd), len(infos), 'picture')} {verb(len(odd), 'is', 'are')} damaged in places and read all"
            f" the same,"
            f" such as {odd[0]}."
        )
    if low:
        notes.append(
            f"{share(len(low), len(infos), 'picture')} {verb(len(low), 'uses', 'use')} less than an eighth of the"
            f" range of"
            f" {verb(len(low), 'its', 'their')} file, such as {low[0]}: they are read as they are, almost black, and"
            f" not scaled. With frontend.normalize unit"
            " their brightness counts; per_image removes it."
        )
    return errors, changed, notes
