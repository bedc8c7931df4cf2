"""Sub-words: sizes, and models that are none."""

import random

import pytest

from pipelines.errors import UserError
from tfrec.text import subwords, vocabulary

TEXTS = [f"{a} {b} {a}{b}" for a in ("one", "two", "three", "four") for b in ("apple", "pear", "plum", "fig")]


@pytest.fixture(scope="module")
def built():
    return vocabulary.build("subwords", TEXTS, 40)


def test_sub_words_are_longer_than_characters(built):
    assert 20 < len(built) <= 40
    assert max(map(len, built.tokens)) > 3
    assert len(built.encode("three plum")) < len("three plum") / 2


def test_a_small_corpus_gives_fewer():
    built = vocabulary.build("subwords", ["ab ab", "ba"], 1000)
    assert 3 <= len(built) < 20
    assert built.decode(built.encode("abba b")) == "abba b"


def test_too_few_for_the_characters():
    with pytest.raises(UserError, match=r"of 5 sub-words cannot hold the \d+ characters"):
        vocabulary.build("subwords", TEXTS, 5)


def test_what_is_not_covered(built):
    assert built.decode(built.encode("Zwei ap-ple")) == built.covered("Zwei ap-ple") == "wei apple"
    assert built.coverage(["ze"]).missing == {"z": 1}


def test_the_sign_for_a_space_is_a_space(built):
    kept = vocabulary.build("subwords", TEXTS, 40, vocabulary.TextConfig(punctuation="keep"))
    assert kept.decode(kept.encode("one\u2581two")) == "one two"


def test_long_transcripts_count_too():
    built = vocabulary.build("subwords", ["a b", "ab " * 2000 + "z"], 20)
    assert "z" in built.tokens


def test_damaged_models(built):
    stored = built.as_json()
    for change in ({"model": "!"}, {"model": None}, {"model": ""}, {"model": "A" * 8}, {"sha256": "0"}):
        with pytest.raises(UserError, match="sub-word model is damaged"):
            vocabulary.from_json(stored | change)


def test_changed_models_with_their_own_digest(built):
    model = subwords.from_json(built.as_json())
    chance = random.Random(0)
    refused = 0
    for _ in range(100):
        changed = bytearray(model[: chance.choice([len(model), chance.randrange(len(model))])])
        for _ in range(3):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            again = vocabulary.from_json(built.as_json() | subwords.as_json(bytes(changed)))
        except UserError:
            refused += 1
        else:
            assert len(again.pieces) == len(again.tokens) + 1
    assert refused > 50


def test_a_model_that_is_too_large(built, monkeypatch):
    monkeypatch.setattr(subwords, "MODEL_BYTES", 100)
    with pytest.raises(UserError, match="sub-word model is damaged"):
        vocabulary.from_json(built.as_json())
