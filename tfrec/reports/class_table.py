"""How many examples each class has in each split, and how large its pictures are."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence

import numpy as np
import rich.box
from rich.table import Table
from rich.text import Text

from pipelines import paths
from pipelines.counts import counted, verb
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from pipelines.image_formats import headers

MAX_CLASSES = 20  # rows of the table


def class_table(corpus: Corpus) -> Table:
    """A row for each class; of many classes those with the fewest training examples.

    Args:
        corpus: a corpus with classes. The headers of pictures in files are read; others are decoded.
    """
    labels = {name: _labels(split) for name, split in corpus.splits.items()}
    counts = {name: np.bincount(of, minlength=len(corpus.class_names)) for name, of in labels.items()}
    shown = np.argsort(counts["train"], kind="stable")[:MAX_CLASSES]
    if len(corpus.class_names) <= MAX_CLASSES:
        shown = np.arange(len(corpus.class_names))
    left = len(corpus.class_names) - len(shown)
    caption = None
    if left:
        most = counted(int(counts["train"][shown].max()), "training example")
        caption = f"{counted(left, 'further class', 'further classes')} {verb(left, 'has', 'have')} {most} or more"
    table = Table(box=rich.box.SIMPLE, caption=caption)
    table.add_column("class", overflow="fold")
    for name in counts:
        table.add_column(name, justify="right")
    sizes = _sizes_by_class(corpus, labels) if corpus.modality == "image" else None
    if sizes:
        table.add_column("pixels, smallest to largest")
    for i in shown:
        cells = [f"{of[i]:,}" for of in counts.values()] + ([_range(sizes[i])] if sizes else [])
        table.add_row(Text(paths.shown(corpus.class_names[i])), *cells)
    return table


def _labels(split: Split) -> np.ndarray:
    if split.labels is not None:
        return split.labels
    return np.array([example["label"] for example in split.examples.as_numpy_iterator()], np.int64)


def _sizes_by_class(corpus: Corpus, labels: dict[str, np.ndarray]) -> list[list[tuple[int, int]]]:
    """Width and height of the pictures of each class."""
    result: list[list[tuple[int, int]]] = [[] for _ in corpus.class_names]
    for name, split in corpus.splits.items():
        for label, size in zip(labels[name], _sizes(split), strict=True):
            if size is not None:
                result[label].append(size)
    return result


def _sizes(split: Split) -> list[tuple[int, int] | None]:
    """Width and height of each picture of a split; None where its file cannot be read."""
    if split.rows is None:
        return [example["image"].shape[1::-1] for example in split.examples.as_numpy_iterator()]

    def attempt(path: str) -> tuple[int, int] | None:
        try:
            info = headers.probe(path)
        except UserError:
            return None
        return info.width, info.height

    with concurrent.futures.ThreadPoolExecutor() as threads:
        return list(threads.map(attempt, [row.path for row in split.rows]))


def _range(sizes: Sequence[tuple[int, int]]) -> str:
    """The smallest and the largest picture, and how many are in portrait format."""
    if not sizes:
        return "-"
    ordered = sorted(sizes, key=lambda size: size[0] * size[1])
    first, last = (f"{width} x {height}" for width, height in (ordered[0], ordered[-1]))
    text = first if len(set(sizes)) == 1 else f"{first} to {last}"
    upright = sum(height > width for width, height in sizes)
    return f"{text}, {upright:,} upright" if 0 < upright < len(sizes) else text
