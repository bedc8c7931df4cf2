"""What TensorFlow Serving answers over gRPC; `--target URL` runs these against any server."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.serving.models import ECHOED


def predict(target, inputs, signature="", version=None, label="", model="arithmetic", outputs=(), timeout=60.0):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for name, value in inputs.items():
        is_array = isinstance(value, np.ndarray)
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value) if is_array else value)
    return target.prediction.Predict(request, timeout=timeout)


def fails(code, call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    assert caught.value.code() is code, caught.value
    return caught.value.details()


INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
X = {"x": np.array([1.5], "float32")}


def test_predict(target):
    response = predict(target, X)
    assert response.model_spec.name == "arithmetic"
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"
    assert list(response.outputs) == ["y"]
    assert list(response.outputs["y"].float_val) == [3.0]  # a typed field
    assert response.outputs["y"].tensor_content == b""
    assert [dim.size for dim in response.outputs["y"].tensor_shape.dim] == [1]


@pytest.mark.parametrize("dtype", ECHOED)
def test_every_type_comes_back_in_its_typed_field(target, dtype):
    values = np.array([[b"a\0", b"\xff"]] if dtype == "string" else [[0, 1]], object if dtype == "string" else dtype)
    output = predict(target, {"x": values}, f"echo_{dtype}").outputs["y"]
    assert output.tensor_content == b""
    assert output.dtype == tf.as_dtype(dtype).as_datatype_enum
    np.testing.assert_array_equal(tf.make_ndarray(output), values)


def test_versions_and_labels(target):
    assert predict(target, X, version=1).model_spec.version.value == 1
    assert predict(target, X, label="stable").model_spec.version.value == 1
    assert list(predict(target, X, label="canary").outputs["y"].float_val) == [3.0]


def test_unknown_things(target):
    assert fails(NOT_FOUND, predict, target, X, model="none") == "Servable not found for request: Latest(none)"
    assert "Specific(arithmetic, 9)" in fails(NOT_FOUND, predict, target, X, version=9)
    assert "label" in fails(INVALID, predict, target, X, label="none")
    code = grpc.StatusCode.FAILED_PRECONDITION  # over REST it is 400
    assert fails(code, predict, target, X, "none") == 'Serving signature key "none" not found.'
    assert fails(INVALID, predict, target, X, model="")


def test_output_filter(target):
    inputs = {"a": np.ones((1, 2), "float32"), "b": np.array([1], "int32")}
    assert sorted(predict(target, inputs, "two").outputs) == ["next", "total"]
    assert list(predict(target, inputs, "two", outputs=["next"]).outputs) == ["next"]
    assert "none" in fails(INVALID, predict, target, inputs, "two", outputs=["none"])
    assert "duplicate" in fails(INVALID, predict, target, inputs, "two", outputs=["next", "next"])


def test_inputs_of_other_names(target):
    assert fails(INVALID, predict, target, {})
    assert fails(INVALID, predict, target, {"z": X["x"]})
    assert "z" in fails(INVALID, predict, target, {**X, "z": X["x"]})


@pytest.mark.parametrize("values", [np.array([1.0]), np.array([1], "int32"), np.array([b"1"])], ids=["f8", "i4", "S"])
def test_nothing_is_cast(target, values):
    assert fails(INVALID, predict, target, {"x": values})


def test_tensors_that_contradict_themselves(target):
    lying = tf.make_tensor_proto(np.ones(4, "float32"))
    lying.tensor_shape.dim[0].size = 3
    assert fails(INVALID, predict, target, {"x": lying})
    lying.tensor_shape.dim[0].size = -1
    assert fails(INVALID, predict, target, {"x": lying})


def test_messages_are_cut(target):
    details = fails(INVALID, predict, target, {"x": np.full((1, 3), -1, "float32")}, "guarded")
    assert "must be positive" in details
    assert len(details) == 1024 + len("...TRUNCATED")
    assert details.endswith("...TRUNCATED")


def test_deadline(target):
    rounds = {"rounds": np.array([3000], "int32")}
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, predict, target, rounds, "slow", timeout=0.3)
    assert predict(target, X).outputs["y"].float_val[0] == 3.0


def test_metadata(target):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "arithmetic"
    response = target.prediction.GetModelMetadata(request)
    assert response.model_spec.version.value == 2
    definitions = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(definitions)
    assert {"serving_default", "two"} <= set(definitions.signature_def)
    request.metadata_field[:] = ["none"]
    assert fails(INVALID, target.prediction.GetModelMetadata, request)
    request.metadata_field[:] = []
    assert fails(INVALID, target.prediction.GetModelMetadata, request)


def test_status(target):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "arithmetic"
    statuses = target.model.GetModelStatus(request).model_version_status
    assert {(one.version, one.state) for one in statuses} == {(1, 30), (2, 30)}  # AVAILABLE
    request.model_spec.version.value = 9
    fails(NOT_FOUND, target.model.GetModelStatus, request)


def example(value):
    result = tf.train.Example()
    result.features.feature["x"].float_list.value.append(value)
    return result


def test_classify_and_regress(target):
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name = "examples"
    classify.input.example_list.examples.append(example(0.25))
    response = target.prediction.Classify(classify)
    classes = response.result.classifications[0].classes
    assert [(one.label, one.score) for one in classes] == [("no", 0.75), ("yes", 0.25)]
    regress = regression_pb2.RegressionRequest(input=classify.input)
    regress.model_spec.name, regress.model_spec.signature_name = "examples", "regress"
    response = target.prediction.Regress(regress)
    assert [one.value for one in response.result.regressions] == [0.5]
    assert response.model_spec.signature_name == "regress"
    regress.model_spec.signature_name = ""
    assert "method_name" in fails(INVALID, target.prediction.Regress, regress)
    classify.input.Clear()
    assert fails(INVALID, target.prediction.Classify, classify)


def test_multi_inference(target):
    request = inference_pb2.MultiInferenceRequest()
    request.input.example_list.examples.append(example(0.25))
    for signature, method in (("serving_default", "classify"), ("regress", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    results = target.prediction.MultiInference(request).results
    assert results[0].classification_result.classifications[0].classes[0].score == 0.75
    assert results[1].regression_result.regressions[0].value == 0.5
    request.tasks[1].model_spec.signature_name = "serving_default"
    assert fails(INVALID, target.prediction.MultiInference, request)
    del request.tasks[:]
    assert fails(INVALID, target.prediction.MultiInference, request)
