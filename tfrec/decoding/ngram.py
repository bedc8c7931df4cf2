"""N-gram models and their files in ARPA's format (SRILM's manual page ngram-format(5))."""

import contextlib
import gzip
import math
import os
import re
import zlib

from pipelines.errors import UserError

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPACE = "<space>"  # the space between words, in a model of characters
NGRAMS = 20_000_000  # at most, for they stand in memory; some 4 GB
ORDER = 10  # at most
NEVER = -99.0  # log10 of what no model predicts, <s>; as SRILM
LINE = 100_000  # characters of a line in a file, at most
PREAMBLE = 1000  # lines before the counts, at most
NO_CHANCE = -100.0  # log10, where a model has no <unk>; as kenlm
LOG_10 = math.log(10)


class NgramModel:
    """Probabilities of words after words, with back-off.

    `order` is the longest n-gram; `words` (set of str) has every word but <s>, </s> and <unk>; `log10` maps n-grams
    (tuples of str) to log10 of their probability, `backoff` those that others go on from to log10 of their weight.
    """

    def __init__(self, order, log10, backoff):
        self.order, self.log10, self.backoff = order, log10, backoff
        self.words = {gram[0] for gram in log10 if len(gram) == 1} - {START, END, UNKNOWN}
        self._known = self.words | {START, END}

    def score(self, history, word):
        """Natural log of the probability of `word` (or "</s>") after `history`, a tuple of words.

        `history` begins with "<s>" where the sentence does; more than order - 1 words may be given. A word that the
        model does not know counts as <unk>.
        """
        known = self._known
        word = word if word in known else UNKNOWN
        context = tuple(each if each in known else UNKNOWN for each in history[max(len(history) - self.order + 1, 0) :])
        weight = 0.0
        while (found := self.log10.get((*context, word))) is None:
            if not context:
                return (weight + NO_CHANCE) * LOG_10
            weight += self.backoff.get(context, 0.0)
            context = context[1:]
        return (weight + found) * LOG_10

    def perplexity(self, sentences):
        """Of lists of words, their ends counted -> (perplexity, number of words and ends, of them not in the model)."""
        total, count, unknown = 0.0, 0, 0
        for sentence in sentences:
            history = (START,)
            for word in (*sentence, END):
                total += self.score(history, word)
                unknown += word not in self._known
                count += 1
                history = (*history, word)[-self.order :]
        return math.exp(-total / max(count, 1)), count, unknown


def units(text, unit):
    """What a model of `unit` ("words" or "characters") sees of a normalized text, as a list of str.

    >>> units("a cat", "characters")
    ['a', '<space>', 'c', 'a', 't']
    """
    if unit == "words":
        return text.split()
    return [SPACE if character == " " else character for character in text]


def write(model, path):
    """Writes an NgramModel as ARPA, whole or not at all; gzipped where the name ends in .gz.

    Raises UserError where the file cannot be written.
    """
    part = f"{path}.part"
    try:
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(part, "wt", encoding="utf-8", newline="\n") as file:
            file.writelines(_lines(model))
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(part)
        if isinstance(error, OSError):
            raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
        raise


def _lines(model):
    orders = [[] for _ in range(model.order)]
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


def opened(path, **options):
    """The text file, gzipped or not, opened for reading; `options` are those of `open`."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return (gzip.open if zipped else open)(path, "rt", **options)


def read(path):
    """The NgramModel of an ARPA file, gzipped or not. Raises UserError, with the line, for what is no such file."""
    try:
        with opened(path, encoding="utf-8", newline="\n") as file:
            return _Reader(path, file).model()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no ARPA file, or it is damaged: {error}.") from error


class _Reader:
    """Reads an ARPA file line by line, never more than it declares."""

    def __init__(self, path, file):
        self._path, self._file, self._number = path, file, 0

    def model(self):
        counts = self._header()
        log10, backoff = {}, {}
        for n, count in enumerate(counts, start=1):
            for _ in range(count):
                gram, probability, weight = self._gram(n, self._line())
                if gram in log10:
                    raise self._error(f"{' '.join(gram)!r} is there twice")
                log10[gram] = probability
                if weight is not None:
                    backoff[gram] = weight
            heading = f"\\{n + 1}-grams:" if n < len(counts) else "\\end\\"
            if self._line() != heading:
                raise self._error(f"{heading} must follow {count:,} {n}-grams")
        return NgramModel(len(counts), log10, backoff)

    def _header(self):
        if not any(self._line() == "\\data\\" for _ in range(PREAMBLE)):
            raise self._error("\\data\\ is missing")
        counts = []
        while declared := re.fullmatch(r"ngram ([0-9]{1,2}) ?= ?([0-9]{1,12})", line := self._line()):
            counts.append(int(declared.group(2)))
            if int(declared.group(1)) != len(counts) or len(counts) > ORDER:
                raise self._error(f"orders must be 1, 2, ... up to {ORDER} at most")
        if sum(counts) > NGRAMS:
            raise self._error(f"it declares {sum(counts):,} n-grams, more than {NGRAMS:,}: prune the model")
        if not counts or line != "\\1-grams:":
            raise self._error("after \\data\\ must come lines such as 'ngram 1=100', then \\1-grams:")
        return counts

    def _gram(self, n, line):
        cells = re.split("[ \t]+", line)
        try:
            numbers = [float(cell) for cell in (cells[0], *cells[n + 1 :])]
        except ValueError:
            numbers = []
        fits = 1 <= len(numbers) <= 2 and len(cells) > n and all(map(math.isfinite, numbers)) and numbers[0] < 1e-3
        if not fits:
            raise self._error(f"a log10 of a probability, {n} words and perhaps a log10 weight must stand here")
        gram = tuple(UNKNOWN if word == "<UNK>" else word for word in cells[1 : n + 1])
        return gram, numbers[0], numbers[1] if len(numbers) == 2 else None

    def _line(self):
        """The next line that is not empty."""
        for _ in range(PREAMBLE):
            line = self._file.readline(LINE)
            self._number += 1
            if not line:
                raise self._error("the file ends too early")
            if len(line) == LINE:
                raise self._error(f"the line is longer than {LINE:,} characters")
            if stripped := line.strip(" \t\r\n"):
                return stripped
        raise self._error("too many empty lines")

    def _error(self, reason):
        return UserError(f"{self._path}:{self._number} is no ARPA file, or it is damaged: {reason}.")
