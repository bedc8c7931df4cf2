"""The bytes of files and of members of archives in a graph."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import storage

Tensor = Any


def read_file(path: Tensor) -> Tensor:
    """`tf.io.read_file` for members of archives too: string scalar -> string scalar, in a graph or eagerly."""
    return tf.ensure_shape(tf.numpy_function(_read, [path], tf.string), ())


def reader_of(paths: Iterable[str]) -> Callable[[Tensor], Tensor]:
    """What reads these paths in a graph: `tf.io.read_file`, which needs no Python, unless one is a member."""
    return read_file if any(map(storage.is_member, paths)) else tf.io.read_file


def _read(path: bytes | np.ndarray) -> bytes:
    """The bytes of a file or a member, as a graph calls it."""
    return storage.read(os.fsdecode(path if isinstance(path, bytes) else path.item()))
