"""Forced alignment, against the likeliest of all paths."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.decoding import toy
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


def certain(vocabulary, path):
    ids = [0 if name == "-" else 1 + vocabulary.tokens.index(name) for name in path]
    return tf.nn.log_softmax(tf.one_hot(ids, len(vocabulary) + 1) * 9.0).numpy()


@pytest.mark.parametrize(
    ("vocabulary", "path", "text"),
    [
        (toy.characters("abc"), "-aabc- --cb-", "abc cb"),
        (toy.words("abc", "cb"), ["-", *["abc"] * 4, "-", "-", "-", "-", "cb", "cb", "-"], "abc cb"),
    ],
)
def test_word_times(vocabulary, path, text):
    words = alignment.align_words(certain(vocabulary, path), [*vocabulary.encode(text), 0], vocabulary, 0.04)
    assert [word for word, _, _ in words] == ["abc", "cb"]
    np.testing.assert_allclose([times for _, *times in words], [[0.04, 0.2], [0.36, 0.44]])


def test_word_times_of_pieces_that_contain_spaces():
    class Pieces:
        pieces = ["", " ab", "c", "d e", " "]  # noqa: RUF012

    rows = np.log(np.eye(5)[[0, 1, 2, 3, 4, 2]] + 1e-9)
    words = alignment.align_words(rows, [1, 2, 3, 4, 2], Pieces, 1.0)
    assert words == [("abcd", 1.0, 4.0), ("e", 3.0, 4.0), ("c", 5.0, 6.0)]
    assert alignment.align_words(rows, [], Pieces, 1.0) == []


def test_log_probs_of_the_symbols_of_a_greedy_path_are_those_of_its_steps():
    logits = np.random.default_rng(0).normal(size=(40, 5))
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    path = log_probs.argmax(axis=1)
    ids = [symbol for symbol, before in zip(path, [0, *path[:-1]], strict=True) if symbol and symbol != before]
    expected = log_probs.max(axis=1)[path != 0]
    np.testing.assert_allclose(alignment.log_probs_of_symbols(log_probs, ids), expected)
    assert alignment.log_probs_of_symbols(log_probs, [1] * 30).tolist() == [-np.inf]
    assert alignment.log_probs_of_symbols(log_probs, []).tolist() == []
