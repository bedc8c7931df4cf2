"""What a dataset hands over, and how a corpus is cut into splits."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """A corpus and how it is split; a corpus's own splits go before the fractions."""

    name: str = ""  # dataset, see `python -m tfrec list`
    validation_fraction: float = 0.1  # of the training part, where the corpus names no validation split
    test_fraction: float = 0.2  # of everything, where the corpus names no test split
    split_seed: int = 0  # which examples the fractions and examples_per_class take
    only_classes: tuple[str, ...] = ()  # these, in this order; empty is all
    examples_per_class: int | None = None  # of the training split, so many of each class at most
    train_on_validation: bool = False  # train on those examples too: the validation scores then say nothing

    def __post_init__(self):
        for field in ("validation_fraction", "test_fraction"):
            value = getattr(self, field)
            if not 0 < value < 1:
                raise ValueError(f"data.{field} must be above 0 and below 1. Received: {value}")
        if self.examples_per_class is not None and self.examples_per_class < 1:
            raise ValueError(f"data.examples_per_class must be 1 or more. Received: {self.examples_per_class}")
        if len(self.only_classes) == 1 or len(set(self.only_classes)) < len(self.only_classes):
            raise ValueError(f"data.only_classes must name at least two, each once. Received: {self.only_classes}")


@dataclasses.dataclass(frozen=True)
class Split:
    """One part of a corpus: raw examples in a fixed order.

    `examples` yields dicts with either "image" (uint8, height x width x channels) or "audio" (float32 in [-1, 1],
    samples), and "label" (int64, scalar) where the corpus has classes. `size` counts them. What follows runs in the
    same order and is None where it is not known, or would take a pass over the data: `labels`; `sources` (a file's
    path or a clip's name); `conditions`, of a corpus that comes with noises: of each example (the noise, its ratio in
    decibels), which for clean speech is infinite; `texts`, transcripts as the corpus has them; `speakers`; `groups`,
    such as the languages of a corpus in several; `seconds`, float (examples,), how long each is; `numbers`, float32
    (examples,), targets of a regression, which are then each example's "label".
    """

    examples: tf.data.Dataset
    size: int
    labels: np.ndarray | None = None
    sources: Sequence[str] | None = None
    conditions: Sequence[tuple[str | None, float]] | None = None
    texts: Sequence[str] | None = None
    speakers: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    seconds: np.ndarray | None = None
    numbers: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Everything the rest of the program knows about a dataset.

    `modality` is "image" or "audio"; `class_names` is empty where there are transcripts instead; `splits` has the keys
    "train", "validation" and "test"; `sample_rate_hz` is the rate of every waveform (None for images).
    """

    name: str
    modality: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    sample_rate_hz: int | None = None
    notes: tuple[str, ...] = ()  # sentences that whoever reads a score must know


def split_indices(labels, fraction, seed, groups=None):
    """Cuts 0..n-1 in two: (kept, taken), `fraction` of them taken, every class in proportion.

    Sorted, and the same for the same arguments. With `groups` (one per example, such as speakers) no group stands on
    both sides. Raises UserError when a side would be empty or a class has fewer than two examples.
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split  # 1 s to import

    labels = np.asarray(labels)
    indices = np.arange(len(labels))
    _require_enough(labels, fraction, groups)
    try:
        if groups is None:
            kept, taken = train_test_split(indices, test_size=fraction, random_state=seed, stratify=labels)
        else:
            cut = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=seed)
            kept, taken = next(cut.split(indices, labels, groups))
    except ValueError as error:
        raise UserError(f"Cannot take {fraction:.3g} of {len(labels)} examples as a split: {error}") from error
    return np.sort(kept), np.sort(taken)


def _require_enough(labels, fraction, groups):
    """UserError, in our words and not scikit-learn's, where a side of the cut would lack something."""
    start = f"Cannot take {fraction:.3g} of {len(labels)} examples as a split"
    change = "change data.test_fraction or data.validation_fraction, or add examples."
    if groups is not None:
        count = len(np.unique(groups))
        taken = math.ceil(fraction * count)
        if not 0 < taken < count:
            raise UserError(f"{start}: that would be {taken} of {count} groups; {change}")
        return
    classes, counts = np.unique(labels, return_counts=True)
    taken = math.ceil(fraction * len(labels))
    if len(counts) == 0 or counts.min() < 2:
        raise UserError(f"{start}: the rarest class has {counts.min(initial=1)}, and both sides need one; {change}")
    if min(taken, len(labels) - taken) < len(classes):
        raise UserError(
            f"{start}: that makes sides of {len(labels) - taken} and {taken} examples, too few for {len(classes)}"
            f" classes; {change}"
        )
