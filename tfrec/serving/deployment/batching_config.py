"""TensorFlow Serving's batching file: the text form of its message BatchingParameters.

The message is not part of tensorflow-serving-api, so that it is described here.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from pipelines.errors import UserError

_NUMBERS = {"max_batch_size": 1, "batch_timeout_micros": 2, "max_enqueued_batches": 3, "num_batch_threads": 4}


@dataclasses.dataclass(frozen=True)
class BatchingConfig:
    """How requests are merged; the defaults are those of TensorFlow Serving."""

    max_batch_size: int = 1000  # rows
    batch_timeout_micros: int = 0  # how long a batch that is not full waits for more
    max_enqueued_batches: int = 10  # of each signature
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()  # batches are padded to the next of these
    pad_variable_length_inputs: bool = False

    def __post_init__(self) -> None:
        sizes = self.allowed_batch_sizes
        if min(self.max_batch_size, self.max_enqueued_batches, self.num_batch_threads) < 1:
            raise ValueError("max_batch_size, max_enqueued_batches and num_batch_threads must be 1 or more")
        if self.batch_timeout_micros < 0:
            raise ValueError("batch_timeout_micros must not be negative")
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1):
            raise ValueError("allowed_batch_sizes must ascend")
        if sizes and sizes[-1] != self.max_batch_size:
            raise ValueError("the last of allowed_batch_sizes must equal max_batch_size")


def parse(text: str, name: str) -> BatchingConfig:
    """The configuration in a batching file.

    Args:
        text: its contents.
        name: the file, for messages.

    Raises:
        UserError: for anything but a BatchingParameters message that fits together.
    """
    try:
        message = text_format.Parse(text, _message_type()())
        values: dict[str, Any] = {name: getattr(message, name).value for name in _NUMBERS if message.HasField(name)}
        values["allowed_batch_sizes"] = tuple(message.allowed_batch_sizes)
        return BatchingConfig(**values, pad_variable_length_inputs=message.pad_variable_length_inputs)
    except (text_format.ParseError, ValueError) as error:
        raise UserError(f"The batching file {name} is wrong: {error}.") from None


def render(config: BatchingConfig) -> str:
    """A batching file."""
    message = _message_type()()
    for name in _NUMBERS:
        getattr(message, name).value = getattr(config, name)
    message.allowed_batch_sizes.extend(config.allowed_batch_sizes)
    message.pad_variable_length_inputs = config.pad_variable_length_inputs
    return text_format.MessageToString(message)


@functools.cache
def _message_type() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfrec/session_bundle_config.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, number in (*_NUMBERS.items(), ("thread_pool_name", 5)):
        wrapper = "StringValue" if name == "thread_pool_name" else "Int64Value"
        message.field.add(
            name=name,
            number=number,
            type=kinds.TYPE_MESSAGE,
            type_name=f".google.protobuf.{wrapper}",
            label=kinds.LABEL_OPTIONAL,
        )
    sizes = {"name": "allowed_batch_sizes", "number": 6, "type": kinds.TYPE_INT64, "label": kinds.LABEL_REPEATED}
    message.field.add(**sizes)
    pads = {"name": "pad_variable_length_inputs", "number": 7, "type": kinds.TYPE_BOOL, "label": kinds.LABEL_OPTIONAL}
    message.field.add(**pads)
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters"))
