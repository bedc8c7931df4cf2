"""JSON of the REST interface <-> arrays, by the rules of TensorFlow Serving."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.serving.server.errors import ServingError, invalid
from tfrec.serving.server.tensors import type_name

INT_TYPES = (tf.int8, tf.int16, tf.int32, tf.uint8)
RANGES = {tf.int64: (-(2**63), 2**63), tf.uint32: (0, 2**32), tf.uint64: (0, 2**64)} | dict.fromkeys(
    INT_TYPES, (-(2**31), 2**31)
)
MAX_RANK = 16  # of a tensor
MAX_SHOWN = 200  # characters of a value in a message


def parse(body: bytes) -> dict[str, Any]:
    """The object that a request holds."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return document


def inputs_of(document: Mapping[str, Any], types: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], bool]:
    """The inputs of a request, and whether it has rows.

    Args:
        document: what `parse` returned.
        types: name -> type of each input of the signature.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
            " to exist "
        )
    if "instances" in document:
        return _rows(document, types), True
    if "inputs" in document:
        return _columns(document["inputs"], types), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows(document: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, np.ndarray]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_shown(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {_shown(document)} No values in 'instances' array")
    if not isinstance(rows[0], dict) and len(types) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    with_names = _is_object(rows[0])
    columns: dict[str, list[np.ndarray]] = {name: [] for name in types}
    for number, row in enumerate(rows):
        if _is_object(row) != with_names:
            wanted, got = ("object", "list") if with_names else ("value/list", "object")
            raise invalid(f"Expecting {wanted} but got {got} at item {number} of input list")
        for name, value in row.items() if with_names else [(next(iter(types)), row)]:
            where = f"Failed to process element: {number}{f' key: {name}' if with_names else ''} of 'instances' list."
            try:
                columns[name].append(_like(columns[name], to_array(value, types[name])))
            except KeyError:
                raise invalid(f"{where} Error: JSON object: does not have named input: {name}") from None
            except ServingError as error:
                raise invalid(f"{where} Error: {error.code}: {error.message}") from None
        if with_names and row.keys() != types.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_shown(row)} keys must be"
                f" equal to: {','.join(sorted(types))}"
            )
    return {name: np.stack(column) for name, column in columns.items()}


def _like(column: list[np.ndarray], value: np.ndarray) -> np.ndarray:
    """The value, which must have the shape of those before it."""
    if column and column[0].size != value.size:
        raise invalid(f"Expecting tensor size: {column[0].size} but got: {value.size}")
    if column and column[0].shape != value.shape:
        shapes = ["[" + ",".join(map(str, array.shape)) + "]" for array in (column[0], value)]
        raise invalid(f"Expecting shape {shapes[0]} but got: {shapes[1]}")
    return value


def _columns(value: Any, types: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(types) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
                " tensorinfo_map"
            )
        value = {next(iter(types)): value}
    for name in types:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(value[name], dtype) for name, dtype in types.items()}


def _is_object(value: Any) -> bool:
    """Whether a value is an object that names inputs, rather than bytes in base 64."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def to_array(value: Any, dtype: Any) -> np.ndarray:
    """A value, or nested lists of them, as an array of the type; nothing is cast from another type."""
    shape, deepest = [], value
    while isinstance(deepest, list):
        shape.append(len(deepest))
        deepest = deepest[0] if deepest else None
    if len(shape) > MAX_RANK:
        raise invalid(f"JSON Value: {_shown(value)} has more than {MAX_RANK} dimensions")
    leaves = list(_leaves(value, shape, 0))
    return _converted(leaves, dtype).reshape(shape)


def _leaves(value: Any, shape: list[int], level: int) -> Iterator[Any]:
    """The values of nested lists, which must be as regular as `shape`."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at level:"
                f" {len(shape)}"
            )
        yield value
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    if level == len(shape) - 1 and not any(isinstance(one, list) for one in value):
        yield from value
        return
    for one in value:
        yield from _leaves(one, shape, level + 1)


def _converted(leaves: list[Any], dtype: Any) -> np.ndarray:
    if dtype == tf.string:
        result = np.empty(len(leaves), dtype=object)
        result[:] = [_bytes(one) for one in leaves]
        return result
    if dtype == tf.bool:
        _check_types(leaves, (bool,), dtype)
        return np.array(leaves, bool)
    if dtype in RANGES:
        _check_types(leaves, (int,), dtype)
        low, high = RANGES[dtype]
        for one in leaves:
            if not low <= one < high:
                raise _wrong_type(one, dtype)
        # Small integers wrap, as they do in the server.
        return np.array(leaves, np.uint64 if dtype == tf.uint64 else np.int64).astype(dtype.as_numpy_dtype)
    if dtype in (tf.float32, tf.float64):
        _check_types(leaves, (int, float), dtype)
        return _floats(leaves, dtype)
    raise ServingError(
        "UNIMPLEMENTED", f"Conversion of JSON Value: {_shown(leaves[:1])} to type: {type_name(dtype)} is not supported"
    )


def _floats(leaves: list[Any], dtype: Any) -> np.ndarray:
    largest = 2 ** (24 if dtype == tf.float32 else 53)
    for one in leaves:
        if type(one) is int and abs(one) >= largest:
            raise _lossy(one, dtype)
    exact = np.array(leaves, np.float64)
    finite = exact[np.isfinite(exact)]
    if dtype == tf.float32 and finite.size and np.abs(finite).max() > np.finfo(np.float32).max:
        raise _lossy(float(finite[np.abs(finite).argmax()]), dtype)
    return exact.astype(dtype.as_numpy_dtype)


def _lossy(value: Any, dtype: Any) -> ServingError:
    return invalid(f"Cannot convert JSON value: {_shown(value)} to {type_name(dtype)} without loss of precision.")


def _check_types(leaves: list[Any], allowed: tuple[type, ...], dtype: Any) -> None:
    if set(map(type, leaves)) <= set(allowed):
        return
    raise _wrong_type(next(one for one in leaves if type(one) not in allowed), dtype)


def _wrong_type(value: Any, dtype: Any) -> ServingError:
    kinds = {type(None): "Null", bool: str(value), dict: "Object", list: "Array", str: "String"}
    kind = kinds.get(type(value), "Number")
    return invalid(f"JSON Value: {_shown(value)} Type: {kind} is not of expected type: {type_name(dtype)}")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not isinstance(value, dict):
        raise _wrong_type(value, tf.string)
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    try:
        text = value["b64"].rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def answer_of(outputs: Mapping[str, np.ndarray], with_rows: bool) -> dict[str, Any]:
    """The object that answers a request: rows as "predictions", columns as "outputs"; one output has no name."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if with_rows:
        sizes = {}
        for name, array in outputs.items():
            if array.ndim == 0:
                raise invalid(f"Tensor name: {name} has no shape information ")
            sizes[name] = len(array)
        for name, size in sizes.items():
            if size != (first := next(iter(sizes.values()))):
                raise invalid(f"Tensor name: {name} has inconsistent batch size: {size} expecting: {first}")
    columns = {name: _values(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return {"predictions" if with_rows else "outputs": next(iter(columns.values()))}
    if not with_rows:
        return {"outputs": columns}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def _values(name: str, array: np.ndarray) -> Any:
    if array.dtype.kind not in "OSU":
        if array.dtype.name in ("float16", "bfloat16") or array.dtype.kind not in "fiub":
            raise invalid(f"Failed to write JSON value for tensor type: {type_name(tf.as_dtype(array.dtype))}")
        return array.tolist()
    is_bytes = name.endswith("_bytes")

    def value(text: Any) -> Any:
        if isinstance(text, list):
            return [value(one) for one in text]
        return {"b64": base64.b64encode(text).decode()} if is_bytes else text.decode("utf-8", "replace")

    return value(array.tolist())


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
