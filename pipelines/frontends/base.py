"""What both kinds of frontend share."""

from typing import Literal

Placement = Literal["device", "host"]


def next_seed(seed, number):
    """A seed of its own for each layer, so that no two draw the same numbers."""
    return None if seed is None else seed * 1000 + number
