"""Send files to a server and print its answers: `tfrec client URL FILE...`."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Literal

import tyro

from pipelines import paths
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.predictions import sources
from tfrec.predictions.output import Output
from tfrec.serving.client import Client, RequestError, Retries
from tfrec.utils.console import messages_to_stderr


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Answers of TensorFlow Serving, or of `tfrec serve`, to files."""

    url: tyro.conf.Positional[str]  # http://HOST:8501/v1/models/NAME or grpc://HOST:8500/NAME
    files: tyro.conf.Positional[
        tuple[str, ...]
    ]  # JPEG, PNG or WAV files, folders of them; a list of pairs of both (.csv)
    pairs: tuple[str, ...] = ()  # of a model of pairs: a picture and its clip, then the next picture and its clip
    format: Literal["text", "json", "jsonl", "csv", "srt", "vtt"] | None = None  # None is that of --output, or text
    json: bool = False  # the same as --format json
    output: str | None = None  # file, or folder for a file for each source; None is standard output
    timeout_s: float = 30.0  # of one attempt
    retries: int = 5  # where the server is busy or cannot be reached

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.retries < 0:
            raise ValueError("timeout_s must be positive, and retries must not be negative")
        if len(self.pairs) % 2:
            raise ValueError(f"pairs must be pictures and clips in turn. Received: {' '.join(self.pairs)}")


def main(argv: Sequence[str]) -> int:
    """Writes an answer for each file that the server takes; returns 1 if it refuses one."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec client")
    if not arguments.files and not arguments.pairs:
        raise UserError("Name at least one file after the URL.")
    if arguments.json and arguments.format not in (None, "json"):
        raise UserError(f"--json and --format {arguments.format} exclude each other: leave one out.")
    form = "json" if arguments.json else arguments.format
    status = 0
    with messages_to_stderr(), Client(arguments.url, arguments.timeout_s, Retries(arguments.retries)) as client:
        # Where the server cannot be reached, no output is begun.
        found = _found(arguments, client.takes_pairs)
        with Output(form, arguments.output, found) as output:
            for source in found:
                try:
                    if source.error:
                        raise source.error
                    output.add(source, [client.answer(source.example)])
                except UserError as error:
                    if isinstance(error, RequestError) and not error.is_refused:
                        raise  # the server fails, and not the file
                    print(f"error: {error}", file=sys.stderr)
                    status = 1
    return status


def _found(arguments: Arguments, takes_pairs: bool) -> list[sources.Source]:
    """The files and pairs that are named."""
    if arguments.pairs and not takes_pairs:
        raise UserError(f"--pairs: {arguments.url} takes one file at a time; name the files after it.")
    names = [paths.local(name) for name in arguments.pairs]
    pairs = zip(names[::2], names[1::2], strict=True)
    files = sources.find(arguments.files, "served", takes_pairs) if arguments.files else []
    return files + sources.of_pairs(pairs)
