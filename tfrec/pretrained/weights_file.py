"""Reads a .weights.h5 file of Keras 3 layer by layer and by name, without the network that wrote it.

The file holds groups `layers/KIND_NUMBER/vars`, each with the layer's name as an attribute and arrays `0`, `1`, ...; a
layer inside a layer is a subgroup with the name of its attribute. Nothing in the file is executed, and reading takes no
more memory than the file takes on the disk.
"""

import contextlib
import functools
import mmap
import os
import struct
from collections.abc import Iterator
from typing import Any

import h5py
import keras

from pipelines.errors import UserError
from tfrec.pretrained.layers import MisfitError, StoredLayers, StoredParts

_MAX_DEPTH = 8  # of layers inside layers


@contextlib.contextmanager
def open_layers(path: str | os.PathLike[str]) -> Iterator[StoredLayers]:
    """Context with the layers of a weights file that hold weights.

    Args:
        path: the file; it stays open inside the context, and arrays are read when they are converted.

    Yields:
        A function from a layer to its stored parts, by the names of the layers; it raises MisfitError.

    Raises:
        UserError: for a file that is damaged or of another kind, also where this shows only inside the block.
    """
    try:
        _check_strings(path)
        with h5py.File(path) as file:
            layers: dict[str, functools.partial[StoredParts] | None] = {}
            groups = _group(file, "layers")
            for key in groups:
                group = _group(groups, key)
                name = _name(_group(group, "vars"))
                if name in layers:
                    raise ValueError(f"the name of {key} is not unique")
                layers[name] = functools.partial(_read, group=group) if _holds_weights(group) else None
            yield {name: read for name, read in layers.items() if read}
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        message = str(error).strip("'\"").splitlines() or [type(error).__name__]
        raise UserError(
            f"{path} is damaged or not a .weights.h5 file of Keras 3 ({message[0][:200]}): give a run folder or its"
            " best.weights.h5."
        ) from error


def _check_strings(path: str | os.PathLike[str]) -> None:
    """Raises ValueError where the lengths in the file's string heaps do not add up: HDF5 2.0 would loop forever.

    HDF5 File Format Specification 3.0, section III.E, "Global Heap".
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = -1
        while (start := content.find(b"GCOL\1\0\0\0", start + 1)) >= 0:
            (size,) = struct.unpack_from("<Q", content, start + 8)
            place, end = start + 16, start + size
            while place + 16 <= min(end, len(content)):
                index, length = struct.unpack_from("<H6xQ", content, place)
                if index == 0:  # free space, whose length includes its header
                    length -= 16
                place += 16 + -(-length // 8) * 8
                if length < 0 or place > end:
                    raise ValueError("its strings are damaged")


def _name(group: h5py.Group) -> str:
    attribute = group.attrs.get_id("name")
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) != ("utf-8", None):
        raise ValueError(f"{group.name} has no name")
    name: str = group.attrs["name"]
    return name


def _read(layer: keras.Layer, group: h5py.Group, depth: int = 0) -> StoredParts:
    stored = {}
    if "vars" in group:
        values = _group(group, "vars")
        stored = {key: _dataset(values, key) for key in values}
    own: dict[str, Any] = {}
    layer.save_own_variables(own)
    if stored.keys() != own.keys():
        raise MisfitError(f"holds {len(stored)} arrays in the weights and {len(own)} in this network")
    parts: StoredParts = [(layer, stored)] if own else []
    for key in group:
        inner = _inner_layer(layer, key)
        if isinstance(inner, keras.Layer):
            parts += _read(inner, _group(group, key), depth + 1)
        elif key not in ("vars", "seed_generator"):  # the state of a random generator is not a weight
            raise MisfitError(f"holds a part {key!r} in the weights that this network lacks")
    if depth == 0 and sum(len(values) for _, values in parts) != len(layer.weights):
        raise MisfitError(f"lacks some of its {len(layer.weights)} arrays in the weights")
    return parts


def _inner_layer(layer: keras.Layer, name: str) -> Any:
    try:
        return getattr(layer, name)
    except Exception:  # a file may hold any name, also that of a property that raises
        return None


def _holds_weights(group: h5py.Group, depth: int = 0) -> bool:
    if "vars" in group and len(_group(group, "vars")):
        return True
    inner = [key for key in group if key not in ("vars", "seed_generator")] if depth < _MAX_DEPTH else []
    return any(_holds_weights(_group(group, key), depth + 1) for key in inner)


def _group(parent: h5py.Group, name: str) -> h5py.Group:
    """The group `name` of `parent`, which must be in this file; KeyError or ValueError otherwise."""
    result = _linked(parent, name)
    if not isinstance(result, h5py.Group):
        raise ValueError(f"{name} is not a group")
    return result


def _dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """A float array whose values are all in this file: a shape alone could allocate any amount of memory."""
    result = _linked(parent, name)
    if not isinstance(result, h5py.Dataset) or result.external or result.is_virtual or result.dtype.kind != "f":
        raise ValueError(f"{parent.name}/{name} is not an array of floating-point numbers")
    if result.nbytes > result.id.get_storage_size():
        raise ValueError(f"{parent.name}/{name} is incomplete")
    return result


def _linked(parent: h5py.Group, name: str) -> Any:
    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} lies outside the file")
    return parent[name]
