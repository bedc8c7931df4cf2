"""Words of greedy transcripts in a graph: those of `GreedyPath`."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.decoding import word_outputs
from tfrec.decoding.words import GreedyPath


class Symbols:
    def __init__(self, pieces):
        self.pieces = pieces

    def decode(self, ids):
        return " ".join("".join(self.pieces[number] for number in ids).split())


@pytest.mark.parametrize("pieces", [["", "a", "b", " "], ["", " a", "b", " cd"], ["", "a ", "b", " "]])
def test_words_times_and_confidences(pieces):
    logits = np.random.default_rng(len(pieces[1])).normal(scale=2, size=(5, 40, 4)).astype("float32")
    steps = np.int32([40, 23, 1, 0, 31])
    find = tf.function(lambda x, n: word_outputs.find(x, n, pieces, (0.04, 0.1)), autograph=False)
    found = {name: value.numpy() for name, value in find(tf.constant(logits), tf.constant(steps)).items()}
    for row, count in enumerate(steps):
        path = GreedyPath(Symbols(pieces), 0.04, 0.1)
        path.feed(logits[row, :count])
        path.end()
        words = path.builder.words()
        assert [word.decode() for word in found["words"][row] if word] == [word.word for word in words]
        for i, name in enumerate(("word_starts", "word_ends", "word_confidences"), start=1):
            expected = [word[i] for word in words] + [0.0] * (found["words"].shape[1] - len(words))
            np.testing.assert_allclose(found[name][row], expected, atol=1e-3)
    empty = find(tf.zeros([2, 3, 4]), tf.constant([0, 0]))
    assert [value.shape for value in empty.values()] == [(2, 0)] * 4


def test_pieces_of_several_words_are_not_supported():
    assert word_outputs.are_supported(["", "a", " b", " "])
    assert not word_outputs.are_supported(["", "a b"])
