"""Kneser-Ney smoothing: computed by hand, against the paper's equations, and as probabilities."""

import functools
import math
import random

import pytest

from pipelines.errors import UserError
from tfrec.decoding import kneser_ney
from tfrec.decoding.ngram import END, START, UNKNOWN


def corpus(size, words, seed=0):
    """Sentences in which some words are much more frequent, and words tend to follow each other by number."""
    rng = random.Random(seed)
    names = [f"w{number}" for number in range(words)]
    sentences = []
    for _ in range(size):
        position, sentence = 0, []
        for _ in range(rng.randrange(1, 9)):
            position = (position + 1) % words if rng.random() < 0.5 else min(int(rng.expovariate(0.15)), words - 1)
            sentence.append(names[position])
        sentences.append(sentence)
    return sentences


def direct(sentences, order):
    """p(word, history) by the equations of Chen and Goodman, counting again each time."""
    padded = [(START, *sentence, END) for sentence in sentences]
    raw = [{}]
    for n in range(1, order + 1):
        raw.append({})
        for sentence in padded:
            for start in range(len(sentence) - n + 1):
                gram = sentence[start : start + n]
                raw[n][gram] = raw[n].get(gram, 0) + 1
    del raw[1][(START,)]

    def count(gram):
        if len(gram) == order or gram[0] == START:
            return raw[len(gram)].get(gram, 0)
        return len({longer[0] for longer in raw[len(gram) + 1] if longer[1:] == gram})

    @functools.cache
    def amounts(n):
        counts = [count(gram) for gram in raw[n]]
        ones, twos, threes, fours = (counts.count(number) for number in (1, 2, 3, 4))
        y = ones / (ones + 2 * twos)
        return 0, 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes

    vocabulary = {word for sentence in padded for word in sentence} - {START} | {UNKNOWN}

    @functools.cache
    def p(word, history):
        n = len(history) + 1
        lower = p(word, history[1:]) if history else 1 / len(vocabulary)
        counts = {each: count((*history, each)) for each in vocabulary if (*history, each) in raw[n]}
        if not counts:
            return lower
        off = amounts(n)
        left = sum(off[min(number, 3)] for number in counts.values()) / sum(counts.values())
        own = counts.get(word, 0)
        return (own - off[min(own, 3)]) / sum(counts.values()) + left * lower

    return p, vocabulary


def test_probabilities_computed_by_hand():
    # Each word and the end follows one word, except "world", which follows two: 5 in all. Counts of counts are too
    # few, so that discounts are 0.5 and 1, which leave (3 * 0.5 + 1) / 5 = 0.5 to the uniform 1/5.
    model = kneser_ney.build([["hello", "world"], ["hello", "there", "world"]], 2)
    hello = 0.5 / 5 + 0.5 / 5
    assert math.exp(model.score((), "hello")) == pytest.approx(hello)
    assert math.exp(model.score((), "world")) == pytest.approx((2 - 1) / 5 + 0.1)
    assert math.exp(model.score((), "unseen")) == pytest.approx(0.1)
    # Twice after the start, where 1 of 2 is left; the end always follows "world", twice.
    assert math.exp(model.score((START,), "hello")) == pytest.approx((2 - 1) / 2 + 0.5 * hello)
    assert math.exp(model.score(("world",), END)) == pytest.approx((2 - 1) / 2 + 0.5 * 0.2)
    # Two words follow "hello", once each: 0.5 is left for words that never follow it.
    assert math.exp(model.score(("hello",), "hello")) == pytest.approx(0.5 * hello)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_equations_of_the_paper(order):
    sentences = corpus(600, 200)
    counts = kneser_ney._adjusted(kneser_ney._counts(sentences, order))
    assert kneser_ney.FALLBACK_DISCOUNTS not in map(kneser_ney._discounts, counts)
    model = kneser_ney.build(sentences, order)
    p, vocabulary = direct(sentences, order)
    histories = [(), (START,), (START, "w1"), ("w1", "w2"), ("w2", "w3"), ("w24", "w0"), ("w9", "w1")]
    for history in {history[len(history) - min(order - 1, len(history)) :] for history in histories}:
        for word in vocabulary:
            assert math.exp(model.score(history, word)) == pytest.approx(p(word, history), rel=1e-9), (history, word)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(1, 3), (6, 4), (400, 60)], ids=["one", "few", "many"])
def test_probabilities_sum_to_one(order, size):
    sentences = corpus(*size)
    model = kneser_ney.build(sentences, order)
    histories = [(), (START,), ("w1",), ("w0", "w1", "w2"), (START, "w0"), ("w1", "never"), ("never", "w1", "w2")]
    histories += [(START, *sentence[:end]) for sentence in sentences[:5] for end in range(len(sentence) + 1)]
    for history in histories:
        total = sum(math.exp(model.score(history, word)) for word in {*model.words, END, UNKNOWN})
        assert total == pytest.approx(1, abs=1e-9), history


def test_seen_ngrams_are_likelier_than_unseen():
    model = kneser_ney.build(corpus(300, 25), 3)
    assert model.score(("w4",), "w5") > model.score(("w5",), "w4")
    seen, _, _ = model.perplexity(corpus(50, 25, seed=1))
    shorter, _, _ = kneser_ney.build(corpus(300, 25), 1).perplexity(corpus(50, 25, seed=1))
    assert seen < 0.8 * shorter


def test_sentence_marks_in_the_text_are_not_words():
    model = kneser_ney.build([[START, "a", END, "b", UNKNOWN]], 2)
    assert model.words == {"a", "b"}
    assert model.score(("a",), "b") > model.score(("a",), END)


def test_rejects_wrong_arguments(monkeypatch):
    for sentences in ([], [[]], [[], []]):
        with pytest.raises(UserError, match="There are no words"):
            kneser_ney.build(sentences, 2)
    with pytest.raises(ValueError, match=r"order must be from 1 to 10. Received: 0"):
        kneser_ney.build([["a"]], 0)
    monkeypatch.setattr(kneser_ney, "MAX_NGRAMS", 20)
    with pytest.raises(UserError, match=r"more than 20 different n-grams.*lower the order"):
        kneser_ney.build(corpus(10, 10), 3)
