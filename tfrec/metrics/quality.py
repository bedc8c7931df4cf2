"""Right answers or errors of each example, counted so that they can be summed: in one condition, and over several."""

import dataclasses

import numpy as np

from tfrec.metrics import classification, transcription

TITLES = {"accuracy": "accuracy", "wer": "word error rate", "per": "phoneme error rate"}
COUNTED = {"accuracy": ("correct", "examples"), "wer": ("edits", "words"), "per": ("edits", "phonemes")}


@dataclasses.dataclass(frozen=True)
class Quality:
    """How each example of a split was recognised.

    What is measured, `name`, is the sum of `counts` over that of `sizes`, both (examples,): of right answers over ones
    for "accuracy", of edits over words for "wer", over phonemes for "per". `answers` and `labels` are classes, or None.
    """

    name: str
    counts: np.ndarray
    sizes: np.ndarray
    answers: np.ndarray | None = None
    labels: np.ndarray | None = None


def cell(name, counts, sizes):
    """Counts (repeats, examples) and sizes (examples,) of one condition -> {name, "interval", count, size}.

    The 95 % interval is for as many examples as there are, however often each is repeated: Wilson's of accuracies, a
    bootstrap over the examples of error rates.
    """
    repeats, examples = counts.shape
    count, size = COUNTED[name]
    if name == "accuracy":
        interval = classification.wilson(round(counts.mean() * examples), examples)
    else:
        interval = transcription.interval(counts.sum(axis=0), repeats * sizes)
    whole = repeats * int(sizes.sum())
    return {name: float(counts.sum() / max(whole, 1)), "interval": interval, count: int(counts.sum()), size: whole}


def average(name, groups):
    """The mean over conditions, with an interval that is a bootstrap over the examples of each group.

    groups: pairs of the conditions' counts, each (repeats, examples), and the sizes (examples,) of the same examples.
    """
    total, drawn, conditions = 0.0, 0.0, sum(len(group) for group, _ in groups)
    for seed, (group, sizes) in enumerate(groups):
        share = len(group) / conditions
        counts, sizes = np.concatenate(group).sum(axis=0), sizes * sum(map(len, group))
        drawn = drawn + share * transcription.resampled(counts, sizes, seed)
        total += share * float(counts.sum() / max(sizes.sum(), 1))
    return {name: total, "interval": [float(bound) for bound in np.quantile(drawn, [0.025, 0.975])]}
