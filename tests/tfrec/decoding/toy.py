"""Small vocabularies and language models with known scores."""

import math

from tfrec.decoding.ngram import NgramModel
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


def bigrams(pairs, default=0.001):
    """A language model of order 2: `pairs` {(before, word): probability}, and `default` for every other pair."""
    words = {word for pair in pairs for word in pair} - {"<s>", "</s>", "<unk>"}
    every = {(before, word): default for before in [*words, "<s>", "<unk>"] for word in [*words, "</s>"]} | pairs
    once = {(word,): default for word in [*words, "</s>"]}
    return NgramModel(2, {gram: math.log10(probability) for gram, probability in (once | every).items()}, {})


def pieces(*texts):
    """A vocabulary whose tokens are texts, with spaces anywhere."""
    return vocabulary.CharacterVocabulary(texts, TextConfig())
