"""Small vocabularies and language models with known scores."""

import math

from tfrec.text import vocabulary
from tfrec.text.normalization import TextConfig

# A file as SRILM writes it, with spaces and tabs, <unk>, and pruned n-grams.
FOREIGN_ARPA = """made by hand

\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-99 <s> -0.5
-1\t</s>
-2\t<unk>\t-0.25
-0.5 a -0.125
-0.75\tb

\\2-grams:
-0.1\t<s> a\t-1
-0.2\ta b\t-0.3

\\3-grams:
-0.05\t<s> a b

\\end\\
"""


def characters(letters):
    return vocabulary.CharacterVocabulary(sorted({*letters, " "}), TextConfig())


def words(*names):
    return vocabulary.WordVocabulary(["<unk>", *names], TextConfig())


class Bigrams:
    """A language model of order 2: `pairs` {(before, word): probability}, and `default` for every other pair."""

    order = 2

    def __init__(self, pairs, default=0.001):
        self._pairs, self._default = pairs, default
        self.words = {word for pair in pairs for word in pair} - {"<s>", "</s>", "<unk>"}

    def score(self, history, word):
        assert word in self.words | {"</s>"}
        assert len(history) == 1
        return math.log(self._pairs.get((*history, word), self._default))
