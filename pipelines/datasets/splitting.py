"""Cuts examples into splits, seeded."""

import math
from collections.abc import Sequence

import numpy as np

from pipelines.datasets.base import DataConfig
from pipelines.datasets.files import Row
from pipelines.errors import UserError


def split_indices(
    labels: np.ndarray, fraction: float, seed: int, groups: Sequence | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts 0..n-1 in two, every class in proportion.

    Args:
        labels: `(examples,)`, the classes.
        fraction: Of the examples, or of the groups, that are taken.
        seed: The same arguments give the same result.
        groups: `(examples,)`, such as speakers: no group is on both sides, and classes are not kept in proportion.

    Returns:
        (kept, taken), both sorted int64 indices.

    Raises:
        UserError: A side would be empty, or a class has fewer than two examples.
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split  # 1 s to import

    labels = np.asarray(labels)
    indices = np.arange(len(labels))
    _require_enough(labels, fraction, groups)
    try:
        if groups is None:
            kept, taken = train_test_split(indices, test_size=fraction, random_state=seed, stratify=labels)
        else:
            splitter = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=seed)
            kept, taken = next(splitter.split(indices, labels, groups))
    except ValueError as error:
        raise UserError(f"Cannot take {fraction:.3g} of {len(labels)} examples as a split: {error}") from error
    return np.sort(kept), np.sort(taken)


def split_rows(
    rows: Sequence[Row], labels: np.ndarray, config: DataConfig, by: str | None = None
) -> dict[str, np.ndarray]:
    """Cuts rows into splits: the rows' own, and fractions where they name no validation or no test split.

    Args:
        rows: One per example.
        labels: int64 `(examples,)`, the classes; zeros where there are none, for a random split.
        config: Its fractions and seed apply.
        by: "speaker" or "group": fractions take whole ones, whatever their classes. None: fractions take at least one
            example of every class.

    Returns:
        Split name -> sorted indices of rows.

    Raises:
        UserError: A split would be empty, or a class is not in the training split.
    """
    remaining = np.array([i for i, row in enumerate(rows) if row.split in ("", "train")], np.int64)
    groups = np.array([getattr(row, by) for row in rows]) if by else None
    if groups is None:
        _require_every_class(rows, labels, remaining)
    parts = {}
    for name, fraction in (("test", config.test_fraction), ("validation", config.validation_fraction)):
        parts[name] = np.array([i for i, row in enumerate(rows) if row.split == name], np.int64)
        if len(parts[name]) == 0:
            if groups is not None:
                kept, taken = split_indices(labels[remaining], fraction, config.split_seed, groups[remaining])
            else:
                least = len(np.unique(labels[remaining])) / max(1, len(remaining))
                kept, taken = split_indices(labels[remaining], max(fraction, least), config.split_seed)
            remaining, parts[name] = remaining[kept], remaining[taken]
    trained = set(labels[remaining].tolist())
    for name, indices in parts.items():
        for i in indices:
            if labels[i] not in trained:
                row = rows[i]
                raise UserError(
                    f"Class {row.label!r} of {row.where or row.path} is in {name} but not in train: add examples of it."
                )
    return {"train": remaining, **parts}


def _require_every_class(rows: Sequence[Row], labels: np.ndarray, remaining: np.ndarray) -> None:
    """UserError where a class has fewer examples than there are splits to fill from `remaining`."""
    missing = [name for name in ("test", "validation") if all(row.split != name for row in rows)]
    for label, count in zip(*np.unique(labels[remaining], return_counts=True), strict=True):
        if count <= len(missing):
            row = next(row for i, row in enumerate(rows) if labels[i] == label)
            subject = f"Class {row.label!r} has" if row.label else "The corpus has"
            raise UserError(f"{subject} too few examples, {count}: train, {' and '.join(missing)} need one each.")


def _require_enough(labels: np.ndarray, fraction: float, groups: Sequence | np.ndarray | None) -> None:
    """UserError, in our words and not scikit-learn's, where a side of the cut would lack something."""
    start = f"Cannot take {fraction:.3g} of {len(labels)} examples as a split"
    remedy = "change data.test_fraction or data.validation_fraction, or add examples."
    if groups is not None:
        count = len(np.unique(groups))
        taken = math.ceil(fraction * count)
        if not 0 < taken < count:
            raise UserError(f"{start}: that would be {taken} of {count} groups; {remedy}")
        return
    classes, counts = np.unique(labels, return_counts=True)
    taken = math.ceil(fraction * len(labels))
    if len(counts) == 0 or counts.min() < 2:
        raise UserError(f"{start}: the rarest class has {counts.min(initial=1)}, and both sides need one; {remedy}")
    if min(taken, len(labels) - taken) < len(classes):
        raise UserError(
            f"{start}: that makes sides of {len(labels) - taken} and {taken} examples, too few for {len(classes)}"
            f" classes; {remedy}"
        )
