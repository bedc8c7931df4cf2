"""When a text was said: its likeliest alignment to the outputs of CTC.

Viterbi over the states of Graves et al. 2006, section 4.1.
"""

import numpy as np


def symbols(log_probs, ids):
    """The steps of each symbol in the likeliest alignment.

    A network trained with CTC tends to write a symbol in few steps, often late ones, and blanks around them: the spans
    leave gaps and tell where a sound was recognized rather than how long it lasted.

    Args:
        log_probs: numpy (steps, n + 1), natural logarithms, of true steps only.
        ids: symbols 1..n, without blanks.

    Returns:
        int (symbols, 2): first step, and the one after the last. Raises ValueError where the text needs more steps.
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


def words(log_probs, ids, vocabulary, seconds_per_step):
    """The words of a text with their times: list of (word, start_s, end_s).

    A word lasts from the first step of its first symbol to the last of its last one, see `symbols`, whose arguments
    these are. `vocabulary` has `pieces`, `seconds_per_step` is the time between two outputs.
    """
    ids = [number for number in ids if number]
    found, open_word = [], False
    for number, (start, end) in zip(ids, symbols(log_probs, ids).tolist(), strict=True):
        for character in vocabulary.pieces[number]:
            if character == " ":
                open_word = False
            elif open_word:
                found[-1] = (found[-1][0] + character, found[-1][1], end * seconds_per_step)
            else:
                found.append((character, start * seconds_per_step, end * seconds_per_step))
                open_word = True
    return found


def _may_skip(states):
    """Whether each state can follow the one before its predecessor: a symbol after another one, over a blank."""
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != 0) & (states[2:] != states[:-2])
    return skips


def _best_path(scores, skips):
    """The best state at each step, for scores (steps, states); begins in the first two states, ends in the last two."""
    steps, count = scores.shape
    moves = np.zeros((steps, count), np.int8)  # states advanced on the way here
    best = np.full(count, -np.inf)
    best[:2] = scores[0, :2]
    for step in range(1, steps):
        stay, one, two = best, np.full(count, -np.inf), np.full(count, -np.inf)
        one[1:], two[2:] = best[:-1], best[:-2]
        ways = np.stack([stay, one, np.where(skips, two, -np.inf)])
        moves[step] = ways.argmax(0)
        best = ways.max(0) + scores[step]
    path = np.empty(steps, int)
    path[-1] = count - 1 if best[-1] > best[-2] else count - 2
    for step in range(steps - 1, 0, -1):
        path[step - 1] = path[step] - moves[step, path[step]]
    return path
