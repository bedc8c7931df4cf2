"""A corpus whose training split holds the examples of its validation split too, for a last training."""

import dataclasses

import numpy as np
import tensorflow as tf

NOTE = "Trained on the validation examples too (data.train_on_validation): those scores say nothing."


def joined(corpus, config):
    """The corpus, with `config.train_on_validation` the validation examples behind those of the training split."""
    if not config.train_on_validation:
        return corpus
    train = _one_after_another(corpus.splits["train"], corpus.splits["validation"])
    return dataclasses.replace(corpus, splits={**corpus.splits, "train": train}, notes=(*corpus.notes, NOTE))


def _one_after_another(first, second):
    examples = first.examples.concatenate(second.examples)
    size = first.size + second.size
    fields = {"examples": examples.apply(tf.data.experimental.assert_cardinality(size)), "size": size}
    for field in dataclasses.fields(first):
        if field.name not in fields:
            fields[field.name] = _together(getattr(first, field.name), getattr(second, field.name))
    return dataclasses.replace(first, **fields)


def _together(first, second):
    """Two lists as one, or two arrays; None where one is not known."""
    if first is None or second is None:
        return None
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else [*first, *second]
