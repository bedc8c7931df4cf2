"""Batches of clips of about the same length: few shapes, little padding, a limit on the size of a batch."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.counts import counted, verb

GRID_SECONDS = 0.1  # lengths are rounded up to multiples of this before they are cut into buckets


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Groups of clips by length.

    Attributes:
        limits: Maximum length of each bucket, samples, ascending.
        sizes: Clips per batch of each bucket.
        batches: Number of batches of one pass over the data.
        padding: Fraction of the batches' samples that is padding.
        sample_rate_hz: Samples per second.
        numbers: int `(clips,)`, the bucket of each clip.
    """

    limits: tuple[int, ...]
    sizes: tuple[int, ...]
    batches: int
    padding: float
    sample_rate_hz: int
    numbers: np.ndarray = dataclasses.field(repr=False, compare=False)

    def describe(self) -> str:
        """A sentence for the user."""
        shapes = ", ".join(
            f"{size} x {limit / self.sample_rate_hz:.1f} s" for limit, size in zip(self.limits, self.sizes, strict=True)
        )
        batches, kinds = counted(self.batches, "batch", "batches"), counted(len(self.limits), "shape")
        return f"{batches} of {kinds} ({shapes}); {self.padding:.1%} of {verb(self.batches, 'it', 'them')} is padding."

    def batched(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """Batches elements `(..., bucket)`, those of a bucket together, each padded to the longest of its batch."""
        boundaries = list(range(1, len(self.limits)))
        return examples.bucket_by_sequence_length(lambda *element: element[-1], boundaries, list(self.sizes))

    def padded(self, audio: Any, bucket: Any) -> Any:
        """A waveform, padded to the limit of its bucket; one that is longer than it was said to be stays the same."""
        return tf.pad(audio, [[0, tf.maximum(tf.constant(self.limits)[bucket] - tf.size(audio), 0)]])


def plan(
    seconds: Sequence[float] | np.ndarray,
    sample_rate_hz: int,
    batch_size: int,
    batch_seconds: float | None = None,
    count: int = 8,
) -> Buckets:
    """Cuts clips into the buckets that leave the least padding.

    Args:
        seconds: Length of each clip.
        sample_rate_hz: Samples per second.
        batch_size: Maximum clips per batch.
        batch_seconds: Maximum sound per batch, padding included; None is no limit. A longer clip is a batch by itself.
        count: Maximum number of buckets.

    Returns:
        The buckets.

    Raises:
        ValueError: There are no clips.
    """
    seconds = np.asarray(seconds, float)
    if not len(seconds):
        raise ValueError("Buckets need at least one clip. Received: none")
    steps = np.maximum(1, np.ceil(seconds / GRID_SECONDS - 1e-6)).astype(int)
    edges, numbers = np.unique(steps, return_counts=True)
    limits = edges[_best_cuts(edges, numbers, count)]
    bucket = np.searchsorted(limits, steps)
    members = np.bincount(bucket, minlength=len(limits))
    sizes = []
    for limit, clips in zip(limits, members, strict=True):
        size = min(batch_size, clips)
        if batch_seconds is not None:
            size = min(size, int(batch_seconds / (limit * GRID_SECONDS) + 1e-6))
        sizes.append(max(1, int(size)))
    return Buckets(
        limits=tuple(int(limit * GRID_SECONDS * sample_rate_hz + 1e-6) for limit in limits),
        sizes=tuple(sizes),
        batches=int(sum(-(-members // np.array(sizes)))),
        padding=float(1 - seconds.sum() / (limits[bucket] * GRID_SECONDS).sum()),
        sample_rate_hz=sample_rate_hz,
        numbers=bucket,
    )


def _best_cuts(edges: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """Indices into `edges`, ascending, of the limits that pad least, by dynamic programming over the ends of buckets.

    `edges` are the distinct lengths, ascending, and `numbers` how often each occurs.
    """
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
