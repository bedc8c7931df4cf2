"""N-gram models: back-off, perplexity, and the splitting of texts."""

import math

import pytest

from tests.tfrec.decoding.toy import FOREIGN_ARPA
from tfrec.decoding import arpa, ngram


@pytest.fixture
def load(tmp_path):
    """A function from replacements in FOREIGN_ARPA to the model."""

    def read(old="", new=""):
        path = tmp_path / "foreign.arpa"
        path.write_text(FOREIGN_ARPA.replace(old, new) if old else FOREIGN_ARPA, encoding="utf-8")
        return arpa.read(path)

    return read


@pytest.mark.parametrize(("history", "word", "log10"), [
    (("<s>", "a"), "b", -0.05),
    (("b", "<s>", "a"), "b", -0.05),  # longer than the order
    (("a",), "b", -0.2),
    ((), "b", -0.75),
    (("b",), "a", -0.5),  # "b" is not a context
    (("<s>", "a"), "a", -1 - 0.125 - 0.5),
    (("a", "b"), "</s>", -0.3 - 1),
    (("a",), "c", -0.125 - 2),
    (("c",), "c", -0.25 - 2),
])  # fmt: skip
def test_back_off(load, history, word, log10):
    model = load()
    assert (model.order, model.words) == (3, {"a", "b"})
    assert model.score(history, word) == pytest.approx(log10 * math.log(10))


def test_perplexity(load):
    total = -0.05 - 0.1 - 0.3 - 1 + (-0.5 - 2) + (-0.25 - 1)
    perplexity, count, unknown = load().perplexity([["a", "b"], ["c"]])
    assert (count, unknown) == (5, 1)
    assert perplexity == pytest.approx(10 ** (-total / 5))


def test_model_without_unk(load):
    model = load("-2\t<unk>\t-0.25", "-2\tc")
    assert model.score((), "zebra") == pytest.approx(-100 * math.log(10))
    assert load("<unk>", "<UNK>").score((), "zebra") == pytest.approx(-2 * math.log(10))


def test_tokenize():
    assert ngram.tokenize("ab  c", "words") == ["ab", "c"]
    assert ngram.tokenize("ਸ਼ b", "characters") == ["\u0a38", "\u0a3c", "<space>", "b"]
