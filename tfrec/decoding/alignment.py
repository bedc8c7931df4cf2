"""Forced alignment: when each symbol of a text was spoken, from the outputs of CTC.

Viterbi search over the states of Graves et al. 2006, section 4.1.
"""

from collections.abc import Sequence

import numpy as np


def align_symbols(log_probs: np.ndarray, ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """Finds the steps of each symbol in the likeliest alignment.

    A network trained with CTC tends to output a symbol in few steps, often late ones, with blanks around them: the
    spans leave gaps, and say where a sound was recognized rather than how long it lasted.

    Args:
        log_probs: (steps, n + 1), natural logarithms, without padding.
        ids: symbols 1..n, without blanks.

    Returns:
        int (symbols, 2): the first step of each symbol and the one after its last.

    Raises:
        ValueError: the text needs more steps than there are.
    """
    ids = np.asarray(ids, int)
    needed = len(ids) + np.count_nonzero(ids[1:] == ids[:-1])
    if needed > len(log_probs):
        raise ValueError(f"{len(ids)} symbols need at least {needed} steps. Received: {len(log_probs)}")
    if not len(ids):
        return np.zeros((0, 2), int)
    states = np.zeros(2 * len(ids) + 1, int)  # blank, first symbol, blank, second symbol, ..., blank
    states[1::2] = ids
    path = _best_path(np.asarray(log_probs, float)[:, states], _may_skip(states))
    steps = [np.flatnonzero(path == state) for state in range(1, len(states), 2)]
    return np.array([(each[0], each[-1] + 1) for each in steps])


def _may_skip(states: np.ndarray) -> np.ndarray:
    """Whether a path may enter each state from two states before: a symbol after a different one, over a blank."""
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != 0) & (states[2:] != states[:-2])
    return skips


def _best_path(scores: np.ndarray, skips: np.ndarray) -> np.ndarray:
    """The best state at each step, for scores (steps, states); starts in the first two states, ends in the last two."""
    steps, count = scores.shape
    advances = np.zeros((steps, count), np.int8)  # by how many states the best path to each state advanced
    best = np.full(count, -np.inf)
    best[:2] = scores[0, :2]
    for step in range(1, steps):
        stay, by_one, by_two = best, np.full(count, -np.inf), np.full(count, -np.inf)
        by_one[1:], by_two[2:] = best[:-1], best[:-2]
        choices = np.stack([stay, by_one, np.where(skips, by_two, -np.inf)])
        advances[step] = choices.argmax(0)
        best = choices.max(0) + scores[step]
    path = np.empty(steps, int)
    path[-1] = count - 1 if best[-1] > best[-2] else count - 2
    for step in range(steps - 1, 0, -1):
        path[step - 1] = path[step] - advances[step, path[step]]
    return path
