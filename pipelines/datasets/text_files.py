"""Text files as people have them: their encodings and their line ends."""

import codecs
import gzip
import os
import re

from pipelines import paths
from pipelines.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(path: str | os.PathLike, setting: str = "", lone_returns: bool = True) -> str:
    r"""Reads a text file that is UTF-8, or UTF-16 or UTF-32 with a byte-order mark, packed by gzip or not.

    Args:
        path: The file; packed where its name ends in .gz.
        setting: Name of the setting that holds the path, for errors.
        lone_returns: Whether a carriage return without a line feed ends a line too.

    Returns:
        The text without byte-order marks, with `\n` as the line end.

    Raises:
        UserError: The file cannot be read or is in another encoding; it names the byte.
    """
    shown = paths.shown(path)
    try:
        with gzip.open(path) if str(path).endswith(".gz") else open(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or f"not a whole gzip file ({error})"
        raise UserError(f"{setting}{' ' * bool(setting)}{shown} cannot be read: {reason}.") from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start} (line {line}) is 0x{data[error.start]:02x}"
        raise UserError(f"{shown} is not UTF-8 text: {found}; save it as UTF-8.") from error
    if "\0" in text:
        byte = data.index(b"\0")
        raise UserError(f"{shown} is not UTF-8 text: byte {byte} is 0x00; save it as UTF-8.")
    # A mark inside is where files were put together.
    return re.sub("\r\n?" if lone_returns else "\r\n", "\n", text.replace("\ufeff", ""))
