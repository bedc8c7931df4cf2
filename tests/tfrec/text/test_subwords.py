"""Subword vocabularies: sizes, and damaged models."""

import random

import pytest

from pipelines.errors import UserError
from tfrec.text import subwords, vocabulary

TEXTS = [f"{a} {b} {a}{b}" for a in ("one", "two", "three", "four") for b in ("apple", "pear", "plum", "fig")]


@pytest.fixture(scope="module")
def built():
    return vocabulary.build("subwords", TEXTS, 40)


def test_subwords_are_longer_than_characters(built):
    assert 20 < len(built) <= 40
    assert max(map(len, built.tokens)) > 3
    assert len(built.encode("three plum")) < len("three plum") / 2


def test_small_corpus_gives_fewer_subwords():
    built = vocabulary.build("subwords", ["ab ab", "ba"], 1000)
    assert 3 <= len(built) < 20
    assert built.decode(built.encode("abba b")) == "abba b"


def test_rejects_size_below_number_of_characters():
    with pytest.raises(UserError, match=r"of 5 subwords cannot hold the \d+ characters"):
        vocabulary.build("subwords", TEXTS, 5)


def test_uncovered_characters_are_left_out(built):
    assert built.decode(built.encode("Zwei ap-ple")) == built.covered("Zwei ap-ple") == "wei apple"
    assert built.coverage(["ze"]).missing == {"z": 1}


def test_space_symbol_of_sentencepiece_becomes_a_space(built):
    kept = vocabulary.build("subwords", TEXTS, 40, vocabulary.TextConfig(punctuation="keep"))
    assert kept.decode(kept.encode("one\u2581two")) == "one two"


def test_long_transcripts_are_used():
    built = vocabulary.build("subwords", ["a b", "ab " * 2000 + "z"], 20)
    assert "z" in built.tokens


def test_rejects_damaged_models(built):
    stored = built.as_json()
    for change in ({"model": "!"}, {"model": None}, {"model": ""}, {"model": "A" * 8}, {"sha256": "0"}):
        with pytest.raises(UserError, match="subword model is damaged"):
            vocabulary.from_json(stored | change)


def test_rejects_changed_models_with_a_matching_checksum(built):
    model = subwords.from_json(built.as_json())
    rng = random.Random(0)
    refused = 0
    for _ in range(100):
        changed = bytearray(model[: rng.choice([len(model), rng.randrange(len(model))])])
        for _ in range(3):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            restored = vocabulary.from_json(built.as_json() | subwords.as_json(bytes(changed)))
        except UserError:
            refused += 1
        else:
            assert len(restored.pieces) == len(restored.tokens) + 1
    assert refused > 50


def test_rejects_a_model_that_is_too_large(built, monkeypatch):
    monkeypatch.setattr(subwords, "MAX_MODEL_BYTES", 100)
    with pytest.raises(UserError, match="subword model is damaged"):
        vocabulary.from_json(built.as_json())
