"""Errors that a user can correct.

This module is imported before anything else on the command line: it must import nothing heavy.
"""

import difflib
from collections.abc import Iterable

_MAX_LISTED = 20


class UserError(Exception):
    """One sentence: what is wrong, where, and what to do. Entry points print it and exit."""


class FileError(UserError):
    """A file that cannot be used.

    Args:
        message: The sentence, which names the file.
        kind: A few words on what is wrong, by which such files are counted.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def unknown(kind: str, received: str, known: Iterable[str]) -> UserError:
    """Builds the error for a name that is not in `known`; it suggests the nearest names.

    >>> print(unknown("architecture", "cnnn", ["cnn", "mlp"]))
    Unknown architecture 'cnnn': did you mean 'cnn'?
    >>> print(unknown("architecture", "zebra", ["cnn", "mlp"]))
    Unknown architecture 'zebra': known are 'cnn', 'mlp'.

    Args:
        kind: What the name stands for, such as "architecture".
        received: The name as the user wrote it.
        known: Every valid name.

    Returns:
        The error, to be raised by the caller.
    """
    known = list(known)
    nearest = difflib.get_close_matches(received, known, n=3, cutoff=0.6)
    if nearest:
        return UserError(f"Unknown {kind} {received!r}: did you mean {' or '.join(map(repr, nearest))}?")
    listed = ", ".join(map(repr, known[:_MAX_LISTED])) + (", ..." if len(known) > _MAX_LISTED else "")
    return UserError(f"Unknown {kind} {received!r}: known are {listed}.")
