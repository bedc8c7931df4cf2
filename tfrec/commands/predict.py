"""Label or transcribe files with a run or an export: `python -m tfrec predict RUN_OR_SAVED_MODEL FILE...`."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import tyro
from rich.table import Table

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.inference import streaming
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS
from tfrec.inference.predictor import Predictor
from tfrec.utils import console

SHOWN = 3  # classes in the table


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Label and probabilities of each file, or its text."""

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    files: tyro.conf.Positional[tuple[str, ...]]  # pictures, or audio of any rate
    json: bool = False  # print JSON, one object for each file
    stream: bool = False  # print words while they are heard; the file - is raw 16-bit sound from standard input
    chunk_seconds: float = CHUNK_SECONDS  # longer recordings are transcribed in chunks of so much
    overlap_seconds: float = OVERLAP_SECONDS  # what a chunk hears more on either side, so that no word is cut
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes


def main(argv):
    """Answers for each file that can be read; status 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec predict")
    if not arguments.files:
        raise UserError("Name at least one file behind the model.")
    if arguments.stream and arguments.decode != DecodeConfig():
        raise UserError("--stream writes the greedy text: leave out --decode, or --stream.")
    defaults = {"chunk_seconds": CHUNK_SECONDS, "overlap_seconds": OVERLAP_SECONDS, "decode": DecodeConfig()}
    options = {name: value for name in defaults if (value := getattr(arguments, name)) != defaults[name]}
    predictor = Predictor.open(arguments.model, **options)
    if arguments.stream:
        return _stream(arguments, predictor)
    answers, failed = _each(arguments.files, lambda file: (file, predictor.answer(pathlib.Path(file))))
    if arguments.json:
        rows = [AS_JSON[predictor.task](file, predictor.labels, answer) for file, answer in answers]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif predictor.task == "transcribe":
        _print_transcripts(answers)
    elif answers:
        console.console.print(_table(predictor.labels, answers))
    return 1 if failed else 0


def _each(files, answer):
    """(answers for the files that can be read, whether one cannot)."""
    answers, failed = [], False
    for file in files:
        try:
            answers.append(answer(file))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    return answers, failed


def _stream(arguments, predictor):
    """Prints each file's words as soon as they are heard; as JSON, a line for each time that the text grows."""
    if predictor.task != "transcribe" or predictor.recognizer is None:
        raise UserError(
            f"--stream: only a run that transcribes takes this, which {arguments.model} is not; leave it out."
        )
    stream = streaming.Stream(predictor.recognizer)

    def tell(file):
        shown = ""
        for heard_s, text, ended in streaming.listen(stream, file):
            if arguments.json:
                if ended or text != shown:
                    print(json.dumps({"file": file, "heard_s": heard_s, "text": text}, ensure_ascii=False), flush=True)
                shown = text
            else:
                whole = text if ended else text[: text.rfind(" ") + 1]  # the last word may go on
                print(whole[len(shown) :], end="\n" if ended else "", flush=True)
                shown = whole

    return 1 if _each(arguments.files, tell)[1] else 0


def _probabilities_as_json(file, labels, probabilities):
    named = dict(zip(labels, map(float, probabilities), strict=True))
    best = max(named, key=named.get)
    return {"file": file, "label": best, "probability": named[best], "probabilities": named}


def _table(labels, answers):
    table = Table()
    for column in ("file", "label", "probability", "next best"):
        table.add_column(column, justify="right" if column == "probability" else "left", overflow="fold")
    for file, probabilities in answers:
        order = np.argsort(probabilities)[::-1]
        others = ", ".join(f"{labels[i]} {probabilities[i]:.3f}" for i in order[1:SHOWN])
        table.add_row(file, labels[order[0]], f"{probabilities[order[0]]:.3f}", others)
    return table


def _transcript_as_json(file, labels, transcript):
    row = {"file": file, "text": transcript.text, "confidence": transcript.confidence}
    if transcript.words is None:
        return row
    words = [dict(zip(("word", "start_s", "end_s"), word, strict=True)) for word in transcript.words]
    return {**row, "words": words}


def _print_transcripts(answers):
    for file, transcript in answers:
        console.console.print(f"{file} (confidence {transcript.confidence:.3f}): {transcript.text}")
        times = [f"{start:.2f} {word}" for word, start, _ in transcript.words or () if start is not None]
        if times:
            console.console.print(f"    at seconds: {', '.join(times)}")


AS_JSON = {"classify": _probabilities_as_json, "transcribe": _transcript_as_json}
