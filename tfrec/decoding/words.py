"""Words of a transcript, with their times and confidences, from the steps at which CTC outputs symbols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tfrec.decoding.word_confidence import WordConfidence
from tfrec.text.tokenizers import Vocabulary

UNSCALED = WordConfidence()


class Word(NamedTuple):
    """A word of a recording; None where nothing is known."""

    word: str
    start_s: float | None
    end_s: float | None
    confidence: float | None  # from the probabilities of its symbols at the steps where they are output


class WordBuilder:
    """Joins symbols to words; a word lasts from the start of its first symbol to the end of its last.

    Args:
        pieces: the vocabulary's, a text for each symbol.
        seconds_per_step: the time between two outputs.
        delay_s: how much later than a sound its symbol is output; times are earlier by it, but never negative.
        confidence: from the mean log-probability of a word's symbols to its confidence.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        seconds_per_step: float,
        delay_s: float = 0.0,
        confidence: WordConfidence = UNSCALED,
    ) -> None:
        self._pieces, self._step_s, self._delay_s = pieces, seconds_per_step, delay_s
        self._confidence = confidence
        self._words: list[Word] = []
        self._log_probs: list[float] = []  # of the last word
        self._in_word = False

    def add(self, symbol: int, start: int, end: int, log_probs: Sequence[float]) -> None:
        """Adds a symbol that is output from step `start` to the one before `end`, with its log-probability at each."""
        is_new = True  # whether the last word lacks this symbol
        for character in self._pieces[symbol]:
            if character == " ":
                self._in_word = False
                continue
            if not self._in_word:
                self._words.append(Word("", self._seconds(start), None, None))
                self._log_probs, self._in_word, is_new = [], True, True
            word, begin, *_ = self._words[-1]
            if begin is None:  # the word began without times
                self._words[-1] = Word(word + character, None, None, None)
                continue
            if is_new:
                self._log_probs, is_new = [*self._log_probs, *log_probs], False
            confidence = self._confidence.of(float(np.mean(self._log_probs)))
            self._words[-1] = Word(word + character, begin, self._seconds(end), confidence)

    def add_text(self, text: str) -> None:
        """Adds words without times."""
        for i, word in enumerate(text.split()):
            if i == 0 and self._in_word:
                word = self._words.pop().word + word
            self._words.append(Word(word, None, None, None))
            self._in_word = True

    def separate(self) -> None:
        """Ends the word."""
        self._in_word = False

    def words(self) -> list[Word]:
        """All words so far; the last may not be complete."""
        return list(self._words)

    def complete(self) -> int:
        """How many words no later symbol changes."""
        return len(self._words) - self._in_word

    def _seconds(self, step: int) -> float:
        return round(max(0.0, step * self._step_s - self._delay_s), 3)


class GreedyPath:
    """The likeliest path of CTC, fed in pieces; its text, words and confidence.

    The likeliest alignment of the greedy text is this path itself.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        seconds_per_step: float,
        delay_s: float = 0.0,
        confidence: WordConfidence = UNSCALED,
    ) -> None:
        self._vocabulary = vocabulary
        self.builder = WordBuilder(vocabulary.pieces, seconds_per_step, delay_s, confidence)
        self._ids: list[int] = []
        self._step, self._last, self._start = 0, 0, 0
        self._open: list[float] = []  # log-probabilities of the symbol that may continue
        self._total, self._count = 0.0, 0

    def feed(self, logits: np.ndarray) -> None:
        """Takes the logits `(steps, outputs)` of the next steps."""
        if not len(logits):
            return
        highest = logits.max(axis=-1)
        log_probs = -np.log(np.exp(logits - highest[:, None]).sum(axis=-1))
        for symbol, value in zip(logits.argmax(axis=-1).tolist(), log_probs.tolist(), strict=True):
            if symbol != self._last:
                self.end()
                if symbol:
                    self._ids.append(symbol)
                    self._start = self._step
                self._last = symbol
            if symbol:
                self._open.append(value)
            self._step += 1

    def end(self) -> None:
        """Ends the symbol that is output last."""
        if self._open:
            self.builder.add(self._last, self._start, self._step, self._open)
            self._total, self._count = self._total + sum(self._open), self._count + len(self._open)
            self._open = []

    @property
    def text(self) -> str:
        """The text so far."""
        return self._vocabulary.decode(self._ids)

    @property
    def confidence(self) -> float:
        """Geometric mean of the probabilities of the symbols at the steps where they are output; 0 of an empty text."""
        return float(np.exp(self._total / self._count)) if self._count and self.text else 0.0


def center_s(words: Iterable[Word]) -> float | None:
    """The time halfway from the start of the first word to the end of the last; None where times are unknown."""
    known = [(word.start_s, word.end_s) for word in words if word.start_s is not None and word.end_s is not None]
    return (known[0][0] + known[-1][1]) / 2 if known else None
