"""Answers that are embeddings: of one network, or of two in one space, and how similar two of them are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from pipelines import paths
from tfrec.tasks.base import Answer
from tfrec.utils import short_numbers


@dataclasses.dataclass(frozen=True)
class Embedding(Answer):
    """Where a picture or a clip is in the space of both; of length 1."""

    kind: str  # "image" or "audio"
    vector: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The kind of file and the numbers."""
        return {"kind": self.kind, "embedding": short_numbers.shorten([float(value) for value in self.vector])}

    def columns(self) -> dict[str, Any]:
        """The kind of file, and an empty similarity, which pairs have."""
        return {"kind": self.kind, "similarity": None}

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Table:
        """A row for each file, with the nearest of the other files of the other kind."""
        table = Table()
        for column in ("file", "kind", "nearest of the other kind", "similarity"):
            table.add_column(column, justify="right" if column == "similarity" else "left", overflow="fold")
        for file, answer in answers:
            others = [
                (float(answer.vector @ other.vector), name) for name, other in answers if other.kind != answer.kind
            ]
            similarity, nearest = max(others, default=(0.0, ""))
            row = (paths.shown(nearest), f"{similarity:.3f}") if others else ("", "")
            table.add_row(paths.shown(file), answer.kind, *row)
        return table


@dataclasses.dataclass(frozen=True)
class Similarity(Answer):
    """How similar a picture and a clip are, from -1 to 1: the inner product of their embeddings."""

    value: float

    def to_dict(self) -> dict[str, Any]:
        """The kind, "pair", and the similarity."""
        return {"kind": "pair", "similarity": short_numbers.shorten([self.value])[0]}

    def plain(self) -> str:
        """The similarity."""
        return f"{self.value:.3f}"

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Table:
        """A row for each pair."""
        table = Table()
        table.add_column("pair", overflow="fold")
        table.add_column("similarity", justify="right")
        for file, answer in answers:
            table.add_row(paths.shown(file), answer.plain())
        return table


@dataclasses.dataclass(frozen=True)
class FeatureVector(Answer):
    """The features of a picture or of a clip, as a network without its head computes them."""

    vector: np.ndarray  # (units,)

    def to_dict(self) -> dict[str, Any]:
        """The numbers."""
        return {"embedding": short_numbers.shorten([float(value) for value in self.vector])}

    def columns(self) -> dict[str, Any]:
        """A column for each number."""
        return {f"embedding_{i}": value for i, value in enumerate(self.to_dict()["embedding"])}

    def plain(self) -> str:
        """The numbers, with spaces between them."""
        return " ".join(map(str, self.to_dict()["embedding"]))

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Table:
        """A row for each file, with the other file whose features have the most similar direction."""
        table = Table("file", "numbers", "nearest", "cosine similarity")
        vectors = [answer.vector / max(float(np.linalg.norm(answer.vector)), 1e-12) for _, answer in answers]
        for i, (file, answer) in enumerate(answers):
            others = [(float(vectors[i] @ vectors[j]), name) for j, (name, _) in enumerate(answers) if j != i]
            similarity, nearest = max(others, default=(0.0, ""))
            row = (paths.shown(nearest), f"{similarity:.3f}") if others else ("", "")
            table.add_row(paths.shown(file), f"{len(answer.vector):,}", *row)
        return table
