"""TIMIT's phonemes: the 61 of its transcripts, the 48 that models learn and the 39 that are scored.

Source: K.-F. Lee and H.-W. Hon, "Speaker-independent phone recognition using hidden Markov models", IEEE Transactions
on Acoustics, Speech, and Signal Processing 37(11), 1989: table I (61 to 48; the glottal stop q is left out) and the
groups of section IV whose confusions are not counted (48 to 39).
"""

from tfrec.text.tokenizers import Words, damaged, frequent, stored_tokens

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
TO_39 = {symbol: _48_TO_39.get(to, to) for symbol, to in TO_48.items()}
SYMBOLS_48 = tuple(sorted(set(TO_48.values()) - {""}))
SYMBOLS_39 = tuple(sorted(set(TO_39.values()) - {""}))
_FOLDS = {48: TO_48, 39: {**{symbol: _48_TO_39.get(symbol, symbol) for symbol in SYMBOLS_48}, **TO_39}}


def fold(symbols, to=39):
    """A sequence of TIMIT's symbols as a list in the 39 (or 48) that stand for them; what is folded stays as it is.

    The glottal stop goes; a symbol that TIMIT does not have stays. Repeated symbols stay too, as the field's scores
    have them.

    >>> fold("h# q ao r dcl d h#".split())
    ['sil', 'aa', 'r', 'sil', 'd', 'sil']
    """
    if to not in _FOLDS:
        raise ValueError(f"to must be 39 or 48. Received: {to}")
    folded = (_FOLDS[to].get(symbol, symbol) for symbol in symbols)
    return [symbol for symbol in folded if symbol]


class Phonemes(Words):
    """Symbols between spaces, taken as they are, for phonemes are no text; `folded` is 48, 39 or None, see fold."""

    unit = "phonemes"

    def __init__(self, tokens, text, folded=None):
        super().__init__(tokens, text)
        self.folded = folded

    @classmethod
    def build(cls, texts, size, text, folded=None):
        """Of normalized texts."""
        split = (each.split() for each in texts)
        symbols = (fold(each, folded) if folded else each for each in split)
        return cls(frequent(symbols, size), text, folded)

    @classmethod
    def restore(cls, stored, text):
        """What `as_json` described."""
        tokens, folded = stored_tokens(stored), stored.get("folded")
        if folded not in (None, *_FOLDS) or any(token.split() != [token] for token in tokens):
            raise damaged("tokens of unit phonemes have no spaces, and they are folded to 39, 48 or not at all")
        return cls(tokens, text, folded)

    def normalize(self, text):
        """The folded symbols, one space apart."""
        symbols = text.split()
        return " ".join(fold(symbols, self.folded) if self.folded else symbols)

    def encode(self, text):
        """Ids of a sequence of symbols; what is not covered is left out."""
        return [self._ids[symbol] for symbol in self.normalize(text).split() if symbol in self._ids]

    def as_json(self):
        """Everything about it as a dict of plain values, for `from_json`."""
        return super().as_json() | {"folded": self.folded}
