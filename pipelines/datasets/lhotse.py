"""Cuts of Lhotse (Żelasko et al. 2021, arXiv:2110.12561): `cuts.jsonl` or `cuts.jsonl.gz`, made of recordings in files.

A cut with one supervision is the part of the recording that the supervision covers; a cut with several is as many
examples.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import paths
from pipelines.datasets import tables, text_files
from pipelines.errors import UserError


def is_cuts(path: str) -> bool:
    """Whether a file is a list of Lhotse's cuts, by its ending and its first line."""
    if tables.suffix_of(path) not in (".jsonl", ".ndjson"):
        return False
    first = text_files.read(path, "data.path").lstrip().split("\n", 1)[0]
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "supervisions" in value and ("recording" in value or "tracks" in value)


def read(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Reads the supervisions of cuts.

    Args:
        path: The file.

    Yields:
        (file and line, cells), with the cells path, text, start, end, and speaker, language where they are known.

    Raises:
        UserError: A line is malformed, or a recording is not a single file.
    """
    shown = paths.shown(path)
    for where, pairs in tables.json_objects(shown, text_files.read(path, "data.path")):
        cut = _plain(pairs)
        try:
            source = _source(where, cut)
            for supervision in cut["supervisions"]:
                begin = float(cut.get("start", 0.0)) + max(0.0, float(supervision.get("start", 0.0)))
                length = min(float(supervision["duration"]), float(cut["duration"]))
                cells = {"path": source, "text": supervision.get("text") or ""}
                cells |= {"start": repr(begin), "end": repr(round(begin + length, 6))}
                names = {"speaker": "speaker", "language": "language"}
                yield where, cells | {key: supervision[key] for key in names if supervision.get(key)}
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{where}: not a cut of Lhotse: {type(error).__name__}: {error}.") from error


def _source(where: str, cut: Mapping[str, Any]) -> str:
    """The file of a cut's recording."""
    if "recording" not in cut:
        raise UserError(f"{where}: the cut mixes several recordings: write it to a file, and name this.")
    sources = cut["recording"]["sources"]
    if len(sources) != 1 or sources[0]["type"] != "file":
        kind = sources[0]["type"] if sources else "none"
        raise UserError(
            f"{where}: the recording has {len(sources)} sources, the first of type {kind!r}: it must be one file."
        )
    return str(sources[0]["source"])


def _plain(value: Any) -> Any:
    """A value with dicts instead of lists of pairs."""
    if isinstance(value, tables.Pairs):
        return {key: _plain(each) for key, each in value}
    return [_plain(each) for each in value] if isinstance(value, list) else value
