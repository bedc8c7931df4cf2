"""Draw examples as evaluation sees them and as augmentation changes them: `python -m tfrec show`."""

import collections
import dataclasses
import pathlib
import re
from typing import Literal

import numpy as np
import tensorflow as tf

from pipelines import assemble, datasets, frontends
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.reports import grid
from tfrec.utils import console

POOL = 1000  # the rows are chosen among so many examples, since all up to the last that is taken must be read


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Draw examples into a PNG: on the left as evaluation sees them, then augmented, as training does.

    Takes the flags of `python -m tfrec.fit`, and without an experiment shows the digits, as that does. The seed decides
    which examples are taken and how they are changed. Pictures are drawn before they are normalized.
    """

    config: str | None = None  # a run's config.json, which flags then change
    rows: int = 8  # examples
    columns: int = 8  # looks at each, the first of them without augmentation
    split: Literal["train", "validation", "test"] = "train"  # where the examples come from
    out: str | None = None  # PNG to write, over an older one too; None is show-NAME.png

    def __post_init__(self):
        super().__post_init__()
        for field, least in (("rows", 1), ("columns", 2)):
            if not least <= getattr(self, field) <= 50:
                raise ValueError(f"{field} must be from {least} to 50. Received: {getattr(self, field)}")


def main(argv):
    """Writes the grid of a configuration."""
    experiment, arguments = flags.parse_fit(argv, Arguments, "python -m tfrec show")
    path = _writable(arguments.out or f"show-{re.sub('[^A-Za-z0-9_.-]', '-', experiment or arguments.data.name)}.png")
    corpus = datasets.load(arguments.data, getattr(arguments.frontend, "sample_rate_hz", None))
    config = frontends.resolve(arguments.frontend, corpus)
    # Raw batches, and pictures in a range that can be drawn, whatever training does.
    drawable = {"normalize": "unit"} if config.name == "image" else {}
    config = dataclasses.replace(config, placement="device", **drawable)
    split, told = corpus.splits[arguments.split], corpus.class_names
    if not told:  # but texts, which take the place of labels by their numbers
        told = split.texts or [""] * split.size
        numbered = split.examples.enumerate().map(lambda number, example: {**example, "label": number})
        split = dataclasses.replace(split, examples=numbered)
    split = _some(split, arguments.rows, arguments.seed)
    frontend = frontends.build(config, augment=True, seed=arguments.seed, split=split)
    inputs, labels = _shuffled(next(iter(assemble.evaluation_batches(split, frontend, split.size))), arguments.seed)
    looks = [frontend(inputs, training=column > 0) for column in range(arguments.columns)]
    names = [told[label] for label in labels.numpy()]
    title = f"{corpus.name}, {arguments.split} split\nleft: as evaluation sees them"
    if config.name == "image":
        changed = _draw_images(looks, frontends.build_mix(config, arguments.seed), names, title, path)
    else:
        changed = _draw_spectrograms(looks, config.hop_ms, names, title, path)
    if not changed:
        console.console.print("Every look at an example is the same: no augmentation is on.")
    console.console.print(f"{split.size} examples of the {arguments.split} split are in {path}.")
    return 0


def _draw_images(looks, mixing, names, title, path):
    """Draws every look at a batch of images; returns whether any differs from the first."""
    notes = None
    if mixing is not None:
        looks, weights = zip(*(mixing(look, training=i > 0) for i, look in enumerate(looks)), strict=True)
        notes = [[_note(names, row, weight) for row, weight in enumerate(column.numpy())] for column in weights]
    pictures = np.clip(np.stack(looks), 0, 1)
    grid.images(pictures, names, notes, title, path)
    return not np.array_equal(pictures[1:], np.broadcast_to(pictures[:1], pictures[1:].shape))


def _note(names, row, weight):
    """What of whom is in a mixed example; its partner is the one before it."""
    if weight > 0.995:
        return grid.truncate(names[row])
    return f"{weight:.0%} {grid.truncate(names[row])}\n{1 - weight:.0%} {grid.truncate(names[row - 1])}"


def _draw_spectrograms(looks, hop_ms, names, title, path):
    """Draws every look at a batch of clips, each as far as it goes; returns whether any differs from the first."""
    frames = looks[0]["frames"].numpy()
    looks = [look["features"].numpy() for look in looks]
    clips = [[clip[:count] for clip, count in zip(look, frames, strict=True)] for look in looks]
    grid.spectrograms(clips, frames * hop_ms / 1000, names, title, path)
    return any(not np.array_equal(look, looks[0]) for look in looks[1:])


def _some(split, count, seed):
    """A few examples of the first POOL of a split, of different classes as far as its labels are known."""
    order = np.random.default_rng(seed).permutation(min(split.size, POOL))
    if split.labels is not None:
        seen = collections.Counter()
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


def _shuffled(batch, seed):
    """A batch in another order, as it is for training: mixing takes neighbors, and many corpora go class by class."""
    order = np.random.default_rng(seed).permutation(len(batch[1]))
    return tf.nest.map_structure(lambda values: tf.gather(values, order), batch)


def _writable(name):
    """The path of a PNG that can be written; UserError otherwise."""
    path = pathlib.Path(name)
    if path.suffix.lower() != ".png":
        raise UserError(f"The picture is a PNG: --out must end in .png. Received: {name}")
    if not path.parent.is_dir() or path.is_dir():
        raise UserError(f"Cannot write {path}: --out must be a file in a folder that is there.")
    return path
