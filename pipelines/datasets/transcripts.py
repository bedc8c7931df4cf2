"""What corpora of speech with transcripts share: lists of text, their audio, and the Corpus made of both."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pipelines import paths
from pipelines.datasets import files, memory, splitting, text_files
from pipelines.datasets.base import Corpus, DataConfig, SkippingConfig, Split
from pipelines.errors import UserError

MAX_CHARACTERS = 10_000  # of a transcript, as many as in ten minutes of fast speech
MAX_LINE = 2 * MAX_CHARACTERS


def lines(path: str | os.PathLike) -> Iterator[tuple[str, str]]:
    r"""Reads the lines of a text file that are not blank.

    Args:
        path: The file, see `text_files.read` for encodings. Only \n and \r\n end a line: a transcript may hold a
            character that Unicode calls a line separator.

    Yields:
        (file and line number, the line without its end).

    Raises:
        UserError: The file cannot be read or is not UTF-8, or a line has more than MAX_LINE characters.
    """
    for number, line in enumerate(text_files.read(path, lone_returns=False).split("\n"), 1):
        where = f"{paths.shown(path)}:{number}"
        if len(line) > MAX_LINE:
            raise UserError(f"{where}: a line of more than {MAX_LINE:,} characters is no transcript: cut it.")
        if line.strip():
            yield where, line


def clean(where: str, text: str) -> str:
    """Strips and checks a transcript.

    Args:
        where: File and line, for errors.
        text: The transcript.

    Returns:
        The transcript without white space around it.

    Raises:
        UserError: It is empty, longer than MAX_CHARACTERS, or holds control characters.
    """
    text = text.strip()
    if not text:
        raise UserError(f"{where}: the transcript is empty: fill it in, or remove the utterance.")
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"{where}: the transcript has {len(text):,} characters: the maximum is {MAX_CHARACTERS:,}.")
    if any((character < " " and character != "\t") or "\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"{where}: the transcript holds control characters: it is not text.")
    return text


def add(texts: dict[str, tuple[str, str]], where: str, name: str, text: str) -> None:
    """Puts (where, clean text) under an utterance's name.

    Raises:
        UserError: The name is there already, or as `clean` raises it.
    """
    if name in texts:
        raise UserError(f"{where}: the utterance {name!r} is already in {texts[name][0]}: keep one of them.")
    texts[name] = (where, clean(where, text))


def match(
    texts: Mapping[str, tuple[str, str]], paths: Mapping[str, str], root: str | os.PathLike
) -> list[tuple[str, str, str]]:
    """Pairs transcripts with audio files.

    Args:
        texts: Name of an utterance -> (where, text), as `add` puts them.
        paths: Name of an utterance -> its file.
        root: Where the files are, for errors.

    Returns:
        (name, path, text) of all utterances, in the order of `texts`.

    Raises:
        UserError: Transcripts have no audio or audio has no transcript; it counts them.
    """
    without_audio = [name for name in texts if name not in paths]
    if without_audio:
        count = f" (and {len(without_audio) - 1:,} more)" if len(without_audio) > 1 else ""
        where = texts[without_audio[0]][0]
        raise UserError(f"{where}: no audio of {without_audio[0]!r} is in {root}{count}: add it, or remove the line.")
    without_text = sorted(set(paths) - set(texts))
    if without_text:
        count = f" (and {len(without_text) - 1:,} more)" if len(without_text) > 1 else ""
        raise UserError(f"{paths[without_text[0]]} has no transcript{count}: add it, or remove the file.")
    return [(name, paths[name], text) for name, (_, text) in texts.items()]


def build_corpus(
    config: SkippingConfig,
    rows: Sequence[files.Row],
    sample_rate_hz: int | None,
    *,
    by: str | None = None,
    own_hz: int | None = None,
    verify: bool = False,
) -> Corpus:
    """Builds the Corpus of files with transcripts and no classes.

    Args:
        config: Its fractions apply where the rows name no validation or no test split.
        rows: One per utterance, each with a text.
        sample_rate_hz: The rate that audio is converted to; None is the rate of most files.
        by: "speaker": the fractions take whole speakers.
        own_hz: The rate that all files must have; None allows any.
        verify: Whether every file is decoded once, to find the damaged ones.

    Returns:
        The Corpus.

    Raises:
        UserError: As `split_rows` and `files.build_corpus` raise it.
    """
    parts = splitting.split_rows(rows, np.zeros(len(rows), np.int64), config, by)
    return files.build_corpus(
        config,
        rows,
        parts,
        verify=verify,
        skip_broken=config.skip_broken,
        broken_list=config.broken_list,
        sample_rate_hz=sample_rate_hz,
        own_hz=own_hz,
    )


def build_corpus_in_memory(
    config: DataConfig,
    rows: Sequence[files.Row],
    waveforms: Sequence[np.ndarray],
    parts: Mapping[str, Sequence[int] | np.ndarray],
    rate: int,
    notes: Sequence[str] = (),
) -> Corpus:
    """Builds the Corpus of waveforms with transcripts and no classes.

    Args:
        config: Names the corpus.
        rows: One per utterance, each with a text.
        waveforms: float32 `(samples,)`, one per row.
        parts: Split name -> indices of rows.
        rate: Sample rate of the waveforms, in hertz.
        notes: Those of the Corpus.

    Returns:
        The Corpus.
    """

    def split(indices: Sequence[int] | np.ndarray) -> Split:
        fields = files.metadata([rows[i] for i in indices])
        return memory.clips([waveforms[i] for i in indices], None, rate=rate, **fields)

    splits = {name: split(indices) for name, indices in parts.items()}
    return Corpus(config.name, "audio", (), splits, rate, tuple(notes))


def require_folder(path: str, description: str) -> str:
    """Checks that `data.path` is a folder, with `~`, `file://` and back-slashes as `paths.local` reads them.

    Args:
        path: Its value.
        description: What the folder is, for errors.

    Returns:
        The path as the system opens it.

    Raises:
        UserError: It is empty or not a folder.
    """
    if not path:
        raise UserError(f"data.path is needed: {description}.")
    path = paths.local(path)
    if not os.path.isdir(path):
        raise UserError(f"data.path {path} is not a folder: it must be {description}.")
    return path
