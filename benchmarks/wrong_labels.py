"""How many planted wrong labels `tfrec check --labels` finds.

`python -m benchmarks.wrong_labels [EXPERIMENT | DATA] [FLAGS of tfrec check]`. Gives a share of the training and
validation examples the label of another class, drawn with the seed of `--seed`, and prints the share of them among the
first 3 % of the list, and among those that are suspected. The test split is left out.
"""

import dataclasses
import logging
import sys
import time

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Corpus
from tfrec.commands.check import Arguments
from tfrec.config import flags
from tfrec.labels import report
from tfrec.training import session

SHARE, LISTED = 0.02, 0.03


def plant(corpus: Corpus, random: np.random.Generator) -> tuple[Corpus, dict[str, np.ndarray]]:
    """A corpus without its test split and with wrong labels, and which they are in each split."""
    splits, planted = {}, {}
    for name in ("train", "validation"):
        split = corpus.splits[name]
        labels = np.array(split.labels if split.labels is not None else [e["label"] for e in split.examples])
        wrong = np.zeros(len(labels), bool)
        wrong[random.permutation(len(labels))[: round(SHARE * len(labels))]] = True
        shift = random.integers(1, len(corpus.class_names), len(labels))
        labels = np.where(wrong, (labels + shift) % len(corpus.class_names), labels).astype("int64")
        others = tf.data.Dataset.from_tensor_slices(labels)
        splits[name] = split.combined(others, lambda example, label: {**example, "label": label}, labels=labels)
        planted[name] = wrong
    return dataclasses.replace(corpus, splits=splits), planted


def main() -> None:
    """Plants, finds and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _, arguments = flags.parse_fit(sys.argv[1:], Arguments)
    config, corpus = session.resolve(flags.to_config(arguments))
    corpus, planted = plant(corpus, np.random.default_rng(config.seed))
    started = time.perf_counter()
    labels = report.find(config, corpus, {}, arguments.folds, arguments.fold_steps)
    seconds = time.perf_counter() - started
    wrong = np.concatenate(list(planted.values()))[[label.number for label in labels]]
    suspected = np.array([label.suspected for label in labels])
    contradicted = np.array([label.contradicted for label in labels])
    listed = round(LISTED * len(labels))
    print(
        f"{wrong.sum():,} of {len(labels):,} labels are wrong: {wrong[:listed].sum() / wrong.sum():.1%} of them are"
        f" among the first {listed:,}; {suspected.sum():,} are suspected, {wrong[suspected].sum():,} of them rightly;"
        f" {contradicted.sum():,} are contradicted by near copies, {wrong[contradicted].sum():,} of them rightly;"
        f" {seconds / 60:.1f} minutes"
    )
    print(report.summary(labels))


if __name__ == "__main__":
    main()
