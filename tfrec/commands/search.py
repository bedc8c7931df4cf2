"""Find files by a picture or speech: `tfrec search RUN_OR_EXPORT --query FILE --images FOLDER`."""

import dataclasses
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import soundfile
import tyro
from rich.table import Table

import tfrec
from pipelines import paths
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.inference import file_search, sound_sources
from tfrec.inference.embedding_index import Match
from tfrec.inference.file_search import FileSearch
from tfrec.inference.sound_sources import Microphone
from tfrec.predictions import sources
from tfrec.reports import search as drawings
from tfrec.utils.console import console, messages_to_stderr

_LOG = logging.getLogger(__name__)

MICROPHONE = "mic"  # as the query
PIECE_SECONDS = 0.1  # of sound that is taken at once


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The files that are most similar to a query, by a model that embeds pictures and speech.

    The embeddings of the files are kept, so that the next search embeds only files that are new or have changed.
    """

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    query: str  # a picture, or audio; mic records from the microphone
    images: tuple[str, ...] = ()  # folders of pictures, or pictures, to search
    audio: tuple[str, ...] = ()  # folders of audio files, or audio files, to search
    seconds: float = 5.0  # that --query mic records; Ctrl-C ends it before
    count: int = 10  # matches
    index: str | None = None  # folder for the embeddings of the files; None is one in ~/.cache/tfrec/search
    sheet: str | None = "search.png"  # PNG to write, with the query and its matches
    json: bool = False  # print a JSON object for each match, on a line
    trust: bool = False  # run an export though it has operations that do more than compute, such as writing files

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be 1 or more. Received: {self.count}")
        if not 0.1 <= self.seconds <= 600:
            raise ValueError(f"seconds must be from 0.1 to 600. Received: {self.seconds}")
        if bool(self.images) == bool(self.audio):
            raise ValueError("name what to search by either --images or --audio")


def main(argv: Sequence[str]) -> int:
    """Prints the matches and draws them."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec search")
    with messages_to_stderr(arguments.json), tempfile.TemporaryDirectory() as recordings:
        found = sources.find(arguments.images or arguments.audio, "image" if arguments.images else "audio")
        for source in found:
            if source.error is not None:
                raise source.error
        sheet = arguments.sheet and _png(arguments.sheet)
        search = FileSearch(tfrec.load(arguments.model, arguments.trust), arguments.model)
        roots = [paths.local(name) for name in arguments.images or arguments.audio]
        query = paths.local(arguments.query)
        if arguments.query == MICROPHONE:
            query = _record(search, arguments.seconds, os.path.join(recordings, "microphone.wav"))
        folder = arguments.index or file_search.default_folder(arguments.model, roots)
        matches = search.rank(query, [source.path for source in found], folder, arguments.count)
        if not matches:
            raise UserError(f"None of the files in {', '.join(map(paths.shown, roots))} can be read: name others.")
        _print(matches, arguments.json)
        if sheet:
            drawings.contact_sheet(_items(search, query, matches), sheet)
    return 0


def _record(search: FileSearch, seconds: float, path: str) -> str:
    """Records from the microphone into a WAV file, and returns its path."""
    rate = int(search.model.description["sample_rate_hz"])
    with Microphone(rate, PIECE_SECONDS) as pieces:
        _LOG.info("Recording %g s; Ctrl-C ends it before.", seconds)
        samples = sound_sources.record(pieces, rate, seconds)
    soundfile.write(path, samples, rate, "PCM_16")
    return path


def _print(matches: Sequence[Match], as_json: bool) -> None:
    if as_json:
        for rank, match in enumerate(matches, start=1):
            print(json.dumps({"rank": rank, "file": paths.shown(match.path), "similarity": match.similarity}))
        return
    table = Table("rank", "similarity", "file")
    for rank, match in enumerate(matches, start=1):
        table.add_row(str(rank), f"{match.similarity:.3f}", paths.shown(os.path.relpath(match.path)))
    console.print(table)


def _items(search: FileSearch, query: str, matches: Sequence[Match]) -> list[tuple[str, Any]]:
    """Titles and raw inputs of the query and of its matches."""
    titled = [(query, "query")]
    titled += [(match.path, f"{rank}: {match.similarity:.3f}") for rank, match in enumerate(matches, start=1)]
    items = []
    for path, title in titled:
        (raw,) = search.model.read(path).values()
        name = paths.shown(os.path.basename(path))
        items.append((f"{title}\n{name if len(name) <= 24 else name[:23] + '...'}", raw))
    return items


def _png(path: str) -> str:
    """The path of a picture to write; UserError where it cannot be written."""
    folder = os.path.dirname(os.path.abspath(path))
    if not path.lower().endswith(".png"):
        raise UserError(f"--sheet {paths.shown(path)} must end in .png.")
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError(f"--sheet {paths.shown(path)} cannot be written: name a file in a folder that exists.")
    return path
