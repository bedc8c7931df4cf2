"""Requests that the stand-in merges, by the rules of TensorFlow Serving."""

import concurrent.futures
import time

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from pipelines.errors import UserError
from tests.serving import models
from tests.serving.targets import start, target_of
from tfrec.serving.deployment import batching_config
from tfrec.serving.deployment.batching_config import BatchingConfig

MERGES = {"batch_timeout_micros": 300_000, "num_batch_threads": 1}


@pytest.fixture
def batched(contract_config):
    """A function from a batching configuration to a target."""
    servers = []

    def build(**options):
        servers.append(start(contract_config, batching=BatchingConfig(**{**MERGES, **options})).__enter__())
        return target_of(servers[-1])

    yield build
    for server in servers:
        server.close()


def at_once(target, *bodies):
    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(target.predict, bodies))


def clips(*rows, length=None):
    lengths = [length or len(row) for row in rows]
    return {"signature_name": "padded", "inputs": {"audio": [*rows], "length": lengths}}


def test_requests_are_merged_and_split_again(batched):
    answers = at_once(batched(max_batch_size=3), clips([1.0, 2.0]), clips([3.0, 4.0], [5.0, 6.0]))
    assert answers[0] == (200, {"outputs": {"rows": [3], "total": [3.0]}})
    assert answers[1] == (200, {"outputs": {"rows": [3, 3], "total": [7.0, 11.0]}})


def test_a_batch_waits_no_longer_than_its_timeout(batched):
    started = time.monotonic()
    assert batched(max_batch_size=64).predict(clips([1.0]))[0] == 200
    assert 0.25 < time.monotonic() - started < 3


def test_a_batch_has_an_allowed_size(batched):
    target = batched(max_batch_size=8, allowed_batch_sizes=(4, 8))
    assert target.predict(clips([1.0])) == (200, {"outputs": {"rows": [4], "total": [1.0]}})


def test_an_oversize_request(batched):
    status, answer = batched(max_batch_size=2).predict(clips([1.0], [1.0], [1.0]))
    assert (status, "larger than maximum" in answer["error"]) == (400, True)


def test_unequal_shapes_without_padding(batched):
    for status, answer in at_once(batched(max_batch_size=2), clips([1.0]), clips([1.0, 2.0])):
        assert (status, "padding is turned off" in answer["error"]) == (400, True)  # FAILED_PRECONDITION


def test_unequal_shapes_with_padding(batched):
    target = batched(max_batch_size=2, pad_variable_length_inputs=True)
    answers = at_once(target, clips([9.0]), clips([1.0, 2.0, 3.0]))
    assert [answer["outputs"] for _, answer in answers] == [
        {"rows": [2], "total": [9.0]},
        {"rows": [2], "total": [6.0]},
    ]


def test_padding_is_the_first_element(batched):
    target = batched(max_batch_size=2, pad_variable_length_inputs=True)
    answers = at_once(target, clips([9.0], length=3), clips([1.0, 2.0, 3.0]))
    assert answers[0][1]["outputs"]["total"] == [27.0]


def test_one_bad_row_fails_its_batch(batched):
    bodies = [{"signature_name": "guarded", "instances": [[value] * 3]} for value in (1.0, -1.0)]
    assert [status for status, _ in at_once(batched(max_batch_size=2), *bodies)] == [400, 400]


def test_a_full_queue(batched):
    target = batched(max_batch_size=1, max_enqueued_batches=1, batch_timeout_micros=0)
    slow = {"signature_name": "slow", "instances": [200]}
    answers = at_once(target, *[slow] * 8)
    assert {status for status, _ in answers} == {200, 503}
    assert any("is full" in answer.get("error", "") for _, answer in answers)


def test_a_timeout_in_the_queue(contract_config):
    batching = BatchingConfig(max_batch_size=1, num_batch_threads=1)
    with start(contract_config, batching=batching, rest_timeout_s=0.2) as server:
        target = target_of(server)
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "arithmetic", "slow"
        request.inputs["rounds"].CopyFrom(tf.make_tensor_proto([300], tf.int32))
        running = target.prediction.Predict.future(request)
        time.sleep(0.1)
        status, answer = target.predict({"signature_name": "slow", "instances": [1]})
        assert running.result().outputs["y"].float_val
    assert (status, "batching queue" in answer["error"]) == (429, True)


def test_a_model_with_a_batching_file_of_its_own(tmp_path):
    for name in ("merged", "alone"):
        models.write_scaled(tmp_path / name / "1")
    parameters = BatchingConfig(max_batch_size=1, num_batch_threads=1)
    (tmp_path / "merged" / "1" / "batching_params.pbtxt").write_text(batching_config.render(parameters))
    with start(tmp_path, per_model_batching=True) as server:
        target = target_of(server)
        assert target.predict({"instances": [1.0, 2.0]}, "alone")[0] == 200
        assert "larger than maximum" in target.predict({"instances": [1.0, 2.0]}, "merged")[1]["error"]
    with start(tmp_path) as server:
        assert target_of(server).predict({"instances": [1.0, 2.0]}, "merged")[0] == 200


def test_a_file_is_read_and_written():
    config = BatchingConfig(8, 500, 3, 2, (4, 8), True)
    assert batching_config.parse(batching_config.render(config), "file") == config
    assert batching_config.parse("max_batch_size { value: 8 }", "file").max_batch_size == 8


@pytest.mark.parametrize(
    "text",
    [
        "max_batch_size: 8",
        "max_batches { value: 8 }",
        "max_batch_size { value: 0 }",
        "max_batch_size { value: 8 } allowed_batch_sizes: 4",
        "allowed_batch_sizes: 4 allowed_batch_sizes: 2 max_batch_size { value: 2 }",
        "batch_timeout_micros { value: -1 }",
    ],
)
def test_files_that_are_wrong(text):
    with pytest.raises(UserError, match=r"The batching file batching\.config is wrong"):
        batching_config.parse(text, "batching.config")
