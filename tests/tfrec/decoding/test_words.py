"""Words, their times and confidences, from paths and from alignments."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.decoding import toy
from tfrec.decoding import alignment
from tfrec.decoding.words import GreedyPath, Word, WordBuilder, center_s


def certain(vocabulary, path):
    ids = [0 if name == "-" else 1 + vocabulary.tokens.index(name) for name in path]
    return tf.nn.log_softmax(tf.one_hot(ids, len(vocabulary) + 1) * 9.0).numpy()


def aligned(rows, ids, vocabulary, step_s):
    builder = WordBuilder(vocabulary.pieces, step_s)
    for symbol, (start, end) in zip(ids, alignment.align_symbols(rows, ids), strict=True):
        builder.add(symbol, start, end, rows[start:end, symbol])
    return builder.words()


CASES = [
    (toy.characters("abc"), "-aabc- --cb-", "abc cb"),
    (toy.words("abc", "cb"), ["-", *["abc"] * 4, "-", "-", "-", "-", "cb", "cb", "-"], "abc cb"),
]


@pytest.mark.parametrize(("vocabulary", "path", "text"), CASES)
def test_word_times(vocabulary, path, text):
    rows = certain(vocabulary, path)
    words = aligned(rows, vocabulary.encode(text), vocabulary, 0.04)
    assert [word.word for word in words] == ["abc", "cb"]
    np.testing.assert_allclose([word[1:3] for word in words], [[0.04, 0.2], [0.36, 0.44]])
    greedy = GreedyPath(vocabulary, 0.04)
    for piece in np.split(rows, [1, 3, 4, 11]):
        greedy.feed(piece)
    greedy.end()
    assert [word.word for word in greedy.builder.words()] == ["abc", "cb"]
    np.testing.assert_allclose([word[1:] for word in greedy.builder.words()], [word[1:] for word in words], rtol=1e-5)
    assert greedy.text == text
    late = GreedyPath(vocabulary, 0.04, delay_s=0.1)
    late.feed(rows)
    late.end()
    np.testing.assert_allclose([word[1:3] for word in late.builder.words()], [[0, 0.1], [0.26, 0.34]])
    assert center_s(greedy.builder.words()) == pytest.approx(0.24)


def test_word_times_of_pieces_that_contain_spaces():
    class Pieces:
        pieces = ["", " ab", "c", "d e", " "]  # noqa: RUF012

    rows = np.log(np.eye(5)[[0, 1, 2, 3, 4, 2]] + 1e-9)
    words = aligned(rows, [1, 2, 3, 4, 2], Pieces, 1.0)
    assert [word[:3] for word in words] == [("abcd", 1.0, 4.0), ("e", 3.0, 4.0), ("c", 5.0, 6.0)]
    assert [word.confidence for word in words] == pytest.approx([1.0] * 3)
    assert aligned(rows, [], Pieces, 1.0) == []


def test_the_confidence_of_a_word_is_the_geometric_mean_over_the_steps_of_its_symbols():
    builder = WordBuilder(["", "a", "b", " "], 1.0)
    builder.add(1, 0, 2, np.log([0.9, 0.4]))
    builder.add(2, 2, 3, np.log([0.5]))
    builder.add(3, 4, 5, np.log([0.1]))  # a space belongs to no word
    assert builder.complete() == 1
    builder.add(1, 5, 6, np.log([0.7]))
    assert builder.complete() == 1
    assert [word.confidence for word in builder.words()] == pytest.approx([(0.9 * 0.4 * 0.5) ** (1 / 3), 0.7])


def test_words_without_times():
    builder = WordBuilder(["", "a", "b", " "], 1.0)
    builder.add_text("ab b")
    builder.add(1, 7, 8, [0.0])
    assert builder.words() == [Word("ab", None, None, None), Word("ba", None, None, None)]
    builder.separate()
    builder.add(2, 9, 10, [0.0])
    assert builder.words()[-1] == Word("b", 9.0, 10.0, 1.0)
    assert center_s(builder.words()[:2]) is None


def test_confidence_of_the_greedy_text_leaves_blanks_out():
    logits = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    path = GreedyPath(toy.characters("ab"), 0.04)
    path.feed(logits)
    path.end()
    best, symbols = tf.nn.log_softmax(logits).numpy().max(axis=1), logits.argmax(axis=1)
    assert path.confidence == pytest.approx(np.exp(best[symbols != 0].mean()), rel=1e-5)
    assert GreedyPath(toy.characters("ab"), 0.04).confidence == 0
