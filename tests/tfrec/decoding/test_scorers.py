"""Scores of a language model for many texts: n-grams and letters in arrays against the model itself."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from tests.tfrec.decoding import toy
from tfrec.decoding import DecodeConfig, kneser_ney
from tfrec.decoding.ngram import END, START, UNKNOWN, NgramModel
from tfrec.decoding.shallow_fusion import scorers, word_trie
from tfrec.decoding.shallow_fusion.ngram_table import NgramTable

CONFIG = DecodeConfig(lm_weight=1.0, word_bonus=0.0)
PAIRS = {("<s>", "ab"): 0.5, ("<s>", "ba"): 0.3, ("ab", "ba"): 0.4, ("ab", "</s>"): 0.6, ("ba", "</s>"): 0.9}
# Longer n-grams without the shorter ones that they consist of, a back-off weight without an n-gram, words that are not
# unigrams, no <unk>.
PRUNED = NgramModel(
    4,
    {
        ("a",): -0.5,
        ("b",): -1.0,
        ("</s>",): -1.2,
        ("a", "b", "a"): -0.1,
        ("<s>", "b", "a", "b"): -0.05,
        ("b", "z"): -2.0,
    },
    {("a",): -0.25, ("b", "a"): -0.75, ("<s>", "b", "a"): 0.3, ("z", "b"): -1.0},
)


def score_all(scorer, vocabulary, texts):
    return scorer.score(scorers.padded([vocabulary.encode(text) for text in texts]))


@pytest.mark.parametrize("model", [PRUNED, kneser_ney.build([["a", "b", "b"], ["b", "a"], ["a", "a", "b"]], 3)])
def test_table_equals_the_model(model):
    table = NgramTable(model)
    words = [*sorted(model.words), UNKNOWN]
    for length in range(5):
        for history in itertools.product(words, repeat=length):
            state = np.array([table.start])
            for word in history:
                state = table.score(state, np.array([table.ids[word]]))[1]
            asked = [*words, END]
            nats, _ = table.score(np.repeat(state, len(asked)), np.array([table.ids[word] for word in asked]))
            assert nats == pytest.approx([model.score((START, *history), word) for word in asked])


def test_table_looks_up_many_at_once():
    model = kneser_ney.build([["a", "b", "b"], ["b", "a"], ["a", "a", "b"]], 2)
    table = NgramTable(model)
    states = np.array([table.start, table.score(np.array([0]), np.array([table.ids["b"]]))[1][0]])
    nats, _ = table.score(np.tile(states, 2), np.repeat([table.ids["a"], table.ids["b"]], 2))
    expected = [model.score((before,), word) for word in "ab" for before in (START, "b")]
    assert nats == pytest.approx(expected)


@pytest.mark.parametrize("dense", [True, False])
def test_trie(monkeypatch, dense):
    monkeypatch.setattr(word_trie, "MAX_DENSE", 10**6 if dense else 0)
    words = ["a", "ab", "abc", "b", "bad", "xyz"]
    trie = word_trie.WordTrie(words, "abcd ?")
    texts = ["".join(letters) for length in range(1, 5) for letters in itertools.product("abcd?z", repeat=length)]
    codes = scorers.padded([trie.encode(text) for text in texts])
    nodes = np.zeros(len(texts), int)
    for column in codes.T:
        nodes = trie.follow(nodes, column)
    known = {word: number for number, word in enumerate(words) if word != "xyz"}
    for text, node in zip(texts, nodes.tolist(), strict=True):
        assert trie.word[node] == known.get(text, -1)
        assert (node == word_trie.DEAD) == (not any(word.startswith(text) for word in known))
    assert (trie.follow(nodes, np.full(len(nodes), word_trie.SPACE)) == word_trie.ROOT).all()
    assert (trie.follow(nodes, np.full(len(nodes), word_trie.NOTHING)) == nodes).all()


def test_score_sums_the_words_and_the_end():
    vocabulary = toy.characters("ab")
    scorer = scorers.build(toy.bigrams(PAIRS), vocabulary, CONFIG)
    space, a, b = 1, 2, 3
    assert scorer.score(np.array([[a, b, space, b, a, 0], [a, b, space, space, b, a], [0] * 6])) == pytest.approx(
        [math.log(0.5 * 0.4 * 0.9)] * 2 + [math.log(0.001)]
    )
    config = dataclasses.replace(CONFIG, lm_weight=0.5, word_bonus=2.0, unknown_penalty=7.0)
    scorer = scorers.build(toy.bigrams(PAIRS | {("<unk>", "ba"): 0.2}), vocabulary, config)
    assert score_all(scorer, vocabulary, ["abab ba"]) == pytest.approx(0.5 * (-7 + math.log(0.2 * 0.9)) + 4)


@pytest.mark.parametrize("pieces", [["ab ", "ba"], ["a", "b", " ", "b", "a"], [" ab", " b", "a"], [" a", "b b", "a"]])
def test_words_end_at_spaces_anywhere_in_the_pieces(pieces):
    vocabulary = toy.pieces(*dict.fromkeys(pieces))
    scorer = scorers.build(toy.bigrams(PAIRS), vocabulary, CONFIG)
    states = scorer.start((1,))
    for piece in pieces:
        states = scorer.extend(states, np.array([vocabulary.pieces.index(piece)]))
    assert states.nats + scorer.bound(states.unfinished) == pytest.approx(math.log(0.5))
    after = scorer.score(np.array([[vocabulary.pieces.index(piece) for piece in pieces]]))
    assert after == pytest.approx(math.log(0.5 * 0.4 * 0.9))


def test_unfinished_unknown_word_is_penalized_early_and_once():
    vocabulary = toy.characters("ab")
    config = dataclasses.replace(CONFIG, lm_weight=0.5, unknown_penalty=7.0)
    scorer = scorers.build(toy.bigrams(PAIRS), vocabulary, config)
    states = scorer.start((1,))
    for piece, nats in zip([3, 2, 3, 1, 3, 3, 1], [0, 0, -3.5, -3.5, -3.5, -7, -7], strict=True):
        states = scorer.extend(states, np.array([piece]))
        assert states.nats + scorer.bound(states.unfinished) == pytest.approx(nats)


def test_model_of_characters_is_detected_by_its_words():
    vocabulary = toy.characters("ab")
    pairs = {("<s>", "a"): 0.5, ("a", "<space>"): 0.25, ("<space>", "b"): 0.125, ("b", "</s>"): 0.1}
    scorer = scorers.build(toy.bigrams(pairs), vocabulary, dataclasses.replace(CONFIG, word_bonus=1.0))
    assert isinstance(scorer, scorers.CharacterScorer)
    assert score_all(scorer, vocabulary, ["a b"]) == pytest.approx(math.log(0.5 * 0.25 * 0.125 * 0.1) + 3)
    states = scorer.start((1,))
    for piece in (1, 2, 1, 3):  # no text begins with a space
        states = scorer.extend(states, np.array([piece]))
    assert states.nats == pytest.approx(math.log(0.5 * 0.25 * 0.125) + 3)
    assert isinstance(scorers.build(toy.bigrams(PAIRS), vocabulary, CONFIG), scorers.WordScorer)
