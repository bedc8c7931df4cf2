"""Shallow fusion for one clip, with a tree of Python objects instead of arrays: what the search must equal."""

import bisect
import functools
import heapq
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from tfrec.decoding import ctc
from tfrec.decoding.config import DecodeConfig
from tfrec.decoding.ngram import END, SPACE, START, UNKNOWN, Gram, NgramModel


class State(NamedTuple):
    """What a language model's scorer knows of a text.

    Once no known word begins with the unfinished word, `nats` counts that word as unknown.
    """

    nats: float  # score so far, by which a beam ranks
    finished_nats: float  # score without the unfinished word
    history: Gram  # the last finished words
    word: str  # the unfinished word


class LanguageModelScorer:
    """Scores texts by a language model and a bonus for each word, in nats.

    Each word adds lm_weight * score + word_bonus; the score of a word that the model does not know is
    -unknown_penalty. Where all words of the model are single characters or "<space>", it is a model of characters.

    Args:
        model: the language model.
        config: the settings: lm_weight, word_bonus, unknown_penalty.

    Attributes:
        of_characters: whether the model is of characters.
        start: the state of the empty text.
    """

    def __init__(self, model: NgramModel, config: DecodeConfig) -> None:
        self._model, self._config = model, config
        # All words of a corpus may be single letters: only "<space>" makes a model one of characters.
        self.of_characters = SPACE in model.words and all(len(word) == 1 or word == SPACE for word in model.words)
        self._sorted = sorted(model.words)
        self._score = functools.lru_cache(maxsize=1_000_000)(self._score_word)
        self._bound = functools.lru_cache(maxsize=1_000_000)(self._bound_unfinished)
        self.start = State(0.0, 0.0, self._cut((START,)), "")

    def extend(self, state: State, characters: str) -> State:
        """Returns the state after more characters of a text."""
        _, nats, history, word = state
        for character in characters:
            if self.of_characters:
                if word or character != " ":  # no text begins with a space; `word` says only that the text has begun
                    nats, history = self._add(nats, history, SPACE if character == " " else character)
                    word = character
            elif character != " ":
                word += character
            elif word:
                nats, history = self._add(nats, history, word)
                word = ""
        return State(nats + self._bound(word), nats, history, word)

    def score(self, text: str) -> float:
        """Returns the nats of a whole text, its end included."""
        _, nats, history, word = self.extend(self.start, text)
        if word and not self.of_characters:
            nats, history = self._add(nats, history, word)
        return nats + self._config.lm_weight * self._model.score(history, END)

    def _bound_unfinished(self, word: str) -> float:
        """Nats that an unfinished word is certain to lose."""
        if self.of_characters:
            return 0.0
        place = bisect.bisect_left(self._sorted, word)
        known = place < len(self._sorted) and self._sorted[place].startswith(word)
        return 0.0 if known or not word else -self._config.lm_weight * self._config.unknown_penalty

    def _add(self, nats: float, history: Gram, word: str) -> tuple[float, Gram]:
        gain = self._config.lm_weight * self._score(history, word) + self._config.word_bonus
        return nats + gain, self._cut((*history, word if word in self._model.words else UNKNOWN))

    def _score_word(self, history: Gram, word: str) -> float:
        return self._model.score(history, word) if word in self._model.words else -self._config.unknown_penalty

    def _cut(self, history: Gram) -> Gram:
        return history[max(0, len(history) - self._model.order + 1) :]


class _Prefix:
    """A node in the tree of prefixes: ids so far, with the state of the language model after them."""

    __slots__ = ("children", "parent", "state", "symbol")

    def __init__(self, parent: "_Prefix | None", symbol: int, state: State) -> None:
        self.parent, self.symbol, self.state = parent, symbol, state
        self.children: dict[int, _Prefix] = {}

    def ids(self) -> list[int]:
        """The ids from the root to this node."""
        ids, prefix = [], self
        while prefix.parent is not None:
            ids.append(prefix.symbol)
            prefix = prefix.parent
        return ids[::-1]


# Log-probabilities of each prefix, ending in a blank and not ending in a blank.
_Beam = dict[_Prefix, tuple[float, float]]


def search(log_probs, scorer, vocabulary, config):
    """Finds the best text of one clip by its exact score, among those of the beam and the greedy text.

    The score is the log-probability of CTC plus that of the scorer.

    Args:
        log_probs: (steps, n + 1), natural logarithms, without padding.
        scorer: the scorer of the language model.
        vocabulary: the vocabulary of the n symbols.
        config: the settings: width, min_log_prob, word_bonus.

    Returns:
        The text and its score.
    """
    log_probs = np.asarray(log_probs, "float32")
    if not len(log_probs):
        return "", 0.0
    greedy, lengths, _ = ctc.greedy(log_probs[None], [len(log_probs)])
    found = {tuple(greedy.numpy()[0, : lengths[0]].tolist())}
    found.update(tuple(prefix.ids()) for prefix in _search(log_probs, scorer, vocabulary.pieces, config))
    candidates = sorted(found)
    padded = np.zeros((len(candidates), len(log_probs)), "int32")
    for row, ids in zip(padded, candidates, strict=True):
        row[: len(ids)] = ids
    repeated = np.broadcast_to(log_probs, (len(candidates), *log_probs.shape))
    acoustic = ctc.score(repeated, np.full(len(candidates), len(log_probs), "int32"), padded).numpy()
    texts = [vocabulary.decode(ids) for ids in candidates]
    totals = [float(nats) + scorer.score(text) for nats, text in zip(acoustic, texts, strict=True)]
    best = int(np.argmax(totals))
    return texts[best], totals[best]


def _search(log_probs: np.ndarray, scorer: LanguageModelScorer, pieces: Sequence[str], config: DecodeConfig) -> _Beam:
    """The best prefixes after the last step."""
    beam: _Beam = {_Prefix(None, 0, scorer.start): (0.0, -math.inf)}
    max_gain = max(0.0, config.word_bonus) * max(map(len, pieces))  # nats that the scorer can add for one piece
    for step in log_probs:
        symbols = (np.flatnonzero(step[1:] > config.min_log_prob) + 1).tolist()
        row = step.tolist()
        grown = {prefix: _stay(prefix, *parts, row) for prefix, parts in beam.items()}
        threshold = min(map(_total, grown.items())) - max_gain if len(beam) == config.width else -math.inf
        _grow(grown, beam, row, symbols, threshold, scorer, pieces)
        beam = grown if len(grown) <= config.width else dict(heapq.nlargest(config.width, grown.items(), key=_total))
    return beam


def _total(item: tuple[_Prefix, tuple[float, float]]) -> float:
    """Nats of CTC and language model of a prefix in a beam."""
    prefix, parts = item
    return _log_add(*parts) + prefix.state.nats


def _stay(prefix: _Prefix, blank: float, symbol: float, row: Sequence[float]) -> tuple[float, float]:
    """Log-probabilities of a prefix (ending in a blank, or not) after a step that adds no symbol."""
    return _log_add(blank, symbol) + row[0], symbol + row[prefix.symbol] if prefix.symbol else -math.inf


def _grow(
    grown: _Beam,
    beam: _Beam,
    row: Sequence[float],
    symbols: Collection[int],
    threshold: float,
    scorer: LanguageModelScorer,
    pieces: Sequence[str],
) -> None:
    """Adds to `grown` the prefixes of `beam` extended by each of `symbols`, where that can reach `threshold` nats."""
    for prefix, (blank, symbol) in beam.items():
        either = _log_add(blank, symbol)
        for number in symbols:
            # The same symbol again is a new one only after a blank.
            nats = (blank if number == prefix.symbol else either) + row[number]
            longer = prefix.children.get(number)
            if nats == -math.inf or (nats + prefix.state.nats < threshold and longer not in grown):
                continue
            if longer is None:
                longer = _Prefix(prefix, number, scorer.extend(prefix.state, pieces[number]))
                prefix.children[number] = longer
            before = grown.get(longer, (-math.inf, -math.inf))
            grown[longer] = before[0], _log_add(before[1], nats)


def _log_add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
