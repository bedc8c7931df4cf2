"""Paths as people write them, and as messages show them."""

import os
import re
import unicodedata
import urllib.parse
from typing import Any

# Marks that change the direction of the text after them.
_DIRECTION_MARKS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
FORMULA_PREFIXES = ("=", "+", "-", "@")  # a cell that begins with one is a formula for spreadsheets
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# A kind of address, or several in front of one another, such as simplecache::s3://.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LOCAL_URL = re.compile(r"file:(//(localhost)?)?(?=/)", re.IGNORECASE)


def local(path: str, folder: str = "") -> str:
    """Turns a path as people write it into one that the system opens.

    `~` is the user's folder, `file://` is removed and its escapes are resolved. Back-slashes separate folders where
    nothing has the name with them, and something has the name with slashes.

    Args:
        path: The path; empty stays empty.
        folder: What a relative path starts from; empty is the working folder.

    Returns:
        The path, which need not exist.
    """
    if match := _LOCAL_URL.match(path):
        path = urllib.parse.unquote(path[match.end() :], errors="surrogateescape")
    full = os.path.join(folder, os.path.expanduser(path))
    if "\\" in path and not os.path.lexists(full):
        with_slashes = os.path.join(folder, os.path.expanduser(path.replace("\\", "/").removeprefix("./")))
        return with_slashes if os.path.exists(with_slashes) else full
    return full


def is_address(path: str) -> bool:
    """Whether a path is the address of something elsewhere; `file://` is a way to write a local path.

    >>> is_address("s3://bucket/a.tar"), is_address("file:///tmp/a.tar"), is_address("/tmp/a.tar")
    (True, False, False)
    """
    return "://" in path and _ADDRESS.match(path) is not None and _LOCAL_URL.match(path) is None


def absolute(path: str) -> str:
    """Turns a path as people write it into one that holds in every working folder; an address stays what it is."""
    return path if is_address(path) else os.path.abspath(local(path))


def shown(path: str | os.PathLike) -> str:
    r"""Escapes what would break a line, control a terminal or is not UTF-8 in a path.

    >>> print(shown("a\nb"), shown("caf\udce9"))
    a\nb caf\xe9

    Args:
        path: The path.

    Returns:
        The path on one line of printable UTF-8.
    """
    text = os.fspath(path)
    if text.isprintable():  # no control, format or separator character, and no surrogate
        return text
    return "".join(map(_escaped, text))


def cell(value: Any) -> Any:
    r"""A value for a CSV file, whose texts stay on one line and stay texts in spreadsheets, which else run formulas.

    >>> print(cell("=1+1"), cell("-3.5"), cell("a\x1b[2J"), cell(None), cell(2))
    '=1+1 -3.5 a\x1b[2J None 2

    Args:
        value: Anything; only texts change.

    Returns:
        The value; a text that begins with one of = + - @ and is not a number begins with an apostrophe.
    """
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) and not _NUMBER.fullmatch(text) else text


def is_plain(name: str) -> bool:
    """Whether `shown` leaves a name as it is."""
    return shown(name) == name


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as Python's file names hold it
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in _DIRECTION_MARKS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
