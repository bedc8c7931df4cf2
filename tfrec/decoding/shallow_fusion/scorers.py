"""What a language model adds to the score of a text, for many hypotheses at once.

Each word adds lm_weight * score + word_bonus nats; the score of a word that the model does not know is
-unknown_penalty. Where all words of a model are single characters or "<space>", it is a model of characters.
"""

import abc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrec.decoding.config import DecodeConfig
from tfrec.decoding.ngram import END, SPACE, UNKNOWN, NgramModel
from tfrec.decoding.shallow_fusion import word_trie
from tfrec.decoding.shallow_fusion.ngram_table import NgramTable
from tfrec.text.tokenizers import Vocabulary


class States(NamedTuple):
    """What a scorer knows of texts: arrays of one shape."""

    nats: np.ndarray  # of the finished words, float64
    history: np.ndarray  # states of the `NgramTable`, int
    unfinished: np.ndarray  # the unfinished word, a node of the `WordTrie`; whether there is text, of characters; int


class Scorer(abc.ABC):
    """Scores texts by a language model.

    Args:
        model: the language model.
        vocabulary: whose pieces the texts consist of.
        config: the settings: lm_weight, word_bonus, unknown_penalty.

    Attributes:
        most: by how many nats each piece can raise the score, float64 (n + 1,).
    """

    most: np.ndarray

    def __init__(self, model: NgramModel, vocabulary: Vocabulary, config: DecodeConfig) -> None:
        self.vocabulary, self.config = vocabulary, config
        self._table = NgramTable(model)
        self._unknown, self._end = self._table.ids[UNKNOWN], self._table.ids[END]

    def start(self, shape: tuple[int, ...]) -> States:
        """The states of empty texts."""
        return States(np.zeros(shape), np.full(shape, self._table.start), np.zeros(shape, np.int64))

    @abc.abstractmethod
    def extend(self, states: States, pieces: np.ndarray) -> States:
        """The states after one more piece each.

        Args:
            states: of n texts, (n,).
            pieces: ids of pieces, 0 for none; int (n,).
        """

    @abc.abstractmethod
    def bound(self, unfinished: np.ndarray) -> np.ndarray | float:
        """Nats that unfinished words are certain to lose, by which a beam ranks them early."""

    @abc.abstractmethod
    def score(self, ids: np.ndarray) -> np.ndarray:
        """The nats of whole texts, their ends included.

        Args:
            ids: of pieces, padded with 0, int (n, length).

        Returns:
            float64 (n,).
        """

    def _add(self, states: States, words: np.ndarray) -> States:
        """The states after words, -1 for unknown ones."""
        unknown = np.flatnonzero(words < 0)
        if len(unknown):
            words = words.copy()
            words[unknown] = self._unknown
        nats, history = self._table.score(states.history, words)
        nats[unknown] = -self.config.unknown_penalty
        gain = self.config.lm_weight * nats + self.config.word_bonus
        return States(states.nats + gain, history, np.zeros_like(states.unfinished))

    def _finish(self, states: States) -> np.ndarray:
        """The nats of texts whose words are finished, with their ends."""
        ends, _ = self._table.score(states.history, np.full(len(states.history), self._end))
        return states.nats + self.config.lm_weight * ends


class WordScorer(Scorer):
    """Scores by a model of words; an unfinished word counts as unknown once no word of the model begins like it."""

    def __init__(self, model: NgramModel, vocabulary: Vocabulary, config: DecodeConfig) -> None:
        super().__init__(model, vocabulary, config)
        pieces = vocabulary.pieces
        self._trie = word_trie.WordTrie(sorted(model.words), "".join(pieces))
        self._codes = padded([self._trie.encode(piece) for piece in pieces])
        self._lengths = np.array([len(piece) for piece in pieces])
        self.most = max(0.0, config.word_bonus) * np.array([piece.count(" ") for piece in pieces])
        self._lost = np.zeros(len(self._trie.word))
        self._lost[word_trie.DEAD] = -config.lm_weight * config.unknown_penalty

    def extend(self, states: States, pieces: np.ndarray) -> States:
        """The states after one more piece each."""
        nats, history, nodes = states
        for column in range(int(self._lengths[pieces].max(initial=0))):
            codes = self._codes[pieces, column]
            ended = np.flatnonzero((codes == word_trie.SPACE) & (nodes != word_trie.ROOT))
            if len(ended):
                after = self._add(States(nats[ended], history[ended], nodes[ended]), self._trie.word[nodes[ended]])
                nats, history = nats.copy(), history.copy()
                nats[ended], history[ended] = after.nats, after.history
            nodes = self._trie.follow(nodes, codes)
        return States(nats, history, nodes)

    def bound(self, unfinished: np.ndarray) -> np.ndarray:
        """The penalty of an unknown word where no word of the model begins like the unfinished one."""
        return self._lost[unfinished]

    def score(self, ids: np.ndarray) -> np.ndarray:
        """The nats of whole texts, their ends included."""
        states = self.start((len(ids),))
        for column in ids.T:
            states = self.extend(states, column)
        ended = np.flatnonzero(states.unfinished != word_trie.ROOT)
        after = self._add(States(*(field[ended] for field in states)), self._trie.word[states.unfinished[ended]])
        states.nats[ended], states.history[ended] = after.nats, after.history
        return self._finish(states)


class CharacterScorer(Scorer):
    """Scores by a model of characters; no text begins with a space."""

    def __init__(self, model: NgramModel, vocabulary: Vocabulary, config: DecodeConfig) -> None:
        super().__init__(model, vocabulary, config)
        self._words = padded([self._numbers(piece) for piece in vocabulary.pieces], -2)
        self._space = self._table.ids[SPACE]
        self._lengths = np.array([len(piece) for piece in vocabulary.pieces])
        self.most = max(0.0, config.word_bonus) * self._lengths

    def extend(self, states: States, pieces: np.ndarray) -> States:
        """The states after one more piece each."""
        return self._read(states, self._words[pieces, : int(self._lengths[pieces].max(initial=0))])

    def bound(self, unfinished: np.ndarray) -> float:
        """Nothing: a character is a whole word of the model."""
        return 0.0

    def score(self, ids: np.ndarray) -> np.ndarray:
        """The nats of whole texts, their ends included; between two words is one space, whatever the pieces hold."""
        texts = [self.vocabulary.decode(row) for row in ids.tolist()]
        words = padded([self._numbers(text) for text in texts], -2)
        return self._finish(self._read(self.start((len(texts),)), words))

    def _read(self, states: States, words: np.ndarray) -> States:
        """The states after words (n, any); -2 is padding."""
        for column in words.T:
            added = (column != -2) & ((column != self._space) | (states.unfinished != 0))
            after = self._add(states, np.maximum(column, -1))
            nats, history = np.where(added, after.nats, states.nats), np.where(added, after.history, states.history)
            states = States(nats, history, np.where(added, 1, states.unfinished))
        return states

    def _numbers(self, text: str) -> list[int]:
        ids = self._table.ids
        return [ids.get(SPACE if character == " " else character, -1) for character in text]


def build(model: NgramModel, vocabulary: Vocabulary, config: DecodeConfig) -> Scorer:
    """Builds the scorer for the unit of a language model; the arguments are those of `Scorer`."""
    # All words of a corpus may be single letters: only "<space>" makes a model one of characters.
    of_characters = SPACE in model.words and all(len(word) == 1 or word == SPACE for word in model.words)
    return (CharacterScorer if of_characters else WordScorer)(model, vocabulary, config)


def padded(rows: Sequence[Sequence[int]], value: int = 0) -> np.ndarray:
    """Rows of different lengths as one array, filled up at their ends."""
    result = np.full((len(rows), max(map(len, rows), default=0)), value, np.int64)
    for row, values in zip(result, rows, strict=True):
        row[: len(values)] = values
    return result
