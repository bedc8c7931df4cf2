"""Occlusion: what happens to the score where a part of the input is covered (Zeiler & Fergus 2013, arXiv:1311.2901)."""

import numpy as np

from tfrec.explain.example import Example

PARTS = 8  # of each axis that one cover hides
MIN_COVER = 2


def occlusion(example: Example) -> np.ndarray:
    """Covers every place in turn by the baseline; covers overlap by half.

    Args:
        example: What is explained.

    Returns:
        The mean loss of score of the covers over each cell, of the map's shape; negative where covering helps.
    """
    cells = example.cells
    sizes = [min(size, max(MIN_COVER, -(-size // PARTS))) for size in cells]
    places = [(row, column) for row in _starts(cells[0], sizes[0]) for column in _starts(cells[1], sizes[1])]
    loss, count = np.zeros(cells), np.zeros(cells)
    score = example.scores(example.features[None])[0]
    for first in range(0, len(places), 256):  # bounds the memory
        chosen = places[first : first + 256]
        variants = np.repeat(example.features[None], len(chosen), axis=0)
        for variant, (row, column) in zip(variants, chosen, strict=True):
            part = np.s_[row : row + sizes[0], column : column + sizes[1]]
            variant[part] = example.baseline[part]
        for (row, column), value in zip(chosen, example.scores(variants), strict=True):
            part = np.s_[row : row + sizes[0], column : column + sizes[1]]
            loss[part] += score - value
            count[part] += 1
    return (loss / count).astype("float32")


def _starts(size: int, cover: int) -> list[int]:
    """First cells of covers that overlap by half and reach the end."""
    starts = list(range(0, size - cover + 1, max(1, cover // 2)))
    return starts if starts[-1] == size - cover else [*starts, size - cover]
