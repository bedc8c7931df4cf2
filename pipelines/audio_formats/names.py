"""Names of files: in messages, and as TensorFlow passes them."""

import os
import re

import numpy as np

from pipelines.errors import UserError


def shown(path: str | os.PathLike) -> str:
    r"""A name as text for a terminal: bytes that are not UTF-8, and line breaks and the like, are written as `\xff`.

    >>> print(shown("voice.wav"))
    voice.wav
    >>> print(shown("caf\udce9.wav"))
    caf\xe9.wav
    >>> print(shown("two\nlines.wav"))
    two\nlines.wav
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return re.sub(r"[\0-\x1f\x7f]", lambda match: repr(match.group())[1:-1], text)


def as_text(path: bytes | np.ndarray) -> str:
    """A path as TensorFlow passes it to Python: bytes in a graph, an array with bytes in eager mode."""
    return os.fsdecode(path if isinstance(path, bytes) else path.item())


def unreadable(path: str, error: OSError) -> UserError:
    """Builds the error about a file that the system does not let be read."""
    return UserError(f"{shown(path)} cannot be read: {error.strerror or error}.")
