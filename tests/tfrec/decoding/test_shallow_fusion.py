"""Shallow fusion: against the search for one clip with Python objects, and against the scores of all texts."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.decoding import reference_fusion, toy
from tfrec.decoding import DecodeConfig, ctc, kneser_ney, shallow_fusion
from tfrec.decoding.ngram import tokenize
from tfrec.decoding.shallow_fusion import beams, emissions, scorers

CONFIG = DecodeConfig(lm_weight=1.0, word_bonus=0.0)
PAIRS = {("<s>", "ab"): 0.5, ("<s>", "ba"): 0.3, ("ab", "ba"): 0.4, ("ab", "</s>"): 0.6, ("ba", "</s>"): 0.9}
SENTENCES = ["ab ba", "abe bad cab", "a bad ab", "ba ba cab", "dad bed a cab", "fab bead", "a fed cab ab"]


def noisy_path(vocabulary, path, sharpness=3.0, seed=0, noise=0.3):
    """Log-probabilities of a path with some noise; "-" is the blank."""
    ids = [0 if letter == "-" else vocabulary.encode(letter)[0] if letter != " " else 1 for letter in path]
    values = np.random.default_rng(seed).normal(size=(len(path), len(vocabulary) + 1))
    return tf.nn.log_softmax(values * noise + sharpness * np.eye(len(vocabulary) + 1)[ids]).numpy().astype("float32")


def find(rows, model, vocabulary, config):
    """The text of one clip."""
    scorer = scorers.build(model, vocabulary, config)
    return shallow_fusion.search(np.asarray(rows)[None], np.array([len(rows)]), scorer, config)[0]


def total(rows, text, model, vocabulary, config):
    """The score of a text of letters."""
    ids = [vocabulary.tokens.index(letter) + 1 for letter in text]
    acoustic = float(ctc.score(rows[None], [len(rows)], [ids]).numpy()[0])
    return acoustic + reference_fusion.LanguageModelScorer(model, config).score(text)


def random_clips(vocabulary, seed, kind):
    """Log-probabilities (4, 40, n + 1) with padding of NaN, and lengths."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(4, 40, len(vocabulary) + 1)) * 2
    if kind == "peaky":  # most steps are certain, and most of those are blanks
        certain = random.random(logits.shape[:2]) < 0.8
        chosen = np.where(random.random(logits.shape[:2]) < 0.7, 0, random.integers(0, len(vocabulary) + 1, (4, 40)))
        logits += np.where(certain, 14.0, 3.0)[:, :, None] * np.eye(len(vocabulary) + 1)[chosen]
    log_probs = tf.nn.log_softmax(logits).numpy().astype("float32")
    steps = np.array([40, 0, 17, 33])
    log_probs[np.arange(40) >= steps[:, None]] = np.nan
    return log_probs, steps


def vocabularies():
    return {
        "characters": toy.characters("abcdef"),
        "words": toy.words("ab", "ba", "cab", "bad", "a", "zz"),
        "pieces": toy.pieces("a", "b", " ", " c", "ab", "bad ", " a", "e", "d", "f b"),
    }


@pytest.mark.parametrize("unit", ["words", "characters"])
@pytest.mark.parametrize("kind", ["noisy", "peaky"])
@pytest.mark.parametrize("name", vocabularies())
def test_equals_the_search_for_one_clip(name, kind, unit):
    vocabulary = vocabularies()[name]
    model = kneser_ney.build([tokenize(text, unit) for text in SENTENCES], 3)
    for seed, (width, least) in enumerate([(1, -7.0), (8, -7.0), (8, -100.0), (30, -3.0), (5, -0.7)]):
        config = DecodeConfig(width=width, min_log_prob=least, word_bonus=1.0, unknown_penalty=4.0)
        log_probs, steps = random_clips(vocabulary, seed, kind)
        scorer = scorers.build(model, vocabulary, config)
        found = shallow_fusion.search(log_probs, steps, scorer, config)
        slow = reference_fusion.LanguageModelScorer(model, config)
        for rows, length, text in zip(log_probs, steps, found, strict=True):
            expected, _ = reference_fusion.search(rows[:length], slow, vocabulary, config)
            assert text == expected


def test_a_batch_in_parts_gives_the_same_texts(monkeypatch):
    vocabulary, model = toy.characters("abcdef"), kneser_ney.build([text.split() for text in SENTENCES], 3)
    log_probs, steps = random_clips(vocabulary, 0, "noisy")
    scorer = scorers.build(model, vocabulary, CONFIG)
    whole = shallow_fusion.search(log_probs, steps, scorer, CONFIG)
    monkeypatch.setattr(shallow_fusion, "VALUES_TOGETHER", 2 * log_probs[0].size)
    assert shallow_fusion.search(log_probs, steps, scorer, CONFIG) == whole


@pytest.mark.parametrize("name", vocabularies())
def test_beams_and_their_scores_equal_those_of_one_clip(name):
    vocabulary = vocabularies()[name]
    model = kneser_ney.build([text.split() for text in SENTENCES], 3)
    config = DecodeConfig(width=8, min_log_prob=-5.0, word_bonus=1.0)
    log_probs, steps = random_clips(vocabulary, 3, "peaky")
    scorer = scorers.build(model, vocabulary, config)
    slow = reference_fusion.LanguageModelScorer(model, config)
    clips = [rows[:length] for rows, length in zip(log_probs, steps, strict=True)]
    reduced = emissions.reduce(clips, config.min_log_prob)
    for clip, prefixes in zip(reduced.order, beams.search(reduced, scorer, config.width), strict=True):
        expected = {
            tuple(prefix.ids()) for prefix in reference_fusion._search(clips[clip], slow, vocabulary.pieces, config)
        }
        assert {tuple(row[row > 0].tolist()) for row in prefixes} | {()} == expected | {()}
        texts = [vocabulary.decode(row.tolist()) for row in prefixes]
        assert scorer.score(prefixes) == pytest.approx([slow.score(text) for text in texts], abs=1e-9)


def test_a_prefix_that_returns_to_the_beam_is_merged_with_its_extensions():
    # With two places, "a" leaves the beam while "ab" stays, and returns as an extension of the empty prefix.
    vocabulary = toy.characters("ab")
    model = toy.bigrams(PAIRS)
    for seed in range(60):
        rows = tf.nn.log_softmax(np.random.default_rng(seed).normal(size=(12, 4)) * 3).numpy()
        config = dataclasses.replace(CONFIG, width=3, min_log_prob=-100.0, unknown_penalty=1.0)
        slow = reference_fusion.LanguageModelScorer(model, config)
        expected = {tuple(prefix.ids()) for prefix in reference_fusion._search(rows, slow, vocabulary.pieces, config)}
        reduced = emissions.reduce([rows], config.min_log_prob)
        (found,) = beams.search(reduced, scorers.build(model, vocabulary, config), config.width)
        assert {tuple(row[row > 0].tolist()) for row in found} == expected


def test_language_model_decides_between_similar_texts():
    vocabulary, model = toy.characters("ab"), toy.bigrams(PAIRS)
    rows = noisy_path(vocabulary, "aab-ba")
    plain = vocabulary.decode(ctc.greedy(rows[None], [6])[0][0].numpy().tolist())
    assert plain == "abba"
    assert find(rows, model, vocabulary, dataclasses.replace(CONFIG, lm_weight=0.5)) == "ab ba"
    assert find(rows, model, vocabulary, dataclasses.replace(CONFIG, lm_weight=0.0)) == "abba"


def test_symbols_below_the_threshold_are_skipped():
    vocabulary, model = toy.characters("ab"), toy.bigrams(PAIRS)
    rows = noisy_path(vocabulary, "aab-ba")
    assert find(rows, model, vocabulary, CONFIG) == "ab ba"
    assert find(rows, model, vocabulary, dataclasses.replace(CONFIG, min_log_prob=-1.0)) != "ab ba"


@pytest.mark.parametrize("seed", range(6))
def test_wide_beam_finds_the_best_of_all_texts(seed):
    vocabulary, steps, model = toy.characters("ab"), 4, toy.bigrams(PAIRS, default=0.05)
    rows = noisy_path(vocabulary, "ab-a", sharpness=0.5, seed=seed)
    config = dataclasses.replace(CONFIG, width=1000, min_log_prob=-100.0, word_bonus=1.5)
    texts = [ids for length in range(steps + 1) for ids in itertools.product(range(1, 4), repeat=length)]
    padded = np.array([ids + (0,) * (steps - len(ids)) for ids in texts], "int32")
    acoustic = ctc.score(np.repeat(rows[None], len(texts), 0), [steps] * len(texts), padded).numpy()
    scorer = reference_fusion.LanguageModelScorer(model, config)
    totals = [nats + scorer.score(vocabulary.decode(ids)) for nats, ids in zip(acoustic, texts, strict=True)]
    assert find(rows, model, vocabulary, config) == vocabulary.decode(texts[int(np.argmax(totals))])


def test_result_is_never_worse_than_the_greedy_text():
    vocabulary, model = toy.characters("abcdef"), toy.bigrams(PAIRS)
    config = dataclasses.replace(CONFIG, width=1, min_log_prob=-0.01, lm_weight=0.3)
    for seed in range(10):
        rows = noisy_path(vocabulary, "ab-ba fe-ed ca", sharpness=2.0, seed=seed)
        greedy = vocabulary.decode(ctc.greedy(rows[None], [len(rows)])[0][0].numpy().tolist())
        found = find(rows, model, vocabulary, config)
        assert total(rows, found, model, vocabulary, config) >= total(rows, greedy, model, vocabulary, config) - 1e-4


def test_vocabulary_of_words():
    rows = np.log([[0.1, 0.1, 0.6, 0.2], [0.8, 0.1, 0.05, 0.05], [0.1, 0.1, 0.42, 0.38]])
    assert find(rows, toy.bigrams(PAIRS), toy.words("ab", "ba"), CONFIG) == "ab ba"


def test_probabilities_of_zero():
    vocabulary, model = toy.characters("ab"), toy.bigrams(PAIRS)
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0.5, 0.5]]))
    for least in (-7.0, -math.inf):
        assert find(rows, model, vocabulary, dataclasses.replace(CONFIG, min_log_prob=least)) == "ab ba"


def test_rejects_a_model_without_common_letters():
    capitals = toy.bigrams({("<s>", "AB"): 0.5, ("AB", "BA"): 0.5})
    with pytest.raises(UserError, match=r"any word of the language model lm.arpa \(such as 'AB'\)"):
        shallow_fusion.require_common_letters(capitals, toy.characters("ab"), "lm.arpa")
    shallow_fusion.require_common_letters(toy.bigrams(PAIRS), toy.characters("ab"), "lm.arpa")
