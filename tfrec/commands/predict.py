"""Recognize files with a run or an export: `tfrec predict RUN_OR_EXPORT FILE...`."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import tyro

import tfrec
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.inference import streaming
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS
from tfrec.recognizer import Recognizer
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Label and probabilities of each file, its number, or its text."""

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    files: tyro.conf.Positional[tuple[str, ...]]  # pictures, or audio of any sample rate
    json: bool = False  # print JSON, one object for each file
    stream: bool = False  # print words as they are recognized; the file - is raw 16-bit audio from standard input
    chunk_seconds: float = CHUNK_SECONDS  # longer recordings are transcribed in chunks of this length
    overlap_seconds: float = OVERLAP_SECONDS  # context of a chunk on either side, so that no word is cut
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes


def main(argv: Sequence[str]) -> int:
    """Prints an answer for each file that can be read; returns 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec predict")
    if not arguments.files:
        raise UserError("Name at least one file after the model.")
    if arguments.stream and arguments.decode != DecodeConfig():
        raise UserError("--stream writes the greedy text: leave out --decode, or --stream.")
    recognizer = tfrec.load(arguments.model)
    if arguments.stream:
        return _stream(arguments, recognizer)
    defaults = {"chunk_seconds": CHUNK_SECONDS, "overlap_seconds": OVERLAP_SECONDS, "decode": DecodeConfig()}
    options = {name: value for name in defaults if (value := getattr(arguments, name)) != defaults[name]}
    answer = recognizer.predictor(**options)
    answers, failed = _for_each(arguments.files, lambda file: (file, answer(file)))
    if arguments.json:
        rows = [{"file": file, **answer.to_dict()} for file, answer in answers]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif answers:
        console.print(type(answers[0][1]).table(answers))
    return 1 if failed else 0


def _for_each(files: Sequence[str], answer: Callable[[str], Any]) -> tuple[list[Any], bool]:
    """Answers for the files that can be read, and whether one cannot."""
    answers, failed = [], False
    for file in files:
        try:
            answers.append(answer(file))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    return answers, failed


def _stream(arguments: Arguments, recognizer: Any) -> int:
    """Prints each file's words as soon as they are recognized; as JSON, a line for each time that the text grows."""
    if not isinstance(recognizer, Recognizer):
        raise UserError(f"--stream: only a run takes this, and {arguments.model} is an export; leave it out.")
    stream = recognizer.task.stream(recognizer)

    def report(file: str) -> None:
        shown = ""
        for seconds, text, ended in streaming.transcribe(stream, file):
            if arguments.json:
                if ended or text != shown:
                    row = {"file": file, "seconds": seconds, "text": text}
                    print(json.dumps(row, ensure_ascii=False), flush=True)
                shown = text
            else:
                whole = text if ended else text[: text.rfind(" ") + 1]  # the last word may not be complete
                print(whole[len(shown) :], end="\n" if ended else "", flush=True)
                shown = whole

    return 1 if _for_each(arguments.files, report)[1] else 0
