"""Prefix probabilities of CTC: how likely it is that a text begins in some way (Graves 2012, chapter 7).

The book is "Supervised Sequence Labeling with Recurrent Neural Networks"; the recursion is algorithm 2 of Watanabe et
al. 2017, "Hybrid CTC/Attention Architecture for End-to-End Speech Recognition".
"""

from collections.abc import Sequence
from typing import Self

import numpy as np


class CTCPrefixScorer:
    """Scores the prefixes of a beam for one clip; at first the beam holds only the empty prefix.

    Args:
        log_probs: (steps, n + 1) with at least one step, natural logarithms, without padding.
    """

    def __init__(self, log_probs: np.ndarray) -> None:
        self._rows = np.asarray(log_probs, float)
        blank = np.cumsum(self._rows[:, 0])[None]
        # Log-probabilities (beam, steps + 1) that the outputs before each step, and those of all steps, are exactly the
        # prefix: ending in its last symbol, or in a blank.
        self._symbol = np.full((1, len(self._rows) + 1), -np.inf)
        self._blank = np.concatenate([np.zeros((1, 1)), blank], axis=1)
        self._last = np.zeros(1, int)
        self._extended: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def score_complete(self) -> np.ndarray:
        """Returns the log-probability that the whole text is each prefix: (beam,)."""
        return np.logaddexp(self._symbol[:, -1], self._blank[:, -1])

    def score_extensions(self, candidates: np.ndarray) -> np.ndarray:
        """Scores each prefix followed by one more symbol.

        Args:
            candidates: symbols 1..n, int (beam, k).

        Returns:
            The log-probability that the text begins with each extended prefix: (beam, k).
        """
        emitted = np.moveaxis(self._rows[:, candidates], 0, -1)  # (beam, k, steps)
        either = np.logaddexp(self._symbol, self._blank)
        repeated = candidates == self._last[:, None]
        before = np.where(repeated[:, :, None], self._blank[:, None], either[:, None])[:, :, :-1]
        begun = before + emitted
        symbol = np.full((*candidates.shape, len(self._rows) + 1), -np.inf)
        blank = symbol.copy()
        for step, row in enumerate(self._rows):
            symbol[:, :, step + 1] = np.logaddexp(begun[:, :, step], symbol[:, :, step] + emitted[:, :, step])
            blank[:, :, step + 1] = np.logaddexp(symbol[:, :, step], blank[:, :, step]) + row[0]
        self._extended = candidates, symbol, blank
        return np.logaddexp.reduce(begun, axis=-1)

    def select(self, rows: Sequence[int] | np.ndarray, columns: Sequence[int] | np.ndarray) -> Self:
        """Makes the scorer of the next beam.

        Args:
            rows: for each new prefix the index of the prefix that it extends.
            columns: the index of its last symbol among that prefix's candidates in the last `score_extensions`.

        Returns:
            A new scorer.
        """
        if self._extended is None:
            raise ValueError("select needs the candidates of score_extensions. Received: no call before")
        candidates, symbol, blank = self._extended
        selected = object.__new__(type(self))
        selected._rows, selected._extended = self._rows, None
        selected._symbol, selected._blank = symbol[rows, columns], blank[rows, columns]
        selected._last = candidates[rows, columns]
        return selected
