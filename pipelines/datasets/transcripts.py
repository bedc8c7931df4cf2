"""What corpora of speech with transcripts share: lists of text, their audio, and the Corpus made of both."""

import os

import numpy as np

from pipelines.datasets import files, memory
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError

MAX_CHARACTERS = 10_000  # of a transcript; ten minutes of fast speech have as many
MAX_LINE = 2 * MAX_CHARACTERS


def lines(path):
    """(where, line without its end) of a UTF-8 text file's lines that are not blank.

    Raises UserError for a file that is missing or not UTF-8, and for lines of more than `MAX_LINE` characters.
    """
    number = 0
    try:
        # Only these end a line: a transcript may hold a character that Unicode calls a line's end.
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            while line := file.readline(MAX_LINE + 1):
                number += 1
                where = f"{path}:{number}"
                if len(line) > MAX_LINE:
                    raise UserError(f"{where}: a line of more than {MAX_LINE:,} characters is no transcript: mend it.")
                if line.strip():
                    yield where, line.rstrip("\r\n")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def checked(where, text):
    """The transcript without white space around it; UserError where that is empty, too long or not text."""
    text = text.strip()
    if not text:
        raise UserError(f"{where}: the transcript is empty: fill it in, or remove the utterance.")
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"{where}: the transcript has {len(text):,} characters; {MAX_CHARACTERS:,} at most are read.")
    if any((character < " " and character != "\t") or "\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"{where}: the transcript holds control characters: it is not text.")
    return text


def add(texts, where, name, text):
    """Puts (where, checked text) under the utterance's name; UserError where that has one already."""
    if name in texts:
        raise UserError(f"{where}: the utterance {name!r} was there before, at {texts[name][0]}: keep one of them.")
    texts[name] = (where, checked(where, text))


def matched(texts, paths, root):
    """(name, path, text) of all utterances in the order of `texts`; of (where, text) and of files, both by name.

    Raises UserError that counts and names transcripts without audio, and audio without a transcript.
    """
    silent = [name for name in texts if name not in paths]
    if silent:
        count = f" (and {len(silent) - 1:,} more)" if len(silent) > 1 else ""
        raise UserError(
            f"{texts[silent[0]][0]}: no audio of {silent[0]!r} is in {root}{count}: add it, or remove the line."
        )
    unsaid = sorted(set(paths) - set(texts))
    if unsaid:
        count = f" (and {len(unsaid) - 1:,} more)" if len(unsaid) > 1 else ""
        raise UserError(f"{paths[unsaid[0]]} has no transcript{count}: add it, or remove the file.")
    return [(name, paths[name], text) for name, (_, text) in texts.items()]


def corpus(config, rows, sample_rate_hz, *, by=None, parts=None, own_hz=None, verify=False):
    """The Corpus of `files.Row`s, each with a text; no classes, and audio at `sample_rate_hz` (None = its own rate).

    `parts` maps the splits to sorted indices of rows; without it the rows' own splits count, and where they name none
    the fractions of the config, of whole speakers with `by="speaker"`. `own_hz` is the rate that the corpus is
    published at: another is a UserError, as is anything that `files.corpus` does not read. With `verify` every file
    is decoded once.
    """
    parts = parts or files.split_rows(rows, np.zeros(len(rows), np.int64), config, by)
    return files.corpus(config, rows, (), parts, None, verify, sample_rate_hz, own_hz)


def in_memory(config, rows, waveforms, parts, rate, notes=()):
    """The Corpus of `files.Row`s whose waveforms (each float32, (samples,), at `rate`) are at hand."""

    def split(indices):
        some = [rows[i] for i in indices]
        sources = [row.where or row.path for row in some]
        return memory.clips([waveforms[i] for i in indices], None, sources, rate, **files.told(some))

    splits = {name: split(indices) for name, indices in parts.items()}
    return Corpus(config.name, "audio", (), splits, rate, tuple(notes))


def folder(path, what):
    """The path, if it is a folder; UserError otherwise. `what` ends the question for it."""
    if not path:
        raise UserError(f"data.path is needed: {what}.")
    if not os.path.isdir(path):
        raise UserError(f"data.path {path} is not a folder: it is to be {what}.")
    return path
