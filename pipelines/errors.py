"""Mistakes that a user can mend, told in one sentence."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What was wrong, where, and what to do about it, in one sentence; entry points print it and exit."""


def unknown(kind: str, received: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among `known`, with the nearest names.

    >>> print(unknown("architecture", "cnnn", ["cnn", "mlp"]))
    Unknown architecture 'cnnn': did you mean 'cnn'?
    >>> print(unknown("architecture", "zebra", ["cnn", "mlp"]))
    Unknown architecture 'zebra': known are 'cnn', 'mlp'.
    """
    known = list(known)
    near = difflib.get_close_matches(received, known, n=3, cutoff=0.6)
    if near:
        return UserError(f"Unknown {kind} {received!r}: did you mean {' or '.join(map(repr, near))}?")
    listed = ", ".join(map(repr, known[:20])) + (", ..." if len(known) > 20 else "")
    return UserError(f"Unknown {kind} {received!r}: known are {listed}.")
