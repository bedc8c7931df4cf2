"""Answers as text, JSON, JSON lines, CSV, SubRip and WebVTT, each written as soon as it is known."""

from __future__ import annotations

import abc
import csv
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar, TextIO

import rich.console

from pipelines import paths
from pipelines.errors import UserError
from tfrec.predictions import subtitles
from tfrec.tasks.base import Answer
from tfrec.utils.console import console

ROWS_PER_TABLE = 100  # of answers that are shown as a table
TABLE_WIDTH = 120  # characters, in a file

# What JSON may hold as it is, and a terminal obeys: C1 controls, line and paragraph ends, marks of direction.
_CONTROLS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Format(abc.ABC):
    """Writes the answers of some files to a stream.

    Args:
        stream: text is written to it and flushed after each file.
    """

    suffix: ClassVar[str]
    one_file: ClassVar[bool] = False  # whether the answers of several files cannot stand in one file

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    @abc.abstractmethod
    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes the answers for a file: one, or one for each channel."""

    def end(self) -> None:  # noqa: B027, most formats end anywhere
        """Writes what stands after the last file."""

    def write(self, text: str) -> None:
        """Writes a text as it is."""
        self.stream.write(text)
        self.stream.flush()


class Text(Format):
    """What a terminal shows: tables, or lines, of the task."""

    suffix = ".txt"

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        width = None if stream is console.file else TABLE_WIDTH
        self._console = rich.console.Console(
            file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False, width=width
        )
        self._waiting: list[tuple[str, Answer]] = []

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes lines at once, rows of a table when it has enough of them."""
        self._waiting += [(file, answer) for answer in answers]
        if len(self._waiting) >= (ROWS_PER_TABLE if answers[0].in_table else 1):
            self.end()

    def end(self) -> None:
        """Writes the table that is left, or where answers are of several kinds, one of each."""
        for kind in dict.fromkeys(type(answer) for _, answer in self._waiting):
            self._console.print(kind.table([pair for pair in self._waiting if type(pair[1]) is kind]))
            self.stream.flush()
        self._waiting = []


class PlainText(Format):
    """The answers alone: a file of text for each file."""

    suffix = ".txt"

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes a line for each answer."""
        lines = [line for answer in answers for line in answer.plain().split("\n")]
        self.write("".join(f"{paths.shown(line)}\n" for line in lines))  # a label may hold anything


class JSON(Format):
    """A list with an object for each answer."""

    suffix = ".json"
    _any = False

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes an object for each answer."""
        for answer in answers:
            text = _json({"file": file, **answer.to_dict()}, indent=2)
            self.write((",\n  " if self._any else "[\n  ") + text.replace("\n", "\n  "))
            self._any = True

    def end(self) -> None:
        """Closes the list."""
        self.write("\n]\n" if self._any else "[]\n")


class JSONLines(Format):
    """A line with an object for each answer."""

    suffix = ".jsonl"

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes a line for each answer."""
        for answer in answers:
            self.write(_json({"file": file, **answer.to_dict()}) + "\n")


def _json(value: Any, **options: Any) -> str:
    """JSON in which what controls a terminal is escaped; `json` itself leaves it above 126."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class CSV(Format):
    """A row for each answer, under the names of its columns."""

    suffix = ".csv"
    _writer: Any = None

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes a row for each answer."""
        for answer in answers:
            row = {"file": file, **answer.columns()}
            if self._writer is None:
                self._writer = csv.DictWriter(self.stream, list(row), lineterminator="\n")
                self._writer.writeheader()
            self._writer.writerow({name: paths.cell(value) for name, value in row.items()})
        self.stream.flush()


class SubRip(Format):
    """Subtitles of one recording, with the speaker in front of a cue where there are several."""

    suffix = ".srt"
    one_file = True

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes the cues of all speakers in the order of their times."""
        self.write("".join(subtitles.srt(_cues(file, answers, in_text=True))))


class WebVTT(Format):
    """Subtitles of one recording, with speakers as voices."""

    suffix = ".vtt"
    one_file = True

    def add(self, file: str, answers: Sequence[Answer]) -> None:
        """Writes the cues of all speakers in the order of their times."""
        self.write("".join(subtitles.vtt(_cues(file, answers, in_text=False))))


FORMATS: dict[str, type[Format]] = {
    "text": Text,
    "json": JSON,
    "jsonl": JSONLines,
    "csv": CSV,
    "srt": SubRip,
    "vtt": WebVTT,
}


def _cues(file: str, answers: Sequence[Answer], in_text: bool) -> list[subtitles.Cue]:
    cues: list[subtitles.Cue] = []
    for answer in answers:
        words = answer.timed_words()
        if words is None:
            raise UserError(f"{file}: subtitles need a transcript with the times of its words; take another --format.")
        speaker = answer.speaker_name()
        cues += subtitles.cues(words, speaker, f"{speaker}: " if speaker and in_text else "")
    return sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))
