"""TensorProto <-> arrays, by the rules of TensorFlow Serving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.serving.server.errors import invalid

MAX_TENSOR_BYTES = 1 << 30  # of a tensor whose shape a few bytes may claim
_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
}


def type_name(dtype: Any) -> str:
    """The name of a type as the runtime's messages have it: "float", not "float32"."""
    return {tf.float32: "float", tf.float64: "double", tf.float16: "half"}.get(dtype, dtype.name)


def to_array(name: str, proto: Any) -> np.ndarray:
    """A tensor of a request as an array; ServingError for one that contradicts itself."""
    try:
        dtype, shape = tf.as_dtype(proto.dtype), [dim.size for dim in proto.tensor_shape.dim]
        if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
            raise ValueError("the shape is not known")
        size = dtype.size or 16  # of a string: that of its object
        if math.prod(shape) * size > MAX_TENSOR_BYTES:
            raise ValueError("the shape claims too many bytes")
        return np.asarray(tf.make_ndarray(proto)).reshape(shape)
    except (TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from None


def fill(proto: Any, array: np.ndarray) -> None:
    """Writes an array into a TensorProto by its typed fields, as TensorFlow Serving answers."""
    dtype = tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)
    proto.dtype = dtype.as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    field = _FIELDS.get(dtype)
    if field is None:
        raise invalid(f"Tensors of type {type_name(dtype)} cannot be sent")
    if field == "half_val":
        array = array.view(np.uint16)
    getattr(proto, field).extend(array.ravel().tolist())


def to_protos(arrays: Mapping[str, np.ndarray], protos: Any) -> None:
    """Writes arrays into a map of name to TensorProto."""
    for name, array in arrays.items():
        fill(protos[name], array)
