"""The base class of all vocabularies, and the vocabularies of characters and of words."""

import abc
import collections
import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

from pipelines.errors import UserError
from tfrec.text.normalization import TextConfig, normalize

UNKNOWN_WORD = "<unk>"
MAX_TOKENS = 1_000_000  # in a stored vocabulary
MAX_TOKEN_LENGTH = 1000  # characters
EXAMPLES_PER_SYMBOL = 3  # texts that `Coverage` keeps for each symbol that is not covered


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How much of a set of texts a vocabulary covers.

    Attributes:
        symbols: number of symbols looked up: characters, words or phonemes, after normalization.
        missing: counts of the symbols that are not covered, the most frequent first.
        examples: for each of those symbols up to `EXAMPLES_PER_SYMBOL` raw texts that contain it.
    """

    symbols: int
    missing: dict[str, int]
    examples: dict[str, list[str]]


class Vocabulary(abc.ABC):
    """A tokenizer with its tokens, whose ids are 1 to n; id 0 is CTC's blank, padding, and start and end of sentence.

    `decode(encode(text)) == normalize(text)` for every text that the vocabulary covers.

    Attributes:
        unit: name of the unit in the registry `vocabulary.UNITS`.
        tokens: the n tokens.
        pieces: n + 1 strings, the output of each id; the first is empty.
        text: how texts are normalized before they are encoded.
    """

    unit = ""

    def __init__(self, tokens: Iterable[str], text: TextConfig) -> None:
        self.tokens = tuple(tokens)
        self.text = text
        self.pieces = ["", *map(self._piece, self.tokens)]
        self._ids = {token: number for number, token in enumerate(self.tokens, start=1)}

    @classmethod
    @abc.abstractmethod
    def build(cls, texts: Iterable[str], size: int | None, text: TextConfig, fold_phonemes: int | None = None) -> Self:
        """Builds the vocabulary of normalized texts; the arguments are those of `vocabulary.build`."""

    @classmethod
    @abc.abstractmethod
    def restore(cls, stored: dict[str, Any], text: TextConfig) -> Self:
        """Restores the vocabulary that `as_json` stored; raises UserError for damaged content."""

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.as_json() == other.as_json()

    def normalize(self, text: str) -> str:
        """Returns the text in the form that is encoded and scored."""
        return normalize(text, self.text)

    def encode(self, text: str) -> list[int]:
        """Encodes a raw text.

        Args:
            text: any text.

        Returns:
            Ids from 1 to n. Symbols that are not covered are left out; words that are not covered become <unk>.
        """
        return [self._ids[symbol] for symbol in self._symbols(self.covered(text))]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids, its words separated by one space; ids 0 are ignored."""
        return " ".join("".join(self.pieces[number] for number in ids).split())

    def covered(self, text: str) -> str:
        """Returns the normalized text without the symbols that are not covered: `decode(encode(text))`."""
        symbols = self._symbols(self.normalize(text))
        return self._joined(symbol for symbol in symbols if symbol in self._known)

    def coverage(self, texts: Iterable[str]) -> Coverage:
        """Measures how much of some raw texts is covered."""
        count = 0
        missing: collections.Counter[str] = collections.Counter()
        examples: dict[str, list[str]] = collections.defaultdict(list)
        for text in texts:
            symbols = self._symbols(self.normalize(text))
            count += len(symbols)
            uncovered = [symbol for symbol in symbols if symbol not in self._known]
            missing.update(uncovered)
            for symbol in sorted(set(uncovered)):
                if len(examples[symbol]) < EXAMPLES_PER_SYMBOL:
                    examples[symbol].append(text)
        return Coverage(count, dict(missing.most_common()), dict(examples))

    def as_json(self) -> dict[str, Any]:
        """Returns everything about the vocabulary as JSON values, for `vocabulary.from_json`."""
        return {"unit": self.unit, "text": dataclasses.asdict(self.text), "tokens": list(self.tokens)}

    @property
    def _known(self) -> Collection[str]:
        return self._ids

    @classmethod
    def _symbols(cls, text: str) -> Sequence[str]:
        return text

    @classmethod
    def _joined(cls, symbols: Iterable[str]) -> str:
        # Where a symbol between two spaces is left out, the spaces meet.
        return " ".join("".join(symbols).split())

    @staticmethod
    def _piece(token: str) -> str:
        return token


class CharacterVocabulary(Vocabulary):
    """Code points after NFC: a Gurmukhi vowel sign or a combining accent is a token of its own."""

    unit = "characters"

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None, text: TextConfig, fold_phonemes: int | None = None) -> Self:
        """Builds the vocabulary of normalized texts."""
        return cls(most_frequent(texts, size), text)

    @classmethod
    def restore(cls, stored: dict[str, Any], text: TextConfig) -> Self:
        """Restores the vocabulary that `as_json` stored."""
        tokens = read_tokens(stored)
        if any(len(token) != 1 for token in tokens):
            raise damaged("a token of unit characters is one character")
        return cls(tokens, text)


class WordVocabulary(Vocabulary):
    """Words separated by spaces; the token <unk> represents every other word."""

    unit = "words"

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None, text: TextConfig, fold_phonemes: int | None = None) -> Self:
        """Builds the vocabulary of normalized texts."""
        words = most_frequent((each.split() for each in texts), None if size is None else size - 1, {UNKNOWN_WORD})
        return cls([UNKNOWN_WORD, *words], text)

    @classmethod
    def restore(cls, stored: dict[str, Any], text: TextConfig) -> Self:
        """Restores the vocabulary that `as_json` stored."""
        tokens = read_tokens(stored)
        if UNKNOWN_WORD not in tokens or any(token.split() != [token] for token in tokens):
            raise damaged(f"tokens of unit words have no spaces, and one is {UNKNOWN_WORD}")
        return cls(tokens, text)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a raw text's words; a word that is not covered has the id of <unk>."""
        unknown = self._ids[UNKNOWN_WORD]
        return [self._ids.get(word, unknown) for word in self.normalize(text).split()]

    def covered(self, text: str) -> str:
        """Returns the normalized text with <unk> in place of words that are not covered."""
        return self.decode(self.encode(text))

    @classmethod
    def _symbols(cls, text: str) -> Sequence[str]:
        return text.split()

    @classmethod
    def _joined(cls, symbols: Iterable[str]) -> str:
        return " ".join(symbols)

    @staticmethod
    def _piece(token: str) -> str:
        return f" {token}"


def most_frequent(
    texts: Iterable[Iterable[str]], size: int | None, excluded: Collection[str] = frozenset()
) -> list[str]:
    """Returns the `size` most frequent symbols of `texts` (None: all), sorted by code point."""
    counts: collections.Counter[str] = collections.Counter()
    for symbols in texts:
        counts.update(symbols)
    for symbol in excluded:
        del counts[symbol]
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    return sorted(ranked[:size])


def read_tokens(stored: dict[str, Any]) -> list[str]:
    """Returns the tokens that `Vocabulary.as_json` stored; raises UserError where they are not valid."""
    tokens = stored.get("tokens")
    if not isinstance(tokens, list) or not 0 < len(tokens) <= MAX_TOKENS:
        raise damaged(f"it needs a list of 1 to {MAX_TOKENS:,} tokens")
    if not all(isinstance(token, str) and 0 < len(token) <= MAX_TOKEN_LENGTH for token in tokens):
        raise damaged(f"a token is a text of 1 to {MAX_TOKEN_LENGTH:,} characters")
    if len(set(tokens)) < len(tokens):
        raise damaged("a token appears twice")
    return tokens


def damaged(reason: str) -> UserError:
    """Returns the error for a stored vocabulary that is not valid."""
    return UserError(f"The stored vocabulary is damaged: {reason}; build it again from the training transcripts.")
