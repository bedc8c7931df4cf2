"""Text normalization: one normal form for training, scoring and export."""

import dataclasses
import functools
import re
import typing
import unicodedata
from collections.abc import Callable
from typing import Literal

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_APOSTROPHES = "'\u2018\u2019\u02bc\uff07"
_HYPHENS = "-\u2010\u2011\u2212\uff0d"
_TATWEEL = "\u0640"
_BREAKS = "\u200b"  # zero-width space: invisible, but separates words
# Presentation forms: ligatures, contextual shapes of Arabic letters, full width.
_FORMS = ((0xFB00, 0xFDFF), (0xFE70, 0xFEFC), (0xFF01, 0xFF65))
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # variation selectors, which choose a glyph
# Sindhi writes "and" and "in" as one sign each, which Unicode classes as symbols.
_NUMBER_SIGNS = ".,:/"  # between digits
_UNIT_SIGNS = "%\u2030\u00b0"  # percent, per mille, degrees
# The Arabic script's own forms of signs in numbers.
_ARABIC_SIGNS = {"\u066b": ".", "\u066c": ",", "\u066a": "%"}
_WORD_SIGNS = "\u06fd\u06fe"

_KAF, _KEHEH, _SWASH_KAF = "\u0643", "\u06a9", "\u06aa"
_YEH, _ALEF_MAKSURA, _FARSI_YEH = "\u064a", "\u0649", "\u06cc"
_HEH, _HEH_GOAL, _HEH_DOACHASHMEE, _AE = "\u0647", "\u06c1", "\u06be", "\u06d5"
_HEH_WITH_YEH, _HEH_GOAL_WITH_HAMZA = "\u06c0", "\u06c2"
_TEH_MARBUTA, _TEH_MARBUTA_GOAL = "\u0629", "\u06c3"
_ALEF, _ALEF_WASLA = "\u0627", "\u0671"
_HAMZA_ABOVE, _YEH_WITH_HAMZA = "\u0654", "\u0626"

# Look-alike letters, which keyboards confuse, mapped to the letter of the language's own alphabet.
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
    "pa": _URDU,  # Shahmukhi script; Gurmukhi does not have these letters
    "pnb": _URDU,
    "sd": {
        # Sindhi writes k as swash kaf and kh as keheh, and uses its hehs interchangeably.
        **{_KAF: _SWASH_KAF, _FARSI_YEH: _YEH, _ALEF_MAKSURA: _YEH},
        **dict.fromkeys((_HEH_GOAL, _HEH_DOACHASHMEE, _AE), _HEH),
        **{_HEH_WITH_YEH: _HEH + _HAMZA_ABOVE},
    },
}
_TURKISH = {"\u0130": "i", "I": "\u0131"}  # dotted and dotless


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """How transcripts are normalized for training, scoring and recognized texts."""

    language: str = (
        "en"  # ISO 639 code (en, ur, pa, sd, ar, ...), which selects letter mappings; mul: several languages
    )
    case: Literal["lower", "keep"] = "lower"  # lower: convert to lower case
    digits: Literal["ascii", "keep"] = "ascii"  # ascii: write every script's digits as 0 to 9
    punctuation: Literal["remove", "keep"] = "remove"  # remove: also symbols; apostrophes and hyphens in words stay
    vowel_marks: Literal["remove", "keep"] = "remove"  # remove: drop Arabic-script vowel marks, which most texts omit

    def __post_init__(self) -> None:
        if not _LANGUAGE.fullmatch(self.language):
            raise ValueError(f"text.language must be a code such as en or ur. Received: {self.language!r}")
        for field in dataclasses.fields(self)[1:]:
            known, value = typing.get_args(field.type), getattr(self, field.name)
            if value not in known:
                raise ValueError(f"text.{field.name} must be one of {', '.join(known)}. Received: {value!r}")


def normalize(text: str, config: TextConfig) -> str:
    """Normalizes a text; the result is a fixed point of the function.

    Always: Unicode NFC; presentation forms (shapes of Arabic letters, ligatures, full width) become the letters that
    they represent, by NFKC, which elsewhere would change meanings (x² to x2); tatweel, joiners and other invisible
    characters are removed; typographic apostrophes and hyphens become ' and -; words are separated by one space.
    As `config` selects: case, digits, punctuation (replaced by a space), vowel marks (removed without a space).
    By language: ar, fa, ur, pa, pnb and sd map yeh, kaf and heh to one form; tr and az lower I to dotless i.

    Digits stay digits: they are not written as words, and words not as digits. Of the punctuation, apostrophes and
    hyphens in words stay, and what belongs to a number: a point, comma, colon or slash between digits (1,000.50,
    10:30), a point before the first digit (.5), a minus or plus before a number (-5), and signs of percent, degrees
    and currencies next to a number or a space from it (12.5%, 50 €).

    >>> normalize("Don’t pay 50 € (or -12.5%)…", TextConfig())
    "don't pay 50 € or -12.5%"

    Args:
        text: any text.
        config: the settings; `config.language` may have subtags, as in pa-Arab.

    Returns:
        The normalized text.
    """
    text = unicodedata.normalize("NFC", text.translate(_character_table(config.digits == "ascii")))
    language = config.language.split("-")[0]
    if config.case == "lower":
        text = text.translate(_language_table("turkish")) if language in ("tr", "az") else text
        # The dot of the Turkish capital İ is not a letter of its own in the lower case of other languages.
        text = text.lower().replace("i\u0307", "i")
    if language in _LETTERS:
        text = text.translate(_language_table(language))
    # Unicode composes only the Arabic yeh with a hamza.
    text = unicodedata.normalize("NFC", text).replace(_FARSI_YEH + _HAMZA_ABOVE, _YEH_WITH_HAMZA)
    if config.vowel_marks == "remove":
        text = text.translate(_VOWEL_MARKS)
    if config.punctuation == "remove":
        text = _JOINTS.sub(_keep_joint, text.translate(_PUNCTUATION))
    return " ".join(text.split())


class _LazyTable(dict[int, str]):
    """A table for str.translate that computes each character's entry on first use."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = self._rule(chr(code))
        return self[code]


@functools.cache
def _character_table(ascii_digits: bool) -> _LazyTable:
    return _LazyTable(functools.partial(_map_character, ascii_digits=ascii_digits))


@functools.cache
def _language_table(name: str) -> dict[int, str]:
    return str.maketrans(_TURKISH if name == "turkish" else _LETTERS[name])


def _map_character(character: str, ascii_digits: bool) -> str:
    """The replacement of one character in the first step of normalization."""
    if _within(character, _FORMS):
        expanded = unicodedata.normalize("NFKC", character)
        if expanded != character:
            return "".join(_map_character(each, ascii_digits) for each in expanded)
    if character in _APOSTROPHES:
        return "'"
    if character in _HYPHENS:
        return "-"
    if character in _ARABIC_SIGNS:
        return _ARABIC_SIGNS[character]
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


def _without_vowel_mark(character: str) -> str:
    arabic = unicodedata.category(character) == "Mn" and unicodedata.name(character, "").startswith("ARABIC")
    return "" if arabic else character


def _without_punctuation(character: str) -> str:
    kept = "'+-" + _WORD_SIGNS + _NUMBER_SIGNS + _UNIT_SIGNS
    category = unicodedata.category(character)
    removed = category[0] in "PS" and category != "Sc" and character not in kept
    return " " if removed else character


def _keep_joint(match: re.Match[str]) -> str:
    """A sign that belongs to the word or the number around it stays; any other becomes a space."""
    sign, before, after = match.group(), match.string[: match.start()], match.string[match.end() :]
    if sign in "'-" and _is_of_word(before[-1:]) and _is_of_word(after[:1]):
        kept = True
    elif sign in "+-'":
        kept = sign != "'" and not before[-1:].strip() and bool(_NUMBER.match(after))
    elif sign in _NUMBER_SIGNS:
        begins = sign == "." and bool(_NO_NUMBER_YET.search(before))
        kept = after[:1].isdecimal() and (before[-1:].isdecimal() or begins)
    else:
        kept = before.rstrip()[-1:].isdecimal() or after.lstrip()[:1].isdecimal()
    return sign if kept else " "


def _is_of_word(character: str) -> bool:
    """Whether a character is a letter, a mark or a digit."""
    return character != "" and unicodedata.category(character)[0] in "LMN"


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


_VOWEL_MARKS = _LazyTable(_without_vowel_mark)
_PUNCTUATION = _LazyTable(_without_punctuation)
_CURRENCIES = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) == "Sc")
_JOINTS = re.compile(f"['+{re.escape(_NUMBER_SIGNS + _UNIT_SIGNS + _CURRENCIES)}-]")
_NUMBER = re.compile(r"\.?\d")
_NO_NUMBER_YET = re.compile(r"(?:^|\s)[+-]?$")
