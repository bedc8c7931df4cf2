"""Pictures and clips of the same classes as pairs."""

import dataclasses

import numpy as np

from pipelines.datasets import memory
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError


def pair(image_labels: np.ndarray, clip_labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pairs pictures and clips of the same class at random, so that each is in a pair.

    >>> pair(np.array([0, 1, 1]), np.array([1, 0]), np.random.default_rng(0)).tolist()
    [[0, 1], [1, 0], [2, 0]]

    Args:
        image_labels: `(images,)`.
        clip_labels: `(clips,)`; what is of a class that the other kind does not have is in no pair.
        random: Decides the pairs.

    Returns:
        int64 `(pairs, 2)`, indices of a picture and of a clip, sorted.
    """
    pairs = []
    for label in np.intersect1d(image_labels, clip_labels):
        members = [np.flatnonzero(labels == label) for labels in (image_labels, clip_labels)]
        count = max(map(len, members))
        columns = []
        for indices in members:
            rounds = [random.permutation(indices) for _ in range(-(-count // len(indices)))]
            columns.append(np.concatenate(rounds)[:count])
        pairs.append(np.stack(columns, axis=1))
    joined = np.concatenate(pairs)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]


def pair_with(own: Corpus, other: Corpus, split: str, seed: int = 0) -> Corpus:
    """Pairs new clips with the pictures of a corpus of pairs, or new pictures with its clips.

    Args:
        own: A corpus of pairs with classes; its pictures have one size.
        other: Clips or pictures of these classes, at the same sample rate.
        split: Of both; the Corpus has no other.
        seed: Decides the pairs.

    Returns:
        The Corpus, in memory.

    Raises:
        UserError: The pictures differ in size from those of the corpus.
    """
    of_own, of_other = own.splits[split], other.splits[split]
    new, kept = ("image", "audio") if other.modality == "image" else ("audio", "image")
    names = {new: list(of_other.sources or ()), kept: list(getattr(of_own, f"{kept}_sources"))}
    values = {new: [example[new] for example in of_other.examples.as_numpy_iterator()]}
    first = np.sort(np.unique(names[kept], return_index=True)[1])  # each once
    examples = list(of_own.examples.as_numpy_iterator())
    values[kept] = [examples[i][kept] for i in first]
    names[kept] = [names[kept][i] for i in first]
    labels = {new: np.asarray(of_other.labels), kept: np.asarray(of_own.labels)[first]}
    shapes = {picture.shape for picture in values["image"]}
    if len(shapes) > 1:
        raise UserError(f"The pictures of {other.name} have other sizes than those of {own.name}: resize them.")
    pairs = pair(labels["image"], labels["audio"], np.random.default_rng(seed))
    made = memory.pairs(
        np.stack(values["image"]), values["audio"], pairs, labels["image"][pairs[:, 0]], names["image"], names["audio"]
    )
    return dataclasses.replace(own, name=other.name, splits={split: made}, notes=other.notes)
