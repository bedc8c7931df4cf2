"""Batches of clips of about the same length: few shapes, little padding, a limit on what a batch holds."""

import dataclasses

import numpy as np

GRID_SECONDS = 0.1  # lengths are rounded up to multiples of this before they are cut into buckets


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Clips of up to `limits[i]` samples, more than those of the bucket before, go together, `sizes[i]` in a batch.

    `batches` counts those of one pass over the data; `padding` is the part of their samples that is no clip's.
    """

    limits: tuple[int, ...]
    sizes: tuple[int, ...]
    batches: int
    padding: float
    sample_rate_hz: int

    def describe(self):
        """A sentence for the user."""
        shapes = ", ".join(
            f"{size} x {limit / self.sample_rate_hz:.1f} s" for limit, size in zip(self.limits, self.sizes, strict=True)
        )
        return f"{self.batches} batches of {len(self.limits)} shapes ({shapes}); {self.padding:.1%} of them is padding."


def plan(seconds, sample_rate_hz, batch_size, batch_seconds=None, count=8):
    """Lengths in seconds (clips,) -> Buckets, at most `count`, cut where they leave the least padding.

    A batch holds at most `batch_size` clips, and at most `batch_seconds` of sound, padding included, unless one clip
    alone is longer. Raises ValueError without clips.
    """
    seconds = np.asarray(seconds, float)
    if not len(seconds):
        raise ValueError("Buckets need at least one clip. Received: none")
    steps = np.maximum(1, np.ceil(seconds / GRID_SECONDS - 1e-6)).astype(int)
    edges, numbers = np.unique(steps, return_counts=True)
    limits = edges[_cuts(edges, numbers, count)]
    place = np.searchsorted(limits, steps)
    sizes = []
    for i, limit in enumerate(limits):
        size = min(batch_size, np.count_nonzero(place == i))
        if batch_seconds is not None:
            size = min(size, int(batch_seconds / (limit * GRID_SECONDS) + 1e-6))
        sizes.append(max(1, int(size)))
    members = np.bincount(place, minlength=len(limits))
    return Buckets(
        limits=tuple(int(limit * GRID_SECONDS * sample_rate_hz + 1e-6) for limit in limits),
        sizes=tuple(sizes),
        batches=int(sum(-(-members // sizes))),
        padding=float(1 - seconds.sum() / (limits[place] * GRID_SECONDS).sum()),
        sample_rate_hz=sample_rate_hz,
    )


def _cuts(edges, numbers, count):
    """Indices into `edges`, ascending, of the limits that pad least: shortest paths over where buckets end."""
    total = len(edges)
    below = np.concatenate([[0], np.cumsum(numbers)])
    best, origin = np.full((count + 1, total + 1), np.inf), np.zeros((count + 1, total + 1), int)
    best[:, 0] = 0
    for buckets in range(1, count + 1):
        for end in range(1, total + 1):
            costs = best[buckets - 1, :end] + edges[end - 1] * (below[end] - below[:end])
            origin[buckets, end] = np.argmin(costs)
            best[buckets, end] = costs[origin[buckets, end]]
    cuts, end, buckets = [], total, count
    while end:
        cuts.append(end - 1)
        end, buckets = origin[buckets, end], buckets - 1
    return np.array(cuts[::-1])
