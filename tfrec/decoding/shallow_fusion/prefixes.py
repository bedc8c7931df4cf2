"""Prefixes of texts: rows of ids, and their names, hashes of 64 bits by which prefixes are compared."""

import functools

import numpy as np

_MULTIPLIER = -0x61C8864680B583EB


@functools.lru_cache(maxsize=8)
def _salts(symbols: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**63, symbols)


def extend(names: np.ndarray, ids: np.ndarray, symbols: int) -> np.ndarray:
    """The names of prefixes with one more id each.

    Args:
        names: int64 (n,).
        ids: int (n,).
        symbols: number of different ids, the blank included.

    Returns:
        int64 (n,).
    """
    return names * _MULTIPLIER + _salts(symbols)[ids]


def left_aligned(ids: np.ndarray) -> np.ndarray:
    """Moves the ids that are not 0 to the start of their row, int (..., any)."""
    return np.take_along_axis(ids, np.argsort(ids == 0, axis=-1, kind="stable"), axis=-1)
