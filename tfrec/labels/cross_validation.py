"""Probabilities of each example by a network that was trained on the others."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import sparse, special
from sklearn.model_selection import StratifiedKFold

from pipelines.counts import counted, verb
from pipelines.datasets import selection
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.config.schema import Config
from tfrec.recognizer import Recognizer
from tfrec.tasks.base import source_names
from tfrec.training import loop

logger = logging.getLogger(__name__)


def pool(corpus: Corpus) -> Split:
    """All splits of a corpus with classes as one, in the order train, validation, test; sources name every example."""
    splits = {name: split for name, split in corpus.splits.items() if split.size}
    names = [
        path if split.sources is not None else f"{name} {path}"
        for name, split in splits.items()
        for path in source_names(split)
    ]
    rows = [row for split in splits.values() for row in split.rows or ()]
    return Split(
        _joined([split.examples for split in splits.values()]),
        len(names),
        labels=np.concatenate([split.read_labels() for split in splits.values()]),
        sources=names,
        rows=rows if len(rows) == len(names) else None,
    )


def split_names(corpus: Corpus) -> list[str]:
    """The split of each example of `pool`."""
    return [name for name, split in corpus.splits.items() for _ in range(split.size)]


def folds_of(
    labels: np.ndarray, class_names: Sequence[str], folds: int, seed: int, copies: Sequence[tuple[int, int]] = ()
) -> np.ndarray:
    """Assigns examples to folds, each with about the same share of every class.

    Near copies are in one fold: a network that has seen the one knows the label of the other.

    Args:
        labels: Indices of classes, (examples,).
        class_names: Names of the classes.
        folds: Number of folds.
        seed: Of the assignment.
        copies: Pairs of examples.

    Returns:
        The fold of each example, from 0.

    Raises:
        UserError: There is only one class, or one with fewer examples than folds.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    if np.count_nonzero(counts) < 2:
        raise UserError(
            f"--labels: all examples are {class_names[int(counts.argmax())]}: at least two classes are needed."
        )
    rarest = int(np.where(counts, counts, counts.max()).argmin())
    if counts[rarest] < folds:
        count = int(counts[rarest])
        raise UserError(
            f"--labels: {counted(count, 'example')} of {class_names[rarest]} {verb(count, 'is', 'are')} too few for"
            f" --folds {folds}: lower it to 2 or more, add examples, or leave the class out by data.only_classes."
        )
    found = np.zeros(len(labels), int)
    for number, (_, held_out) in enumerate(
        StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    ):
        found[held_out] = number
    first, second = np.array(copies, int).reshape(-1, 2).T
    pairs = sparse.coo_matrix((np.ones(len(first)), (first, second)), (len(labels), len(labels)))
    _, cluster = sparse.csgraph.connected_components(pairs, directed=False)
    return found[np.unique(cluster, return_index=True)[1][cluster]]  # that of the first of each cluster


def probabilities(
    build: Callable[[Config], Recognizer],
    config: Config,
    corpus: Corpus,
    folds: np.ndarray,
    steps: int,
) -> np.ndarray:
    """Trains a network for each fold on the other folds, and lets it answer to the examples of the fold.

    Args:
        build: From the configuration to a fresh recognizer.
        config: The settings of the training; there is no validation, and the weights of the last epoch answer.
        corpus: The data, all of whose splits are used.
        folds: The fold of each example of `pool`, from 0.
        steps: Of each training at least, in whole epochs, unless `fit.epochs` is fewer.

    Returns:
        (examples, classes), float64.
    """
    splits, found = list(corpus.splits.values()), None
    for fold in np.unique(folds):
        training, held_out = _subset(splits, folds != fold), _subset(splits, folds == fold)
        fit = config.fit
        epochs = min(fit.epochs, math.ceil(steps / math.ceil(training.size / fit.batch_size)))
        shorter = dataclasses.replace(
            fit,
            epochs=epochs,
            head_epochs=min(fit.head_epochs, epochs - 1),
            warmup_epochs=fit.warmup_epochs * epochs / fit.epochs,
        )
        recognizer = build(dataclasses.replace(config, fit=shorter))
        loop.train_on(recognizer, training)
        logits, labels = recognizer.outputs(held_out, fit.batch_size)
        answers = special.softmax(logits.astype("float64"), axis=-1)
        if found is None:
            found = np.zeros((len(folds), answers.shape[1]))
        found[folds == fold] = answers
        accuracy = float((answers.argmax(axis=-1) == labels).mean())
        logger.info(
            "Fold %d: after %s on %s the network agrees with %.1f %% of the labels of the other %s",
            fold + 1,
            counted(epochs, "epoch"),
            counted(training.size, "example"),
            100 * accuracy,
            f"{held_out.size:,}",
        )
    assert found is not None
    return found


def _subset(splits: Sequence[Split], chosen: np.ndarray) -> Split:
    """The chosen examples of several splits; `chosen` has a boolean for each."""
    offsets = np.cumsum([split.size for split in splits])[:-1]
    parts = [
        selection.subset(split, mask)
        for split, mask in zip(splits, np.split(chosen, offsets), strict=True)
        if mask.any()
    ]
    labels = np.concatenate([split.read_labels() for split in splits if split.size])[chosen]
    has_seconds = all(split.seconds is not None for split in splits)
    seconds = np.concatenate([split.seconds for split in splits])[chosen] if has_seconds else None
    return Split(_joined([part.examples for part in parts]), int(chosen.sum()), labels=labels, seconds=seconds)


def _joined(examples: Sequence[tf.data.Dataset]) -> tf.data.Dataset:
    return functools.reduce(lambda all_before, more: all_before.concatenate(more), examples)
