"""Files of n-gram models in the ARPA format (SRILM's manual page ngram-format(5)), gzipped or not."""

import gzip
import math
import pathlib
import re
import zlib
from collections.abc import Iterator
from typing import Any, TextIO

from pipelines.errors import UserError
from tfrec.decoding.ngram import MAX_NGRAMS, MAX_ORDER, UNKNOWN, Gram, NgramModel
from tfrec.utils.files import atomic_write

MAX_LINE_LENGTH = 100_000  # characters
MAX_PREAMBLE_LINES = 1000  # before the counts

Path = str | pathlib.Path


def write(model: NgramModel, path: Path) -> None:
    """Writes a model atomically; gzipped where the name ends in .gz.

    Args:
        model: the model.
        path: the file, which is replaced where it exists.

    Raises:
        UserError: the file cannot be written.
    """
    options: dict[str, Any] = {"encoding": "utf-8", "newline": "\n"}
    open_file = gzip.open if str(path).endswith(".gz") else open
    try:
        with atomic_write(path) as temporary, open_file(temporary, "wt", **options) as file:
            file.writelines(_lines(model))
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def read(path: Path) -> NgramModel:
    """Reads a model.

    Args:
        path: an ARPA file, gzipped or not.

    Returns:
        The model.

    Raises:
        UserError: the file is not an ARPA file; the message has the line number.
    """
    try:
        with open_text(path, encoding="utf-8", newline="\n") as file:
            return _Reader(path, file).model()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not an ARPA file, or it is damaged: {error}.") from error


def open_text(path: Path, **options: Any) -> TextIO:
    """Opens a text file for reading, gzipped or not; `options` are those of `open`."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", **options) if zipped else open(path, **options)


def _lines(model: NgramModel) -> Iterator[str]:
    orders: list[list[Gram]] = [[] for _ in range(model.order)]
    for gram in sorted(model.log10):
        orders[len(gram) - 1].append(gram)
    yield "\\data\\\n"
    yield from (f"ngram {n}={len(grams)}\n" for n, grams in enumerate(orders, start=1))
    for n, grams in enumerate(orders, start=1):
        yield f"\n\\{n}-grams:\n"
        for gram in grams:
            weight = f"\t{model.backoff[gram]:.7f}" if gram in model.backoff else ""
            yield f"{model.log10[gram]:.7f}\t{' '.join(gram)}{weight}\n"
    yield "\n\\end\\\n"


class _Reader:
    """Reads an ARPA file line by line, and never more n-grams than its header declares."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file, self._number = path, file, 0

    def model(self) -> NgramModel:
        """Reads the whole file."""
        counts = self._header()
        log10: dict[Gram, float] = {}
        backoff: dict[Gram, float] = {}
        for n, count in enumerate(counts, start=1):
            for _ in range(count):
                gram, probability, weight = self._gram(n, self._line())
                if gram in log10:
                    raise self._error(f"{' '.join(gram)!r} appears twice")
                log10[gram] = probability
                if weight is not None:
                    backoff[gram] = weight
            heading = f"\\{n + 1}-grams:" if n < len(counts) else "\\end\\"
            if self._line() != heading:
                raise self._error(f"{heading} must follow {count:,} {n}-grams")
        return NgramModel(len(counts), log10, backoff)

    def _header(self) -> list[int]:
        """The number of n-grams of each order."""
        if not any(self._line() == "\\data\\" for _ in range(MAX_PREAMBLE_LINES)):
            raise self._error("\\data\\ is missing")
        counts: list[int] = []
        while declared := re.fullmatch(r"ngram ([0-9]{1,2}) ?= ?([0-9]{1,12})", line := self._line()):
            counts.append(int(declared.group(2)))
            if int(declared.group(1)) != len(counts) or len(counts) > MAX_ORDER:
                raise self._error(f"orders must be 1, 2, ... up to at most {MAX_ORDER}")
        if sum(counts) > MAX_NGRAMS:
            raise self._error(f"it declares {sum(counts):,} n-grams, more than {MAX_NGRAMS:,}: prune the model")
        if not counts or line != "\\1-grams:":
            raise self._error("lines such as 'ngram 1=100' and then \\1-grams: must follow \\data\\")
        return counts

    def _gram(self, n: int, line: str) -> tuple[Gram, float, float | None]:
        """The n-gram of a line, the log10 of its probability, and its back-off weight or None."""
        cells = re.split("[ \t]+", line)
        try:
            numbers = [float(cell) for cell in (cells[0], *cells[n + 1 :])]
        except ValueError:
            numbers = []
        valid = 1 <= len(numbers) <= 2 and len(cells) > n and all(map(math.isfinite, numbers)) and numbers[0] < 1e-3
        if not valid:
            raise self._error(f"the line must hold the log10 of a probability, {n} words and optionally a log10 weight")
        gram = tuple(UNKNOWN if word == "<UNK>" else word for word in cells[1 : n + 1])
        return gram, numbers[0], numbers[1] if len(numbers) == 2 else None

    def _line(self) -> str:
        """The next line that is not empty."""
        for _ in range(MAX_PREAMBLE_LINES):
            line = self._file.readline(MAX_LINE_LENGTH)
            self._number += 1
            if not line:
                raise self._error("the file ends too early")
            if len(line) == MAX_LINE_LENGTH:
                raise self._error(f"the line is longer than {MAX_LINE_LENGTH:,} characters")
            if stripped := line.strip(" \t\r\n"):
                return stripped
        raise self._error("too many empty lines")

    def _error(self, reason: str) -> UserError:
        return UserError(f"{self._path}:{self._number} is not an ARPA file, or it is damaged: {reason}.")
