"""Forced alignment: when each symbol and word of a text was spoken, from the outputs of CTC.

Viterbi search over the states of Graves et al. 2006, section 4.1.
"""

from collections.abc import Sequence

import numpy as np

from tfrec.text.tokenizers import Vocabulary


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


def log_probs_of_symbols(log_probs: np.ndarray, ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """Reads how likely the symbols of a text are at their steps in its likeliest alignment.

    Args:
        log_probs: see `align_symbols`.
        ids: symbols of the text; 0 is ignored.

    Returns:
        Natural logarithms, an entry for each step at which a symbol is output; -inf alone where the text needs more
        steps than there are.
    """
    ids = [number for number in ids if number]
    try:
        spans = align_symbols(log_probs, ids)
    except ValueError:
        return np.array([-np.inf])
    return np.array([log_probs[t, i] for i, (start, end) in zip(ids, spans, strict=True) for t in range(start, end)])


def align_words(
    log_probs: np.ndarray, ids: Sequence[int] | np.ndarray, vocabulary: Vocabulary, seconds_per_step: float
) -> list[tuple[str, float, float]]:
    """Finds the times of a text's words; a word lasts from the start of its first symbol to the end of its last.

    Args:
        log_probs: see `align_symbols`.
        ids: symbols of the text; 0 is ignored.
        vocabulary: the vocabulary of the ids; only `pieces` is used.
        seconds_per_step: time between two outputs.

    Returns:
        (word, start_s, end_s) of each word.

    Raises:
        ValueError: the text needs more steps than there are.
    """
    ids = [number for number in ids if number]
    words: list[tuple[str, float, float]] = []
    in_word = False
    for number, (start, end) in zip(ids, align_symbols(log_probs, ids).tolist(), strict=True):
        for character in vocabulary.pieces[number]:
            if character == " ":
                in_word = False
            elif in_word:
                words[-1] = (words[-1][0] + character, words[-1][1], end * seconds_per_step)
            else:
                words.append((character, start * seconds_per_step, end * seconds_per_step))
                in_word = True
    return words


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
