"""Versions of the stand-in: loaded, warmed up, swapped, labeled and refused; faulty ones disturb nothing."""

import shutil
import threading
import time

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, predict_pb2, prediction_log_pb2

from pipelines.errors import UserError
from tests.serving import models
from tests.serving.targets import start, target_of
from tfrec.serving import layout
from tfrec.serving.server import models as server_models


@pytest.fixture(autouse=True)
def _polls_often(monkeypatch):
    monkeypatch.setattr(server_models, "POLL_INTERVAL_S", 0.02)
    monkeypatch.setattr(server_models, "RETRY_INTERVAL_S", 0.02)


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    """Folders of versions that multiply by 1, 2 and 3."""
    folder = tmp_path_factory.mktemp("versions")
    for number in (1, 2, 3):
        models.write_scaled(folder / str(number), float(number))
    return folder


@pytest.fixture
def base(tmp_path, versions):
    shutil.copytree(versions / "1", tmp_path / "saved_models" / "scaled" / "1")
    return tmp_path / "saved_models" / "scaled"


def publish(versions, base, number, source=None):
    shutil.copytree(versions / str(source or number), base / f".tmp-{number}")
    (base / f".tmp-{number}").rename(base / str(number))


def factor(target, where=""):
    """The number that the version which answers multiplies by; None where none does."""
    status, answer = target.predict({"instances": [1.0]}, "scaled", where)
    return answer["predictions"][0] if status == 200 else None


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def states(target):
    answer = target.rest("GET", "/v1/models/scaled")[1]
    return {int(one["version"]): one["state"] for one in answer.get("model_version_status", [])}


def warm_up(path, *records):
    (path / layout.WARMUP_RECORDS).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / layout.WARMUP_RECORDS)) as writer:
        for record in records:
            writer.write(record)


def record(value=1.0, signature="serving_default", name="x"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "scaled", signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto([value], tf.float32))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    ).SerializeToString()


def test_a_new_version_replaces_the_old_one(base, versions):
    with start(base.parent) as server:
        target = target_of(server)
        assert factor(target) == 1
        publish(versions, base, 2)
        wait_for(lambda: states(target) == {1: "END", 2: "AVAILABLE"})
        assert factor(target) == 2
        assert factor(target, "/versions/1") is None


def test_no_request_fails_while_versions_are_swapped(base, versions):
    failures, done = [], threading.Event()

    def ask():
        while not done.is_set():
            status, answer = target.predict({"instances": [1.0]}, "scaled")
            if status != 200:
                failures.append(answer)

    with start(base) as server:
        target = target_of(server)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(2, 6):
            publish(versions, base, number, 1 + number % 3)
            wait_for(lambda number=number: states(target).get(number) == "AVAILABLE")
        done.set()
        for thread in threads:
            thread.join()
        wait_for(lambda: states(target)[4] == "END")
    assert failures == []


def test_a_new_model_appears(base, versions):
    with start(base.parent) as server:
        target = target_of(server)
        shutil.copytree(versions / "3", base.parent / "other" / "1")
        wait_for(lambda: target.predict({"instances": [1.0]}, "other")[0] == 200)
        assert target.predict({"instances": [1.0]}, "other") == (200, {"predictions": [3.0]})


def test_a_half_copied_version_is_reported_and_loaded_when_it_is_whole(base, versions):
    with start(base) as server:
        target = target_of(server)
        (base / "2" / "variables").mkdir(parents=True)
        shutil.copy(versions / "2" / "saved_model.pb", base / "2")
        for file in (versions / "2" / "variables").glob("*.index"):
            shutil.copy(file, base / "2" / "variables")
        wait_for(lambda: states(target).get(2) == "END")
        assert factor(target) == 1
        shutil.copytree(versions / "2", base / "2", dirs_exist_ok=True)
        wait_for(lambda: states(target).get(2) == "AVAILABLE")
        assert factor(target) == 2


def publish_corrupt(versions, base, file):
    shutil.copytree(versions / "2", base / ".tmp-2")
    contents = bytearray((base / ".tmp-2" / file).read_bytes())
    contents[: len(contents) // 2] = b"\xff" * (len(contents) // 2)
    (base / ".tmp-2" / file).write_bytes(contents)
    (base / ".tmp-2").rename(base / "2")


@pytest.mark.parametrize(
    "file", ["saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"]
)
def test_a_corrupt_version_leaves_the_old_one(base, versions, file):
    with start(base) as server:
        target = target_of(server)
        publish_corrupt(versions, base, file)
        wait_for(lambda: states(target).get(2) == "END")
        status = target.rest("GET", "/v1/models/scaled/versions/2")[1]["model_version_status"][0]["status"]
        assert status["error_code"] != "OK"
        assert status["error_message"]
        assert factor(target) == 1


def test_a_model_without_a_version_that_loads(base, versions):
    publish_corrupt(versions, base, "saved_model.pb")
    with pytest.raises(UserError, match="No version of scaled can be loaded"), start(base):
        pass


def test_missing_variables(base):
    (base / "1" / "variables" / "variables.index").unlink()
    with pytest.raises(UserError, match="No version of scaled can be loaded"), start(base):
        pass


def test_warm_up_requests_are_answered(base):
    warm_up(base / "1", record(), record(2.0))
    with start(base) as server:
        assert factor(target_of(server)) == 1


@pytest.mark.parametrize(
    "records",
    [
        [b"no message"],
        [record(name="z")],
        [record(), record(signature="none")],
        [prediction_log_pb2.PredictionLog(regress_log=prediction_log_pb2.RegressLog()).SerializeToString()],
        [record()] * 1001,
    ],
    ids=["bytes", "input", "signature", "kind", "many"],
)
def test_a_bad_warm_up_record_fails_the_load(base, versions, records):
    with start(base) as server:
        target = target_of(server)
        shutil.copytree(versions / "2", base / ".tmp-2")
        warm_up(base / ".tmp-2", *records)
        (base / ".tmp-2").rename(base / "2")
        wait_for(lambda: states(target).get(2) == "END")
        assert factor(target) == 1


def test_a_broken_warm_up_file(base):
    warm_up(base / "1", record())
    (base / "1" / layout.WARMUP_RECORDS).write_bytes((base / "1" / layout.WARMUP_RECORDS).read_bytes()[:-1])
    with pytest.raises(UserError, match="No version of scaled can be loaded"), start(base):
        pass


def config(base, **options):
    labels = "".join(f'version_labels {{ key: "{k}" value: {v} }}' for k, v in options.get("labels", {}).items())
    policy = options.get("policy", "")
    name, path = options.get("name", "scaled"), options.get("path", base)
    platform = options.get("platform", "tensorflow")
    return f'config {{ name: "{name}" base_path: "{path}" model_platform: "{platform}" {policy} {labels} }}'


def config_file(folder, *configs):
    path = folder / "models.config"
    path.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    return path


def test_policies_and_labels(base, versions, tmp_path):
    for number in (2, 3):
        publish(versions, base, number)
    policy = "model_version_policy { specific { versions: 1 versions: 3 } }"
    labels = {"stable": 1, "canary": 3}
    with start(config_file(tmp_path, config(base, policy=policy, labels=labels))) as server:
        target = target_of(server)
        assert [factor(target, where) for where in ("", "/labels/stable", "/labels/canary")] == [3, 1, 3]
        assert factor(target, "/versions/2") is None
    policy = "model_version_policy { latest { num_versions: 2 } }"
    with start(config_file(tmp_path, config(base, policy=policy))) as server:
        assert states(target_of(server)) == {2: "AVAILABLE", 3: "AVAILABLE"}


def test_the_configuration_is_reloaded(base, versions, tmp_path):
    publish(versions, base, 2)
    with start(config_file(tmp_path, config(base))) as server:
        target = target_of(server)
        request = model_management_pb2.ReloadConfigRequest()
        both = config(base, policy="model_version_policy { all {} }", labels={"stable": 1})
        text_format.Parse(f"model_config_list {{ {both} }}", request.config)
        assert target.model.HandleReloadConfigRequest(request).status.error_code == 0
        assert [factor(target, where) for where in ("", "/labels/stable")] == [2, 1]
        request.config.model_config_list.config[0].version_labels["canary"] = 9
        with pytest.raises(grpc.RpcError) as caught:
            target.model.HandleReloadConfigRequest(request)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert factor(target, "/labels/stable") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": {"stable": 2}}, "assign label"),
        ({"path": "relative/path"}, "absolute path"),
        ({"platform": "torch"}, "model_platform"),
        ({"name": ""}, "no name"),
        ({"path": "/nowhere/at/all"}, "no version"),
        ({"policy": "model_version_policy { specific {} }"}, "names no versions"),
        ({"policy": "words"}, "is wrong"),
    ],
)
def test_config_files_that_are_wrong(base, tmp_path, options, message):
    with pytest.raises(UserError, match=message), start(config_file(tmp_path, config(base, **options))):
        pass


def test_models_listed_twice(base, tmp_path):
    with pytest.raises(UserError, match="multiple times"), start(config_file(tmp_path, config(base), config(base))):
        pass


def test_nothing_to_serve(tmp_path):
    for source in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError), start(source):
            pass


def test_a_port_that_is_taken(base):
    with start(base) as server:
        from tfrec.serving.server.process import Options, Server

        for ports in ({"rest_port": server.rest_port, "grpc_port": 0}, {"rest_port": 0, "grpc_port": server.grpc_port}):
            with pytest.raises(UserError, match="port"), Server(base, Options(**ports)):
                pass
