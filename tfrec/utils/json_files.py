"""JSON of strangers: bounded in size and depth, so that a file of any content is read or refused at once."""

import json
import os
import re
from typing import Any

import numpy as np

MAX_BYTES = 64_000_000
MAX_DEPTH = 100  # lists and objects in one another
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def load(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Any:
    """Reads a JSON file.

    Args:
        path: the file.
        max_bytes: of the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, too large, or too deep; the message says which.
    """
    with open(path, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes:,} bytes")
    return parse(data)


def parse(data: bytes) -> Any:
    """The value of a JSON document in UTF-8; ValueError as `load` raises it."""
    if _depth(data) > MAX_DEPTH:
        raise ValueError(f"its lists and objects are more than {MAX_DEPTH} deep")
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("its lists and objects are too deep") from None


def _depth(data: bytes) -> int:
    """How deep lists and objects are in one another, at least where the document is valid."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return 0
    marks = np.frombuffer(_STRING.sub(b"", data), np.uint8)
    steps = np.isin(marks, np.frombuffer(b"[{", np.uint8)).astype(np.int32)
    steps -= np.isin(marks, np.frombuffer(b"]}", np.uint8))
    return int(np.cumsum(steps).max(initial=0))
