"""Requests <-> `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages."""

from __future__ import annotations

import functools
import pathlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tfrec.serving import protos

# Fields of tensorflow_serving/apis: {message: {field: (number, type)}}; those that warm-up needs. A package of its own
# keeps these apart from tensorflow-serving-api's, where that is installed; the bytes are the same.
PACKAGE = "tfrec.serving"
MESSAGES = {
    "ModelSpec": {"name": (1, "string"), "signature_name": (3, "string")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "InputsEntry")},
    "InputsEntry": {"key": (1, "string"), "value": (2, ".tensorflow.TensorProto")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictionLog": {"predict_log": (6, "PredictLog")},
}

Request = tuple[str, Mapping[str, Any]]  # (signature, TensorProto of each input)


class RecordError(Exception):
    """A file of records that a server would not read: what is wrong with it."""


@functools.cache
def prediction_log() -> Any:
    """The class of PredictionLog messages."""
    tensor = protos.module("framework.tensor_pb2").DESCRIPTOR
    file = descriptor_pb2.FileDescriptorProto(name="tfrec/serving/prediction_log.proto", package=PACKAGE)
    file.syntax = "proto3"
    file.dependency.append(tensor.name)
    field = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for key, (number, kind) in fields.items():
            one = field.LABEL_REPEATED if kind == "InputsEntry" else field.LABEL_OPTIONAL
            if kind == "string":
                message.field.add(name=key, number=number, label=one, type=field.TYPE_STRING)
            else:
                type_name = kind if kind.startswith(".") else f".{PACKAGE}.{kind}"
                message.field.add(name=key, number=number, label=one, type=field.TYPE_MESSAGE, type_name=type_name)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.PredictionLog"))


def write(path: Any, requests: Sequence[Request], model: str = "") -> None:
    """Writes one record for each request.

    Args:
        path: of the file.
        requests: signature and inputs of each.
        model: the name of the model, which a server ignores.
    """
    with open(path, "wb") as file:
        for signature, inputs in requests:
            log = prediction_log()()
            log.predict_log.request.model_spec.name = model
            log.predict_log.request.model_spec.signature_name = signature
            for name, tensor in inputs.items():
                entry = log.predict_log.request.inputs.add(key=name)
                entry.value.ParseFromString(tensor.SerializeToString())
            contents = log.SerializeToString(deterministic=True)
            length = struct.pack("<Q", len(contents))
            file.write(length + _masked_crc(length) + contents + _masked_crc(contents))


def read(path: Any) -> list[Request]:
    """The requests of a file of records.

    Raises:
        RecordError: where a server would refuse the file.
    """
    requests: list[Request] = []
    for number, contents in enumerate(_records(pathlib.Path(path).read_bytes()), start=1):
        log = prediction_log()()
        try:
            log.ParseFromString(contents)
        except Exception as error:
            raise RecordError(f"record {number} is no PredictionLog") from error
        request = log.predict_log.request
        signature = request.model_spec.signature_name or "serving_default"
        requests.append((signature, {entry.key: entry.value for entry in request.inputs}))
    return requests


def _records(contents: bytes) -> Iterator[bytes]:
    place, number = 0, 0
    while place < len(contents):
        number += 1
        header = contents[place : place + 12]
        size = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else 0
        body = contents[place + 12 : place + 12 + size]
        end = contents[place + 12 + size : place + 16 + size]
        if header[8:] != _masked_crc(header[:8]) or len(body) < size or end != _masked_crc(body):
            raise RecordError(f"record {number} is cut off or damaged")
        yield body
        place += 16 + size


def tensor_proto(value: np.ndarray) -> Any:
    """A TensorProto; what repeats its last value to the end of an array takes no space."""
    types = protos.module("framework.types_pb2")
    tensor = protos.module("framework.tensor_pb2").TensorProto()
    for size in value.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = value.reshape(-1)
    if value.dtype == object:
        tensor.dtype = types.DT_STRING
        tensor.string_val.extend(flat)
        return tensor
    different = np.flatnonzero(flat != flat[-1]) if flat.size else np.zeros(0)
    flat = flat[: int(different[-1]) + 2] if different.size else flat[:1]
    tensor.dtype = getattr(types, {"float32": "DT_FLOAT", "int32": "DT_INT32", "uint8": "DT_UINT8"}[value.dtype.name])
    (tensor.float_val if value.dtype == np.float32 else tensor.int_val).extend(flat.tolist())
    return tensor


def array(tensor: Any) -> np.ndarray:
    """The array of a TensorProto of strings or numbers; byte strings with dtype object."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    name = protos.module("framework.types_pb2").DataType.Name(tensor.dtype)
    if name == "DT_STRING":
        values = np.empty(len(tensor.string_val), object)
        values[:] = list(tensor.string_val)
        return values.reshape(shape)
    dtype = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64"}.get(name, name.removeprefix("DT_").lower())
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    fields = (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val, tensor.bool_val)
    given = next((field for field in fields if len(field)), [0])
    values = np.full(int(np.prod(shape)), given[-1], dtype)
    values[: len(given)] = np.asarray(given, dtype)[: values.size]
    return values.reshape(shape)


def _masked_crc(contents: bytes) -> bytes:
    """The masked CRC-32C of TFRecord files."""
    crc, table = 0xFFFFFFFF, _crc_table()
    for byte in contents:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@functools.cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)
