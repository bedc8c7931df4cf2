"""The likely wrong labels of a data set, as a page and a table.

labels.html    the most likely ones, with picture or sound; needs no other file
labels.csv     every example, the most likely ones first
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.counts import share, verb
from pipelines.datasets import near_duplicates
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config.schema import Config
from tfrec.labels import confident_learning, cross_validation
from tfrec.recognizer import Recognizer
from tfrec.reports.gallery import media, page
from tfrec.reports.pages import printable
from tfrec.training import session
from tfrec.utils import csv_text
from tfrec.utils.files import atomic_write

PAGE, TABLE = "labels.html", "labels.csv"
SHOWN_COPIES = 3  # of an example on the page


class Label(NamedTuple):
    """An example, and what the network and its near copies say about its label."""

    number: int  # in `cross_validation.pool`
    name: str
    split: str
    label: str
    likely: str
    label_probability: float
    likely_probability: float
    suspected: bool  # by the network
    contradicted: bool  # most of its near copies have another label
    copies: tuple[int, ...]


def find(config: Config, corpus: Corpus, weights: Mapping[str, Any], folds: int, steps: int) -> list[Label]:
    """Judges every label of a corpus by networks that were trained on the other examples, and by near copies.

    Args:
        config: Resolved settings of the training.
        corpus: The data.
        weights: Pretrained ones, see `pretrained_weights.find_all`.
        folds: Number of trainings.
        steps: Of each, see `cross_validation.probabilities`.

    Returns:
        The labels, the most likely wrong ones first: those that near copies contradict, then those that the networks
        suspect, then the others.

    Raises:
        UserError: The data has no classes, or too few examples of one.
    """
    pooled, names = cross_validation.pool(corpus), corpus.class_names
    labels = pooled.labels
    assert labels is not None
    cross_validation.folds_of(labels, names, folds, config.seed)  # an error must not wait
    copies = near_copies(corpus, pooled)
    assigned = cross_validation.folds_of(labels, names, folds, config.seed, copies)

    def build(changed: Config) -> Recognizer:
        recognizer = Recognizer(changed, tasks.labels(changed.task, corpus))
        session.load_pretrained(recognizer, weights)
        return recognizer

    found = cross_validation.probabilities(build, config, corpus, assigned, steps)
    return _ranked(corpus, pooled, found, copies)


def _ranked(corpus: Corpus, pooled: Split, found: np.ndarray, copies: Sequence[tuple[int, int]]) -> list[Label]:
    """The labels in the order of `find`, from probabilities (examples, classes) and pairs of near copies."""
    labels, sources, names = pooled.labels, pooled.sources, corpus.class_names
    assert labels is not None
    assert sources is not None
    judgment = confident_learning.judge(found, labels)
    neighbors: list[list[int]] = [[] for _ in labels]
    for first, second in copies:
        neighbors[first].append(second)
        neighbors[second].append(first)
    contradicted = np.array(
        [2 * sum(labels[j] != labels[i] for j in near) > len(near) for i, near in enumerate(neighbors)]
    )
    splits = cross_validation.split_names(corpus)
    return [
        Label(
            int(i),
            sources[i],
            splits[i],
            names[labels[i]],
            names[judgment.likely[i]],
            float(found[i, labels[i]]),
            float(found[i, judgment.likely[i]]),
            bool(judgment.suspected[i]),
            bool(contradicted[i]),
            tuple(neighbors[i]),
        )
        for i in np.lexsort((judgment.margin, ~judgment.suspected, ~contradicted))
    ]


def require_classes(recognizer: Recognizer) -> None:
    """Raises UserError for data without classes."""
    if recognizer.task.label_kind != "classes":
        raise UserError(
            f"--labels: task.name {recognizer.task.name} has no classes, whose probabilities could contradict a label;"
            " leave it out."
        )


def near_copies(corpus: Corpus, pooled: Split) -> list[tuple[int, int]]:
    """Pairs of near copies among all examples; none are searched among pairs of pictures and clips."""
    if pooled.rows is not None:
        return near_duplicates.find(pooled.rows)
    if corpus.modality == "image":
        return near_duplicates.find_pictures(each["image"] for each in pooled.examples.as_numpy_iterator())
    if corpus.modality == "audio":
        assert corpus.sample_rate_hz is not None
        clips = [each["audio"] for each in pooled.examples.as_numpy_iterator()]
        return near_duplicates.find_recordings(clips, corpus.sample_rate_hz)
    return []


def summary(labels: Sequence[Label]) -> str:
    """How many labels are likely wrong, in a sentence."""
    suspected, contradicted = (sum(getattr(label, name) for label in labels) for name in ("suspected", "contradicted"))
    found = f"{share(suspected, len(labels), 'label')} {verb(suspected, 'is', 'are')} contradicted with confidence by"
    return (
        f"{found} networks that were trained on the other examples, and {contradicted:,} by most of the near copies of"
        " the example"
    )


def write(labels: Sequence[Label], corpus: Corpus, folder: pathlib.Path, shown: int) -> None:
    """Writes the page and the table.

    Args:
        labels: What `find` returned.
        corpus: The data.
        folder: Where they are written; it is made where it is missing.
        shown: Number of labels on the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_number = {label.number: label for label in labels}
    suspects = [label for label in labels if label.suspected or label.contradicted][:shown]
    with atomic_write(folder / TABLE) as temporary:
        temporary.write_text(_table(labels, by_number), encoding="utf-8")
    wanted = {number for label in suspects for number in (label.number, *label.copies[:1])}
    raw = dict(media.raw_examples(cross_validation.pool(corpus), wanted))
    items = [_item(label, raw, by_number, corpus.sample_rate_hz) for label in suspects]
    more = sum(label.suspected or label.contradicted for label in labels) - len(items)
    rest = f"; the first {len(items):,} are here, {TABLE} has all" if more else ""
    page.write(folder / PAGE, "Likely wrong labels", f"{summary(labels)}{rest}.", items)


def _item(label: Label, raw: Mapping[int, Any], by_number: Mapping[int, Label], rate: int | None) -> page.Item:
    """A label on the page: the example, and the first of its near copies."""
    pictures, sound = media.plain(raw[label.number], rate)
    near = [by_number[number] for number in label.copies]
    for each in near[:1]:
        pictures += media.plain(raw[each.number], rate)[0]
    facts = [
        page.Fact("wrong", "label", f"{label.label}, {label.label_probability:.1%}"),
        page.Fact("right", "likely", f"{label.likely}, {label.likely_probability:.1%}"),
        *(page.Fact("plain", "near copy", f"{each.name}, label {each.label}") for each in near[:SHOWN_COPIES]),
    ]
    columns = {"label": label.label, "likely": label.likely, "split": label.split}
    return page.Item(label.name, facts, columns, pictures, sound)


def _table(labels: Sequence[Label], by_number: Mapping[int, Label]) -> str:
    """The CSV file."""
    header = ["example", "split", "label", "likely_label", "label_probability", "likely_probability"]
    lines: list[list[Any]] = [[*header, "suspected", "contradicted", "near_copies"]]
    for label in labels:
        near = "; ".join(f"{by_number[number].name} ({by_number[number].label})" for number in label.copies)
        texts = [printable(text) for text in (label.name, label.split, label.label, label.likely)]
        figures = [round(value, 6) for value in (label.label_probability, label.likely_probability)]
        answers = ["yes" if value else "no" for value in (label.suspected, label.contradicted)]
        lines.append([*texts, *figures, *answers, printable(near)])
    return csv_text.dumps(lines)
