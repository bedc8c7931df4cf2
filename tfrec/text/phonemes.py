"""TIMIT's phonemes: the 61 of its transcripts, the 48 that models are trained on and the 39 that are scored.

Source: K.-F. Lee and H.-W. Hon, "Speaker-independent phone recognition using hidden Markov models", IEEE Transactions
on Acoustics, Speech, and Signal Processing 37(11), 1989: table I (61 to 48; the glottal stop q is left out) and the
groups of section IV whose confusions are not counted (48 to 39).
"""

from collections.abc import Iterable
from typing import Any, Self

from tfrec.text.normalization import TextConfig
from tfrec.text.tokenizers import WordVocabulary, damaged, most_frequent, read_tokens

_TIMIT = (
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l"
    " m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
SYMBOLS_61 = tuple(_TIMIT.split())
_TO_48 = {
    **{"ux": "uw", "axr": "er", "ax-h": "ax", "em": "m", "nx": "n", "eng": "ng", "hv": "hh", "q": ""},
    **dict.fromkeys(("pcl", "tcl", "kcl"), "cl"),
    **dict.fromkeys(("bcl", "dcl", "gcl"), "vcl"),
    **dict.fromkeys(("h#", "pau"), "sil"),
}
_48_TO_39 = {
    **{"ao": "aa", "ax": "ah", "el": "l", "en": "n", "ix": "ih", "zh": "sh"},
    **dict.fromkeys(("cl", "vcl", "epi"), "sil"),
}
TO_48 = {symbol: _TO_48.get(symbol, symbol) for symbol in SYMBOLS_61}
TO_39 = {symbol: _48_TO_39.get(folded, folded) for symbol, folded in TO_48.items()}
SYMBOLS_48 = tuple(sorted(set(TO_48.values()) - {""}))
SYMBOLS_39 = tuple(sorted(set(TO_39.values()) - {""}))
_FOLDS = {48: TO_48, 39: {**{symbol: _48_TO_39.get(symbol, symbol) for symbol in SYMBOLS_48}, **TO_39}}


def fold(symbols: Iterable[str], to: int = 39) -> list[str]:
    """Folds TIMIT's 61 phonemes to 48 or 39; the glottal stop q is left out.

    Symbols that are folded already, and symbols that TIMIT does not have, stay as they are. Repeated symbols stay,
    too, as in published scores.

    Args:
        symbols: phonemes.
        to: 39 or 48.

    Returns:
        The folded phonemes.

    Raises:
        ValueError: `to` is neither.

    >>> fold("h# q ao r dcl d h#".split())
    ['sil', 'aa', 'r', 'sil', 'd', 'sil']
    """
    if to not in _FOLDS:
        raise ValueError(f"to must be 39 or 48. Received: {to}")
    folded = (_FOLDS[to].get(symbol, symbol) for symbol in symbols)
    return [symbol for symbol in folded if symbol]


class PhonemeVocabulary(WordVocabulary):
    """Symbols separated by spaces, which are not normalized as text.

    Attributes:
        folded: 48 or 39 where symbols are folded, see `fold`; None otherwise.
    """

    unit = "phonemes"

    def __init__(self, tokens: Iterable[str], text: TextConfig, folded: int | None = None) -> None:
        super().__init__(tokens, text)
        self.folded = folded

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None, text: TextConfig, fold_phonemes: int | None = None) -> Self:
        """Builds the vocabulary of texts of symbols."""
        split = (each.split() for each in texts)
        symbols = (fold(each, fold_phonemes) if fold_phonemes else each for each in split)
        return cls(most_frequent(symbols, size), text, fold_phonemes)

    @classmethod
    def restore(cls, stored: dict[str, Any], text: TextConfig) -> Self:
        """Restores the vocabulary that `as_json` stored."""
        tokens, folded = read_tokens(stored), stored.get("folded")
        if folded not in (None, *_FOLDS) or any(token.split() != [token] for token in tokens):
            raise damaged("tokens of unit phonemes have no spaces, and they are folded to 39, 48 or not at all")
        return cls(tokens, text, folded)

    def normalize(self, text: str) -> str:
        """Returns the folded symbols, separated by one space."""
        symbols = text.split()
        return " ".join(fold(symbols, self.folded) if self.folded else symbols)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a sequence of symbols; symbols that are not covered are left out."""
        return [self._ids[symbol] for symbol in self.normalize(text).split() if symbol in self._ids]

    def as_json(self) -> dict[str, Any]:
        """Returns everything about the vocabulary as JSON values, for `vocabulary.from_json`."""
        return super().as_json() | {"folded": self.folded}
