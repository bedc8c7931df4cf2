"""The decoders of CTC outputs that `build` makes."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.decoding import toy
from tfrec.decoding import DecodeConfig, arpa, build, ngram

ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t</s>
-99\t<s>\t0
-1.0\tab\t0
-1.0\tba\t0
-5.0\t<unk>\t0

\\2-grams:
-0.1\t<s> ab
-0.1\tab ba
-0.1\tba </s>

\\end\\
"""


def rows(vocabulary, *paths):
    ids = np.zeros((len(paths), max(map(len, paths))), int)
    for row, path in zip(ids, paths, strict=True):
        row[: len(path)] = [0 if letter == "-" else 1 + vocabulary.tokens.index(letter) for letter in path]
    log_probs = tf.nn.log_softmax(tf.one_hot(ids, len(vocabulary) + 1) * 3.0).numpy()
    return log_probs, np.array([len(path) for path in paths])


@pytest.mark.parametrize("method", ["auto", "greedy", "beam"])
def test_without_a_language_model(method):
    vocabulary = toy.characters("ab")
    decode = build(DecodeConfig(method=method), vocabulary)
    log_probs, steps = rows(vocabulary, " aab-b ba ", "b", "")
    log_probs[1, 1:] = np.nan
    assert decode(log_probs, steps) == ["abb ba", "b", ""]
    assert decode(log_probs[:0], steps[:0]) == []


@pytest.mark.parametrize("method", ["auto", "beam"])
def test_with_a_language_model(method, tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA)
    vocabulary = toy.characters("ab")
    decode = build(DecodeConfig(method=method, lm=str(path), lm_weight=1.0), vocabulary)
    log_probs, steps = rows(vocabulary, "aab-baa", "ab", "")
    log_probs[1, 2:] = np.nan
    assert decode(log_probs, steps) == ["ab ba", "ab", ""]
    assert decode(log_probs[:1], steps[:1]) == ["ab ba"]


def test_with_a_language_model_of_characters(tmp_path):
    path = tmp_path / "lm.arpa"
    grams = {("<unk>",): -3.0, ("</s>",): -1.0, ("a",): -0.5, ("b",): -0.5, ("<space>",): -1.0, ("a", "a"): -4.0}
    arpa.write(ngram.NgramModel(2, grams | {("a", "b"): -0.1}, {("a",): 0.0}), path)
    vocabulary = toy.characters("ab")
    config = DecodeConfig(lm=str(path), lm_weight=1.0, word_bonus=0.0)
    log_probs, steps = rows(vocabulary, "a-a")
    assert build(DecodeConfig(), vocabulary)(log_probs, steps) == ["aa"]
    assert build(config, vocabulary)(log_probs, steps) != ["aa"]


def test_user_errors(tmp_path):
    vocabulary = toy.characters("xy")
    with pytest.raises(ValueError, match="Received: attention"):
        build(DecodeConfig(method="attention"), vocabulary)
    with pytest.raises(UserError, match="Cannot read"):
        build(DecodeConfig(lm=str(tmp_path / "nowhere.arpa")), vocabulary)
    (tmp_path / "lm.arpa").write_text(ARPA)
    with pytest.raises(UserError, match="cannot output any word"):
        build(DecodeConfig(lm=str(tmp_path / "lm.arpa")), vocabulary)
