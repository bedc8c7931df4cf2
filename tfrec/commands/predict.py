"""Recognize files with a run or an export: `tfrec predict RUN_OR_EXPORT FILE_OR_FOLDER...`."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import tyro

import tfrec
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.decoding import DecodeConfig
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS
from tfrec.predictions import sources, streams
from tfrec.predictions.answers import Answers
from tfrec.predictions.output import Output
from tfrec.utils.console import messages_to_stderr


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Label and probabilities of each file, its number, or its text."""

    # Run folder, saved_models/NAME or saved_models/NAME/VERSION, or NAME.tflite or NAME.onnx
    model: tyro.conf.Positional[str]
    files: tyro.conf.Positional[
        tuple[str, ...]
    ]  # pictures, or audio of any sample rate and length; folders of them; a list of pairs of both (.csv)
    # None is that of the suffix of --output, or else text; srt and vtt are subtitles.
    format: Literal["text", "json", "jsonl", "csv", "srt", "vtt"] | None = None
    json: bool = False  # the same as --format json
    output: str | None = None  # file, or folder for a file for each recording or picture; None is standard output
    top: int | None = None  # the most probable classes that are shown; None is all in JSON, 3 in tables
    channels: Literal["together", "apart"] = "together"  # of audio; apart: each is transcribed as a speaker
    stream: bool = False  # print words as they are recognized; the file - is raw 16-bit audio from standard input
    chunk_seconds: float = CHUNK_SECONDS  # longer recordings are transcribed in chunks of this length
    overlap_seconds: float = OVERLAP_SECONDS  # context of a chunk on either side, so that no word is cut
    trust: bool = False  # run an export though it has operations that do more than compute, such as writing files
    decode: DecodeConfig = DecodeConfig()  # of a run that transcribes

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise ValueError(f"top must be 1 or more. Received: {self.top}")


def main(argv: Sequence[str]) -> int:
    """Writes an answer for each file that can be read; returns 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec predict")
    if not arguments.files:
        raise UserError("Name at least one file after the model.")
    form = "json" if arguments.json else arguments.format
    if arguments.json and arguments.format not in (None, "json"):
        raise UserError(f"--json and --format {arguments.format} exclude each other: leave one out.")
    if arguments.stream and (unused := _unused_by_streams(arguments)):
        raise UserError(
            f"--stream writes the greedy text to the terminal: leave out {' and '.join(unused)}, or --stream."
        )
    with messages_to_stderr():
        recognizer = tfrec.load(arguments.model, arguments.trust)
        if arguments.stream:
            return streams.write(recognizer, arguments.model, arguments.files, as_json=form == "json")
        found = sources.find(arguments.files, recognizer.modality, recognizer.takes_pairs)
        defaults = {"chunk_seconds": CHUNK_SECONDS, "overlap_seconds": OVERLAP_SECONDS, "decode": DecodeConfig()}
        options = {name: value for name in defaults if (value := getattr(arguments, name)) != defaults[name]}
        answers = Answers(recognizer, arguments.channels == "apart", arguments.top, options)
        with Output(form, arguments.output, found) as output:
            return answers.write(found, output)


def _unused_by_streams(arguments: Arguments) -> list[str]:
    """Flags that are set and do not go with --stream."""
    unused = {
        "--decode": arguments.decode != DecodeConfig(),
        "--format": arguments.format not in (None, "text", "json"),
        "--output": arguments.output is not None,
        "--top": arguments.top is not None,
        "--channels": arguments.channels != "together",
    }
    return [flag for flag, is_set in unused.items() if is_set]
