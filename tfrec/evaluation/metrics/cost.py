"""What a network costs for one example, from features to logits: parameters, multiply-adds, latency.

The frontend is not counted: it belongs to the data, and is the same for all networks that are compared on them.
"""

import math
import re
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrec.evaluation.metrics._compat import nested_graph

MAX_LATENCY_S = 2.0  # how long calls are repeated
MIN_LATENCY_CALLS, MAX_LATENCY_CALLS = 10, 100
WARM_UP_CALLS = 2  # which are not counted

Tensor = Any


def count_parameters(net: keras.Model) -> int:
    """Counts the trainable parameters, without the moving averages of batch normalization."""
    return sum(math.prod(weight.shape) for weight in net.trainable_weights)


def count_multiply_adds(net: keras.Model, frames: int | None = None) -> int:
    """Counts the multiplications that are followed by an addition, for one example in inference.

    Counts convolutions and matrix products in the graph that runs, whichever layers create them; biases,
    normalization, activations and pooling are not counted, as in the papers.

    Args:
        net: the network.
        frames: length of the clip, for networks that take any length.

    Returns:
        The number of multiply-adds.

    Raises:
        ValueError: the graph holds a product that cannot be counted, or a size is unknown.
    """
    forward, inputs = _inference(net, frames)
    return _count_graph(forward.get_concrete_function(inputs).graph)


def measure_latency_ms(net: keras.Model, frames: int | None = None) -> float:
    """Measures how long a batch of one example takes, as a graph.

    Args:
        net: the network.
        frames: length of the clip, for networks that take any length.

    Returns:
        The median in milliseconds, without the warm-up calls.
    """
    forward, specs = _inference(net, frames)
    random = np.random.default_rng(0)
    inputs = tf.nest.map_structure(lambda spec: _example(spec, frames, random), specs)
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < WARM_UP_CALLS + MIN_LATENCY_CALLS or (
        len(times) < WARM_UP_CALLS + MAX_LATENCY_CALLS and time.perf_counter() - start < MAX_LATENCY_S
    ):
        before = time.perf_counter()
        tf.nest.map_structure(lambda output: output.numpy(), forward(inputs))
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times[WARM_UP_CALLS:])


def _inference(net: keras.Model, frames: int | None) -> tuple[Any, Any]:
    """The network as a tf.function, and the specification of its inputs: a batch of one."""

    def spec(tensor: Tensor) -> tf.TensorSpec:
        return tf.TensorSpec([1, *(frames if size is None else size for size in tensor.shape[1:])], tensor.dtype)

    inputs = net.inputs[0] if isinstance(net.input, list) else net.input
    return tf.function(lambda inputs: net(inputs, training=False)), tf.nest.map_structure(spec, inputs)


def _example(spec: tf.TensorSpec, frames: int | None, random: np.random.Generator) -> Tensor:
    if spec.dtype.is_integer:  # the number of frames
        return tf.fill(spec.shape, tf.constant(frames, spec.dtype))
    return tf.constant(random.normal(size=spec.shape), spec.dtype)


def _count_graph(graph: tf.Graph) -> int:
    total = 0
    for op in _needed(graph):
        if op.type in COUNTERS:
            total += COUNTERS[op.type](op)
        elif re.search("Conv|MatMul|Einsum|RNN|LSTM|GRU", op.type):
            raise ValueError(f"Multiply-adds of the TensorFlow operation {op.type} are unknown. Received: {op.name}")
        for function in ("f", "body"):  # of a call and of a loop
            if (name := _function_name(op, function)) is not None:
                total += _iterations(op) * _count_graph(nested_graph(graph, name))
    return total


def _needed(graph: tf.Graph) -> set[tf.Operation]:
    """The operations that the graph's outputs depend on: a recurrent layer also leaves a trial step in the graph."""
    needed: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return needed


def _function_name(op: tf.Operation, attribute: str) -> str | None:
    try:
        value = op.get_attr(attribute)
    except ValueError:
        return None
    return value.name if hasattr(value, "name") else None


def _iterations(op: tf.Operation) -> int:
    """How often a loop runs: over the time steps of the list that it receives."""
    if "While" not in op.type:
        return 1
    lists = [tensor.op for tensor in op.inputs if tensor.op.type == "TensorListFromTensor"]
    if not lists:
        raise ValueError(f"Multiply-adds of a loop are known only if it runs over time steps. Received: {op.name}")
    return max(_size(source.inputs[0].shape[:1]) for source in lists)


def _count_convolution(op: tf.Operation) -> int:
    # filter: places, input channels, output channels
    return _size(op.outputs[0].shape) * _size(op.inputs[1].shape[:-1])


def _count_depthwise(op: tf.Operation) -> int:
    return _size(op.outputs[0].shape) * _size(op.inputs[1].shape[:2])  # filter: places, channels, multiplier


def _count_transposed(op: tf.Operation) -> int:
    return _size(op.inputs[2].shape) * _size(op.inputs[1].shape[:-1])  # filter: places, output channels, input channels


def _product_counter(transposed: str) -> Callable[[tf.Operation], int]:
    def count(op: tf.Operation) -> int:
        shape = op.inputs[0].shape
        return _size(op.outputs[0].shape) * _size([shape[-2 if op.get_attr(transposed) else -1]])

    return count


def _count_einsum(op: tf.Operation) -> int:
    if len(op.inputs) < 2:
        return 0
    sizes: dict[str, int] = {}
    terms = op.get_attr("equation").decode().split("->")[0].split(",")
    for term, tensor in zip(terms, op.inputs, strict=True):
        before, _, after = term.partition("...")
        shape = tensor.shape
        # The axes of an ellipsis are aligned at their ends.
        ellipsis = [f"...{i}" for i in range(len(shape) - len(before) - len(after), 0, -1)]
        for label, size in zip([*before, *ellipsis, *after], shape, strict=True):
            sizes[label] = max(_size([size]), sizes.get(label, 1))
    return math.prod(sizes.values())


def _size(shape: Iterable[int | None]) -> int:
    sizes = tuple(shape)
    if None in sizes:
        raise ValueError(f"Multiply-adds need known sizes: give `frames`. Received: {sizes}")
    return math.prod(size for size in sizes if size is not None)


COUNTERS: dict[str, Callable[[tf.Operation], int]] = {
    "Conv2D": _count_convolution,
    "Conv3D": _count_convolution,
    "Conv2DBackpropInput": _count_transposed,
    "DepthwiseConv2dNative": _count_depthwise,
    "MatMul": _product_counter("transpose_a"),
    "BatchMatMul": _product_counter("adj_x"),
    "BatchMatMulV2": _product_counter("adj_x"),
    "BatchMatMulV3": _product_counter("adj_x"),
    "Einsum": _count_einsum,
    "XlaEinsum": _count_einsum,
}
