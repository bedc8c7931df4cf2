"""Prefix beam search, against the scores of all texts."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import beam_search, ctc


def log_probs(batch, steps, symbols, seed=0, sharpness=1.0):
    rng = np.random.default_rng(seed)
    return tf.nn.log_softmax(rng.normal(size=(batch, steps, symbols + 1)) * sharpness).numpy().astype("float32")


def likeliest(rows):
    """The likeliest of all texts that fit into the steps, as (ids, score)."""
    steps, outputs = rows.shape
    texts = [t for length in range(steps + 1) for t in itertools.product(range(1, outputs), repeat=length)]
    padded = np.array([t + (0,) * (steps - len(t)) for t in texts], "int32")
    scores = ctc.score(np.repeat(rows[None], len(texts), 0), [steps] * len(texts), padded).numpy()
    return padded[scores.argmax()], scores.max()


def test_finds_the_likeliest_text_where_greedy_decoding_does_not():
    rows = log_probs(24, 5, 2)
    ids, lengths, scores = beam_search.search(rows, [5] * 24)
    greedy, _, _ = ctc.greedy(rows, [5] * 24)
    for row, (found, score) in enumerate(zip(ids.numpy(), scores.numpy(), strict=True)):
        expected, best = likeliest(rows[row])
        assert found.tolist() == expected.tolist()
        assert score == pytest.approx(best, abs=1e-5)
    assert (ids != greedy).numpy().any()
    assert lengths.numpy().tolist() == (ids.numpy() > 0).sum(1).tolist()


@pytest.mark.parametrize("width", [1, 2, 16])
def test_narrow_beam_is_never_worse_than_greedy(width):
    rows, steps = log_probs(40, 25, 6, sharpness=2), np.arange(40) % 26
    ids, _, scores = beam_search.search(rows, steps, width)
    greedy = ctc.score(rows, steps, ctc.greedy(rows, steps)[0])
    assert (scores >= greedy).numpy().all()
    np.testing.assert_array_equal(scores, ctc.score(rows, steps, ids))


def test_same_result_as_single_clip_in_a_graph_and_with_garbage_in_the_padding():
    rows, steps = log_probs(4, 12, 5), np.array([12, 0, 1, 7], "int32")
    past = np.arange(12) >= steps[:, None]
    signature = [tf.TensorSpec([None, None, 6], tf.float32), tf.TensorSpec([None], tf.int32)]
    graph = tf.function(beam_search.search, input_signature=signature)
    ids, lengths, scores = graph(np.where(past[:, :, None], np.nan, rows), steps)
    assert ids.shape == (4, 12)
    for row, length in enumerate(steps):
        single = beam_search.search(rows[row : row + 1, : max(length, 1)], [length])
        assert single[0][0].numpy().tolist() == ids[row, : max(length, 1)].numpy().tolist()
        assert single[1][0] == lengths[row]
        np.testing.assert_allclose(single[2][0], scores[row], atol=1e-5)
    assert [part.shape for part in graph(rows[:0], steps[:0])] == [(0, 12), (0,), (0,)]
    assert graph(rows[:, :0], 0 * steps)[0].shape == (4, 0)
