"""What a file for devices says of itself, and files that are not what their names say."""

import dataclasses
import json
import zipfile

import pytest

import tfrec
from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.commands import evaluate, export
from tfrec.devices import contents, conversion, file_recognizer, formats

MODEL = b"\x1c\0\0\0TFL3" + bytes(64)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(MODEL)
    return path


def test_texts_follow_the_model(model):
    contents.write(model, {contents.DESCRIPTION: "{}", contents.LABELS: "höher\ntiefer\n"})
    contents.write(model, {contents.CERTIFICATE: "[]"})
    assert model.read_bytes().startswith(MODEL)
    texts = {contents.DESCRIPTION: "{}", contents.LABELS: "höher\ntiefer\n", contents.CERTIFICATE: "[]"}
    assert contents.read_litert(str(model)) == texts
    with zipfile.ZipFile(model) as archive:  # as `unzip` does
        assert archive.read("labels.txt").decode() == "höher\ntiefer\n"


def test_a_foreign_or_truncated_file_has_no_texts(model):
    with pytest.raises(contents.ContentsError, match=r"was not exported by tfrec"):
        contents.read_litert(str(model))
    contents.write(model, {contents.DESCRIPTION: "{}"})
    model.write_bytes(model.read_bytes()[:-30])
    with pytest.raises(contents.ContentsError, match=r"is truncated"):
        contents.read_litert(str(model))
    model.write_bytes(b"GIF89a" + bytes(20))
    with pytest.raises(contents.ContentsError, match=r"no LiteRT model by its first bytes"):
        contents.read_litert(str(model))


def test_a_large_text_is_refused_in_bounded_size(model, monkeypatch):
    monkeypatch.setattr(contents, "MAX_BYTES", 1000)
    contents.write(model, {contents.DESCRIPTION: "x" * 1001})
    with pytest.raises(contents.ContentsError, match=r"more than 1,000 bytes"):
        contents.read_litert(str(model))


@pytest.mark.parametrize(
    ("message", "clause"),
    [
        (
            "Some ops are not supported by the native TFLite runtime. Flex ops: FlexErf, FlexRFFT Details: tf.Erf",
            "the format lacks Erf, RFFT",
        ),
        ("loc(...): error: 'tf.Unique' op is neither a custom op nor a flex op", "the format lacks Unique"),
        ("the process was ended by SIGABRT", "the process was ended by SIGABRT"),
    ],
)
def test_the_reason_names_the_operations(message, clause):
    assert conversion.reason(message) == clause


@pytest.mark.parametrize("content", [b"", b"no model at all, in more than 16 bytes", MODEL, MODEL[:8] + bytes(8)])
def test_predict_refuses_what_is_no_model(content, tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^\S*model\.tflite [^\n]{10,300}\.$"):
        tfrec.load(path)


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs ai_edge_litert, ai_edge_quantizer: pip install 'tfrec\[litert\]'"):
        formats.require_modules("litert-int8")


def test_the_command_knows_every_format():
    choices = export.Arguments.__annotations__["format"].__args__
    assert set(choices) == {"saved_model", *formats.FORMATS}


def test_a_description_has_no_folder_of_this_machine():
    built = untrained.recognizer("lstm_ctc")
    config = dataclasses.replace(built.config, data=dataclasses.replace(built.config.data, path="/home/me/an4"))
    description = file_recognizer.describe(built.replace(config=config), 8000)
    assert description["config"]["data"]["path"] == "an4"
    assert "/home" not in json.dumps(description)
    assert description["inputs"] == {"audio": [1, 8000], "length": [1]}
    assert description["network_outputs"] == ["logits", "steps"]
    assert description["labels"] == built.task.labels


def test_evaluate_needs_a_run_of_files_alone():
    with pytest.raises(UserError, match=r"--data\.run is for files for devices"):
        evaluate.main(["run", "--data.run", "other"])
