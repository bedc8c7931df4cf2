"""Scores of the texts of a beam against the scores of each text alone."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import ctc
from tfrec.decoding.shallow_fusion import rescoring


def clips(sharpness, steps):
    """Log-probabilities of (3, steps, 5), lengths, and texts (3, 6, 7)."""
    random = np.random.default_rng(0)
    log_probs = tf.nn.log_softmax(random.normal(size=(3, steps, 5)) * sharpness).numpy()
    lengths = np.array([steps, steps // 2, 3])
    ids = random.integers(1, 5, (3, 6, 7))
    ids[:, 3] = ids[:, 2]
    ids[:, 3, 5:] = 0  # begins like the text before
    ids[:, 4, 2:], ids[:, 5] = 0, 0
    ids[:, 2, 1] = ids[:, 2, 0]  # needs a blank between
    return log_probs, lengths, ids


def expected(log_probs, lengths, ids):
    """`ctc.score` of each text."""
    return np.stack([
        ctc.score(np.repeat(log_probs[i : i + 1], len(ids[i]), 0), [lengths[i]] * len(ids[i]), ids[i]).numpy()
        for i in range(len(ids))
    ])  # fmt: skip


@pytest.mark.parametrize(("sharpness", "steps"), [(1.0, 12), (3.0, 40), (30.0, 20), (1.0, 700)])
def test_equals_the_scores_of_single_texts(sharpness, steps):
    log_probs, lengths, ids = clips(sharpness, steps)
    reference = expected(log_probs, lengths, ids)
    extra = np.random.default_rng(1).normal(size=reference.shape)
    log_probs[np.arange(steps) >= lengths[:, None]] = np.nan
    nats, is_exact = rescoring.score(log_probs, lengths, ids)
    assert is_exact[0].any() == (steps < 700)  # float64 does not hold the probabilities of so many uncertain steps
    assert nats[is_exact] == pytest.approx(reference[is_exact], rel=1e-5, abs=1e-4)
    assert (nats >= reference - 1e-3).all()
    assert not is_exact[2, :4].any()  # more symbols than steps
    found = rescoring.best(log_probs, lengths, ids, extra)
    np.testing.assert_array_equal(found, (reference + extra).argmax(axis=1))


def test_a_text_far_from_the_likeliest_is_scored_exactly_where_it_wins():
    log_probs = np.full((1, 40, 3), -40.0)
    log_probs[0, :, 1] = 0.0
    ids = np.array([[[1, 0, 0], [1, 2, 0], [2, 0, 0]]])
    nats, is_exact = rescoring.score(log_probs, np.array([40]), ids)
    reference = expected(log_probs, [40], ids)[0]
    assert is_exact.tolist() == [[True, True, False]]
    assert reference[2] < rescoring.FAR - 900
    for gain, winner in ((0.9, 0), (1.1, 2)):
        extra = np.array([[0.0, 0.0, gain * (reference[0] - reference[2])]])
        assert nats[0, 2] + extra[0, 2] > nats[0, 0]  # what is not exact would win in any case
        assert rescoring.best(log_probs, np.array([40]), ids, extra) == [winner]


def test_no_steps():
    found, is_exact = rescoring.score(np.zeros((2, 0, 4), "float32"), np.zeros(2, int), np.zeros((2, 3, 0), int))
    assert found.tolist() == [[0.0] * 3] * 2
    assert is_exact.all()
