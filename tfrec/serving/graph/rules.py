"""What a request must be: faults of its rows, bounds of all rows together, and what happens to rows with a fault.

A fault is a sentence without its subject, such as "has no samples: send ...", or "" for a good row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Tensor = Any
Outputs = dict[str, Any]

MAX_ENCODED_BYTES = 64_000_000  # of one file
STATUS = "status"  # the output that says what is wrong with each row, where bad rows are filled


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may ask for, and what happens to its bad rows.

    Attributes:
        rows: Rows of a request.
        pixels: Of the pictures of a request together.
        seconds: Of one clip.
        total_seconds: Of the clips of a request, each as long as the longest.
        seconds_squared: The same with the square of the longest, which bounds self-attention; None is no bound.
        fill_bad_rows: Whether bad rows get an empty answer, and the others theirs.
    """

    rows: int
    pixels: int
    seconds: float
    total_seconds: float
    seconds_squared: float | None
    fill_bad_rows: bool


@dataclasses.dataclass(frozen=True)
class RawInput:
    """One raw input of a signature: pictures or clips, as tensors or as files.

    Attributes:
        specs: Of its tensors.
        read: From these tensors to what the network's frontend takes, a dict by the names of raw inputs, and the faults
            of the rows `(batch,)`.
    """

    specs: list[tf.TensorSpec]
    read: Callable[..., tuple[dict[str, Tensor], Tensor]]


def signature(
    inputs: Sequence[RawInput], answer: Callable[[dict[str, Tensor]], Outputs], limits: Limits
) -> tuple[Callable[..., Outputs], list[tf.TensorSpec]]:
    """A function with its input signature: reads each raw input, and answers where no row has a fault.

    Args:
        inputs: One, or those of a pair, which must have as many rows.
        answer: From the raw inputs together to outputs.
        limits: Of a request.
    """
    specs = [spec for each in inputs for spec in each.specs]

    def answered(*tensors: Tensor) -> Outputs:
        tensors = tuple(tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, specs, strict=True))
        if len(inputs) > 1:
            firsts, start = [], 0
            for each in inputs:
                firsts.append(tf.shape(tensors[start])[0])
                start += len(each.specs)
            same = tf.reduce_all(tf.stack(firsts) == firsts[0])
            tensors = require(same, "a row needs an input of each kind: send as many of each", tensors)
        values: dict[str, Tensor] = {}
        faults, start = tf.constant(""), 0
        for each in inputs:
            value, found = each.read(*tensors[start : start + len(each.specs)])
            values |= value
            faults = tf.where(faults == "", found, faults)
            start += len(each.specs)
        return fill(never_empty(answer, values), faults, limits)

    return answered, specs


def sentences(faults: Tensor) -> Tensor:
    """Faults `(batch,)` as whole sentences, with the number of the row; "" for good rows."""
    numbers = tf.strings.as_string(tf.range(tf.size(faults)))
    return tf.where(faults == "", "", tf.strings.join(["row ", numbers, " ", faults]))


def accept(faults: Tensor, limits: Limits, inputs: Tensor) -> Tensor:
    """Inputs of any structure, refused where a row has a fault, unless such rows are filled."""
    if limits.fill_bad_rows:
        return inputs
    texts = sentences(faults)
    is_bad = texts != ""
    first = tf.cond(tf.reduce_any(is_bad), lambda: texts[tf.argmax(tf.cast(is_bad, tf.int32))], lambda: tf.constant(""))
    return require(tf.reduce_all(~is_bad), first, inputs)


def require(condition: Tensor, sentence: Tensor | str, inputs: Tensor) -> Tensor:
    """Inputs of any structure, refused with a sentence unless a condition holds."""
    with tf.control_dependencies([tf.debugging.Assert(condition, [sentence])]):
        return tf.nest.map_structure(tf.identity, inputs)


def require_rows(inputs: Tensor, limits: Limits) -> Tensor:
    """A tensor `(batch, ...)`, refused where it has too many rows."""
    count = tf.shape(inputs)[0]
    sent = tf.strings.join([f"a request may have {limits.rows:,} rows, not ", tf.strings.as_string(count)])
    return require(count <= limits.rows, tf.strings.join([sent, ": send fewer at once"]), inputs)


def fill(outputs: Outputs, faults: Tensor, limits: Limits) -> Outputs:
    """Outputs in which rows with a fault are empty, and with the output STATUS, where bad rows are filled."""
    if not limits.fill_bad_rows:
        return outputs
    is_good = faults == ""

    def filled(value: Tensor) -> Tensor:
        condition = tf.reshape(is_good, tf.concat([tf.shape(is_good), tf.ones([len(value.shape) - 1], tf.int32)], 0))
        return tf.where(condition, value, tf.zeros([], value.dtype) if value.dtype != tf.string else "")

    return {**{name: filled(value) for name, value in outputs.items()}, STATUS: sentences(faults)}


def never_empty(answer: Callable[[Any], Outputs], inputs: Any) -> Outputs:
    """`answer` for batches that may be empty, for which some kernels fail: an empty one gets a row that is dropped."""
    size = tf.shape(tf.nest.flatten(inputs)[0])[0]
    missing = tf.maximum(1 - size, 0)
    padded = tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (len(x.shape) - 1)]), inputs)
    return {name: output[:size] for name, output in answer(padded).items()}
