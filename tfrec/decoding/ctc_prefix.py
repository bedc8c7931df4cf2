"""How likely CTC finds it that a text begins in some way (Graves 2012, chapter 7, prefix search).

The book is "Supervised Sequence Labeling with Recurrent Neural Networks"; the recursion is algorithm 2 of Watanabe et
al. 2017, "Hybrid CTC/Attention Architecture for End-to-End Speech Recognition".
"""

import numpy as np


class Prefixes:
    """Prefixes of the text of one clip, as a beam holds them; at first only the empty one.

    Made from log_probs, numpy (steps, n + 1) with at least one step, natural logarithms of true steps only.
    """

    def __init__(self, log_probs):
        self._rows = np.asarray(log_probs, float)
        blank = np.cumsum(self._rows[:, 0])[None]
        # Log-probabilities (beam, steps + 1) of having written just the prefix before each step and after the last
        # one, the step before ending in its last symbol, or in a blank.
        self._symbol = np.full((1, len(self._rows) + 1), -np.inf)
        self._blank = np.concatenate([np.zeros((1, 1)), blank], axis=1)
        self._last = np.zeros(1, int)
        self._longer = None

    def whole(self):
        """The log-probability that the text is each prefix: (beam,)."""
        return np.logaddexp(self._symbol[:, -1], self._blank[:, -1])

    def extended(self, candidates):
        """The log-probability that the text begins with each prefix and one more symbol: (beam, k).

        `candidates`, int (beam, k), are symbols 1..n.
        """
        emitted = np.moveaxis(self._rows[:, candidates], 0, -1)  # (beam, k, steps)
        either = np.logaddexp(self._symbol, self._blank)
        again = candidates == self._last[:, None]
        before = np.where(again[:, :, None], self._blank[:, None], either[:, None])[:, :, :-1]
        begun = before + emitted
        symbol = np.full((*candidates.shape, len(self._rows) + 1), -np.inf)
        blank = symbol.copy()
        for step, row in enumerate(self._rows):
            symbol[:, :, step + 1] = np.logaddexp(begun[:, :, step], symbol[:, :, step] + emitted[:, :, step])
            blank[:, :, step + 1] = np.logaddexp(symbol[:, :, step], blank[:, :, step]) + row[0]
        self._longer = candidates, symbol, blank
        return np.logaddexp.reduce(begun, axis=-1)

    def after(self, rows, columns):
        """The Prefixes made of prefix rows[i] and its candidate columns[i], of the last call of `extended`."""
        candidates, symbol, blank = self._longer
        chosen = object.__new__(Prefixes)
        chosen._rows, chosen._longer = self._rows, None
        chosen._symbol, chosen._blank = symbol[rows, columns], blank[rows, columns]
        chosen._last = candidates[rows, columns]
        return chosen
