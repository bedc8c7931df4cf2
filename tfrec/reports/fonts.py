"""Names in plots: drawn as they are written, in fonts that have their letters."""

import functools
from collections.abc import Iterable

import matplotlib
from matplotlib import font_manager, ft2font

from pipelines import paths

# Has a box for every character, which is not a letter that people can read.
_PLACEHOLDER_FONT = "Last Resort"


def label(name: object) -> str:
    r"""Prepares a name for a plot.

    Fonts that have its letters are used where they are installed. Other letters become their codes.

    >>> print(label("$10_$20"), label("a\nb"))
    \$10_\$20 a\nb

    Args:
        name: Of a class, a file, a model.

    Returns:
        A text that matplotlib draws on one line, without a formula.
    """
    text = paths.shown(str(name))
    missing = _missing(text)
    text = "".join(_code(each) if each in missing else each for each in text)
    return text.replace("$", r"\$")


def labels(names: Iterable[object]) -> list[str]:
    """Prepares several names, see `label`."""
    return [label(name) for name in names]


def is_drawable(name: object) -> bool:
    """Whether installed fonts have all letters of a name."""
    return not _missing(paths.shown(str(name)))


def _missing(text: str) -> set[str]:
    """The characters that no installed font has; adds fonts for the others to matplotlib's."""
    lacking = {each for each in text if ord(each) not in _characters(font_manager.findfont("DejaVu Sans"))}
    families = matplotlib.rcParams["font.family"]
    for each in sorted(lacking):
        family = _family_with(each)
        if family is not None:
            lacking.discard(each)
            if family not in families:
                families = [*families, family]
                matplotlib.rcParams["font.family"] = families
    return lacking


@functools.cache
def _family_with(character: str) -> str | None:
    """An installed font that has a character; one that is in use already goes first."""
    fonts = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist if _is_regular(entry)}
    used = [family for family in matplotlib.rcParams["font.family"] if family in fonts]
    for family in dict.fromkeys([*used, *sorted(fonts)]):
        if ord(character) in _characters(fonts[family]):
            return family
    return None


def _is_regular(entry: font_manager.FontEntry) -> bool:
    return entry.style == "normal" and not entry.name.startswith(_PLACEHOLDER_FONT)


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """The characters that a font has."""
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that FreeType cannot open
        return frozenset()


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()
