"""What TensorFlow Serving answers over REST; `--target URL` runs these against any server."""

import base64
import json
import math

import pytest

MODEL = "/v1/models/arithmetic"


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


def error(answer, status=400):
    assert answer[0] == status, answer
    assert list(answer[1]) == ["error"]
    return answer[1]["error"]


def echo(target, dtype, value):
    """The column that a signature returns for one that it takes."""
    body = f'{{"signature_name": "echo_{dtype}", "inputs": {value}}}'
    return target.rest("POST", f"{MODEL}:predict", body)


def test_rows(target):
    assert target.predict({"instances": [1.5, 2]}) == (200, {"predictions": [3.0, 4.0]})


def test_rows_with_the_name_of_the_only_input(target):
    assert target.predict({"instances": [{"x": 1.0}]}) == (200, {"predictions": [2.0]})


def test_columns(target):
    assert target.predict({"inputs": [1.0, 2.0]}) == (200, {"outputs": [2.0, 4.0]})
    assert target.predict({"inputs": {"x": [1.0]}}) == (200, {"outputs": [2.0]})


def test_rows_of_several_inputs_and_outputs(target):
    rows = [{"a": [1.0, 2.0], "b": 3}, {"a": [0.5, 0.5], "b": 4}]
    answer = target.predict({"signature_name": "two", "instances": rows})
    assert answer == (200, {"predictions": [{"total": 3.0, "next": 4}, {"total": 1.0, "next": 5}]})


def test_columns_of_several_inputs_and_outputs(target):
    answer = target.predict({"signature_name": "two", "inputs": {"a": [[1.0, 2.0]], "b": [3]}})
    assert answer == (200, {"outputs": {"total": [3.0], "next": [4]}})


@pytest.mark.parametrize("row", [{"a": [1.0]}, {"a": [1.0], "b": 1, "c": 1}, {}])
def test_a_row_has_exactly_the_keys_of_the_signature(target, row):
    assert error(target.predict({"signature_name": "two", "instances": [row]}))


def test_a_plain_row_for_several_inputs(target):
    assert "list of objects" in error(target.predict({"signature_name": "two", "instances": [1.0]}))


def test_ragged_rows_are_not_padded(target):
    rows = [{"a": [1.0, 2.0], "b": 3}, {"a": [0.5], "b": 4}]
    assert "size: 2" in error(target.predict({"signature_name": "two", "instances": rows}))


def test_rows_are_not_mixed_with_objects(target):
    assert error(target.predict({"instances": [1.0, {"x": 1.0}]}))
    assert error(target.predict({"instances": [{"x": 1.0}, 1.0]}))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[1]",
        "{}",
        '{"instances": []}',
        '{"instances": 1}',
        '{"instances": [1.0], "inputs": [1.0]}',
        '{"instances": [1.0], "signature_name": 3}',
        '{"instances": [1.0], "signature_name": "none"}',
        '{"inputs": {"z": [1.0]}}',
    ],
)
def test_malformed_bodies(target, body):
    assert error(target.rest("POST", f"{MODEL}:predict", body))


@pytest.mark.parametrize("where", ["/versions/1", "/labels/stable"])
def test_versions_and_labels(target, where):
    assert target.predict({"instances": [1.0]}, where=where) == (200, {"predictions": [1.0]})
    assert target.predict({"instances": [1.0]}, where="/labels/canary") == (200, {"predictions": [2.0]})


def test_paths_ignore_case_but_for_names(target):
    assert target.rest("POST", "/V1/Models/arithmetic/VERSIONS/1:Predict", {"instances": [1.0]})[0] == 200
    assert error(target.predict({"instances": [1.0]}, "Arithmetic"), 404)


def test_the_content_type_is_ignored(target):
    headers = {"Content-Type": "text/html"}
    assert target.rest("POST", f"{MODEL}:predict", {"instances": [1.0]}, headers)[0] == 200


def test_bodies_may_be_gzipped(target):
    headers = {"Content-Encoding": "gzip"}
    assert target.rest("POST", f"{MODEL}:predict", {"instances": [1.0]}, headers) == (200, {"predictions": [2.0]})


def test_base64_for_any_string_input_and_the_suffix_of_outputs(target):
    answer = target.predict({"signature_name": "text", "instances": [b64(b"abc"), "de"]})
    rows = [
        {"length": 3, "plain": "abc", "raw_bytes": b64(b"abc")},
        {"length": 2, "plain": "de", "raw_bytes": b64(b"de")},
    ]
    assert answer == (200, {"predictions": rows})


def test_bytes_that_are_no_text(target):
    contents = bytes(range(256)) + b"\0"
    status, answer = target.predict({"signature_name": "echo_string", "inputs": [b64(contents)]})
    assert status == 200
    status, answer = target.predict({"signature_name": "text", "instances": [b64(b"a\0\0")]})
    assert answer["predictions"][0]["length"] == 3


@pytest.mark.parametrize("value", [{"b64": "*"}, {"b64": 1}, {"b64": "YQ==", "c": 1}, 1.0, None])
def test_strings_that_are_none(target, value):
    assert error(target.predict({"signature_name": "text", "inputs": [value]}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats(target, dtype):
    status, answer = echo(target, dtype, "[1, -2.5, NaN, Infinity, -Infinity]")
    assert status == 200
    values = answer["outputs"]
    assert values[:2] == [1.0, -2.5]
    assert math.isnan(values[2])
    assert values[3:] == [math.inf, -math.inf]


@pytest.mark.parametrize("value", ["true", '"1"', "null", "[1, [2]]", "{}"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "bool"])
def test_values_of_other_types(target, dtype, value):
    if (dtype, value) == ("bool", "true"):
        value = "1"
    assert error(echo(target, dtype, f"[[1, 1], {value}]" if dtype != "bool" else f"[[true, true], {value}]"))


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", "16777217"), ("float32", "1e39"), ("float64", "9007199254740993")]
)
def test_numbers_that_would_lose_precision(target, dtype, value):
    assert "without loss of precision" in error(echo(target, dtype, f"[{value}]"))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint32", "int64", "uint64"])
def test_integers_reject_decimals(target, dtype):
    assert echo(target, dtype, "[1, 100]") == (200, {"outputs": [1, 100]})
    assert error(echo(target, dtype, "[1.0]"))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int32", 2**31), ("int64", 2**63), ("uint32", -1), ("uint32", 2**32), ("uint64", -1)],
)
def test_integers_out_of_range(target, dtype, value):
    assert error(echo(target, dtype, f"[{value}]"))


@pytest.mark.parametrize("value", ["[true, false]", "[[true], [false]]"])
def test_booleans(target, value):
    assert echo(target, "bool", value) == (200, {"outputs": json.loads(value)})


def test_shapes_are_kept(target):
    assert echo(target, "int32", "[[[1, 2]], [[3, 4]]]") == (200, {"outputs": [[[1, 2]], [[3, 4]]]})
    assert error(echo(target, "int32", "[[1, 2], [3]]"))
    assert error(echo(target, "int32", "[[1, 2], 3]"))
    assert error(echo(target, "int32", "[1, [2]]"))


def test_outputs_that_rows_or_json_cannot_hold(target):
    assert "half" in error(target.predict({"signature_name": "half", "instances": [1.0]}))
    assert "shape" in error(target.predict({"signature_name": "scalar", "instances": [1.0]}))
    assert target.predict({"signature_name": "scalar", "inputs": [1.0]}) == (200, {"outputs": 1.0})
    assert "batch size" in error(target.predict({"signature_name": "uneven", "instances": [1.0]}))


def test_an_error_of_the_graph(target):
    assert "must be positive" in error(target.predict({"signature_name": "guarded", "instances": [[1.0, 2.0, -1.0]]}))
    assert error(target.predict({"signature_name": "guarded", "instances": [[1.0, 2.0]]}))
    assert error(target.predict({"signature_name": "guarded", "instances": [1.0]}))


def test_unknown_things(target):
    body = {"instances": [1.0]}
    assert error(target.predict(body, "none"), 404) == "Servable not found for request: Latest(none)"
    assert error(target.predict(body, where="/versions/9"), 404) == (
        "Servable not found for request: Specific(arithmetic, 9)"
    )
    assert error(target.predict(body, where="/labels/none")) == "Unrecognized servable version label: none"
    assert "not found" in error(target.predict({**body, "signature_name": "none"}))
    assert "Malformed request" in error(target.rest("POST", f"{MODEL}:explain", body))
    assert "Malformed request" in error(target.rest("GET", f"{MODEL}:predict"))
    assert "Malformed request" in error(target.rest("POST", MODEL, body))
    assert error(target.predict(body, where=f"/versions/{2**64}"))


@pytest.mark.parametrize("path", ["/", "/v2/models/arithmetic", "/v1x", "/monitoring"])
def test_other_paths(target, path):
    assert target.rest("GET", path)[0] == 404


def test_status(target):
    def version(number):
        status = {"error_code": "OK", "error_message": ""}
        return {"version": str(number), "state": "AVAILABLE", "status": status}

    assert target.rest("GET", MODEL) == (200, {"model_version_status": [version(2), version(1)]})
    assert target.rest("GET", f"{MODEL}/versions/1") == (200, {"model_version_status": [version(1)]})
    assert target.rest("GET", f"{MODEL}/labels/canary") == (200, {"model_version_status": [version(2)]})
    assert error(target.rest("GET", f"{MODEL}/versions/9"), 404) == "Could not find version 9 of model arithmetic"
    assert error(target.rest("GET", "/v1/models/none"), 404) == "Could not find any versions of model none"
    assert error(target.rest("GET", "/v1/models"))


def test_metadata(target):
    status, answer = target.rest("GET", f"{MODEL}/versions/1/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "arithmetic", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["two"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["b"]["dtype"] == "DT_INT32"
    sizes = [dim["size"] for dim in signature["inputs"]["a"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "-1"]  # texts
    assert error(target.rest("GET", "/v1/models/none/metadata"), 404)


def test_classify_and_regress(target):
    body = {"examples": [{"x": 0.25}, {"x": [0.75]}]}
    answer = target.rest("POST", "/v1/models/examples:classify", body)
    assert answer == (200, {"results": [[["no", 0.75], ["yes", 0.25]], [["no", 0.25], ["yes", 0.75]]]})
    answer = target.rest("POST", "/v1/models/examples:regress", {"signature_name": "regress", **body})
    assert answer == (200, {"results": [0.5, 1.5]})
    context = {"context": {"x": 0.5}, "examples": [{}]}
    answer = target.rest("POST", "/v1/models/examples:regress", {"signature_name": "regress", **context})
    assert answer == (200, {"results": [1.0]})


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_methods_that_a_signature_does_not_have(target, method):
    body = {"examples": [{"x": 0.25}]}
    assert "method_name" in error(target.rest("POST", f"{MODEL}:{method}", body))
    for wrong in ({}, {"examples": []}, {"examples": [1]}, {"examples": [{"x": [[1.0]]}]}, {"examples": [{"x": None}]}):
        error(target.rest("POST", f"/v1/models/examples:{method}", wrong))


def test_values_that_are_nested_deeply(target):
    for depth in (20, 500, 100_000):
        assert error(echo(target, "int32", "[" * depth + "1" + "]" * depth))


def test_metrics(target):
    target.predict({"instances": [1.0]})
    status, page = target.rest("GET", "/monitoring/prometheus/metrics")
    assert status == 200
    assert ':tensorflow:serving:request_count{model_name="arithmetic",status="OK"}' in page
    assert ":tensorflow:serving:request_latency_bucket{" in page
