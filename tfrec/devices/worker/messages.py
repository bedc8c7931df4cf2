"""Messages between a program and the worker: arrays as .npz, after their size in 8 bytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping

import numpy as np

MAX_BYTES = 2**31
_SIZE = struct.Struct(">Q")
FAULT, TEXTS, INPUTS = "!fault", "!texts", "!inputs"  # names of arrays that are no input or output
REPEAT, SECONDS, PEAK_BYTES = "!repeat", "!seconds", "!peak_bytes"


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a message."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return _SIZE.pack(packed.tell()) + packed.getvalue()


def read(read_bytes: Callable[[int], bytes]) -> dict[str, np.ndarray]:
    """A message.

    Args:
        read_bytes: returns that number of bytes, or fewer at the end.

    Raises:
        EOFError: at the end.
        ValueError: where it is no message.
    """
    head = read_bytes(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    if size > MAX_BYTES:
        raise ValueError(f"a message of {size:,} bytes")
    body = read_bytes(size)
    if len(body) < size:
        raise EOFError
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
