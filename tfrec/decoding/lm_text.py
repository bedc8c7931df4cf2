"""Texts that language models are built from: reading, normalization, division into words or characters."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipelines.errors import UserError
from tfrec.decoding import arpa, ngram
from tfrec.decoding.ngram import NgramModel


def read_lines(path: str) -> Iterator[str]:
    """Yields the lines of a text file, plain or gzipped.

    Raises:
        UserError: for a file that cannot be read, or is not UTF-8.
    """
    try:
        with arpa.open_text(path, encoding="utf-8-sig") as file:
            yield from file
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not UTF-8 text, plain or gzipped: {error}.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error


def sentences(texts: Iterable[str], normalize: Callable[[str], str], unit: str) -> Iterator[Sequence[str]]:
    """Yields the "words" or "characters", as `unit` says, of each normalized text that is not empty."""
    for text in texts:
        if normalized := normalize(text):
            yield ngram.tokenize(normalized, unit)


def count_ngrams(model: NgramModel) -> list[int]:
    """Number of n-grams of each length, from 1 to the model's order."""
    counts = [0] * model.order
    for gram in model.log10:
        counts[len(gram) - 1] += 1
    return counts


def require_writable(path: str) -> None:
    """Raises UserError where no file can be written at a path."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError(f"Cannot write {path}: --output must be a file in a folder that exists and can be written.")
