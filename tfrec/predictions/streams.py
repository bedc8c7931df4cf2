"""Words of recordings, written while they are recognized."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from pipelines.errors import UserError
from tfrec.inference import streaming
from tfrec.recognizer import Recognizer
from tfrec.serving.exported import ExportedRecognizer
from tfrec.tasks.transcript_answer import Transcript


def write(recognizer: Recognizer | ExportedRecognizer, model: str, files: Sequence[str], as_json: bool) -> int:
    """Prints each file's words as soon as they are recognized; returns 1 if a file cannot be read.

    As JSON, prints a line each time that the text grows, with the words that have become complete since the line
    before; the last line of a file has the keys of an answer of `predict`, with all words, and `"is_final": true`.

    Args:
        recognizer: the run; an export is refused.
        model: its name in messages.
        files: recordings; "-" is standard input.
        as_json: whether to print JSON lines.
    """
    if not isinstance(recognizer, Recognizer):
        raise UserError(f"--stream: only a run takes this, and {model} is an export; leave it out.")
    stream = recognizer.task.stream(recognizer)
    status = 0
    for file in files:
        try:
            (_write_json if as_json else _write_text)(stream, file)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


def _write_text(stream: streaming.Stream, file: str) -> None:
    shown = ""
    for _, text, ended in streaming.transcribe(stream, file):
        whole = text if ended else text[: text.rfind(" ") + 1]  # the last word may not be complete
        print(whole[len(shown) :], end="\n" if ended else "", flush=True)
        shown = whole


def _write_json(stream: streaming.Stream, file: str) -> None:
    shown, known = "", 0
    for seconds, text, ended in streaming.transcribe(stream, file):
        if not ended and text == shown:
            continue
        words = stream.words
        answer = Transcript(text, stream.confidence, tuple(words if ended else words[known:]))
        row = {"file": file, "seconds": seconds, "is_final": ended, **answer.to_dict()}
        print(json.dumps(row, ensure_ascii=False), flush=True)
        shown, known = text, len(words)
