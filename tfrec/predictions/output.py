"""Where answers go: the terminal, one file, or a folder with a file for each source."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Self, TextIO

from pipelines import paths
from pipelines.errors import UserError
from tfrec.predictions.formats import FORMATS, Format, PlainText, Text
from tfrec.predictions.sources import Source
from tfrec.tasks.base import Answer
from tfrec.utils.console import console


class Output:
    """A context in which answers are written.

    Args:
        form: one of FORMATS; None is that of the target's suffix, or else "text".
        target: None for standard output; a file; or a folder, which exists, ends in a slash, or has no suffix. The
            formats of subtitles need a folder for several sources.
        sources: what is going to be answered.

    Raises:
        UserError: for a target that does not fit.
    """

    def __init__(self, form: str | None, target: str | None, sources: Sequence[Source]) -> None:
        suffix = pathlib.PurePath(target or "").suffix.lower()
        form = form or next((name for name, kind in FORMATS.items() if kind.suffix == suffix), "text")
        self._format = FORMATS[form]
        self._folder: pathlib.Path | None = None
        self._file: pathlib.Path | None = None
        self._writer: Format | None = None
        self._stack = contextlib.ExitStack()
        if target is not None:
            path = pathlib.Path(paths.local(target))
            if path.is_dir() or target.endswith(("/", os.sep)) or not path.suffix:
                self._folder = path
            else:
                self._file = path
        if self._file and any(os.path.exists(one.path) and _is_same(self._file, one.path) for one in sources):
            raise UserError(f"--output: {paths.shown(self._file)} is a file to recognize: give another name.")
        if self._format.one_file and len(sources) > 1 and not self._folder:
            raise UserError(f"--format {form} writes a file for each recording: name a folder with --output FOLDER.")

    def __enter__(self) -> Self:
        if self._folder:
            self._make(self._folder)
        elif self._file:
            self._make(self._file.parent)
            self._writer = self._format(self._stack.enter_context(_open(self._file)))
        else:
            self._writer = self._format(console.file if self._format is Text else sys.stdout)  # type: ignore[arg-type]
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            if self._writer:
                self._writer.end()
        finally:
            self._stack.close()

    def add(self, source: Source, answers: Sequence[Answer]) -> None:
        """Writes the answers for a source."""
        if self._writer:
            self._writer.add(source.path, answers)
            return
        assert self._folder is not None
        kind = PlainText if self._format is Text else self._format
        path = self._folder / f"{source.name}{kind.suffix}"
        self._make(path.parent)
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with _open(temporary) as stream:
                writer = kind(stream)
                writer.add(source.path, answers)
                writer.end()
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @staticmethod
    def _make(folder: pathlib.Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--output: the folder {paths.shown(folder)} cannot be made: {error.strerror}.") from error


def _is_same(one: pathlib.Path, other: str) -> bool:
    return one.exists() and os.path.samefile(one, other)


def _open(path: pathlib.Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise UserError(f"--output: {paths.shown(path)} cannot be written: {error.strerror}.") from error
