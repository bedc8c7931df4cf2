"""Classify, Regress and MultiInference: tf.train.Example in, classes, scores or values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tfrec.serving.server import json_values
from tfrec.serving.server.errors import ServingError, invalid
from tfrec.serving.server.servable import Signature, Tensors

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}


def check_signature(signature: Signature, method: str) -> None:
    """Raises ServingError for a signature that does not answer the method; exports of tfrec have none that does."""
    if method not in _KINDS:
        raise ServingError("UNIMPLEMENTED", f"Unsupported signature method_name: {method}")
    actual = signature.definition.method_name
    if actual != method:
        raise invalid(f"Expected {_KINDS[method]} signature method_name to be {method}. Was: {actual}")
    if len(signature.inputs) != 1:
        raise invalid(f"Expected one input Tensor. Was: {len(signature.inputs)}")


def check_tasks(tasks: Sequence[Any]) -> None:
    """Raises ServingError for tasks that MultiInference does not take together."""
    if not tasks:
        raise invalid("Inference request with zero tasks")
    if len({task.model_spec.name for task in tasks}) > 1:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    names = [task.model_spec.signature_name for task in tasks]
    if len(set(names)) < len(names):
        raise invalid(f"Duplicate evaluation of signature: {next(name for name in names if names.count(name) > 1)}")


def serialized(source: Any) -> np.ndarray:
    """The examples of an Input message as strings `(batch,)`; the context's features are in each."""
    kind = source.WhichOneof("kind")
    if kind == "example_list_with_context":
        merged = []
        for example in source.example_list_with_context.examples:
            one = tf.train.Example()
            one.CopyFrom(source.example_list_with_context.context)
            one.MergeFrom(example)
            merged.append(one)
    else:
        merged = list(source.example_list.examples)
    if not merged:
        raise invalid("Input is empty.")
    result = np.empty(len(merged), dtype=object)
    result[:] = [example.SerializeToString() for example in merged]
    return result


def classification_response(spec: Any, outputs: Tensors) -> Any:
    """Outputs "classes" and "scores" `(batch, classes)`, either of which may be absent, as a response."""
    response = classification_pb2.ClassificationResponse(model_spec=spec)
    _fill_classes(response.result, outputs)
    return response


def regression_response(spec: Any, outputs: Tensors) -> Any:
    """The output "outputs", `(batch,)` or `(batch, 1)`, as a response."""
    response = regression_pb2.RegressionResponse(model_spec=spec)
    _fill_values(response.result, outputs)
    return response


def multi_inference_response(results: Sequence[tuple[str, Any, Tensors]]) -> Any:
    """(method, spec, outputs) of each task as a response."""
    response = inference_pb2.MultiInferenceResponse()
    for method, spec, outputs in results:
        result = response.results.add(model_spec=spec)
        if method == CLASSIFY:
            _fill_classes(result.classification_result, outputs)
        else:
            _fill_values(result.regression_result, outputs)
    return response


def _fill_classes(result: Any, outputs: Tensors) -> None:
    classes, scores = outputs.get("classes"), outputs.get("scores")
    known = classes if classes is not None else scores
    if known is None:
        raise invalid("Expected classification signature outputs to contain at least one of classes, scores")
    for row in range(len(known)):
        one = result.classifications.add()
        for column in range(known.shape[1]):
            label = classes[row, column] if classes is not None else b""
            score = float(scores[row, column]) if scores is not None else 0.0
            one.classes.add(label=label, score=score)


def _fill_values(result: Any, outputs: Tensors) -> None:
    if "outputs" not in outputs:
        raise invalid("Expected regression signature outputs to contain outputs")
    for value in outputs["outputs"].ravel():
        result.regressions.add(value=float(value))


def fill_request(request: Any, document: dict[str, Any]) -> None:
    """Writes the JSON of a REST request into a ClassificationRequest or a RegressionRequest."""
    request.model_spec.signature_name = document.get("signature_name", "")
    rows = document.get("examples")
    if rows is None:
        raise invalid("When method is classify, key 'examples' is expected and was not found")
    if not isinstance(rows, list):
        raise invalid("Expecting 'examples' value to be an list/array")
    if not rows:
        raise invalid("'examples' value is an empty array")
    examples = [_example(row) for row in rows]
    if "context" in document:
        request.input.example_list_with_context.context.CopyFrom(_example(document["context"]))
        request.input.example_list_with_context.examples.extend(examples)
    else:
        request.input.example_list.examples.extend(examples)


def _example(row: Any) -> Any:
    if not isinstance(row, dict):
        raise invalid("Example must be JSON object")
    example = tf.train.Example()
    for name, value in row.items():
        feature = example.features.feature[name]
        for one in value if isinstance(value, list) else [value]:
            _add(feature, name, one)
    return example


def _add(feature: Any, name: str, value: Any) -> None:
    kinds = {int: "int64_list", bool: "int64_list", float: "float_list", str: "bytes_list", dict: "bytes_list"}
    kind = kinds.get(type(value))
    if kind is None:
        raise invalid(f"Feature: {name} has element with unexpected JSON type")
    if feature.WhichOneof("kind") not in (None, kind):
        raise invalid(f"Unexpected element type in feature: {name}")
    if kind == "bytes_list":
        value = json_values.to_array(value, tf.string).item()
    getattr(feature, kind).value.append(value)


def result_of(response: Any) -> list[Any]:
    """The results of a response as REST has them."""
    if isinstance(response, regression_pb2.RegressionResponse):
        return [one.value for one in response.result.regressions]
    return [[[each.label, each.score] for each in one.classes] for one in response.result.classifications]
