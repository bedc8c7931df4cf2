"""A map as a picture: over the picture that it explains, or below the spectrogram of the clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tfrec.explain import audible
from tfrec.explain.example import Example
from tfrec.reports import explanations as drawings

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer


def draw(
    recognizer: Recognizer, raw: np.ndarray, example: Example, relevance: np.ndarray, title: str, path: Any
) -> tuple[audible.Axes, np.ndarray] | None:
    """Draws the map of a class.

    Args:
        recognizer: A classifier of pictures or of clips.
        raw: Pixels, or samples, that are explained.
        example: The same as features.
        relevance: The map of its cells.
        title: Of the figure.
        path: PNG file to write.

    Returns:
        Of a clip where the cells are, and the relevance of each frame and frequency; None of a picture.

    Raises:
        UserError: The frontend cuts clips, so that a cell has no known place.
    """
    if recognizer.modality == "image":
        resized = recognizer.frontend.parts()["image"].resize(raw[None].astype("float32"))
        drawings.picture(np.asarray(resized)[0], relevance, title, path)
        return None
    where = audible.axes(recognizer.frontend, len(raw), example.cells)
    shown = audible.shown(example.features, relevance, where)
    drawings.clip(*shown, title, path)
    return where, shown[1]
