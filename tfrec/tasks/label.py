"""The answer of a classifier: the probabilities of the classes of one example."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from pipelines import paths
from tfrec.tasks.base import Answer
from tfrec.utils import short_numbers

SHOWN_CLASSES = 3  # in the table of `predict`


@dataclasses.dataclass(frozen=True)
class Label(Answer):
    """The probabilities `(classes,)` of the classes of one example, and whether the answer is to be relied upon."""

    class_names: tuple[str, ...]
    probabilities: np.ndarray
    accepted: bool = True
    shown: int | None = None  # classes that were asked for; None for all, of which tables show a few

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.class_names[int(np.argmax(self.probabilities))]

    def to_dict(self) -> dict[str, Any]:
        """Label, its probability, whether it is accepted, and the probabilities of all classes by name."""
        named = dict(zip(self.class_names, short_numbers.shorten(list(self.probabilities)), strict=True))
        return {
            "label": self.label,
            "probability": named[self.label],
            "accepted": self.accepted,
            "probabilities": named,
        }

    def top(self, count: int) -> Label:
        """The most probable classes, in their order."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return dataclasses.replace(
            self,
            class_names=tuple(self.class_names[i] for i in order),
            probabilities=self.probabilities[order],
            shown=count,
        )

    def columns(self) -> dict[str, Any]:
        """Label and probability; after `top` those of the next classes too, as "label_2" and so on."""
        order = np.argsort(-self.probabilities, kind="stable")
        row: dict[str, Any] = {"label": self.label, "probability": float(self.probabilities.max())}
        row["accepted"] = self.accepted
        for rank, i in enumerate(order[1 : self.shown or 1], start=2):
            row |= {f"label_{rank}": self.class_names[i], f"probability_{rank}": float(self.probabilities[i])}
        return row

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Table:
        """A row for each file, with its most probable classes."""
        table = Table()
        for column in ("file", "label", "probability", "next best"):
            table.add_column(column, justify="right" if column == "probability" else "left", overflow="fold")
        for file, answer in answers:
            names, probabilities = answer.class_names, answer.probabilities
            order = np.argsort(-probabilities, kind="stable")
            next_best = order[1 : answer.shown or SHOWN_CLASSES]
            others = ", ".join(f"{paths.shown(names[i])} {probabilities[i]:.3f}" for i in next_best)
            label, probability = paths.shown(names[order[0]]), f"{probabilities[order[0]]:.3f}"
            label += "" if answer.accepted else " (not accepted)"
            table.add_row(paths.shown(file), label, probability, others)
        return table
