"""From a SavedModel of `graph.write` to the file of a format; runs in a process of its own, see `conversion`."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from tfrec.devices import _compat
from tfrec.devices.formats import FEATURES, NETWORK, SIGNATURE

ONNX_OPSET = 18
# Operations whose outputs have names of the network, and none of the features.
SCOPE = rf"^(?!.*\b{FEATURES}/).*\b{NETWORK}/"


def litert(folder: str, target: str) -> None:
    """Writes a LiteRT file in float32."""
    pathlib.Path(target).write_bytes(_litert(folder))


def litert_int8(folder: str, target: str) -> None:
    """Writes a LiteRT file whose network has weights of 8 bits, and rounds its activations while it runs."""
    from ai_edge_quantizer import qtyping, quantizer, recipe_manager

    recipe = recipe_manager.RecipeManager()
    recipe.add_dynamic_config(SCOPE, qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=8)
    content = _with_unique_names(_litert(folder))
    result = quantizer.Quantizer(content, recipe.get_quantization_recipe()).quantize()
    pathlib.Path(target).write_bytes(bytes(result.quantized_model))


def onnx(folder: str, target: str) -> None:
    """Writes an ONNX file in float32."""
    import onnx as library
    import tf2onnx

    function, inputs, outputs = _frozen(folder)
    model, _ = tf2onnx.convert.from_graph_def(
        function.graph.as_graph_def(),
        input_names=[f"{name}:0" for name in inputs],
        output_names=[tensor.name for tensor in function.outputs],
        opset=ONNX_OPSET,
    )
    graph, identity = model.graph, library.helper.make_node
    for value in graph.input:
        name = value.name.partition(":")[0]
        graph.node.insert(0, identity("Identity", [name], [value.name]))
        value.name = name
    for value, name in zip(graph.output, outputs, strict=True):
        graph.node.append(identity("Identity", [value.name], [name]))
        value.name = name
    library.checker.check_model(model)
    library.save(model, target)


CONVERTERS = {"litert": litert, "litert-int8": litert_int8, "onnx": onnx}


def _frozen(folder: str) -> tuple[Any, list[str], list[str]]:
    """The function of the signature without variables, and the names of its inputs and outputs in their order."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)  # its signatures need it alive
    signature = loaded.signatures[SIGNATURE]
    function = _compat.frozen(signature)
    return function, [tensor.name.partition(":")[0] for tensor in function.inputs], sorted(signature.structured_outputs)


def _litert(folder: str) -> bytes:
    import tensorflow as tf

    function, inputs, outputs = _frozen(folder)

    def answer(**given: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return dict(zip(outputs, function(*(given[name] for name in inputs)), strict=True))

    specs = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for name, tensor in zip(inputs, function.inputs, strict=True)
    }
    with tempfile.TemporaryDirectory() as copy:
        concrete = tf.function(answer, autograph=False).get_concrete_function(**specs)
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # as in `graph.write`
        tf.saved_model.save(tf.Module(), copy, {SIGNATURE: concrete}, options)
        converter = tf.lite.TFLiteConverter.from_saved_model(copy, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return bytes(converter.convert())


def _with_unique_names(content: bytes) -> bytes:
    """A LiteRT file in which no two tensors have the same name, which the quantizer needs.

    The tensors of a loop's graphs have the names of the loop before their own, so that they are in its scope.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    prefixes = {0: ""}
    for number, graph in enumerate(model.subgraphs):  # a graph comes before those that it calls
        for operator in graph.operators:
            results = (graph.tensors[place].name for place in operator.outputs)
            scope = next((NETWORK for name in results if f"{NETWORK}/".encode() in name), FEATURES)
            for called in _called_graphs(operator):
                prefixes[called] = f"{prefixes[number] or f'{scope}/'}loop{called}/"
    used: set[bytes] = set()
    for number, graph in enumerate(model.subgraphs):
        for place, tensor in enumerate(graph.tensors):
            name = prefixes.get(number, "").encode() + tensor.name
            tensor.name = name if name not in used else name + f"_{number}_{place}".encode()
            used.add(tensor.name)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _called_graphs(operator: Any) -> Iterator[int]:
    """The graphs of a loop or of a branch."""
    options = operator.builtinOptions
    for name in ("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex"):
        if getattr(options, name, None) is not None:
            yield getattr(options, name)
