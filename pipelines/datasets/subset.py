"""Some classes of a corpus, and some examples of each."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError, unknown


def subset(corpus, config):
    """The corpus with `config.only_classes` alone, and at most `config.examples_per_class` of each to train on.

    Which examples those are follows from `config.split_seed`. Raises UserError for a class that the corpus lacks.
    """
    if not config.only_classes and config.examples_per_class is None:
        return corpus
    if not corpus.class_names:
        raise UserError(
            f"{corpus.name} has transcripts and no classes: leave out data.only_classes and data.examples_per_class."
        )
    names = tuple(config.only_classes) or corpus.class_names
    for name in names:
        if name not in corpus.class_names:
            raise unknown(f"class of {corpus.name} in data.only_classes", name, corpus.class_names)
    # Where a class stands in the new list; -1 is nowhere.
    places = np.array([names.index(name) if name in names else -1 for name in corpus.class_names])
    splits = {}
    for name, split in corpus.splits.items():
        limit = config.examples_per_class if name == "train" else None
        splits[name] = _taken(split, places, limit, config.split_seed)
    return dataclasses.replace(corpus, class_names=names, splits=splits)


def _taken(split, places, limit, seed):
    labels = split.labels
    if labels is None:
        labels = np.array([label.numpy() for label in split.examples.map(lambda example: example["label"])])
    labels = places[np.asarray(labels, int)]
    kept = labels >= 0
    if limit is not None:
        order = np.random.default_rng(seed).permutation(len(labels))
        for place in range(labels.max(initial=-1) + 1):
            kept[order[labels[order] == place][limit:]] = False
    size = int(np.count_nonzero(kept))
    pairs = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices((kept, labels)), split.examples))
    examples = pairs.filter(lambda mark, _: mark[0]).map(lambda mark, example: {**example, "label": mark[1]})

    def chosen(values):
        return values and [value for value, keep in zip(values, kept, strict=True) if keep]

    return dataclasses.replace(
        split,
        examples=examples.apply(tf.data.experimental.assert_cardinality(size)),
        size=size,
        labels=labels[kept],
        sources=chosen(split.sources),
        conditions=chosen(split.conditions),
        texts=chosen(split.texts),
        speakers=chosen(split.speakers),
        groups=chosen(split.groups),
        seconds=None if split.seconds is None else split.seconds[kept],
    )
