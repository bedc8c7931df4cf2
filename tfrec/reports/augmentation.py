"""A grid of examples, each as in evaluation and several times augmented as in training."""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines import assemble, datasets, frontends
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.reports import grid

if TYPE_CHECKING:
    from tfrec.config.schema import Config

POOL = 1000  # the examples are chosen among the first ones of a split, since all up to the last of them are read

Tensor = Any


def draw(config: "Config", split_name: str, rows: int, columns: int, path: pathlib.Path) -> tuple[int, bool]:
    """Draws the grid into a PNG file; images are drawn before they are normalized.

    Args:
        config: data, frontend and seed; the seed decides which examples are drawn, and how they are augmented.
        split_name: "train", "validation" or "test".
        rows: number of examples.
        columns: number of versions of each example, the first of them without augmentation.
        path: PNG file to write.

    Returns:
        The number of examples that were drawn, and whether augmentation changes any.
    """
    data = frontends.with_picture_size(config.data, config.frontend)
    corpus = datasets.load(data, getattr(config.frontend, "sample_rate_hz", None))
    resolved = frontends.resolve(config.frontend, corpus)
    # Raw batches, and images in a range that can be drawn.
    drawable: dict[str, Any] = {"normalize": "unit"} if resolved.name == "image" else {}
    if len(corpus.inputs) > 1:
        raise UserError(f"{corpus.name} has pairs, of which no augmentation is drawn: show that of a part alone.")
    resolved = dataclasses.replace(resolved, placement="device", **drawable)
    split, names = _named_split(corpus, split_name)
    split = choose_examples(split, rows, config.seed)
    frontend = frontends.build(resolved, augment=True, seed=config.seed, split=split)
    batch = next(iter(assemble.evaluation_batches(split, frontend, split.size)))
    inputs, labels = _shuffle(batch, config.seed)
    versions = [frontend(inputs, training=column > 0) for column in range(columns)]
    row_names = [names[label] for label in labels.numpy()]
    title = f"{corpus.name}, {split_name} split\nleft: as in evaluation"
    if resolved.name == "image":
        mixing = frontends.build_mix(resolved, config.seed)
        changed = _draw_images(versions, mixing, row_names, title, path)
    else:
        changed = _draw_spectrograms(versions, frontend.config.hop_ms, row_names, title, path)
    return split.size, changed


def _named_split(corpus: Corpus, name: str) -> tuple[Split, Sequence[str]]:
    """A split, and a name for each of its labels; transcripts are numbered, and their numbers are the labels."""
    split = corpus.splits[name]
    if corpus.class_names:
        return split, corpus.class_names
    texts = split.texts or [""] * split.size
    examples = split.examples.enumerate().map(lambda number, example: {**example, "label": number})
    return dataclasses.replace(split, examples=examples), texts


def choose_examples(split: Split, count: int, seed: int) -> Split:
    """Chooses random examples among the first POOL of a split.

    Args:
        split: the split; where its labels are known, the classes take turns.
        count: number of examples.
        seed: of the choice.

    Returns:
        A split of `count` examples, or of all where there are fewer.
    """
    order = np.random.default_rng(seed).permutation(min(split.size, POOL))
    if split.labels is not None:
        seen: collections.Counter[int] = collections.Counter()
        rounds = []
        for label in split.labels[order]:
            rounds.append(seen[label])
            seen[label] += 1
        order = order[np.argsort(rounds, kind="stable")]
    kept = np.zeros(len(order), bool)
    kept[order[:count]] = True
    pairs = tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(kept), split.examples)
    examples = pairs.filter(lambda keep, _: keep).map(lambda _, example: example).take(count)
    return Split(examples, int(kept.sum()))


def _shuffle(batch: Any, seed: int) -> Any:
    """A batch in random order, as in training: mixing uses neighbors, and many corpora are sorted by class."""
    order = np.random.default_rng(seed).permutation(len(batch[1]))
    return tf.nest.map_structure(lambda values: tf.gather(values, order), batch)


def _draw_images(versions: Sequence[Tensor], mixing: Any, names: list[str], title: str, path: pathlib.Path) -> bool:
    """Draws all versions of a batch of images; returns whether any differs from the first."""
    notes = None
    if mixing is not None:
        versions, weights = zip(*(mixing(batch, training=i > 0) for i, batch in enumerate(versions)), strict=True)
        notes = [[_mix_note(names, row, weight) for row, weight in enumerate(column.numpy())] for column in weights]
    images = np.clip(np.stack(versions), 0, 1)
    grid.images(images, names, notes, title, path)
    return not np.array_equal(images[1:], np.broadcast_to(images[:1], images[1:].shape))


def _mix_note(names: Sequence[str], row: int, weight: float) -> str:
    """The shares of a mixed example, whose partner is the example before it."""
    if weight > 0.995:
        return grid.truncate(names[row])
    return f"{weight:.0%} {grid.truncate(names[row])}\n{1 - weight:.0%} {grid.truncate(names[row - 1])}"


def _draw_spectrograms(
    versions: Sequence[Tensor], hop_ms: float, names: list[str], title: str, path: pathlib.Path
) -> bool:
    """Draws all versions of a batch of clips without their padding; returns whether any differs from the first."""
    frames = versions[0]["frames"].numpy()
    features = [batch["features"].numpy() for batch in versions]
    clips = [[clip[:count] for clip, count in zip(batch, frames, strict=True)] for batch in features]
    grid.spectrograms(clips, frames * hop_ms / 1000, names, title, path)
    return any(not np.array_equal(batch, features[0]) for batch in features[1:])
