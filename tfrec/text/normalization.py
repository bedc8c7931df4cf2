"""One normal form of a text, for training, scoring and export alike."""

import dataclasses
import functools
import re
import typing
import unicodedata
from typing import Literal

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_APOSTROPHES = "'\u2018\u2019\u02bc\uff07"
_HYPHENS = "-\u2010\u2011\u2212\uff0d"
_TATWEEL = "\u0640"
_BREAKS = "\u200b"  # of no width, and still the end of a word
_FORMS = ((0xFB00, 0xFDFF), (0xFE70, 0xFEFC), (0xFF01, 0xFF65))  # ligatures, shapes of Arabic letters, full width
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # of a character's glyph
# Sindhi writes its words for "and" and for "in" as one sign each, which Unicode counts as symbols.
_SIGNS = "\u06fd\u06fe"

_KAF, _KEHEH, _SWASH_KAF = "\u0643", "\u06a9", "\u06aa"
_YEH, _ALEF_MAKSURA, _FARSI_YEH = "\u064a", "\u0649", "\u06cc"
_HEH, _HEH_GOAL, _HEH_DOACHASHMEE, _AE = "\u0647", "\u06c1", "\u06be", "\u06d5"
_HEH_WITH_YEH, _HEH_GOAL_WITH_HAMZA = "\u06c0", "\u06c2"
_TEH_MARBUTA, _TEH_MARBUTA_GOAL = "\u0629", "\u06c3"
_ALEF, _ALEF_WASLA = "\u0627", "\u0671"
_HAMZA_ABOVE, _YEH_WITH_HAMZA = "\u0654", "\u0626"

# Letters that look the same, or nearly so, and that keyboards confuse; to the one of the language's own alphabet.
# Sources: the Unicode Standard 15.0, section 9.2 (Arabic), and the exemplar characters of each language in CLDR.
_URDU = {
    **{_KAF: _KEHEH, _SWASH_KAF: _KEHEH, _YEH: _FARSI_YEH, _ALEF_MAKSURA: _FARSI_YEH, _HEH: _HEH_GOAL, _AE: _HEH_GOAL},
    **{_HEH_WITH_YEH: _HEH_GOAL_WITH_HAMZA, _TEH_MARBUTA: _TEH_MARBUTA_GOAL},
}
_LETTERS = {
    "ar": {
        **{_KEHEH: _KAF, _SWASH_KAF: _KAF, _FARSI_YEH: _YEH, _ALEF_WASLA: _ALEF},
        **dict.fromkeys((_HEH_GOAL, _HEH_DOACHASHMEE, _AE), _HEH),
    },
    "fa": {
        **{_KAF: _KEHEH, _YEH: _FARSI_YEH, _ALEF_MAKSURA: _FARSI_YEH, _HEH_GOAL: _HEH, _AE: _HEH},
        **{_HEH_WITH_YEH: _HEH + _HAMZA_ABOVE},
    },
    "ur": _URDU,
    "pa": _URDU,  # in Shahmukhi; Gurmukhi has none of these letters
    "pnb": _URDU,
    "sd": {
        # The swash kaf is Sindhi's k, where its keheh is kh. Its hehs are written for one another.
        **{_KAF: _SWASH_KAF, _FARSI_YEH: _YEH, _ALEF_MAKSURA: _YEH},
        **dict.fromkeys((_HEH_GOAL, _HEH_DOACHASHMEE, _AE), _HEH),
        **{_HEH_WITH_YEH: _HEH + _HAMZA_ABOVE},
    },
}
_TURKISH = {"\u0130": "i", "I": "\u0131"}  # dotted and dotless


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """The normal form of transcripts, in which a model learns, is scored, and answers."""

    language: str = "en"  # code of ISO 639 (en, ur, pa, sd, ar, ...): which letters are one; mul for a mixture
    case: Literal["lower", "keep"] = "lower"  # of letters
    digits: Literal["ascii", "keep"] = "ascii"  # ascii: a script's own digits become 0 to 9
    punctuation: Literal["remove", "keep"] = (
        "remove"  # and symbols, to a space; apostrophes and hyphens within a word stay
    )
    vowel_marks: Literal["remove", "keep"] = "remove"  # of the Arabic script, where most texts leave them out

    def __post_init__(self):
        if not _LANGUAGE.fullmatch(self.language):
            raise ValueError(f"text.language must be a code such as en or ur. Received: {self.language!r}")
        for field in dataclasses.fields(self)[1:]:
            known, value = typing.get_args(field.type), getattr(self, field.name)
            if value not in known:
                raise ValueError(f"text.{field.name} must be one of {', '.join(known)}. Received: {value!r}")


def normalize(text, config):
    """The normal form of `text` (str), which is its own normal form; words stand one space apart.

    Always: Unicode NFC; presentation forms (shapes of Arabic letters, ligatures, full width) as the letters they stand
    for, by NFKC, which elsewhere would change meanings (x² to x2); tatweel, joiners and other invisible characters
    gone; typographic apostrophes and hyphens as ' and -. As `config` says: case, digits, punctuation, vowel marks.
    By language (ar, fa, ur, pa, pnb, sd): its one form of yeh, kaf and heh; in tr and az, a dotless I in lower case.
    """
    text = unicodedata.normalize("NFC", text.translate(_characters(config.digits == "ascii")))
    language = config.language.split("-")[0]
    if config.case == "lower":
        text = text.translate(_translation("turkish")) if language in ("tr", "az") else text
        text = text.lower()
    if language in _LETTERS:
        text = text.translate(_translation(language))
    # Unicode composes the Arabic yeh alone with a hamza.
    text = unicodedata.normalize("NFC", text).replace(_FARSI_YEH + _HAMZA_ABOVE, _YEH_WITH_HAMZA)
    if config.vowel_marks == "remove":
        text = text.translate(_VOWEL_MARKS)
    if config.punctuation == "remove":
        text = _JOINTS.sub(_within_word, text.translate(_PUNCTUATION))
    return " ".join(text.split())


class _Lazily(dict):
    """A table for str.translate that looks a character up once."""

    def __init__(self, rule):
        super().__init__()
        self._rule = rule

    def __missing__(self, code):
        self[code] = self._rule(chr(code))
        return self[code]


@functools.cache
def _characters(ascii_digits):
    return _Lazily(functools.partial(_character, ascii_digits=ascii_digits))


@functools.cache
def _translation(name):
    return str.maketrans(_TURKISH if name == "turkish" else _LETTERS[name])


def _character(character, ascii_digits):
    """What stands for one character before all else."""
    if _within(character, _FORMS):
        expanded = unicodedata.normalize("NFKC", character)
        if expanded != character:
            return "".join(_character(each, ascii_digits) for each in expanded)
    if character in _APOSTROPHES:
        return "'"
    if character in _HYPHENS:
        return "-"
    if character == _TATWEEL or _within(character, _SELECTORS):
        return ""
    category = unicodedata.category(character)
    if character in _BREAKS or category in ("Cc", "Cs", "Co", "Zl", "Zp", "Zs"):
        return " "
    if category == "Cf":
        return ""
    if category == "Nd" and ascii_digits:
        return str(unicodedata.decimal(character))
    return character


def _vowel_mark(character):
    arabic = unicodedata.category(character) == "Mn" and unicodedata.name(character, "").startswith("ARABIC")
    return "" if arabic else character


def _punctuation(character):
    removed = unicodedata.category(character)[0] in "PS" and character not in "'-" + _SIGNS
    return " " if removed else character


def _within_word(match):
    text, at = match.string, match.start()
    neighbors = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    inside = all(each and unicodedata.category(each)[0] in "LMN" for each in neighbors)
    return match.group() if inside else " "


def _within(character, ranges):
    return any(first <= ord(character) <= last for first, last in ranges)


_VOWEL_MARKS = _Lazily(_vowel_mark)
_PUNCTUATION = _Lazily(_punctuation)
_JOINTS = re.compile("['-]")
