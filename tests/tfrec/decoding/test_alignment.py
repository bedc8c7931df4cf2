"""Forced alignment, against the likeliest of all paths."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import alignment


def log_probs(steps, outputs, seed=0):
    return tf.nn.log_softmax(np.random.default_rng(seed).normal(size=(steps, outputs)) * 2).numpy()


def best_alignment(rows, ids):
    """(log-probability, spans) of the best of all paths."""
    best = (-np.inf, None)
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        runs = [list(group) for _, group in itertools.groupby(enumerate(path), key=lambda item: item[1])]
        runs = [run for run in runs if run[0][1]]
        if [run[0][1] for run in runs] == list(ids):
            total = sum(rows[step, symbol] for step, symbol in enumerate(path))
            best = max(best, (total, [[run[0][0], run[-1][0] + 1] for run in runs]))
    return best


@pytest.mark.parametrize("ids", [(1,), (1, 2), (1, 1), (2, 1, 1), (1, 2, 1, 2), (1, 2, 2, 1, 2), (2, 2, 2)])
def test_alignment_is_the_likeliest_of_all_paths(ids):
    for seed in range(4):
        rows = log_probs(6, 3, seed)
        assert alignment.align_symbols(rows, ids).tolist() == best_alignment(rows, ids)[1]


def test_rejects_a_text_that_needs_more_steps():
    rows = log_probs(3, 3)
    assert alignment.align_symbols(rows[:1], []).shape == (0, 2)
    assert alignment.align_symbols(rows, [1, 1]).tolist() == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match=r"2 symbols need at least 3 steps\. Received: 2"):
        alignment.align_symbols(rows[:2], [1, 1])
