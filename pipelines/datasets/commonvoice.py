"""Common Voice (Ardila et al. 2020, arXiv:1912.06670), and whatever else comes in its layout.

`data.path` is the folder of one language as it is distributed:

    train.tsv, dev.tsv, test.tsv       tables with a header; of their columns client_id, path and sentence are read
    clips/common_voice_en_1.mp3        what `path` names

Quotation marks in the tables are part of the sentences.
"""

import dataclasses
import os

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError

TASK = "transcribe"  # where none is named
COLUMNS = ("client_id", "path", "sentence")
SPLITS = {"train": "train", "dev": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """Where a language's tables and clips lie; its own splits are used."""

    name: str = "commonvoice"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds train.tsv, dev.tsv, test.tsv and clips/
    verify: bool = (
        False  # decode every file once before training, to find the broken ones: hours of speech take minutes
    )


def modality(config):
    """Always "audio"."""
    return "audio"


def load(config, sample_rate_hz=None):
    """The Corpus, sentences as they are written, audio at `sample_rate_hz` (None = the rate of most files).

    A speaker is a client's id. Raises UserError, with file and line, for what is missing, there twice or empty, and
    for broken files.
    """
    transcripts.folder(config.path, "the folder of Common Voice's language, with train.tsv and clips/")
    seen = {}
    rows = [row for table in SPLITS for row in _rows(config.path, table, seen)]
    return transcripts.corpus(config, rows, sample_rate_hz, verify=config.verify)


def _rows(root, table, seen):
    """The lines of a table; `seen` collects clip -> where over all of them."""
    path = os.path.join(root, f"{table}.tsv")
    lines = transcripts.lines(path)
    where, header = next(lines, (path, ""))
    places = {name: i for i, name in enumerate(header.split("\t"))}
    for name in COLUMNS:
        if name not in places:
            raise UserError(
                f"{where}: the column {name!r} is missing; it has {', '.join(filter(None, places)) or 'none'}."
            )
    rows, missing = [], []
    for where, line in lines:
        cells = line.split("\t")
        if len(cells) != len(places):
            raise UserError(f"{where}: {len(cells)} cells, but the header names {len(places)} columns.")
        speaker, clip, sentence = (cells[places[name]].strip() for name in COLUMNS)
        if not clip or os.path.basename(clip) != clip:
            raise UserError(f"{where}: path must be the name of a file in clips/. Received: {clip[:80]!r}")
        if clip in seen:
            raise UserError(f"{where}: {clip!r} was there before, at {seen[clip]}: keep one of them.")
        seen[clip] = where
        # Early releases leave the suffix out.
        file = os.path.join(root, "clips", clip if os.path.splitext(clip)[1] else f"{clip}.mp3")
        if not os.path.isfile(file):
            missing.append(f"{where}: there is no file {file}")
        text = transcripts.checked(where, sentence)
        rows.append(files.Row(file, split=SPLITS[table], where=where, text=text, speaker=speaker))
    if missing:
        count = f" ({len(missing):,} of {len(rows):,} clips are missing)" if len(missing) > 1 else ""
        raise UserError(f"{missing[0]}{count}: add it, or remove the line.")
    if not rows:
        raise UserError(f"{path} lists no clips.")
    return rows
