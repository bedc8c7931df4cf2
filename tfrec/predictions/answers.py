"""Answers for files, one after the other, with progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import audio, paths
from pipelines.errors import UserError
from tfrec.predictions.output import Output
from tfrec.predictions.sources import Source
from tfrec.recognizer import Recognizer
from tfrec.serving.exported import ExportedRecognizer
from tfrec.tasks.base import Answer
from tfrec.utils.console import error_console
from tfrec.utils.progress import Progress

PROGRESS_AFTER_S = 2.0


class Answers:
    """What a run or an export answers to files.

    Args:
        recognizer: the run or the export.
        is_apart: whether each channel of a recording has an answer of its own.
        top: how many classes an answer has, the most probable; None is all.
        options: those of its predictor.

    Raises:
        UserError: for options that do not go with the recognizer.
    """

    def __init__(
        self,
        recognizer: Recognizer | ExportedRecognizer,
        is_apart: bool = False,
        top: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._reads_blocks = recognizer.takes_blocks
        if is_apart and not self._reads_blocks:
            raise UserError(f"--channels apart: task.name {recognizer.task.name} does not take this; leave it out.")
        if top is not None and recognizer.task.label_kind != "classes":
            raise UserError(f"--top: task.name {recognizer.task.name} has no classes; leave it out.")
        self._predict, self._is_apart, self._top = recognizer.predictor(**(options or {})), is_apart, top

    def write(self, found: Sequence[Source], output: Output) -> int:
        """Writes the answer for each file as soon as it is known; returns 1 if one cannot be read."""
        status = 0
        with Progress("files", len(found), terminal=error_console, after_s=PROGRESS_AFTER_S) as progress:
            for number, source in enumerate(found, start=1):
                try:
                    if source.error:
                        raise source.error
                    output.add(source, self(source.example, progress))
                except UserError as error:
                    print(f"error: {error}", file=sys.stderr)
                    status = 1
                progress.done = number
                progress.update()
        return status

    def __call__(self, file: str | Mapping[str, str], progress: Progress) -> list[Answer]:
        """The answers for a file, or for the files of a pair: one, or one for each channel."""
        if not self._reads_blocks or not isinstance(file, str):
            answers = [self._predict(file)]
        elif not self._is_apart:
            answers = [self._predict(file, on_block=_FileProgress(file, progress, 0, 1))]
        else:
            count = audio.probe(file).channels
            answers = [
                self._predict(
                    file, channel=str(channel), on_block=_FileProgress(file, progress, channel, count)
                ).of_speaker(f"channel {channel + 1}")
                for channel in range(count)
            ]
        return [answer.top(self._top) for answer in answers] if self._top else answers


class _FileProgress:
    """Shows how much of a recording has been read; called with its seconds."""

    def __init__(self, file: str, progress: Progress, channel: int, channels: int) -> None:
        self._file, self._progress, self._channel, self._channels = file, progress, channel, channels
        self._before = int(progress.done)
        self._seconds: float | None = None
        self._blocks = 0

    def __call__(self, seconds: float) -> None:
        self._blocks += 1
        if self._blocks == 1:  # most files have one block
            return
        if self._seconds is None:
            info = audio.probe(self._file)
            self._seconds = max(info.samples / info.sample_rate_hz, seconds)
        fraction = (self._channel + min(1.0, seconds / self._seconds)) / self._channels
        self._progress.done = self._before + min(fraction, 0.999)  # the answer is not known yet
        name = paths.shown(os.path.basename(self._file))
        self._progress.update([f"{name}, {seconds / 60:.0f} of {self._seconds / 60:.0f} min"])
