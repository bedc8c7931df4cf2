"""How each example was recognized, so that it can be scored again: in one condition, over several, among others."""

import dataclasses

import numpy as np

from tfrec.evaluation.metrics import classification, transcription

TITLES = {
    "accuracy": "accuracy",
    "wer": "word error rate",
    "per": "phoneme error rate",
    "cer": "character error rate",
    "sentence_error_rate": "sentence error rate",
    "top5_accuracy": "top-5 accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "loss": "loss",
}
# What counts as one, and out of what; the scores that a task is judged by where nobody says otherwise.
COUNTED = {"accuracy": ("correct", "examples"), "wer": ("edits", "words"), "per": ("edits", "phonemes")}


@dataclasses.dataclass(frozen=True)
class Quality:
    """How each example of a split was recognized.

    What is measured, `name`, is the sum of `counts` over that of `sizes`, both (examples,): of right answers over ones
    for "accuracy", of nats over ones for "loss", of edits over words for "wer", over phonemes for "per". `answers` and
    `labels` are classes, or None.
    """

    name: str
    counts: np.ndarray
    sizes: np.ndarray
    answers: np.ndarray | None = None
    labels: np.ndarray | None = None

    def rate(self, times=1):
        """The score over the examples, each counted so often: a number, or (examples,)."""
        return float((self.counts * times).sum() / max((self.sizes * times).sum(), 1))


@dataclasses.dataclass(frozen=True)
class MacroQuality(Quality):
    """The same for a mean over `classes` classes, which is no ratio of sums: "macro_precision", "_recall" or "_f1"."""

    classes: int = 0

    def rate(self, times=1):
        """The score over the examples, each counted so often: a number, or (examples,)."""
        times = np.broadcast_to(times, self.labels.shape)
        cells = np.bincount(self.labels * self.classes + self.answers, times, self.classes**2)
        scores = classification.rates(cells.reshape(self.classes, self.classes))
        return float(scores[("macro_precision", "macro_recall", "macro_f1").index(self.name)].mean())


def of_classes(name, logits, labels):
    """The Quality that repeats a score of `classification.score`, for logits (examples, classes) and class indices."""
    answers, sizes = logits.argmax(axis=-1), np.ones(len(labels), int)
    hits = answers == labels
    if name.startswith("macro_"):
        return MacroQuality(name, hits, sizes, answers, labels, logits.shape[-1])
    if name == "loss":
        hits = classification.losses(logits, labels)
    elif name == "top5_accuracy":
        hits = (logits > logits[np.arange(len(labels)), labels][:, None]).sum(axis=-1) < 5
    return Quality(name, hits, sizes, answers, labels)


def margin(one, other, seed=0):
    """(how far one Quality is above another of the same examples, 95 % interval [low, high]).

    The interval is a percentile bootstrap over the examples, each of which counts for both (Efron 1979).
    """
    examples, random, drawn = len(one.sizes), np.random.default_rng(seed), []
    for _ in range(transcription.BOOTSTRAP_SAMPLES):
        times = np.bincount(random.integers(examples, size=examples), minlength=examples)
        drawn.append(one.rate(times) - other.rate(times))
    return one.rate() - other.rate(), [float(bound) for bound in np.quantile(drawn, [0.025, 0.975])]


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
