"""The words of a language model as a tree of letters in an array, which follows many letters at once."""

from collections.abc import Sequence

import numpy as np

ROOT, DEAD = 0, 1  # nodes: before a word, and after letters with which no word begins
NOTHING, SPACE, FOREIGN = 0, 1, 2  # codes: no character, the end of a word, a letter of no word
MAX_DENSE = 20_000_000  # entries of the table of a tree, 80 MB; a larger tree is searched


class WordTrie:
    """A tree whose nodes are the beginnings of words.

    Args:
        words: the words, sorted and distinct.
        letters: those that can be met; words with others cannot be written, and are left out.

    Attributes:
        word: the number of the word that ends at each node, -1 for none, int (nodes,).
    """

    def __init__(self, words: Sequence[str], letters: str) -> None:
        self._codes = {" ": SPACE, **{letter: FOREIGN + 1 + i for i, letter in enumerate(sorted({*letters} - {" "}))}}
        self._width = FOREIGN + len(self._codes)
        edges, self.word = self._grow(words)
        self._keys, self._nodes = np.array(edges, np.int64), np.arange(2, len(edges) + 2)
        if len(self.word) * self._width <= MAX_DENSE:
            table = np.full((len(self.word), self._width), DEAD, np.int32)
            table[:, NOTHING], table[:, SPACE] = np.arange(len(self.word)), ROOT
            table.flat[self._keys] = self._nodes
            self._table: np.ndarray | None = table.reshape(-1)
        else:
            order = np.argsort(self._keys)
            self._keys = np.append(self._keys[order], np.iinfo(np.int64).max)
            self._nodes, self._table = np.append(self._nodes[order], DEAD), None

    def _grow(self, words: Sequence[str]) -> tuple[list[int], np.ndarray]:
        """The key of the edge to each node from the third on, node * width + code, and `word`."""
        edges: list[int] = []
        ends = [-1, -1]
        path, before = [ROOT], ""  # the nodes of the last word
        for number, word in enumerate(words):
            if not all(letter in self._codes for letter in word):
                continue
            common = 0
            while common < min(len(word), len(before)) and word[common] == before[common]:
                common += 1
            del path[common + 1 :]
            for letter in word[common:]:
                edges.append(path[-1] * self._width + self._codes[letter])
                path.append(len(ends))
                ends.append(-1)
            ends[path[-1]], before = number, word
        return edges, np.array(ends)

    def encode(self, text: str) -> list[int]:
        """The codes of characters."""
        return [self._codes.get(character, FOREIGN) for character in text]

    def follow(self, nodes: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The nodes after one more character each.

        Args:
            nodes: int (n,).
            codes: of the characters; after `SPACE` is `ROOT`, after `NOTHING` the same node. int (n,).

        Returns:
            int (n,).
        """
        keys = nodes * self._width + codes
        if self._table is not None:
            return self._table[keys]
        places = np.searchsorted(self._keys, keys)
        found = np.where(self._keys[places] == keys, self._nodes[places], DEAD)
        return np.where(codes == NOTHING, nodes, np.where(codes == SPACE, ROOT, found))
