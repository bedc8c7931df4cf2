"""What all vocabularies share, and those of characters and of words."""

import collections
import dataclasses

from pipelines.errors import UserError
from tfrec.text.normalization import normalize

UNKNOWN_WORD = "<unk>"
TOKENS = 1_000_000  # at most, in a stored vocabulary
TOKEN_CHARACTERS = 1000  # at most, of each
EXAMPLES = 3  # texts that a report of what is not covered shows for each symbol


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How much of some texts a vocabulary covers.

    `symbols` counts what was looked up (characters, words or phonemes, after normalization), `missing` (a dict from
    symbol to count, most frequent first) what is not covered, and `examples` gives for each of those some raw texts.
    """

    symbols: int
    missing: dict
    examples: dict


class Vocabulary:
    """Symbols with ids 1 to n; id 0 is the blank of CTC, padding, and start and end of a sentence.

    `tokens` (tuple of n str) names them. `pieces` (list of n + 1 str, the first empty) are what they write:
    decode(ids) is what they write, its words one space apart. `text` is the TextConfig of whatever is encoded.
    decode(encode(text)) == normalize(text) wherever the vocabulary covers the text.
    """

    unit = ""

    def __init__(self, tokens, text):
        self.tokens = tuple(tokens)
        self.text = text
        self.pieces = ["", *map(self._piece, self.tokens)]
        self._ids = {token: number for number, token in enumerate(self.tokens, start=1)}

    def __len__(self):
        return len(self.tokens)

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.as_json() == other.as_json()

    __hash__ = None

    def normalize(self, text):
        """The text in the form that is encoded and scored."""
        return normalize(text, self.text)

    def encode(self, text):
        """Ids (list of int) of a raw text; what is not covered is left out, and of words becomes <unk>."""
        return [self._ids[symbol] for symbol in self._symbols(self.covered(text))]

    def decode(self, ids):
        """The text of ids, its words one space apart; ignores 0."""
        return " ".join("".join(self.pieces[number] for number in ids).split())

    def covered(self, text):
        """The normalized text without what the vocabulary does not cover; decode(encode(text)) gives it."""
        symbols = self._symbols(self.normalize(text))
        return self._joined(symbol for symbol in symbols if symbol in self._known)

    def coverage(self, texts):
        """What of raw `texts` is not covered, as a Coverage."""
        count, missing, examples = 0, collections.Counter(), collections.defaultdict(list)
        for text in texts:
            symbols = self._symbols(self.normalize(text))
            count += len(symbols)
            lacking = [symbol for symbol in symbols if symbol not in self._known]
            missing.update(lacking)
            for symbol in sorted(set(lacking)):
                if len(examples[symbol]) < EXAMPLES:
                    examples[symbol].append(text)
        return Coverage(count, dict(missing.most_common()), dict(examples))

    def as_json(self):
        """Everything about it as a dict of plain values, for `from_json`."""
        return {"unit": self.unit, "text": dataclasses.asdict(self.text), "tokens": list(self.tokens)}

    @property
    def _known(self):
        return self._ids

    @classmethod
    def _symbols(cls, text):
        return text

    @classmethod
    def _joined(cls, symbols):
        # Two spaces meet where what stood between them is gone.
        return " ".join("".join(symbols).split())

    @staticmethod
    def _piece(token):
        return token


class Characters(Vocabulary):
    """Code points after NFC: a Gurmukhi vowel sign or an accent that has no letter of its own counts for itself."""

    unit = "characters"

    @classmethod
    def build(cls, texts, size, text, _fold=None):
        """Of normalized texts."""
        return cls(frequent(texts, size), text)

    @classmethod
    def restore(cls, stored, text):
        """What `as_json` described."""
        tokens = stored_tokens(stored)
        if any(len(token) != 1 for token in tokens):
            raise damaged("a token of unit characters is one character")
        return cls(tokens, text)


class Words(Vocabulary):
    """Words between spaces; the one named <unk> stands for every other."""

    unit = "words"

    @classmethod
    def build(cls, texts, size, text, _fold=None):
        """Of normalized texts."""
        words = frequent((each.split() for each in texts), None if size is None else size - 1, {UNKNOWN_WORD})
        return cls([UNKNOWN_WORD, *words], text)

    @classmethod
    def restore(cls, stored, text):
        """What `as_json` described."""
        tokens = stored_tokens(stored)
        if UNKNOWN_WORD not in tokens or any(token.split() != [token] for token in tokens):
            raise damaged(f"tokens of unit words have no spaces, and one is {UNKNOWN_WORD}")
        return cls(tokens, text)

    def encode(self, text):
        """Ids of a raw text's words; one that is not covered has that of <unk>."""
        rest = self._ids[UNKNOWN_WORD]
        return [self._ids.get(word, rest) for word in self.normalize(text).split()]

    def covered(self, text):
        """The normalized text with <unk> for what the vocabulary does not cover."""
        return self.decode(self.encode(text))

    @classmethod
    def _symbols(cls, text):
        return text.split()

    @classmethod
    def _joined(cls, symbols):
        return " ".join(symbols)

    @staticmethod
    def _piece(token):
        return f" {token}"


def frequent(texts, size, without=frozenset()):
    """The most frequent symbols of `texts` in the order of their code points."""
    counts = collections.Counter()
    for symbols in texts:
        counts.update(symbols)
    for symbol in without:
        del counts[symbol]
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    return sorted(ranked[:size])


def stored_tokens(stored):
    """The tokens in what `as_json` gave; raises UserError where they cannot be some."""
    tokens = stored.get("tokens")
    if not isinstance(tokens, list) or not 0 < len(tokens) <= TOKENS:
        raise damaged(f"it needs a list of 1 to {TOKENS:,} tokens")
    if not all(isinstance(token, str) and 0 < len(token) <= TOKEN_CHARACTERS for token in tokens):
        raise damaged(f"a token is a text of 1 to {TOKEN_CHARACTERS:,} characters")
    if len(set(tokens)) < len(tokens):
        raise damaged("a token stands there twice")
    return tokens


def damaged(reason):
    """The error for a stored vocabulary that cannot be one."""
    return UserError(f"The stored vocabulary is damaged: {reason}; build it again from the training transcripts.")
