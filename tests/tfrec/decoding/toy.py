"""Small vocabularies and language models whose answers are known."""

import math

from tfrec.text import vocabulary
from tfrec.text.normalization import TextConfig


def characters(letters):
    return vocabulary.Characters(sorted({*letters, " "}), TextConfig())


def words(*names):
    return vocabulary.Words(["<unk>", *names], TextConfig())


class Bigrams:
    """A language model of order 2: `pairs` {(before, word): probability}, `lonely` where a pair is not among them."""

    order = 2

    def __init__(self, pairs, lonely=0.001):
        self._pairs, self._lonely = pairs, lonely
        self.words = {word for pair in pairs for word in pair} - {"<s>", "</s>", "<unk>"}

    def score(self, history, word):
        assert word in self.words | {"</s>"}
        assert len(history) == 1
        return math.log(self._pairs.get((*history, word), self._lonely))
