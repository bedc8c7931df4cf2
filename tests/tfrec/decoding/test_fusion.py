import dataclasses
import itertools
import math
import time

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.decoding import toy
from tfrec.decoding import DecodeConfig, ctc, fusion

CONFIG = DecodeConfig(lm_weight=1.0, word_bonus=0.0)
PAIRS = {("<s>", "ab"): 0.5, ("<s>", "ba"): 0.3, ("ab", "ba"): 0.4, ("ab", "</s>"): 0.6, ("ba", "</s>"): 0.9}


def spoken(vocabulary, path, sure=3.0, seed=0):
    """Log-probabilities that say a path, "-" being the blank, over some noise."""
    ids = [0 if letter == "-" else vocabulary.encode(letter)[0] if letter != " " else 1 for letter in path]
    noise = np.random.default_rng(seed).normal(size=(len(path), len(vocabulary) + 1))
    return tf.nn.log_softmax(noise * 0.3 + sure * np.eye(len(vocabulary) + 1)[ids]).numpy().astype("float32")


def test_a_text_gets_the_logarithms_of_its_words_and_of_its_end():
    language = fusion.Language(toy.Bigrams(PAIRS), CONFIG)
    assert language.score("ab ba") == pytest.approx(math.log(0.5 * 0.4 * 0.9))
    assert language.score("ab  ba ") == pytest.approx(math.log(0.5 * 0.4 * 0.9))
    assert language.score("") == pytest.approx(math.log(0.001))
    config = dataclasses.replace(CONFIG, lm_weight=0.5, word_bonus=2.0, unknown_penalty=7.0)
    strange = fusion.Language(toy.Bigrams(PAIRS | {("<unk>", "ba"): 0.2}), config).score("abab ba")
    assert strange == pytest.approx(0.5 * (-7 + math.log(0.2 * 0.9)) + 4)


@pytest.mark.parametrize("pieces", [["ab ", "ba"], ["a", "b", " ", "b", "a"], [" ab", " b", "a"], [" a", "b b", "a"]])
def test_words_end_at_spaces_wherever_the_pieces_of_a_vocabulary_have_them(pieces):
    language = fusion.Language(toy.Bigrams(PAIRS), CONFIG)
    state = language.start
    for piece in pieces:
        state = language.extend(state, piece)
    assert state == (pytest.approx(math.log(0.5)), pytest.approx(math.log(0.5)), ("ab",), "ba")


def test_a_word_that_cannot_become_a_known_one_costs_at_once_but_only_once():
    language = fusion.Language(toy.Bigrams(PAIRS), dataclasses.replace(CONFIG, lm_weight=0.5, unknown_penalty=7.0))
    state = language.start
    for letter, nats in zip("bab bb", [0, 0, -3.5, -3.5, -3.5, -7], strict=True):
        state = language.extend(state, letter)
        assert state[0] == pytest.approx(nats)
    assert language.extend(state, " ")[:2] == (pytest.approx(-7), pytest.approx(-7))


def test_a_model_over_characters_is_told_by_its_words():
    pairs = {("<s>", "a"): 0.5, ("a", "<space>"): 0.25, ("<space>", "b"): 0.125, ("b", "</s>"): 0.1}
    language = fusion.Language(toy.Bigrams(pairs), dataclasses.replace(CONFIG, word_bonus=1.0))
    assert language.of_characters
    assert language.score("a b") == pytest.approx(math.log(0.5 * 0.25 * 0.125 * 0.1) + 3)
    assert language.extend(language.start, " a b")[0] == pytest.approx(math.log(0.5 * 0.25 * 0.125) + 3)
    assert not fusion.Language(toy.Bigrams(PAIRS), CONFIG).of_characters


def test_the_language_model_decides_between_texts_that_sound_alike():
    vocabulary = toy.characters("ab")
    rows = spoken(vocabulary, "aab-ba")
    plain = vocabulary.decode(ctc.greedy(rows[None], [6])[0][0].numpy().tolist())
    config = dataclasses.replace(CONFIG, lm_weight=0.5)
    assert plain == "abba"
    assert fusion.search(rows, fusion.Language(toy.Bigrams(PAIRS), config), vocabulary, config) == "ab ba"
    off = dataclasses.replace(CONFIG, lm_weight=0.0)
    assert fusion.search(rows, fusion.Language(toy.Bigrams(PAIRS), off), vocabulary, off) == "abba"


def test_symbols_below_the_threshold_are_not_tried():
    vocabulary = toy.characters("ab")
    rows = spoken(vocabulary, "aab-ba")
    narrow = dataclasses.replace(CONFIG, min_log_prob=-1.0)
    assert fusion.search(rows, fusion.Language(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG) == "ab ba"
    assert fusion.search(rows, fusion.Language(toy.Bigrams(PAIRS), narrow), vocabulary, narrow) != "ab ba"


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_best_of_all_texts(seed):
    vocabulary, steps = toy.characters("ab"), 4
    rows = spoken(vocabulary, "ab-a", sure=0.5, seed=seed)
    config = dataclasses.replace(CONFIG, width=1000, min_log_prob=-100.0, word_bonus=1.5)
    language = fusion.Language(toy.Bigrams(PAIRS, lonely=0.05), config)
    texts = [ids for length in range(steps + 1) for ids in itertools.product(range(1, 4), repeat=length)]
    padded = np.array([ids + (0,) * (steps - len(ids)) for ids in texts], "int32")
    acoustic = ctc.score(np.repeat(rows[None], len(texts), 0), [steps] * len(texts), padded).numpy()
    totals = [nats + language.score(vocabulary.decode(ids)) for nats, ids in zip(acoustic, texts, strict=True)]
    assert fusion.search(rows, language, vocabulary, config) == vocabulary.decode(texts[int(np.argmax(totals))])
    # What the beam knows of a prefix is the sum over its alignments.
    beam = fusion._beam(rows, language, vocabulary.pieces, config)
    for prefix, parts in beam.items():
        row = texts.index(tuple(prefix.ids()))
        assert np.logaddexp(*parts) == pytest.approx(acoustic[row], abs=1e-4)


def test_the_answer_is_never_worse_than_the_greedy_text():
    vocabulary = toy.characters("abcdef")
    for seed in range(10):
        rows = spoken(vocabulary, "ab-ba fe-ed ca", sure=2.0, seed=seed)
        config = dataclasses.replace(CONFIG, width=1, min_log_prob=-0.01, lm_weight=0.3)
        language = fusion.Language(toy.Bigrams(PAIRS), config)
        greedy = vocabulary.decode(ctc.greedy(rows[None], [len(rows)])[0][0].numpy().tolist())
        found = fusion.search(rows, language, vocabulary, config)

        def total(text, rows=rows, language=language):
            ids = [" abcdef".index(letter) + 1 for letter in text]
            return ctc.score(rows[None], [len(rows)], [ids]).numpy()[0] + language.score(text)

        assert total(found) >= total(greedy) - 1e-4


def test_words_as_symbols():
    vocabulary = toy.words("ab", "ba")
    rows = np.log([[0.1, 0.1, 0.6, 0.2], [0.8, 0.1, 0.05, 0.05], [0.1, 0.1, 0.42, 0.38]])
    assert fusion.search(rows, fusion.Language(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG) == "ab ba"


def test_a_model_of_another_spelling_is_a_mistake():
    shouted = toy.Bigrams({("<s>", "AB"): 0.5, ("AB", "BA"): 0.5})
    with pytest.raises(UserError, match=r"no word of the language model lm.arpa \(such as 'AB'\)"):
        fusion.require_common_letters(shouted, toy.characters("ab"), "lm.arpa")
    fusion.require_common_letters(toy.Bigrams(PAIRS), toy.characters("ab"), "lm.arpa")


def test_no_steps_are_no_text():
    vocabulary = toy.characters("ab")
    nothing = np.zeros((0, 4), "float32")
    assert fusion.search(nothing, fusion.Language(toy.Bigrams(PAIRS), CONFIG), vocabulary, CONFIG) == ""


@pytest.mark.slow
def test_a_hundred_and_fifty_steps_take_less_than_a_second():
    vocabulary = toy.characters("abcdefghijklmnopqrstuvwxyz'")
    rows = spoken(vocabulary, "ab-ba fe-ed ca-" * 10, sure=5.0)
    language = fusion.Language(toy.Bigrams(PAIRS), CONFIG)
    start = time.perf_counter()
    fusion.search(rows, language, vocabulary, CONFIG)
    assert time.perf_counter() - start < 1
