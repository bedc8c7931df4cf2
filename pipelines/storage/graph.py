"""The bytes of files and of members of archives in a graph."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import storage

Tensor = Any
Row = Mapping[str, Tensor]

MAX_BLOCK = 64  # files that are read by one call of Python
BLOCK_BYTES = 8_000_000  # of them, at most


def read_file(path: Tensor) -> Tensor:
    """`tf.io.read_file` for members of archives too: string scalar -> string scalar, in a graph or eagerly."""
    return tf.ensure_shape(tf.numpy_function(_read, [path], tf.string), ())


def block_of(paths: Sequence[str]) -> int:
    """Finds how many files are best read at once.

    A call of Python from a graph costs more than to read a small member; a large one is read alone.

    Args:
        paths: All files.

    Returns:
        Number of files whose bytes are read by one call; 1 where none is a member of an archive.
    """
    if not paths or not any(map(storage.is_member, paths)):
        return 1
    return max(1, min(MAX_BLOCK, BLOCK_BYTES // max(1, *map(storage.size, paths))))


def with_bytes(
    rows: tf.data.Dataset,
    block: int,
    row_of: Callable[[Any], Row] = lambda element: element,
    replaced: Callable[[Any, Row], Any] = lambda element, row: row,
) -> tf.data.Dataset:
    """Reads the files of rows, in their order, some of them by each call of Python.

    Args:
        rows: Elements with a row, a dict with the path.
        block: Number of files that are read by one call.
        row_of: From an element to its row.
        replaced: From an element and its row with the bytes to the new element.

    Returns:
        The elements, whose rows have "bytes", too.
    """

    def read(*elements: Any) -> Any:
        element = elements[0] if len(elements) == 1 else elements
        row = row_of(element)
        data = tf.numpy_function(_read_all, [row["path"]], tf.string)
        return replaced(element, {**row, "bytes": tf.ensure_shape(data, (None,))})

    return rows.batch(block).map(read, num_parallel_calls=2, deterministic=True).unbatch()


def reader_of(paths: Iterable[str]) -> Callable[[Tensor], Tensor]:
    """What reads these paths in a graph: `tf.io.read_file`, which needs no Python, unless one is a member."""
    return read_file if any(map(storage.is_member, paths)) else tf.io.read_file


def _read_all(paths: np.ndarray) -> np.ndarray:
    """The bytes of files or members, as a graph calls it."""
    data = np.empty(len(paths), object)
    data[:] = [storage.read(os.fsdecode(path)) for path in paths]
    return data


def _read(path: bytes | np.ndarray) -> bytes:
    """The bytes of a file or a member, as a graph calls it."""
    return storage.read(os.fsdecode(path if isinstance(path, bytes) else path.item()))
