"""The examples of a corpus that a config selects: some classes, some of each, validation examples to train on."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.datasets import files
from pipelines.datasets.base import OTHERS, UNKNOWN, Corpus, DataConfig, Split
from pipelines.errors import UserError, unknown

_OF_EXAMPLES = ("examples", "size", "undecoded")  # the fields of a Split without an entry per example

JOINED_NOTE = "Trained on the validation examples too (data.train_on_validation): their scores are meaningless."


def select_classes(corpus: Corpus, config: DataConfig) -> Corpus:
    """Selects `config.only_classes`, and at most `config.examples_per_class` training examples of each.

    Args:
        corpus: A corpus with classes, unless the config selects nothing.
        config: `split_seed` decides which examples are selected.

    Returns:
        The corpus with the selected examples, in the same order.

    Raises:
        UserError: The corpus has no classes, or not one that is named.
    """
    if not config.only_classes and config.examples_per_class is None:
        return corpus
    if not corpus.class_names:
        raise UserError(f"{corpus.name} has no classes: leave out data.only_classes and data.examples_per_class.")
    names = tuple(config.only_classes) or corpus.class_names
    for name in names:
        if name not in corpus.class_names:
            raise unknown(f"class of {corpus.name} in data.only_classes", name, corpus.class_names)
    # The new index of each class; -1 where it is left out.
    others = len(names) if config.unknown == OTHERS else -1
    new_indices = np.array([names.index(name) if name in names else others for name in corpus.class_names])
    splits = {}
    for name, split in corpus.splits.items():
        limit = config.examples_per_class if name == "train" else None
        splits[name] = _selected(split, new_indices, limit, config.split_seed, others)
    names = names if others < 0 else (*names, UNKNOWN)
    return dataclasses.replace(corpus, class_names=names, splits=splits)


def take_fraction(corpus: Corpus, config: DataConfig) -> Corpus:
    """Selects `config.train_fraction` of the training examples, at least one of each class.

    Args:
        corpus: Any corpus.
        config: `split_seed` decides which examples are selected: those of a smaller fraction are among those of a
            larger one.

    Returns:
        The corpus with the selected training examples, in the same order.
    """
    if config.train_fraction == 1:
        return corpus
    split = corpus.splits["train"]
    classes = split.read_labels() if corpus.class_names else np.zeros(split.size, int)
    order, kept = np.random.default_rng(config.split_seed).permutation(split.size), np.zeros(split.size, bool)
    for index in np.unique(classes):
        members = order[classes[order] == index]
        # Rounded first: 0.1 * 30 is above 3.
        kept[members[: math.ceil(round(config.train_fraction * len(members), 6))]] = True
    return dataclasses.replace(corpus, splits={**corpus.splits, "train": subset(split, kept)})


def join_validation(corpus: Corpus, config: DataConfig) -> Corpus:
    """Appends the validation examples to the training split, for a last training.

    Args:
        corpus: Any corpus.
        config: Nothing happens without its `train_on_validation`.

    Returns:
        The corpus; a note says that the validation scores are meaningless.
    """
    if not config.train_on_validation:
        return corpus
    train = append(corpus.splits["train"], corpus.splits["validation"])
    return dataclasses.replace(corpus, splits={**corpus.splits, "train": train}, notes=(*corpus.notes, JOINED_NOTE))


def _selected(split: Split, new_indices: np.ndarray, limit: int | None, seed: int, others: int) -> Split:
    """A split without the classes whose new index is -1, with at most `limit` examples of each other class.

    Of the class `others`, which is made of many, stay as many as of another class on average.
    """
    labels = new_indices[split.read_labels()]
    kept = labels >= 0
    counts = np.bincount(labels[kept], minlength=others + 1)
    mean = math.ceil(np.mean(counts[:others])) if others > 0 else None
    order = np.random.default_rng(seed).permutation(len(labels))
    for index in range(len(counts)):
        limits = [most for most in (limit, mean if index == others else None) if most is not None]
        if limits:
            kept[order[labels[order] == index][min(limits) :]] = False

    fields = _kept(split, kept) | {"labels": labels[kept]}
    if others >= 0 and fields["rows"]:  # a record of them must have the class
        fields["rows"] = [
            dataclasses.replace(row, label=UNKNOWN) if label == others else row
            for row, label in zip(fields["rows"], fields["labels"], strict=True)
        ]
    marks = tf.data.Dataset.from_tensor_slices((kept, labels))
    return split.combined(
        marks, lambda example, mark: {**example, "label": mark[1]}, keep=lambda mark: mark[0], **fields
    )


def subset(split: Split, kept: np.ndarray) -> Split:
    """Selects examples of a split.

    Args:
        split: A split.
        kept: bool `(examples,)`, those that stay.

    Returns:
        The split with these, in the same order.
    """
    marks = tf.data.Dataset.from_tensor_slices(kept)
    return split.combined(marks, lambda example, mark: example, keep=lambda mark: mark, **_kept(split, kept))


def _kept(split: Split, kept: np.ndarray) -> dict[str, Any]:
    """The fields of a split with an entry per example, and its size, with the examples that stay."""

    def chosen(values: Any) -> Any:
        if isinstance(values, np.ndarray):
            return values[kept]
        return values and [value for value, keep in zip(values, kept, strict=True) if keep]

    return _per_example(split, chosen) | {"size": int(np.count_nonzero(kept))}


def append(first: Split, second: Split) -> Split:
    """Joins two splits.

    Args:
        first: A split.
        second: Examples of the same kind.

    Returns:
        The examples of the first split, then those of the second. A field that one of them lacks is None, but for
        `rows`: examples that are in no file have a Row without a path.
    """

    def joined(values: Any, others: Any) -> Any:
        if values is None or others is None:
            return None
        return np.concatenate([values, others]) if isinstance(values, np.ndarray) else [*values, *others]

    fields = _per_example(first, joined, second)
    if first.rows is not None or second.rows is not None:
        fields["rows"] = [row for split in (first, second) for row in split.rows or [files.Row("")] * split.size]
    size, early, late = first.size + second.size, first.late(), second.late()
    if early and late:
        decoders = [early.decode, late.decode]
        specs = [early.rows.element_spec, late.rows.element_spec]
        rows = [part.rows.map(_in_place(i, specs)) for i, part in enumerate((early, late))]
        both = rows[0].concatenate(rows[1])
        return Split.from_rows(both, lambda row: _decoded_by(decoders, *row), size, **fields)
    examples = first.examples.concatenate(second.examples)
    return Split(examples.apply(tf.data.experimental.assert_cardinality(size)), size, **fields)


def _in_place(number: int, specs: Sequence[Any]) -> Callable[..., Any]:
    """A function from an element of dataset `number` to (number, elements): empty ones of the other datasets."""

    def empty(spec: tf.TensorSpec) -> Any:
        return tf.zeros([size or 0 for size in spec.shape], spec.dtype)

    def element(*row: Any) -> Any:
        elements = [tf.nest.map_structure(empty, spec) for spec in specs]
        elements[number] = row[0] if len(row) == 1 else row
        return number, tuple(elements)

    return element


def _decoded_by(decoders: Sequence[Callable[[Any], Any]], number: Any, elements: Sequence[Any]) -> Any:
    """The example of an element of the dataset with this number."""
    return tf.cond(tf.equal(number, 0), lambda: decoders[0](elements[0]), lambda: decoders[1](elements[1]))


def _per_example(split: Split, function: Callable[..., Any], *others: Split) -> dict[str, Any]:
    """Field name -> the function's result for that field of all splits; fields with an entry per example only."""
    names = [field.name for field in dataclasses.fields(Split) if field.name not in _OF_EXAMPLES]
    return {name: function(*(getattr(each, name) for each in (split, *others))) for name in names}
