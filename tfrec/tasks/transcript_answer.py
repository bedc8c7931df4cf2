"""The answer of transcription."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from pipelines import paths
from tfrec.tasks.base import Answer
from tfrec.utils import short_numbers


@dataclasses.dataclass(frozen=True)
class Transcript(Answer):
    """The text of a recording."""

    text: str
    confidence: float  # geometric mean of the probabilities of the tokens where they are output; 0 of an empty text
    words: tuple | None = None  # (word, start_s, end_s) of each, seconds None where unknown; None for an export

    def to_dict(self) -> dict[str, Any]:
        """Text, confidence (None of an empty text), and the times of the words where they are known."""
        row = {"text": self.text, "confidence": self.confidence if self.text else None}
        if self.words is None:
            return short_numbers.shorten(row)
        words = [dict(zip(("word", "start_s", "end_s"), word, strict=True)) for word in self.words]
        return short_numbers.shorten({**row, "words": words})

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Group:
        """A line for each file, and below it the times of its words."""
        lines = []
        for file, answer in answers:
            sure = f"confidence {answer.confidence:.3f}" if answer.text else "no words"
            lines.append(Text(f"{paths.shown(file)} ({sure}): {answer.text}"))
            times = [f"{start:.2f} {word}" for word, start, _ in answer.words or () if start is not None]
            if times:
                lines.append(Text(f"    at seconds: {', '.join(times)}"))
        return Group(*lines)
