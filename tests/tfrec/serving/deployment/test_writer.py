"""Files for Docker Compose and Kubernetes, and the configuration files of the server in them."""

import json
import pathlib
import subprocess

import pytest
import yaml
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.config import model_server_config_pb2

from pipelines.errors import UserError
from tests.serving import models
from tests.serving.targets import start, target_of
from tfrec.commands import serve
from tfrec.serving.deployment import batching_config, exports


def export(folder, tensorflow="2.17.1", **description):
    """A version with the parts of an export that are read."""
    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add().meta_info_def.tensorflow_version = tensorflow
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    (folder / "assets.extra" / "tfrec.json").write_text(json.dumps(description))


@pytest.fixture
def saved_models(tmp_path):
    """Two versions of "digits", and "words"."""
    folder = tmp_path / "saved models"
    for version in (1, 2):
        export(folder / "digits" / str(version), modality="image", on_bad_row="error")
    export(folder / "words" / "1", modality="audio", on_bad_row="fill")
    (folder / "digits" / ".tmp-3").mkdir()
    return folder


def write(saved_models, *words):
    """The files that the command writes, parsed where they are YAML."""
    folder = saved_models.parent / "deployment"
    assert serve.main([str(saved_models), "--write-config", str(folder), *words]) == 0
    files = {path.name: path.read_text() for path in folder.iterdir()}
    for name, text in files.items():
        if name.endswith("yaml"):
            files[name] = list(yaml.safe_load_all(text))
        elif name.endswith("yml"):
            files[name] = yaml.safe_load(text)
    return files


def config_of(text):
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config


def test_compose(saved_models):
    files = write(saved_models)
    assert sorted(files) == [
        "docker-compose.yml",
        "kubernetes.yaml",
        "monitoring.config",
        "prometheus.yml",
        "serving-models.config",
    ]
    service = files["docker-compose.yml"]["services"]["serving"]
    assert service["image"] == "tensorflow/serving:2.18.0"  # not older than 2.17.1
    assert service["volumes"] == [f"{saved_models}:/models:ro", ".:/config:ro"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "--enable_batching=true" not in service["command"]
    assert "/v1/models/digits" in service["healthcheck"]["test"][-1]
    for flag in service["command"]:
        if "=/config/" in flag:
            assert flag.split("=/config/")[1] in files


def test_the_health_check_finds_a_model_that_is_available(saved_models, contract_server):
    command = write(saved_models)["docker-compose.yml"]["services"]["serving"]["healthcheck"]["test"][1:]
    script = command[-1].replace("8501", str(contract_server.rest_port))
    assert subprocess.run([*command[:-1], script.replace("digits", "scaled")]).returncode == 0
    assert subprocess.run([*command[:-1], script], stderr=subprocess.DEVNULL).returncode != 0


@pytest.fixture(scope="module")
def contract_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    models.write_scaled(folder / "scaled" / "1")
    with start(folder) as server:
        yield server


def test_models_and_labels(saved_models):
    files = write(saved_models, "--labels", "digits:stable=1", "digits:canary=2")
    digits, words = config_of(files["serving-models.config"])
    assert (digits.name, digits.base_path, digits.model_platform) == ("digits", "/models/digits", "tensorflow")
    assert dict(digits.version_labels) == {"stable": 1, "canary": 2}
    assert list(digits.model_version_policy.specific.versions) == [1, 2]
    assert words.model_version_policy.latest.num_versions == 1
    command = files["docker-compose.yml"]["services"]["serving"]["command"]
    assert "--allow_version_labels_for_unavailable_models=true" in command


def test_the_stand_in_serves_what_is_written(tmp_path):
    for version in (1, 2):
        models.write_scaled(tmp_path / "saved_models" / "scaled" / str(version), float(version))
    text = write(tmp_path / "saved_models", "--labels", "scaled:stable=1", "--image", "ours/serving")[
        "serving-models.config"
    ]
    config = tmp_path / "models.config"
    config.write_text(text.replace("/models", str(tmp_path / "saved_models")))
    with start(config) as server:
        target = target_of(server)
        answers = [target.predict({"instances": [1.0]}, "scaled", where) for where in ("", "/labels/stable")]
    assert [answer["predictions"] for _, answer in answers] == [[2.0], [1.0]]


def test_batching_keeps_bytes_of_files_apart(saved_models, capsys):
    files = write(saved_models, "--with-batching")
    printed = capsys.readouterr().out
    services = files["docker-compose.yml"]["services"]
    assert sorted(services) == ["batching-audio", "batching-image", "serving"]
    for name in ("batching-audio", "batching-image"):
        assert "--enable_batching=true" in services[name]["command"]
    # Only an export that fills bad rows is batched under its own name.
    assert [one.name for one in config_of(files["batching-image-models.config"])] == ["digits_tensor"]
    assert [one.base_path for one in config_of(files["batching-image-models.config"])] == ["/models/digits"]
    assert [one.name for one in config_of(files["batching-audio-models.config"])] == ["words"]
    assert "digits_tensor: send the signature `tensor` alone" in printed
    assert "words: send" not in printed
    image, audio = (
        batching_config.parse(files[f"batching-{name}-batching.config"], name) for name in ("image", "audio")
    )
    assert (image.pad_variable_length_inputs, audio.pad_variable_length_inputs) == (False, True)
    assert len({port for one in services.values() for port in one["ports"]}) == 6


def test_kubernetes(saved_models):
    config, deployment, service, scaler = write(saved_models)["kubernetes.yaml"]
    assert [one["kind"] for one in (config, deployment, service, scaler)] == [
        "ConfigMap",
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
    ]
    assert [one.name for one in config_of(config["data"]["serving-models.config"])] == ["digits", "words"]
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/v1/models/digits", "port": 8501}
    assert container["livenessProbe"]["tcpSocket"] == {"port": 8500}
    assert container["image"] == "tensorflow/serving:2.18.0"
    labels = deployment["spec"]["selector"]["matchLabels"]
    assert pod["metadata"]["labels"] == service["spec"]["selector"] == labels
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["spec"]["volumes"]}


def test_images(saved_models):
    export(saved_models / "new" / "1", tensorflow="2.21.0", modality="image")
    with pytest.raises(UserError, match=r"new was written by TensorFlow 2\.21\.0, an older server cannot run it"):
        write(saved_models)
    assert not (saved_models.parent / "deployment").exists()
    service = write(saved_models, "--image", "ours/serving:2.21")["docker-compose.yml"]["services"]["serving"]
    assert service["image"] == "ours/serving:2.21"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels", "digits:stable=9"], "digits has no version 9 for the label stable"),
        (["--labels", "none:stable=1"], "holds no model none: there are digits, words"),
        (["--labels", "digits=1"], "is not of the form MODEL:LABEL=VERSION"),
    ],
)
def test_labels_that_are_wrong(saved_models, words, message):
    with pytest.raises(UserError, match=message):
        write(saved_models, *words)


def test_a_folder_without_exports_and_a_damaged_one(saved_models, tmp_path):
    with pytest.raises(UserError, match="holds no export"):
        write(tmp_path / "none")
    (saved_models / "words" / "1" / "saved_model.pb").write_bytes(b"\xff" * 9)
    with pytest.raises(UserError, match="is damaged"):
        write(saved_models)


def test_the_version_of_a_real_saved_model(tmp_path):
    import tensorflow as tf

    models.write_scaled(tmp_path / "1")
    assert exports.tensorflow_version(pathlib.Path(tmp_path / "1")) == tf.__version__
