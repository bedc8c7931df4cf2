"""Shallow fusion: scores of texts, and the search against the scores of all texts."""

import dataclasses
import itertools
import math
import time

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.decoding import toy
from tfrec.decoding import DecodeConfig, ctc, shallow_fusion

CONFIG = DecodeConfig(lm_weight=1.0, word_bonus=0.0)
PAIRS = {("<s>", "ab"): 0.5, ("<s>", "ba"): 0.3, ("ab", "ba"): 0.4, ("ab", "</s>"): 0.6, ("ba", "</s>"): 0.9}


def noisy_path(vocabulary, path, sharpness=3.0, seed=0):
    """Log-probabilities of a path with some noise; "-" is the blank."""
    ids = [0 if letter == "-" else vocabulary.encode(letter)[0] if letter != " " else 1 for letter in path]
    noise = np.random.default_rng(seed).normal(size=(len(path), len(vocabulary) + 1))
    return tf.nn.log_softmax(noise * 0.3 + sharpness * np.eye(len(vocabulary) + 1)[ids]).numpy().astype("float32")


def test_score_sums_the_words_and_the_end():
    scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG)
    assert scorer.score("ab ba") == pytest.approx(math.log(0.5 * 0.4 * 0.9))
    assert scorer.score("ab  ba ") == pytest.approx(math.log(0.5 * 0.4 * 0.9))
    assert scorer.score("") == pytest.approx(math.log(0.001))
    config = dataclasses.replace(CONFIG, lm_weight=0.5, word_bonus=2.0, unknown_penalty=7.0)
    score = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS | {("<unk>", "ba"): 0.2}), config).score("abab ba")
    assert score == pytest.approx(0.5 * (-7 + math.log(0.2 * 0.9)) + 4)


@pytest.mark.parametrize("pieces", [["ab ", "ba"], ["a", "b", " ", "b", "a"], [" ab", " b", "a"], [" a", "b b", "a"]])
def test_words_end_at_spaces_anywhere_in_the_pieces(pieces):
    scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG)
    state = scorer.start
    for piece in pieces:
        state = scorer.extend(state, piece)
    assert state == (pytest.approx(math.log(0.5)), pytest.approx(math.log(0.5)), ("ab",), "ba")


def test_unfinished_unknown_word_is_penalized_early_and_once():
    scorer = shallow_fusion.LanguageModelScorer(
        toy.Bigrams(PAIRS), dataclasses.replace(CONFIG, lm_weight=0.5, unknown_penalty=7.0)
    )
    state = scorer.start
    for letter, nats in zip("bab bb", [0, 0, -3.5, -3.5, -3.5, -7], strict=True):
        state = scorer.extend(state, letter)
        assert state[0] == pytest.approx(nats)
    assert scorer.extend(state, " ")[:2] == (pytest.approx(-7), pytest.approx(-7))


def test_model_of_characters_is_detected_by_its_words():
    pairs = {("<s>", "a"): 0.5, ("a", "<space>"): 0.25, ("<space>", "b"): 0.125, ("b", "</s>"): 0.1}
    scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(pairs), dataclasses.replace(CONFIG, word_bonus=1.0))
    assert scorer.of_characters
    assert scorer.score("a b") == pytest.approx(math.log(0.5 * 0.25 * 0.125 * 0.1) + 3)
    assert scorer.extend(scorer.start, " a b")[0] == pytest.approx(math.log(0.5 * 0.25 * 0.125) + 3)
    assert not shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG).of_characters


def test_language_model_decides_between_similar_texts():
    vocabulary = toy.characters("ab")
    rows = noisy_path(vocabulary, "aab-ba")
    plain = vocabulary.decode(ctc.greedy(rows[None], [6])[0][0].numpy().tolist())
    config = dataclasses.replace(CONFIG, lm_weight=0.5)
    assert plain == "abba"
    assert (
        shallow_fusion.search(rows, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), config), vocabulary, config)
        == "ab ba"
    )
    off = dataclasses.replace(CONFIG, lm_weight=0.0)
    assert (
        shallow_fusion.search(rows, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), off), vocabulary, off)
        == "abba"
    )


def test_symbols_below_the_threshold_are_skipped():
    vocabulary = toy.characters("ab")
    rows = noisy_path(vocabulary, "aab-ba")
    narrow = dataclasses.replace(CONFIG, min_log_prob=-1.0)
    assert (
        shallow_fusion.search(rows, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG)
        == "ab ba"
    )
    assert (
        shallow_fusion.search(rows, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), narrow), vocabulary, narrow)
        != "ab ba"
    )


@pytest.mark.parametrize("seed", range(6))
def test_wide_beam_finds_the_best_of_all_texts(seed):
    vocabulary, steps = toy.characters("ab"), 4
    rows = noisy_path(vocabulary, "ab-a", sharpness=0.5, seed=seed)
    config = dataclasses.replace(CONFIG, width=1000, min_log_prob=-100.0, word_bonus=1.5)
    scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS, default=0.05), config)
    texts = [ids for length in range(steps + 1) for ids in itertools.product(range(1, 4), repeat=length)]
    padded = np.array([ids + (0,) * (steps - len(ids)) for ids in texts], "int32")
    acoustic = ctc.score(np.repeat(rows[None], len(texts), 0), [steps] * len(texts), padded).numpy()
    totals = [nats + scorer.score(vocabulary.decode(ids)) for nats, ids in zip(acoustic, texts, strict=True)]
    assert shallow_fusion.search(rows, scorer, vocabulary, config) == vocabulary.decode(texts[int(np.argmax(totals))])
    # The log-probability of a prefix in the beam is the sum over its alignments.
    beam = shallow_fusion._search(rows, scorer, vocabulary.pieces, config)
    for prefix, parts in beam.items():
        row = texts.index(tuple(prefix.ids()))
        assert np.logaddexp(*parts) == pytest.approx(acoustic[row], abs=1e-4)


def test_result_is_never_worse_than_the_greedy_text():
    vocabulary = toy.characters("abcdef")
    for seed in range(10):
        rows = noisy_path(vocabulary, "ab-ba fe-ed ca", sharpness=2.0, seed=seed)
        config = dataclasses.replace(CONFIG, width=1, min_log_prob=-0.01, lm_weight=0.3)
        scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), config)
        greedy = vocabulary.decode(ctc.greedy(rows[None], [len(rows)])[0][0].numpy().tolist())
        found = shallow_fusion.search(rows, scorer, vocabulary, config)

        def total(text, rows=rows, scorer=scorer):
            ids = [" abcdef".index(letter) + 1 for letter in text]
            return ctc.score(rows[None], [len(rows)], [ids]).numpy()[0] + scorer.score(text)

        assert total(found) >= total(greedy) - 1e-4


def test_vocabulary_of_words():
    vocabulary = toy.words("ab", "ba")
    rows = np.log([[0.1, 0.1, 0.6, 0.2], [0.8, 0.1, 0.05, 0.05], [0.1, 0.1, 0.42, 0.38]])
    assert (
        shallow_fusion.search(rows, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG)
        == "ab ba"
    )


def test_rejects_a_model_without_common_letters():
    capitals = toy.Bigrams({("<s>", "AB"): 0.5, ("AB", "BA"): 0.5})
    with pytest.raises(UserError, match=r"any word of the language model lm.arpa \(such as 'AB'\)"):
        shallow_fusion.require_common_letters(capitals, toy.characters("ab"), "lm.arpa")
    shallow_fusion.require_common_letters(toy.Bigrams(PAIRS), toy.characters("ab"), "lm.arpa")


def test_no_steps_give_an_empty_text():
    vocabulary = toy.characters("ab")
    empty = np.zeros((0, 4), "float32")
    assert (
        shallow_fusion.search(empty, shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG)
        == ""
    )


@pytest.mark.slow
def test_150_steps_take_less_than_a_second():
    vocabulary = toy.characters("abcdefghijklmnopqrstuvwxyz'")
    rows = noisy_path(vocabulary, "ab-ba fe-ed ca-" * 10, sharpness=5.0)
    scorer = shallow_fusion.LanguageModelScorer(toy.Bigrams(PAIRS), CONFIG)
    start = time.perf_counter()
    shallow_fusion.search(rows, scorer, vocabulary, CONFIG)
    assert time.perf_counter() - start < 1
