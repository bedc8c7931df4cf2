"""A .weights.h5 file of Keras 3, read layer by layer and by name, without the network that it comes from.

Such a file holds groups `layers/KIND_NUMBER/vars` with the layer's name as an attribute and arrays `0`, `1`, ...; a
layer inside a layer stands below its attribute's name. Nothing in it is ever executed, and what it holds takes no more
memory than the file takes on the disk.
"""

import contextlib
import functools
import mmap
import struct

import h5py
import keras

from pipelines.errors import UserError

_DEPTH = 8  # of layers inside layers, at most


class MisfitError(Exception):
    """A layer's weights are not what the layer of the same name needs; the message says what that layer does wrong."""


@contextlib.contextmanager
def layers(path):
    """{name of a layer with weights: function from such a layer to its `parts`}, while the file is open.

    `parts` are pairs of a layer, the one given or one inside it, and {name: array} as its `load_own_variables` takes
    them; the arrays are read when they are converted. Raises UserError for a file that is none of Keras 3 or damaged,
    also when that shows only inside the block; the functions raise MisfitError.
    """
    try:
        _check_names(path)
        with h5py.File(path) as file:
            found = {}
            groups = _group(file, "layers")
            for key in groups:
                group = _group(groups, key)
                name = _name(_group(group, "vars"))
                if name in found:
                    raise ValueError(f"{key} has no name of its own")
                found[name] = functools.partial(_parts, group=group) if _holds_weights(group) else None
            yield {name: parts for name, parts in found.items() if parts}
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        said = str(error).strip("'\"").splitlines() or [type(error).__name__]
        raise UserError(
            f"{path} is damaged or no .weights.h5 file as Keras 3 writes them ({said[0][:200]}): give a run folder or"
            " its best.weights.h5."
        ) from error


def _check_names(path):
    """ValueError where the lengths in the file's collections of strings do not add up: HDF5 2.0 loops for ever there.

    HDF5 File Format Specification 3.0, section III.E, "Global Heap".
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = -1
        while (start := content.find(b"GCOL\1\0\0\0", start + 1)) >= 0:
            (size,) = struct.unpack_from("<Q", content, start + 8)
            place, end = start + 16, start + size
            while place + 16 <= min(end, len(content)):
                index, length = struct.unpack_from("<H6xQ", content, place)
                if index == 0:  # what is left, counted with its head
                    length -= 16
                place += 16 + -(-length // 8) * 8
                if length < 0 or place > end:
                    raise ValueError("its strings are damaged")


def _name(group):
    kind = group.attrs.get_id("name")
    if kind.shape != () or h5py.check_string_dtype(kind.dtype) != ("utf-8", None):
        raise ValueError(f"{group.name} has no name")
    return group.attrs["name"]


def _parts(layer, group, depth=0):
    stored = {}
    if "vars" in group:
        values = _group(group, "vars")
        stored = {key: _dataset(values, key) for key in values}
    own = {}
    layer.save_own_variables(own)
    if stored.keys() != own.keys():
        raise MisfitError(f"holds another number of arrays there, {len(stored)}, than here, {len(own)}")
    result = [(layer, stored)] if own else []
    for key in group:
        inner = _inner(layer, key)
        if isinstance(inner, keras.Layer):
            result += _parts(inner, _group(group, key), depth + 1)
        elif key not in ("vars", "seed_generator"):  # where a random layer stands in its numbers is no weight
            raise MisfitError(f"holds a part {key!r} there and none here")
    if depth == 0 and sum(len(values) for _, values in result) != len(layer.weights):
        raise MisfitError(f"lacks some of its {len(layer.weights)} arrays there")
    return result


def _inner(layer, name):
    try:
        return getattr(layer, name)
    except Exception:  # any name may stand in a file, also one of a property that fails
        return None


def _holds_weights(group, depth=0):
    if "vars" in group and len(_group(group, "vars")):
        return True
    inner = [key for key in group if key not in ("vars", "seed_generator")] if depth < _DEPTH else []
    return any(_holds_weights(_group(group, key), depth + 1) for key in inner)


def _group(parent, name):
    """A group below `parent` that really stands in the file; KeyError or ValueError otherwise."""
    result = _linked(parent, name)
    if not isinstance(result, h5py.Group):
        raise ValueError(f"{name} is no group")
    return result


def _dataset(parent, name):
    """Numbers that stand in the file in full: a shape alone could ask for any amount of memory."""
    result = _linked(parent, name)
    if not isinstance(result, h5py.Dataset) or result.external or result.is_virtual or result.dtype.kind != "f":
        raise ValueError(f"{parent.name}/{name} is no array of floating-point numbers")
    if result.nbytes > result.id.get_storage_size():
        raise ValueError(f"{parent.name}/{name} does not stand in the file in full")
    return result


def _linked(parent, name):
    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} lies outside the file")
    return parent[name]
