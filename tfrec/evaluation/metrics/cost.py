"""What a network costs: weights, multiply-adds, milliseconds; of one example, from features to logits.

The frontend is left out: it belongs to the data, and is the same for every network that is compared on them.
"""

import math
import re
import statistics
import time

import numpy as np
import tensorflow as tf

LATENCY_SECONDS = 2.0  # at most so long are calls repeated
LATENCY_CALLS = (10, 100)  # at least and at most so many


def parameters(net):
    """Number of trainable weights: without the moving averages of batch normalization, which no gradient changes."""
    return sum(math.prod(weight.shape) for weight in net.trainable_weights)


def multiply_adds(net, frames=None):
    """Multiplications that are followed by an addition, for one example in inference.

    Counts convolutions and matrix products in the graph that runs, whatever layers have put them there; biases,
    normalization, activations and pooling are left out, as in the papers. `frames` is the length of a clip, for
    networks that take any. Raises ValueError where the graph holds a product that cannot be counted.
    """
    forward, inputs = _inference(net, frames)
    return _of_graph(forward.get_concrete_function(inputs).graph)


def latency_ms(net, frames=None):
    """Median milliseconds of a batch of one example, as a graph, after two calls that do not count."""
    forward, specs = _inference(net, frames)
    random = np.random.default_rng(0)
    inputs = tf.nest.map_structure(lambda spec: _example(spec, frames, random), specs)
    times, start = [], time.perf_counter()
    fewest, most = LATENCY_CALLS
    while len(times) < 2 + fewest or (len(times) < 2 + most and time.perf_counter() - start < LATENCY_SECONDS):
        before = time.perf_counter()
        tf.nest.map_structure(lambda output: output.numpy(), forward(inputs))
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times[2:])


def _inference(net, frames):
    """The network as a function that becomes a graph, and the specification of its inputs: a batch of one."""

    def spec(tensor):
        return tf.TensorSpec([1, *(frames if size is None else size for size in tensor.shape[1:])], tensor.dtype)

    inputs = net.inputs[0] if isinstance(net.input, list) else net.input
    return tf.function(lambda inputs: net(inputs, training=False)), tf.nest.map_structure(spec, inputs)


def _example(spec, frames, random):
    if spec.dtype.is_integer:  # the number of frames
        return tf.fill(spec.shape, tf.constant(frames, spec.dtype))
    return tf.constant(random.normal(size=spec.shape), spec.dtype)


def _of_graph(graph):
    total = 0
    for op in _needed(graph):
        if op.type in COUNTS:
            total += COUNTS[op.type](op)
        elif re.search("Conv|MatMul|Einsum|RNN|LSTM|GRU", op.type):
            raise ValueError(f"Multiply-adds of the TensorFlow operation {op.type} are unknown. Received: {op.name}")
        for function in ("f", "body"):  # of a call and of a loop
            if (name := _attribute(op, function)) is not None:
                total += _repetitions(op) * _of_graph(graph._get_function(name.name).graph)
    return total


def _needed(graph):
    """The operations that the graph's outputs depend on: a recurrent layer leaves a trial step beside its loop."""
    found, waiting = set(), [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return found


def _attribute(op, name):
    try:
        value = op.get_attr(name)
    except ValueError:
        return None
    return value if hasattr(value, "name") else None


def _repetitions(op):
    """How often a loop runs: over the time steps that it is given as a list."""
    if "While" not in op.type:
        return 1
    lists = [tensor.op for tensor in op.inputs if tensor.op.type == "TensorListFromTensor"]
    if not lists:
        raise ValueError(f"Multiply-adds of a loop are known only if it runs over time steps. Received: {op.name}")
    return max(_size(source.inputs[0].shape[:1]) for source in lists)


def _convolution(op):
    return _size(op.outputs[0].shape) * _size(
        op.inputs[1].shape[:-1]
    )  # filter: places, input channels, output channels


def _depthwise(op):
    return _size(op.outputs[0].shape) * _size(op.inputs[1].shape[:2])  # filter: places, channels, multiplier


def _transposed(op):
    return _size(op.inputs[2].shape) * _size(op.inputs[1].shape[:-1])  # filter: places, output channels, input channels


def _product(transposed):
    def count(op):
        shape = op.inputs[0].shape
        return _size(op.outputs[0].shape) * _size([shape[-2 if op.get_attr(transposed) else -1]])

    return count


def _einsum(op):
    if len(op.inputs) < 2:
        return 0
    sizes = {}
    terms = op.get_attr("equation").decode().split("->")[0].split(",")
    for term, tensor in zip(terms, op.inputs, strict=True):
        before, _, after = term.partition("...")
        shape = tensor.shape
        among = [f"...{i}" for i in range(len(shape) - len(before) - len(after), 0, -1)]  # aligned at their ends
        for label, size in zip([*before, *among, *after], shape, strict=True):
            sizes[label] = max(_size([size]), sizes.get(label, 1))
    return math.prod(sizes.values())


def _size(shape):
    if None in tuple(shape):
        raise ValueError(f"Multiply-adds need sizes that are known; give `frames`. Received: {tuple(shape)}")
    return math.prod(shape)


COUNTS = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "Conv2DBackpropInput": _transposed,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _product("transpose_a"),
    "BatchMatMul": _product("adj_x"),
    "BatchMatMulV2": _product("adj_x"),
    "BatchMatMulV3": _product("adj_x"),
    "Einsum": _einsum,
    "XlaEinsum": _einsum,
}
