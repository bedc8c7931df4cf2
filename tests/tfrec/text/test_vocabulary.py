"""Vocabularies of every unit: decoding undoes encoding, and stored vocabularies are validated."""

import json
import random

import pytest

from pipelines.errors import UserError
from tests.tfrec.text.test_normalization import random_texts
from tfrec.text import vocabulary
from tfrec.text.normalization import TextConfig, normalize

MIXED = TextConfig(language="mul")
TEXTS = [
    "The quick brown fox doesn't jump over the lazy dog",
    "یہ ایک اچھی کتاب ہے",
    "ਮੈਂ ਪੰਜਾਬੀ ਸ਼ਬਦ ਬੋਲਦਾ ਹਾਂ",
    "مان سنڌي ٻولي ۾ ڳالهايان ٿو ۽ هيءَ سٺي آهي",
    "play سنڌي song یہ ਸ਼ਬਦ 12",
]


@pytest.fixture(params=vocabulary.UNITS)
def built(request):
    return vocabulary.build(request.param, TEXTS, None, MIXED)


def covered_texts(vocabulary_, count):
    """Raw texts that a vocabulary covers, with irregular spaces."""
    rng = random.Random(0)
    if vocabulary_.unit in ("words", "phonemes"):
        symbols = [token for token in vocabulary_.tokens if token != "<unk>"]
        return [rng.choice([" ", "\n "]).join(rng.choices(symbols, k=rng.randrange(8))) for _ in range(count)]
    letters = sorted({*"".join(normalize(text, MIXED) for text in TEXTS)} | {" "})
    return ["".join(rng.choices([*letters, "  ", "\t"], k=rng.randrange(25))) for _ in range(count)]


def test_decoding_undoes_encoding(built):
    for text in [*TEXTS, *covered_texts(built, 300)]:
        normal = built.normalize(text)
        ids = built.encode(text)
        assert all(isinstance(number, int) and 1 <= number <= len(built.tokens) for number in ids)
        assert built.decode(ids) == normal, ascii(text)
        assert built.encode(normal) == ids
        assert "".join(built.pieces[number] for number in ids).strip() == normal
    assert not built.coverage([*TEXTS, *covered_texts(built, 20)]).missing


@pytest.mark.parametrize("punctuation", ["remove", "keep"])
@pytest.mark.parametrize("unit", ["characters", "subwords", "words"])
def test_decoding_undoes_encoding_of_random_texts(unit, punctuation):
    texts = list(random_texts(300, seed=7))
    config = TextConfig(language="sd", punctuation=punctuation)
    built = vocabulary.build(unit, texts, 5000, config)
    for text in texts:
        assert built.decode(built.encode(text)) == built.normalize(text), ascii(text)


def test_ids_and_pieces(built):
    assert built.pieces[0] == ""
    assert len(built.pieces) == len(built.tokens) + 1 == len(built) + 1
    assert len(set(built.tokens)) == len(built.tokens)
    ids = built.encode(TEXTS[0])
    assert built.decode([0, *ids[:2], 0, 0, *ids[2:], 0]) == built.normalize(TEXTS[0])
    assert built.encode("") == []
    assert built.decode([]) == ""


def test_characters_are_code_points():
    built = vocabulary.build("characters", ["ਸ਼ੈ b"], text_config=TextConfig(language="pa"))
    assert built.tokens == (" ", "b", "\u0a38", "\u0a3c", "\u0a48")
    assert built.encode("b ਸ਼") == [2, 1, 3, 4]


def test_uncovered_characters_are_left_out_and_reported():
    built = vocabulary.build("characters", ["a cab"])
    assert built.decode(built.encode("Zab z, xc")) == built.covered("Zab z, xc") == "ab c"
    coverage = built.coverage(["zab", "abc", "z x", "zz", "az"])
    assert (coverage.symbols, coverage.missing) == (13, {"z": 5, "x": 1})
    assert coverage.examples == {"z": ["zab", "z x", "zz"], "x": ["z x"]}


def test_words_that_are_not_covered_become_unk():
    built = vocabulary.build("words", ["a cat", "a dog", "the cat"], size=3)
    assert built.tokens == ("<unk>", "a", "cat")
    assert built.decode(built.encode("A bird, a cat.")) == built.covered("A bird, a cat.") == "a <unk> a cat"
    assert built.coverage(["a bird"]).missing == {"bird": 1}


def test_size_keeps_the_most_frequent_tokens():
    built = vocabulary.build("characters", ["aaa bbb cc d"], size=3)
    assert built.tokens == (" ", "a", "b")


def test_phonemes_are_not_normalized():
    built = vocabulary.build("phonemes", ["h# AX-H  q", "b"])
    assert built.tokens == ("AX-H", "b", "h#", "q")
    assert built.encode("b zz h#\n") == [2, 3]


def test_phonemes_are_folded():
    built = vocabulary.build("phonemes", ["h# ao dcl q", "aa zh"], fold_phonemes=39)
    assert built.tokens == ("aa", "sh", "sil")
    assert built.decode(built.encode("pau q zh ao sil")) == "sil sh aa sil"
    assert vocabulary.from_json(built.as_json()).encode("ao") == built.encode("ao") == [1]


def test_json_round_trip(built):
    stored = json.loads(json.dumps(built.as_json()))
    restored = vocabulary.from_json(stored)
    assert restored == built
    assert (restored.tokens, restored.pieces, restored.text) == (built.tokens, built.pieces, MIXED)
    assert [restored.encode(text) for text in TEXTS] == [built.encode(text) for text in TEXTS]


def test_building_is_deterministic(built):
    assert vocabulary.build(built.unit, iter(TEXTS), None, MIXED).as_json() == built.as_json()


@pytest.mark.parametrize("change", [
    {"unit": "runes"}, {"unit": []}, {"text": None}, {"text": {"tongue": "en"}}, {"text": {"language": 3}},
    {"tokens": None}, {"tokens": []}, {"tokens": "abc"}, {"tokens": ["a", "a"]}, {"tokens": [""]}, {"tokens": ["a", 3]},
    {"tokens": ["ab"]}, {"tokens": ["a" * 2000]},
])  # fmt: skip
def test_rejects_damaged_characters(change):
    stored = vocabulary.build("characters", ["abc"]).as_json()
    with pytest.raises(UserError, match=r"stored vocabulary is damaged.*build it again"):
        vocabulary.from_json(stored | change)


@pytest.mark.parametrize(("unit", "change"), [
    ("words", {"tokens": ["a"]}), ("words", {"tokens": ["<unk>", "a b"]}), ("phonemes", {"tokens": [" "]}),
    ("phonemes", {"folded": 40}),
])  # fmt: skip
def test_rejects_damaged_words_and_phonemes(unit, change):
    with pytest.raises(UserError, match="stored vocabulary is damaged"):
        vocabulary.from_json(vocabulary.build(unit, ["a"]).as_json() | change)


@pytest.mark.parametrize("stored", [None, [], "characters", {}])
def test_rejects_other_json(stored):
    with pytest.raises(UserError, match="stored vocabulary is damaged"):
        vocabulary.from_json(stored)


@pytest.mark.parametrize("unit", vocabulary.UNITS)
@pytest.mark.parametrize("texts", [[], ["", " \n"]])
def test_rejects_empty_texts(unit, texts):
    with pytest.raises(UserError, match="There is no text"):
        vocabulary.build(unit, texts)


def test_rejects_wrong_arguments():
    with pytest.raises(UserError, match="did you mean 'characters'"):
        vocabulary.build("character", ["a"])
    with pytest.raises(UserError, match="needs a size of 2 or more, not 1"):
        vocabulary.build("words", ["a"], size=1)
