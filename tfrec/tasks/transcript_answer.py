"""The answer of transcription."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from pipelines import paths
from tfrec.decoding.words import Word
from tfrec.tasks.base import Answer
from tfrec.utils import short_numbers


@dataclasses.dataclass(frozen=True)
class Transcript(Answer):
    """The text of a recording."""

    text: str
    confidence: float  # geometric mean of the probabilities of the tokens where they are output; 0 of an empty text
    words: tuple[Word, ...] | None = None  # None for an export that knows none
    speaker: str | None = None  # such as "channel 1"
    in_table = False

    def to_dict(self) -> dict[str, Any]:
        """Speaker if there is one, text, confidence (None of an empty text), and the words where they are known."""
        row: dict[str, Any] = {} if self.speaker is None else {"speaker": self.speaker}
        row |= {"text": self.text, "confidence": self.confidence if self.text else None}
        if self.words is not None:
            row["words"] = [word._asdict() for word in self.words]
        return short_numbers.shorten(row)

    def plain(self) -> str:
        """The text, after the speaker if there is one."""
        return self.text if self.speaker is None else f"{self.speaker}: {self.text}"

    def of_speaker(self, name: str) -> Transcript:
        """The same transcript, as that of a speaker."""
        return dataclasses.replace(self, speaker=name)

    def speaker_name(self) -> str | None:
        """The speaker."""
        return self.speaker

    def timed_words(self) -> tuple[Word, ...] | None:
        """The words."""
        return self.words

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Group:
        """A line for each file, and below it the times of its words."""
        lines = []
        for file, answer in answers:
            shown = paths.shown(file)
            name = shown if answer.speaker is None else f"{shown}, {answer.speaker}"
            sure = f"confidence {answer.confidence:.3f}" if answer.text else "no words"
            lines.append(Text(f"{name} ({sure}): {answer.text}"))
            times = [f"{word.start_s:.2f} {word.word}" for word in answer.words or () if word.start_s is not None]
            if times:
                lines.append(Text(f"    at seconds: {', '.join(times)}"))
        return Group(*lines)
