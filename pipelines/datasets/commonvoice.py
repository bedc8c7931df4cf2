"""Common Voice (Ardila et al. 2020, arXiv:1912.06670), and any corpus in its layout.

`data.path` is the folder of one language as it is distributed:

    train.tsv, dev.tsv, test.tsv       tables with a header; of their columns client_id, path and sentence are read,
                                       and age, gender, accent, accents and variant for scores by group
    clips/common_voice_en_1.mp3        a file that the column `path` names

Quotation marks in the tables are part of the sentences.
"""

import dataclasses
import os

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import Corpus, Modality, SkippingConfig
from pipelines.errors import UserError

LABELS = "texts"
COLUMNS = ("client_id", "path", "sentence")
FURTHER = ("age", "gender", "accent", "accents", "variant")  # by which scores can be broken down, where they are there
SPLITS = {"train": "train", "dev": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Config(SkippingConfig):
    """Where a language's tables and clips are; its own splits are used."""

    name: str = "commonvoice"  # dataset, see `python -m tfrec list`
    path: str = ""  # folder that holds train.tsv, dev.tsv, test.tsv and clips/
    verify: bool = False  # decode every file before training, to find damaged ones; hours of speech take minutes


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus, sentences as they are written; a speaker is a client's id.

    Args:
        config: The folder.
        sample_rate_hz: The rate that clips are converted to; None is the rate of most files.

    Returns:
        The Corpus.

    Raises:
        UserError: With file and line, something is missing, duplicate or empty; or clips are damaged.
    """
    root = transcripts.require_folder(
        config.path, "the folder of a language of Common Voice, with train.tsv and clips/"
    )
    seen: dict[str, str] = {}
    rows = [row for table in SPLITS for row in _rows(root, table, seen)]
    return transcripts.build_corpus(config, rows, sample_rate_hz, verify=config.verify)


def _rows(root: str, table: str, seen: dict[str, str]) -> list[files.Row]:
    """The lines of a table; `seen` collects clip -> where over all tables."""
    path = os.path.join(root, f"{table}.tsv")
    lines = transcripts.lines(path)
    where, header = next(lines, (path, ""))
    indices = {name: i for i, name in enumerate(header.split("\t"))}
    for name in COLUMNS:
        if name not in indices:
            raise UserError(
                f"{where}: the column {name!r} is missing; it has {', '.join(filter(None, indices)) or 'none'}."
            )
    rows = []
    for where, line in lines:
        cells = line.split("\t")
        if len(cells) != len(indices):
            raise UserError(f"{where}: {len(cells)} cells, but the header names {len(indices)} columns.")
        speaker, clip, sentence = (cells[indices[name]].strip() for name in COLUMNS)
        if not clip or os.path.basename(clip) != clip:
            raise UserError(f"{where}: path must be the name of a file in clips/. Received: {clip[:80]!r}")
        if clip in seen:
            raise UserError(f"{where}: {clip!r} is already in {seen[clip]}: keep one of them.")
        seen[clip] = where
        # Early releases omit the suffix.
        file = os.path.join(root, "clips", clip if os.path.splitext(clip)[1] else f"{clip}.mp3")
        text = transcripts.clean(where, sentence)
        further = [(name, cells[indices[name]].strip()[:100]) for name in FURTHER if name in indices]
        known = tuple((name, cell) for name, cell in further if cell)
        rows.append(files.Row(file, "", SPLITS[table], where=where, text=text, speaker=speaker, further=known))
    if not rows:
        raise UserError(f"{path} lists no clips.")
    return rows
