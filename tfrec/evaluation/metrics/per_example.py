"""Scores of each example, from which a split's score can be computed again: in conditions, resampled, in comparison."""

import dataclasses
from collections.abc import Sequence
from typing import Any

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
    "recall_at_1": "recall at 1",
    "recall_at_5": "recall at 5",
    "recall_at_10": "recall at 10",
    "mean_reciprocal_rank": "mean reciprocal rank",
    "mean_average_precision": "mean average precision",
    "probe_accuracy": "accuracy of a linear probe",
    "knn_accuracy": "accuracy of nearest neighbors",
}
LOWER_IS_BETTER = ("wer", "per", "cer", "sentence_error_rate", "loss", "mae", "rmse")
MACRO_SCORES = ("macro_precision", "macro_recall", "macro_f1")  # in the order of `precision_recall_f1`
# Names of the numerator and denominator of the scores that tasks are judged by.
COUNTED = {
    **dict.fromkeys(("accuracy", "probe_accuracy", "knn_accuracy"), ("correct", "examples")),
    "wer": ("edits", "words"),
    "per": ("edits", "phonemes"),
    "recall_at_1": ("found", "queries"),
}


@dataclasses.dataclass(frozen=True)
class PerExampleScores:
    """A score of each example of a split; the split's score is the sum of `counts` over the sum of `sizes`.

    Attributes:
        name: name of the score, a key of `TITLES`.
        counts: (examples,): 1 for a correct answer ("accuracy"), nats ("loss"), edits ("wer", "per").
        sizes: (examples,): 1 ("accuracy", "loss"), words of the reference ("wer"), phonemes ("per").
        answers: predicted class indices (examples,), or None where there are no classes.
        labels: true class indices (examples,), or None.
        probabilities: of the classes (examples, classes), or None where they are not known.
    """

    name: str
    counts: np.ndarray
    sizes: np.ndarray
    answers: np.ndarray | None = None
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    def rate(self, weights: np.ndarray | int = 1) -> float:
        """Computes the score of the split.

        Args:
            weights: how often each example counts, (examples,), or one number for all.

        Returns:
            The score.
        """
        return float((self.counts * weights).sum() / max((self.sizes * weights).sum(), 1))


@dataclasses.dataclass(frozen=True)
class MacroPerExampleScores(PerExampleScores):
    """The same for a mean over classes, which is no ratio of sums: macro precision, recall or F1.

    Attributes:
        classes: number of classes.
    """

    classes: int = 0

    def rate(self, weights: np.ndarray | int = 1) -> float:
        """Computes the score of the split; see `PerExampleScores.rate`."""
        if self.answers is None or self.labels is None:
            raise ValueError(f"{self.name} needs answers and labels. Received: None")
        weights = np.broadcast_to(weights, self.labels.shape)
        cells = np.bincount(self.labels * self.classes + self.answers, weights, self.classes**2)
        confusion = cells.reshape(self.classes, self.classes)
        scores = classification.precision_recall_f1(confusion)[MACRO_SCORES.index(self.name)]
        return classification.macro_mean(scores, confusion)


def from_logits(name: str, logits: np.ndarray, labels: np.ndarray) -> PerExampleScores:
    """Computes the per-example scores of a classifier.

    Args:
        name: a score of `classification.score`.
        logits: (examples, classes).
        labels: class indices, (examples,).

    Returns:
        The scores, whose `rate` is that score.
    """
    answers, sizes = logits.argmax(axis=-1), np.ones(len(labels), int)
    counts = answers == labels
    if name in MACRO_SCORES:
        return MacroPerExampleScores(name, counts, sizes, answers, labels, classes=logits.shape[-1])
    if name == "loss":
        counts = classification.cross_entropies(logits, labels)
    elif name == "top5_accuracy":
        counts = (logits > logits[np.arange(len(labels)), labels][:, None]).sum(axis=-1) < 5
    return PerExampleScores(name, counts, sizes, answers, labels)


def paired_difference(scores: PerExampleScores, baseline: PerExampleScores, seed: int = 0) -> tuple[float, list[float]]:
    """Computes how far a score is above another one of the same examples.

    Args:
        scores: the scores of one model.
        baseline: the scores of another model on the same examples, in the same order.
        seed: of the bootstrap.

    Returns:
        The difference, and its 95 % interval [low, high]: a percentile bootstrap over the examples, each of which is
        drawn for both models (Efron 1979).
    """
    examples, random, differences = len(scores.sizes), np.random.default_rng(seed), []
    for _ in range(transcription.BOOTSTRAP_SAMPLES):
        weights = np.bincount(random.integers(examples, size=examples), minlength=examples)
        differences.append(scores.rate(weights) - baseline.rate(weights))
    interval = [float(bound) for bound in np.quantile(differences, [0.025, 0.975])]
    return scores.rate() - baseline.rate(), interval


def score_condition(name: str, counts: np.ndarray, sizes: np.ndarray) -> dict[str, Any]:
    """Computes the score of one condition, over all repetitions of its examples.

    Args:
        name: a key of `COUNTED`.
        counts: (repetitions, examples), see `PerExampleScores`.
        sizes: (examples,).

    Returns:
        {name: score, "interval": [low, high], and numerator and denominator by their names in `COUNTED`}. The 95 %
        interval is for the number of examples, however often each is repeated: Wilson's interval of an accuracy
        or a recall, a bootstrap over the examples of an error rate.
    """
    repetitions, examples = counts.shape
    count, size = COUNTED[name]
    if count in ("correct", "found"):
        interval = classification.wilson_interval(round(counts.mean() * examples), examples)
    else:
        interval = transcription.bootstrap_interval(counts.sum(axis=0), repetitions * sizes)
    total = repetitions * int(sizes.sum())
    return {name: float(counts.sum() / max(total, 1)), "interval": interval, count: int(counts.sum()), size: total}


def average_conditions(
    name: str, groups: Sequence[tuple[Sequence[np.ndarray], np.ndarray]]
) -> dict[str, float | list[float]]:
    """Computes the mean score over conditions, each with the same weight.

    Args:
        name: name of the score.
        groups: conditions with the same examples: the counts of each, (repetitions, examples), and the examples' sizes,
            (examples,).

    Returns:
        {name: mean, "interval": [low, high]}; the 95 % interval is a bootstrap over the examples of each group.
    """
    total, conditions = 0.0, sum(len(group) for group, _ in groups)
    samples = np.zeros(transcription.BOOTSTRAP_SAMPLES)
    for seed, (group, sizes) in enumerate(groups):
        share = len(group) / conditions
        counts, sizes = np.concatenate(group).sum(axis=0), sizes * sum(map(len, group))
        samples = samples + share * transcription.bootstrap_rates(counts, sizes, seed)
        total += share * float(counts.sum() / max(sizes.sum(), 1))
    return {name: total, "interval": [float(bound) for bound in np.quantile(samples, [0.025, 0.975])]}
