"""Prefix beam search with an n-gram language model by shallow fusion (Hannun et al. 2014, arXiv:1408.2873)."""

import bisect
import functools
import heapq
import math

import numpy as np

from pipelines.errors import UserError
from tfrec.decoding import ctc
from tfrec.decoding.ngram import END, SPACE, START, UNKNOWN


class Language:
    """What a language model and the bonus for words give to texts, in nats.

    `model` is an NgramModel. Where all its words are single characters and "<space>", it is over characters.
    Each word gives lm_weight * score + word_bonus; one that the model does not know is scored -unknown_penalty.

    A state is a tuple: nats so far, which a beam ranks by; those without the word that has not ended; history; that
    word. Once no known word begins as it does, the first of them count it as unknown.
    """

    def __init__(self, model, config):
        self._model, self._config = model, config
        # Words may all be letters, as where people spell; without the space these are no characters of a text.
        self.of_characters = SPACE in model.words and all(len(word) == 1 or word == SPACE for word in model.words)
        self._sorted = sorted(model.words)
        self._after = functools.lru_cache(maxsize=1_000_000)(self._score)
        self._expected = functools.lru_cache(maxsize=1_000_000)(self._expect)
        self.start = (0.0, 0.0, self._cut((START,)), "")

    def extend(self, state, written):
        """The state after more characters are written."""
        _, nats, history, word = state
        for character in written:
            if self.of_characters:
                if word or character != " ":  # no text begins with a space; `word` only tells that it has begun
                    nats, history = self._add(nats, history, SPACE if character == " " else character)
                    word = character
            elif character != " ":
                word += character
            elif word:
                nats, history = self._add(nats, history, word)
                word = ""
        return nats + self._expected(word), nats, history, word

    def score(self, text):
        """Nats of a whole text, its end included."""
        _, nats, history, word = self.extend(self.start, text)
        if word and not self.of_characters:
            nats, history = self._add(nats, history, word)
        return nats + self._config.lm_weight * self._model.score(history, END)

    def _expect(self, word):
        """Nats that a word which has not ended is sure to cost."""
        if self.of_characters:
            return 0.0
        place = bisect.bisect_left(self._sorted, word)
        known = place < len(self._sorted) and self._sorted[place].startswith(word)
        return 0.0 if known or not word else -self._config.lm_weight * self._config.unknown_penalty

    def _add(self, nats, history, word):
        gain = self._config.lm_weight * self._after(history, word) + self._config.word_bonus
        return nats + gain, self._cut((*history, word if word in self._model.words else UNKNOWN))

    def _score(self, history, word):
        return self._model.score(history, word) if word in self._model.words else -self._config.unknown_penalty

    def _cut(self, history):
        return history[max(0, len(history) - self._model.order + 1) :]


class _Prefix:
    """Ids written so far, as a tree, with the state of the language after them."""

    __slots__ = ("after", "parent", "state", "symbol")

    def __init__(self, parent, symbol, state):
        self.parent, self.symbol, self.state, self.after = parent, symbol, state, {}

    def ids(self):
        found, prefix = [], self
        while prefix.parent is not None:
            found.append(prefix.symbol)
            prefix = prefix.parent
        return found[::-1]


def require_common_letters(model, vocabulary, path):
    """Raises UserError where the vocabulary can write no word of the model, as with capitals in only one of them."""
    letters = set("".join(vocabulary.pieces))
    own = model.words - {SPACE}
    if not any(letters.issuperset(word) for word in own):
        raise UserError(
            f"The network can write no word of the language model {path} (such as {min(own, default='')!r}): "
            "train the model on text that is normalized as the run's transcripts are."
        )


def search(log_probs, language, vocabulary, config):
    """The text with the highest exact log-probability of CTC plus language, among those a beam and greedy find.

    Args:
        log_probs: numpy (steps, n + 1), natural logarithms, of true steps only.
        language: a Language.
        vocabulary: has `pieces` and `decode`.
        config: a DecodeConfig: width and min_log_prob.
    """
    log_probs = np.asarray(log_probs, "float32")
    if not len(log_probs):
        return ""
    greedy, lengths, _ = ctc.greedy(log_probs[None], [len(log_probs)])
    candidates = {tuple(greedy.numpy()[0, : lengths[0]].tolist())}
    candidates.update(tuple(prefix.ids()) for prefix in _beam(log_probs, language, vocabulary.pieces, config))
    candidates = sorted(candidates)
    padded = np.zeros((len(candidates), len(log_probs)), "int32")
    for row, ids in zip(padded, candidates, strict=True):
        row[: len(ids)] = ids
    given = np.broadcast_to(log_probs, (len(candidates), *log_probs.shape))
    acoustic = ctc.score(given, np.full(len(candidates), len(log_probs), "int32"), padded).numpy()
    texts = [vocabulary.decode(ids) for ids in candidates]
    totals = [float(nats) + language.score(text) for nats, text in zip(acoustic, texts, strict=True)]
    return texts[int(np.argmax(totals))]


def _beam(log_probs, language, pieces, config):
    """The best prefixes after the last step. Of each the beam knows the log-probabilities (ending blank, not blank)."""
    beam = {_Prefix(None, 0, language.start): (0.0, -math.inf)}
    most = max(0.0, config.word_bonus) * max(map(len, pieces))  # nats that language can give a piece
    for row in log_probs:
        tried = (np.flatnonzero(row[1:] > config.min_log_prob) + 1).tolist()
        row = row.tolist()
        grown = {prefix: _stay(prefix, *parts, row) for prefix, parts in beam.items()}
        least = min(map(_total, grown.items())) - most if len(beam) == config.width else -math.inf
        _grow(grown, beam, row, tried, least, language, pieces)
        beam = grown if len(grown) <= config.width else dict(heapq.nlargest(config.width, grown.items(), key=_total))
    return beam


def _total(item):
    """Nats of CTC and language of a prefix in a beam."""
    prefix, parts = item
    return _log_add(*parts) + prefix.state[0]


def _stay(prefix, blank, symbol, row):
    """Log-probabilities of a prefix (ending blank, not blank) after a step that writes nothing new."""
    return _log_add(blank, symbol) + row[0], symbol + row[prefix.symbol] if prefix.symbol else -math.inf


def _grow(grown, beam, row, tried, least, language, pieces):
    """Adds to `grown` what the prefixes of `beam` become by the symbols `tried`, where that can reach `least` nats."""
    for prefix, (blank, symbol) in beam.items():
        either = _log_add(blank, symbol)
        for number in tried:
            # The same symbol again is a new one only after a blank.
            nats = (blank if number == prefix.symbol else either) + row[number]
            longer = prefix.after.get(number)
            if nats == -math.inf or (nats + prefix.state[0] < least and longer not in grown):
                continue
            if longer is None:
                longer = _Prefix(prefix, number, language.extend(prefix.state, pieces[number]))
                prefix.after[number] = longer
            before = grown.get(longer, (-math.inf, -math.inf))
            grown[longer] = before[0], _log_add(before[1], nats)


def _log_add(a, b):
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
