"""Modified Kneser-Ney smoothing, interpolated.

Source: S. F. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", Harvard
University TR-10-98, 1998, section 3. An interpolated model is also a back-off model, whose weights are the shares that
a context leaves to the lower order, so that the ARPA format represents it exactly.
"""

import collections
import math
from collections.abc import Iterable, Mapping, Sequence

from pipelines.errors import UserError
from tfrec.decoding.ngram import END, LOG10_NEVER, MAX_NGRAMS, MAX_ORDER, START, UNKNOWN, Gram, NgramModel

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # where counts of counts give none; as kenlm's --discount_fallback


def build(sentences: Iterable[Sequence[str]], order: int) -> NgramModel:
    """Builds a model of sentences; its unigrams include <unk>, which receives a share of the probability.

    Args:
        sentences: lists of words.
        order: length of the longest n-gram, from 1 to `MAX_ORDER`.

    Returns:
        The model.

    Raises:
        ValueError: the order is out of range.
        UserError: there are no words, or more n-grams than fit into memory.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order must be from 1 to {MAX_ORDER}. Received: {order}")
    counts = _adjusted(_counts(sentences, order))
    if not counts[0]:
        raise UserError("There are no words to build a model from: give sentences.")
    log10: dict[Gram, float] = {(START,): LOG10_NEVER}
    backoff: dict[Gram, float] = {}
    words = {gram[0] for gram in counts[0]} | {END, UNKNOWN}
    lower: Mapping[Gram, float] = dict.fromkeys(((word,) for word in words), 1 / len(words))  # order 0: uniform
    for n, grams in enumerate(counts, start=1):
        probabilities, shares = _interpolate(n, grams, lower)
        backoff |= {context: math.log10(share) for context, share in shares.items() if context}
        log10 |= {gram: math.log10(value) for gram, value in probabilities.items()}
        lower = probabilities
    return NgramModel(order, log10, backoff)


def _interpolate(
    n: int, grams: Mapping[Gram, int], lower: Mapping[Gram, float]
) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """Probabilities of the n-grams, and the share that each context leaves to the lower order."""
    discounts = _discounts(grams)
    totals: dict[Gram, int] = collections.Counter()
    discounted: dict[Gram, float] = collections.defaultdict(float)
    for gram, count in grams.items():
        totals[gram[:-1]] += count
        discounted[gram[:-1]] += discounts[min(count, 3) - 1]
    shares = {context: discounted[context] / total for context, total in totals.items()}
    probabilities: dict[Gram, float] = {}
    if n == 1:
        probabilities[(UNKNOWN,)] = shares[()] * lower[(UNKNOWN,)]
    for gram, count in grams.items():
        own = (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]]
        below = lower[gram[1:] if n > 1 else gram]
        probabilities[gram] = own + shares[gram[:-1]] * below
    return probabilities, shares


def _counts(sentences: Iterable[Sequence[str]], order: int) -> list[collections.Counter[Gram]]:
    """Counts of the n-grams of each order, sentences between <s> and </s>; <s> itself is never predicted."""
    counts: list[collections.Counter[Gram]] = [collections.Counter() for _ in range(order)]
    for sentence in sentences:
        padded = (START, *(word for word in sentence if word not in (START, END)), END)
        for n, counter in enumerate(counts, start=1):
            counter.update(padded[start : start + n] for start in range(n == 1, len(padded) - n + 1))
        if sum(map(len, counts)) > MAX_NGRAMS:
            raise UserError(
                f"The text has more than {MAX_NGRAMS:,} different n-grams up to order {order}, which do not fit into"
                f" memory: lower the order, or give less text."
            )
    if set(counts[0]) <= {(END,)}:
        counts[0].clear()
    return counts


def _adjusted(counts: Sequence[Mapping[Gram, int]]) -> list[Mapping[Gram, int]]:
    """Below the highest order an n-gram counts the different words before it, unless it starts a sentence."""
    adjusted = list(counts)
    for n in range(len(counts) - 1):
        preceding = collections.Counter(gram[1:] for gram in counts[n + 1])
        adjusted[n] = {gram: count if gram[0] == START else preceding[gram] for gram, count in counts[n].items()}
    return adjusted


def _discounts(grams: Mapping[Gram, int]) -> tuple[float, ...]:
    """The discounts of counts of 1, of 2, and of 3 and more (Chen and Goodman's equation for D1, D2, D3+)."""
    frequencies = collections.Counter(count for count in grams.values() if count <= 4)
    if not all(frequencies[count] for count in (1, 2, 3, 4)):
        return FALLBACK_DISCOUNTS
    ratio = frequencies[1] / (frequencies[1] + 2 * frequencies[2])
    discounts = tuple(count - (count + 1) * ratio * frequencies[count + 1] / frequencies[count] for count in (1, 2, 3))
    valid = all(0 < discount <= count for count, discount in enumerate(discounts, start=1))
    return discounts if valid else FALLBACK_DISCOUNTS
