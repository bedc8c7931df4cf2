"""Decoding of attention decoders, against the scores of all texts."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.decoding import toy
from tfrec.decoding import DecodeConfig, attention, ctc
from tfrec.decoding.ctc_prefix import CTCPrefixScorer


def tabled(seed=0, outputs=3, sharpness=1.5):
    """A step whose log-probabilities depend on the whole text so far, and the score of a text with its end."""

    def after(text):
        scores = np.random.default_rng([seed, len(text), *text]).normal(size=outputs) * sharpness
        return scores - np.logaddexp.reduce(scores)

    def step(tokens):
        assert tokens.dtype == np.int32
        assert (tokens[:, 0] == 0).all()
        return np.array([after(row[1:].tolist()) for row in tokens])

    def score(text):
        return sum(after(list(text[:i]))[symbol] for i, symbol in enumerate((*text, 0)))

    return step, score


def all_texts(length, outputs=3):
    return [t for n in range(length + 1) for t in itertools.product(range(1, outputs), repeat=n)]


@pytest.mark.parametrize("penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_wide_beam_finds_the_best_of_all_texts(seed, penalty):
    step, score = tabled(seed)
    ids, found = attention.search(step, 5, width=100, length_penalty=penalty)
    totals = {text: score(text) / ((5 + len(text) + 1) / 6) ** penalty for text in all_texts(5)}
    best = max(totals, key=totals.get)
    assert tuple(ids) == best
    assert found == pytest.approx(totals[best])


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_wide_beam_finds_the_best_joint_score_of_decoder_and_ctc(seed, weight):
    step, score = tabled(seed)
    rows = tf.nn.log_softmax(np.random.default_rng(seed).normal(size=(4, 3))).numpy()
    ids, found = attention.search(step, 4, 100, 0.0, CTCPrefixScorer(rows), weight)
    totals = {}
    for text in all_texts(4):
        ctc_score = ctc.score(rows[None], [4], np.array([text], "int32").reshape(1, -1)).numpy()[0]
        totals[text] = (1 - weight) * score(text) + weight * ctc_score
    best = max(totals, key=totals.get)
    assert tuple(ids) == best
    assert found == pytest.approx(totals[best], abs=1e-4)


def test_length_penalty_favors_long_texts():
    lengths = [len(attention.search(tabled(3, sharpness=0.2)[0], 8, 100, penalty)[0]) for penalty in (0.0, 3.0)]
    assert lengths[0] < lengths[1] == 8


def test_no_steps_give_an_empty_text():
    assert attention.search(tabled()[0], 0)[0] == []


class CopyDecoder(tf.Module):
    """A decoder that outputs `encoded` (batch, steps, n + 1) at each step, without padding, and then the end."""

    def __init__(self):
        self.calls = 0

    def __call__(self, inputs, training):
        assert training is False
        encoded, steps, tokens = inputs["encoded"], inputs["steps"], inputs["tokens"]
        length = tf.shape(tokens)[1]
        inside = tf.sequence_mask(steps, tf.shape(encoded)[1])[:, :, None]
        end = tf.one_hot(0, tf.shape(encoded)[2]) * 9
        return tf.pad(tf.where(inside, encoded, end), [[0, 0], [0, length], [0, 0]])[:, :length]


def encoded_texts(vocabulary, *texts, steps=7):
    ids = np.zeros((len(texts), steps), int)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = vocabulary.encode(text)
    return tf.one_hot(ids, len(vocabulary) + 1).numpy() * 9, np.array([steps] * len(texts), "int32")


def test_greedy_in_a_graph_of_unknown_sizes():
    vocabulary = toy.characters("abc")
    encoded, steps = encoded_texts(vocabulary, "abba", "", "c c", "abc abc")
    steps[2] = 2
    encoded[2, 2:] = np.nan
    signature = [tf.TensorSpec([None, None, 5], tf.float32), tf.TensorSpec([None], tf.int32)]
    graph = tf.function(lambda *given: attention.greedy(CopyDecoder(), *given), input_signature=signature)
    ids, lengths, nats = graph(encoded, steps)
    assert [vocabulary.decode(row) for row in ids.numpy()] == ["abba", "", "c", "abc abc"]
    assert lengths.numpy().tolist() == [4, 0, 2, 7]
    certain = 9 - np.log(np.exp(9) + 4)
    np.testing.assert_allclose(nats[:2], [5 * certain, certain], rtol=1e-3)
    for row in range(4):
        single = graph(encoded[row : row + 1], steps[row : row + 1])
        assert single[0][0].numpy().tolist() == ids[row, : lengths[row]].numpy().tolist()
        np.testing.assert_allclose(single[2][0], nats[row], rtol=1e-5)
    assert attention.greedy(CopyDecoder(), encoded, steps, max_length=3)[1].numpy().tolist() == [3, 0, 2, 3]
    assert graph(encoded[:0], steps[:0])[0].shape == (0, 0)


@pytest.mark.parametrize("config", [{"width": 1, "ctc_weight": 0.0}, {"width": 4}, {"width": 1, "max_length": 7}])
def test_build(config):
    vocabulary = toy.characters("abc")
    encoded, steps = encoded_texts(vocabulary, "ab a", "", "cabcabc")
    steps[1] = 0
    log_probs = tf.nn.log_softmax(np.zeros_like(encoded)).numpy()
    decode = attention.build(DecodeConfig(method="attention", **config), vocabulary, CopyDecoder())
    assert decode(encoded, steps, log_probs) == ["ab a", "", "cabcabc"]
    assert decode(encoded[:1], steps[:1], log_probs[:1]) == ["ab a"]


def test_ctc_weight_changes_the_text():
    vocabulary = toy.characters("ab")
    encoded, steps = encoded_texts(vocabulary, "ab", steps=4)
    encoded[0, 1, 3] = encoded[0, 1, 2] + 0.5  # for the decoder b is slightly likelier than a
    path = np.array([[2, 0, 2, 0]])
    log_probs = tf.nn.log_softmax(tf.one_hot(path, 4) * 5.0).numpy()

    def texts(weight):
        config = DecodeConfig(method="attention", ctc_weight=weight)
        return attention.build(config, vocabulary, CopyDecoder())(encoded, steps, log_probs)

    assert texts(0.0) == ["ab"]
    assert texts(0.3) == ["aa"]
