"""CTC: losses and gradients against TensorFlow's, scores against all paths, and greedy decoding."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import ctc


def example(batch=5, steps=12, symbols=6, length=5, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(batch, steps, symbols + 1)).astype("float32") * 2
    lengths = rng.integers(0, length + 1, batch)
    lengths[0] = length
    targets = np.where(np.arange(length) < lengths[:, None], rng.integers(1, symbols + 1, (batch, length)), 0)
    true = rng.integers(2 * length, steps + 1, batch)
    return logits, true.astype("int32"), targets.astype("int32")


def with_gradient(function, logits, *arguments):
    with tf.GradientTape() as tape:
        logits = tf.constant(logits)
        tape.watch(logits)
        loss = function(logits, *arguments)
    return loss.numpy(), tape.gradient(loss, logits).numpy()


def tensorflow_losses(logits, steps, targets):
    lengths = tf.math.count_nonzero(targets, axis=1, dtype=tf.int32)
    return tf.nn.ctc_loss(targets, logits, lengths, steps, logits_time_major=False, blank_index=0)


def alignments(log_probs, ids):
    """The log-probability of ids, summed over all paths."""
    total = -np.inf
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if collapsed(path) == list(ids):
            total = np.logaddexp(total, sum(log_probs[t, s] for t, s in enumerate(path)))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_losses_and_gradients_equal_those_of_tensorflow(seed):
    logits, steps, targets = example(seed=seed)
    loss, gradient = with_gradient(lambda *a: ctc.losses(*a)[0], logits, steps, targets)
    expected, slope = with_gradient(tensorflow_losses, logits, steps, targets)
    np.testing.assert_allclose(loss, expected, atol=1e-4)
    np.testing.assert_allclose(gradient, slope, atol=1e-4)
    assert np.abs(gradient).max() > 0.1


def test_padding_changes_nothing_and_has_no_gradient():
    logits, steps, targets = example()
    steps[1] = 10
    past = np.arange(logits.shape[1]) >= steps[:, None]
    loss, gradient = with_gradient(lambda *a: ctc.losses(*a)[0], logits, steps, targets)
    garbage = np.where(past[:, :, None], np.nan, logits).astype("float32")
    again, slope = with_gradient(lambda *a: ctc.losses(*a)[0], garbage, steps, targets)
    assert past.any()
    assert (gradient[past] == 0).all()
    assert (slope[past] == 0).all()
    np.testing.assert_array_equal(loss, again)
    np.testing.assert_array_equal(gradient, slope)


def test_target_that_does_not_fit_is_reported_and_changes_no_other():
    logits, steps, targets = example()
    steps[0], targets[0] = 5, [1, 1, 2, 3, 4]
    steps[2], targets[2] = 0, [1, 0, 0, 0, 0]
    loss, possible = ctc.losses(logits, steps, targets)
    _, gradient = with_gradient(lambda *a: ctc.losses(*a)[0], logits, steps, targets)
    assert possible.numpy().tolist() == [False, True, False, True, True]
    assert (loss.numpy()[[0, 2]] == 0).all()
    assert (gradient[[0, 2]] == 0).all()
    rest = [1, 3, 4]
    single, slope = with_gradient(lambda *a: ctc.losses(*a)[0], logits[rest], steps[rest], targets[rest])
    np.testing.assert_array_equal(loss.numpy()[rest], single)
    np.testing.assert_array_equal(gradient[rest], slope)
    steps[0] = 6
    assert ctc.losses(logits, steps, targets)[1].numpy()[0]


@pytest.mark.parametrize("length", [0, 3])
def test_empty_target_is_all_blanks(length):
    logits, steps, _ = example()
    loss, possible = ctc.losses(logits, steps, np.zeros((5, length), "int32"))
    blanks = tf.nn.log_softmax(logits)[:, :, 0].numpy()
    np.testing.assert_allclose(loss, [-row[:n].sum() for row, n in zip(blanks, steps, strict=True)], rtol=1e-5)
    assert possible.numpy().all()


def test_losses_are_finite_for_confident_wrong_logits():
    logits = np.zeros((1, 4, 3), "float32")
    logits[:, :, 0] = 1000
    loss, gradient = with_gradient(lambda *a: ctc.losses(*a)[0], logits, [4], [[1, 2]])
    assert 100 < loss[0] < 1000
    assert np.isfinite(gradient).all()
    assert gradient[0, :, 1:].min() < -0.1


def test_losses_in_a_graph_of_unknown_sizes():
    logits, steps, targets = example()
    signature = [
        tf.TensorSpec([None, None, None], tf.float32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, None], tf.int32),
    ]
    graph = tf.function(lambda *a: ctc.losses(*a)[0], input_signature=signature)
    for some in (slice(None), slice(1)):
        arguments = logits[some], steps[some], targets[some]
        loss, gradient = with_gradient(graph, *arguments)
        expected, slope = with_gradient(tensorflow_losses, *arguments)
        np.testing.assert_allclose(loss, expected, atol=1e-4)
        np.testing.assert_allclose(gradient, slope, atol=1e-4)
    half, _ = ctc.losses(logits.astype("float16"), steps, targets)
    np.testing.assert_allclose(half, ctc.losses(logits, steps, targets)[0], rtol=1e-2)


def test_score_sums_all_alignments():
    logits, _, _ = example(batch=4, steps=4, symbols=2, length=2)
    log_probs = tf.nn.log_softmax(logits).numpy()
    ids = np.array([[1, 2], [1, 1], [2, 0], [0, 0]])
    expected = [alignments(row, [i for i in text if i]) for row, text in zip(log_probs, ids, strict=True)]
    np.testing.assert_allclose(ctc.score(logits, [4] * 4, ids), expected, rtol=1e-5)
    assert ctc.score(logits[:1], [2], [[1, 1]]).numpy()[0] == -np.inf


def collapsed(path):
    return [int(symbol) for symbol, _ in itertools.groupby(path) if symbol]


def test_greedy_collapses_the_likeliest_path():
    paths = [[1, 1, 0, 1, 2, 2, 0], [0, 0, 0, 0, 0, 0, 0], [3, 2, 1, 3, 3, 3, 2], [2, 2, 2, 2, 2, 2, 2]]
    logits = tf.one_hot(paths, 4) * 5
    ids, lengths, _ = ctc.greedy(logits, [7, 7, 4, 0])
    assert ids.numpy().tolist() == [[1, 1, 2, 0, 0, 0, 0], [0] * 7, [3, 2, 1, 3, 0, 0, 0], [0] * 7]
    assert lengths.numpy().tolist() == [3, 0, 4, 0]


def test_greedy_same_result_as_single_clip_in_a_graph_and_with_garbage_in_the_padding():
    logits, steps, _ = example(batch=6, steps=30)
    steps = np.array([30, 1, 29, 0, 7, 13], "int32")
    signature = [tf.TensorSpec([None, None, 7], tf.float32), tf.TensorSpec([None], tf.int32)]
    graph = tf.function(ctc.greedy, input_signature=signature)
    past = np.arange(30) >= steps[:, None]
    ids, lengths, path = graph(np.where(past[:, :, None], np.nan, logits), steps)
    for row, length in enumerate(steps):
        unpadded = logits[row : row + 1, :length]
        expected = collapsed(unpadded[0].argmax(-1))
        assert ids[row].numpy().tolist() == expected + [0] * (30 - len(expected))
        assert lengths[row] == len(expected)
        np.testing.assert_allclose(path[row], tf.nn.log_softmax(unpadded).numpy().max(-1).sum(), rtol=1e-5)
        assert ctc.score(logits[row : row + 1], [length], ids[row : row + 1]).numpy()[0] >= path[row] - 1e-4
        if length:
            assert ctc.greedy(unpadded, [length])[0][0].numpy().tolist() == ids[row, :length].numpy().tolist()
    assert graph(logits[:0], steps[:0])[0].shape == (0, 30)
