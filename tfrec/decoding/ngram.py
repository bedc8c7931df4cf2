"""N-gram language models with back-off."""

import math
from collections.abc import Iterable, Sequence

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPACE = "<space>"  # the space between words, in a model of characters
MAX_NGRAMS = 20_000_000  # of a model, which is held in memory: some 4 GB
MAX_ORDER = 10
LOG10_NEVER = -99.0  # of <s>, which no model predicts; as SRILM
LOG10_UNKNOWN = -100.0  # of a word that a model without <unk> does not know; as kenlm
LOG_10 = math.log(10)

Gram = tuple[str, ...]


class NgramModel:
    """Probabilities of words given the words before them, with back-off.

    Attributes:
        order: length of the longest n-gram.
        log10: log10 of the probability of each n-gram.
        backoff: log10 of the back-off weight of each n-gram that is the context of others.
        words: every word except <s>, </s> and <unk>.
    """

    def __init__(self, order: int, log10: dict[Gram, float], backoff: dict[Gram, float]) -> None:
        self.order, self.log10, self.backoff = order, log10, backoff
        self.words = {gram[0] for gram in log10 if len(gram) == 1} - {START, END, UNKNOWN}
        self._known = self.words | {START, END}

    def score(self, history: Gram, word: str) -> float:
        """Scores a word given the words before it.

        Args:
            history: words, with "<s>" first at the start of a sentence; only the last order - 1 are used.
            word: a word, or "</s>". Words that the model does not know are scored as <unk>.

        Returns:
            The natural logarithm of the probability.
        """
        known = self._known
        word = word if word in known else UNKNOWN
        context = tuple(each if each in known else UNKNOWN for each in history[max(len(history) - self.order + 1, 0) :])
        weight = 0.0
        while (log10 := self.log10.get((*context, word))) is None:
            if not context:
                return (weight + LOG10_UNKNOWN) * LOG_10
            weight += self.backoff.get(context, 0.0)
            context = context[1:]
        return (weight + log10) * LOG_10

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> tuple[float, int, int]:
        """Measures the perplexity of sentences, their ends included.

        Args:
            sentences: lists of words.

        Returns:
            The perplexity, the number of words and sentence ends, and how many of these the model does not know.
        """
        total, count, unknown = 0.0, 0, 0
        for sentence in sentences:
            history: Gram = (START,)
            for word in (*sentence, END):
                total += self.score(history, word)
                unknown += word not in self._known
                count += 1
                history = (*history, word)[-self.order :]
        return math.exp(-total / max(count, 1)), count, unknown


def tokenize(text: str, unit: str) -> list[str]:
    """Splits a normalized text into the words of a language model.

    Args:
        text: a normalized text.
        unit: "words" or "characters".

    Returns:
        The words, or the characters with "<space>" for a space.

    >>> tokenize("a cat", "characters")
    ['a', '<space>', 'c', 'a', 't']
    """
    if unit == "words":
        return text.split()
    return [SPACE if character == " " else character for character in text]
