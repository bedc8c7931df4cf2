"""Modified Kneser-Ney smoothing, interpolated.

Source: S. F. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", Harvard
University TR-10-98, 1998, section 3. An interpolated model is at the same time one with back-off, whose weights are
the shares that the context leaves to the lower order, so that ARPA's format holds it exactly.
"""

import collections
import math

from pipelines.errors import UserError
from tfrec.decoding.ngram import END, NEVER, NGRAMS, ORDER, START, UNKNOWN, NgramModel

FALLBACK = (0.5, 1.0, 1.5)  # discounts where counts of counts give none; as kenlm's --discount_fallback


def build(sentences, order):
    """The NgramModel of `sentences` (iterable of lists of words), which also gives <unk> its share.

    Raises UserError where there are no words, or more n-grams than fit into memory.
    """
    if not 1 <= order <= ORDER:
        raise ValueError(f"order must be from 1 to {ORDER}. Received: {order}")
    counts = _adjusted(_counts(sentences, order))
    if not counts[0]:
        raise UserError("There are no words to build a model from: give sentences.")
    log10, backoff = {(START,): NEVER}, {}
    words = {gram[0] for gram in counts[0]} | {END, UNKNOWN}
    lower = dict.fromkeys(((word,) for word in words), 1 / len(words))  # what interpolation ends in
    for n, grams in enumerate(counts, start=1):
        discounts = _discounts(grams)
        totals, left = collections.Counter(), collections.Counter()
        for gram, count in grams.items():
            totals[gram[:-1]] += count
            left[gram[:-1]] += discounts[min(count, 3) - 1]
        share = {context: left[context] / total for context, total in totals.items()}
        probabilities = {}
        if n == 1:
            probabilities[(UNKNOWN,)] = share[()] * lower[(UNKNOWN,)]
        for gram, count in grams.items():
            own = (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]]
            below = lower[gram[1:] if n > 1 else gram]
            probabilities[gram] = own + share[gram[:-1]] * below
        backoff |= {context: math.log10(value) for context, value in share.items() if context}
        log10 |= {gram: math.log10(value) for gram, value in probabilities.items()}
        lower = probabilities
    return NgramModel(order, log10, backoff)


def _counts(sentences, order):
    """A Counter of the n-grams of each order, sentences between <s> and </s>; <s> itself is never predicted."""
    counts = [collections.Counter() for _ in range(order)]
    for sentence in sentences:
        padded = (START, *(word for word in sentence if word not in (START, END)), END)
        for n, counter in enumerate(counts, start=1):
            counter.update(padded[at : at + n] for at in range(n == 1, len(padded) - n + 1))
        if sum(map(len, counts)) > NGRAMS:
            raise UserError(
                f"The text has more than {NGRAMS:,} different n-grams up to order {order}, which do not fit into"
                f" memory: lower the order, or give less text."
            )
    if set(counts[0]) <= {(END,)}:
        counts[0].clear()
    return counts


def _adjusted(counts):
    """Below the highest order, how many different words an n-gram follows, unless a sentence starts with it."""
    adjusted = list(counts)
    for n in range(len(counts) - 1):
        follows = collections.Counter(gram[1:] for gram in counts[n + 1])
        adjusted[n] = {gram: count if gram[0] == START else follows[gram] for gram, count in counts[n].items()}
    return adjusted


def _discounts(grams):
    """What is taken off counts of 1, of 2, and of 3 and more."""
    of = collections.Counter(count for count in grams.values() if count <= 4)
    if not all(of[count] for count in (1, 2, 3, 4)):
        return FALLBACK
    ratio = of[1] / (of[1] + 2 * of[2])
    discounts = tuple(count - (count + 1) * ratio * of[count + 1] / of[count] for count in (1, 2, 3))
    return discounts if all(0 < each <= count for count, each in enumerate(discounts, start=1)) else FALLBACK
