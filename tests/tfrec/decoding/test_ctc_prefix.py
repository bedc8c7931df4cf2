"""Prefix probabilities of CTC, against sums over all texts."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import ctc
from tfrec.decoding.ctc_prefix import CTCPrefixScorer


def texts_and_scores(rows):
    """Every text that fits into the steps, with its log-probability."""
    steps, outputs = rows.shape
    texts = [t for length in range(steps + 1) for t in itertools.product(range(1, outputs), repeat=length)]
    padded = np.array([t + (0,) * (steps - len(t)) for t in texts], "int32")
    return texts, ctc.score(np.repeat(rows[None], len(texts), 0), [steps] * len(texts), padded).numpy()


def test_prefix_probability_sums_all_texts_that_begin_with_it():
    rows = tf.nn.log_softmax(np.random.default_rng(0).normal(size=(5, 3)) * 2).numpy()
    texts, scores = texts_and_scores(rows)
    scorer, beam = CTCPrefixScorer(rows), [()]
    for _ in range(5):
        np.testing.assert_allclose(scorer.score_complete(), [scores[texts.index(each)] for each in beam], atol=1e-4)
        candidates = np.tile([2, 1], (len(beam), 1))
        extensions = scorer.score_extensions(candidates)
        for row, column in itertools.product(range(len(beam)), range(2)):
            longer = (*beam[row], candidates[row, column])
            fitting = [nats for text, nats in zip(texts, scores, strict=True) if text[: len(longer)] == longer]
            np.testing.assert_allclose(extensions[row, column], np.logaddexp.reduce(fitting), atol=1e-4)
        pairs = [(row, column) for row in range(len(beam)) for column in range(2)][::-1][:5]
        chosen, columns = map(np.array, zip(*pairs, strict=True))
        beam = [(*beam[row], candidates[row, column]) for row, column in pairs]
        scorer = scorer.select(chosen, columns)


def test_text_that_does_not_fit_has_probability_zero():
    rows = np.log(np.full((2, 3), 1 / 3))
    scorer = CTCPrefixScorer(rows)
    scorer.score_extensions(np.array([[1, 2]]))
    scorer = scorer.select([0], [0])
    repeated, other = scorer.score_extensions(np.array([[1, 2]]))[0]
    assert repeated == -np.inf
    np.testing.assert_allclose(other, np.log(1 / 9))


def test_select_needs_candidates():
    with pytest.raises(ValueError, match="select needs the candidates"):
        CTCPrefixScorer(np.log(np.full((2, 3), 1 / 3))).select([0], [0])
