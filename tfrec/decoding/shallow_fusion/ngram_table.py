"""N-gram models compiled to arrays, which score many words at once."""

import itertools
from collections.abc import Sequence

import numpy as np

from tfrec.decoding.ngram import END, LOG10_UNKNOWN, LOG_10, START, UNKNOWN, Gram, NgramModel

_NO_KEY = np.iinfo(np.int64).max


class NgramTable:
    """The scores of an `NgramModel`, for arrays of histories.

    A state, an integer, is the longest end of a history that the model distinguishes: state 0 is the empty history. The
    n-grams are a sorted array of keys, state * number of words + word, so that a search finds many at once.

    Args:
        model: the model.

    Attributes:
        ids: the number of each word, <s>, </s> and <unk> among them.
        start: the state at the start of a text.
    """

    def __init__(self, model: NgramModel) -> None:
        words = [*sorted(model.words), START, END, UNKNOWN]
        self.ids = {word: number for number, word in enumerate(words)}
        self._order = model.order
        states = self._states(model)
        self._shorter = np.array([_longest_end(gram[1:], states) for gram in states], np.int64)
        self._backoff = np.array([model.backoff.get(gram, 0.0) if gram else 0.0 for gram in states])
        self._transitions(model, states)
        self.start = _longest_end((START,), states)

    def _states(self, model: NgramModel) -> dict[Gram, int]:
        """The number of each n-gram that a history can end in; with each its beginnings, so that steps reach it."""
        states: dict[Gram, int] = {(): 0}
        longest = model.order - 1
        for gram in itertools.chain(model.log10, model.backoff):
            if all(word in self.ids for word in gram):
                for length in range(1, min(len(gram), longest) + 1):
                    states.setdefault(gram[:length], len(states))
        return states

    def _transitions(self, model: NgramModel, states: dict[Gram, int]) -> None:
        """Fills the arrays of keys, scores (NaN where an n-gram has none) and next states."""
        grams = [gram for gram in model.log10 if all(word in self.ids for word in gram)]
        unscored = [gram for gram in states if gram and gram not in model.log10]
        both = list(itertools.chain(grams, unscored))
        keys = [states[gram[:-1]] * len(self.ids) + self.ids[gram[-1]] for gram in both]
        order = np.argsort(np.array(keys, np.int64))
        # The last key is larger than all that are looked up: every search ends at a key.
        self._keys = np.append(np.array(keys, np.int64)[order], _NO_KEY)
        log10 = np.array([model.log10[gram] for gram in grams] + [np.nan] * len(unscored))
        self._log10 = np.append(log10[order], np.nan)
        after = np.array([_longest_end(gram[max(0, len(gram) - self._order + 1) :], states) for gram in both], np.int64)
        self._after = np.append(after[order], 0)

    def score(self, states: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores a word after each history.

        Args:
            states: int (n,).
            words: numbers from `ids`, int (n,).

        Returns:
            The natural logarithms of the probabilities, float64 (n,), as `NgramModel.score` computes them, and the
            states after the words, int (n,).
        """
        log10, after = self._look_up(states, words)
        weights = np.zeros(len(states))
        missing = np.flatnonzero(np.isnan(log10))
        for _ in range(self._order - 1):  # of those that are missing, as back-off shortens their history
            if not len(missing):
                break
            before = states[missing]
            weights[missing] += self._backoff[before]
            states = states.copy()
            states[missing] = self._shorter[before]
            shorter, next_states = self._look_up(states[missing], words[missing])
            log10[missing] = shorter
            after[missing] = np.where(after[missing] < 0, next_states, after[missing])
            missing = missing[np.isnan(shorter)]
        log10[missing] = LOG10_UNKNOWN
        return (weights + log10) * LOG_10, np.maximum(after, 0)

    def _look_up(self, states: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log10 of n-grams, NaN where they have none, and the states after them, -1 where there is no such n-gram."""
        keys = states * len(self.ids) + words
        places = self._keys.searchsorted(keys)
        found = self._keys[places] == keys
        return np.where(found, self._log10[places], np.nan), np.where(found, self._after[places], -1)


def _longest_end(gram: Sequence[str], states: dict[Gram, int]) -> int:
    """The state of a history: that of its longest end that has one."""
    gram = tuple(gram)
    while gram not in states:
        gram = gram[1:]
    return states[gram]
