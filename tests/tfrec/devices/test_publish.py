"""Files for devices answer as the run that they were made of, by their own runtime."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfrec
from pipelines.errors import UserError
from tests import conftest
from tests.tfrec.serving.hostile import networks
from tfrec.commands import evaluate, export, predict
from tfrec.config import flags
from tfrec.devices import contents, formats, publish
from tfrec.inference.listening import Listener
from tfrec.recognizer import Recognizer
from tfrec.serving import savedmodel

pytestmark = pytest.mark.slow
PACKAGES = {"litert": "ai_edge_litert", "litert-int8": "ai_edge_quantizer", "onnx": "tf2onnx"}


CASES = [
    *(("digits", "litert"), ("digits", "onnx"), ("cnn", "litert-int8"), ("cnn", "onnx")),
    *(("lstm", "litert"), ("lstm", "litert-int8")),
]


@pytest.fixture(params=CASES, ids="-".join)
def case(request, trained):
    """(run, recognizer, format)."""
    pytest.importorskip(PACKAGES[request.param[1]])
    return *trained(request.param[0]), request.param[1]


def test_a_file_answers_as_its_run(case, tmp_path, capsys):
    run, recognizer, name = case
    path, certificate = publish.publish(recognizer, name, tmp_path / "models", "small")
    assert [each.name for each in path.parent.iterdir()] == [path.name] == [f"small{formats.FORMATS[name].ending}"]
    own, made = certificate["rows"]
    assert made["examples"] == own["examples"] > 3
    low, high = made["interval"]
    assert low <= made["score"] <= high
    assert abs(made["score"] - own["score"]) <= (1e-9 if formats.FORMATS[name].is_exact else 0.05)
    assert certificate["largest_difference"] <= (1e-4 if formats.FORMATS[name].is_exact else 0.2)
    assert made["latency_ms"] > 0
    assert made["peak_bytes"] > 0

    opened = tfrec.load(path)
    assert json.loads(opened.interpreter.texts[contents.CERTIFICATE]) == certificate
    assert opened.interpreter.texts[contents.LABELS].split() == recognizer.task.labels
    sources = recognizer.examples()
    tolerance = 1e-4 if formats.FORMATS[name].is_exact else 0.2
    for answer, expected in zip(opened.predict(sources), recognizer.predict(sources), strict=True):
        np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=tolerance)

    assert evaluate.main([str(path), "--data.run", str(run.path), "--json"]) == 0
    of_file = json.loads(capsys.readouterr().out)["test"]
    of_run = run.read_json("metrics.json")["test"]
    assert of_file.keys() >= {"accuracy", "accuracy_interval", "calibration"}
    assert abs(of_file["accuracy"] - of_run["accuracy"]) <= (1e-9 if formats.FORMATS[name].is_exact else 0.05)


def test_a_transcriber_and_a_network_of_pairs(trained, tmp_path):
    pytest.importorskip("ai_edge_litert")
    for name in ("bilstm_ctc", "av_fusion"):
        recognizer = trained(name)[1]
        path, certificate = publish.publish(recognizer, "litert", tmp_path, name)
        assert certificate["largest_difference"] <= 1e-4
        sources = recognizer.examples()
        given = [answer.plain() for answer in tfrec.load(path).predict(sources)]
        assert given == [answer.plain() for answer in recognizer.predict(sources)]


def test_the_command_and_a_file_that_is_longer(trained, tones, tmp_path, capsys):
    pytest.importorskip("ai_edge_litert")
    run, _ = trained("cnn")
    words = [str(run.path), "--format", "litert", "--folder", str(tmp_path), "--name", "tones", "--seconds", "0.75"]
    assert export.main(words) == 0
    assert "peak MB" in capsys.readouterr().out
    assert predict.main([str(tmp_path / "tones.tflite"), str(tones / "low" / "1.wav")]) == 0
    assert "low" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"takes clips of up to 0\.75 s, and this one lasts 1 s"):
        list(tfrec.load(tmp_path / "tones.tflite").predict(np.zeros(8000, "float32")))
    with pytest.raises(UserError, match=r"--top|decode"):
        list(tfrec.load(tmp_path / "tones.tflite").predict(np.zeros(800, "float32"), decode=None))


def test_listening_and_the_lines_of_the_guide(trained, tones, tmp_path):
    """The lines run where there is no TensorFlow; a word is printed where its probability reaches the threshold."""
    pytest.importorskip("ai_edge_litert")
    path, _ = publish.publish(trained("cnn")[1], "litert", tmp_path / "saved_models", "words", seconds=1.0)
    opened = tfrec.load(path)
    listener = Listener(opened, threshold=0.0)
    events = [event for _ in range(20) for event in listener.feed(np.zeros(800, "float32"))]
    assert all(event.word in ("high", "low") for event in [*events, *listener.end()])

    shutil.copy(tones / "low" / "1.wav", tmp_path / "yes.wav")
    page = (conftest.ROOT / "docs" / "guides" / "devices.md").read_text(encoding="utf-8")
    code = "import sys; sys.modules['tensorflow'] = None\n" + page.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (answer,) = opened.predict(tmp_path / "yes.wav")
    probability = max(answer.probabilities)
    expected = f"low {probability:.1%}\n" if probability >= opened.description["threshold"] else ""
    assert done.stdout == expected


def test_int8_has_small_weights_in_the_network_alone(tmp_path):
    """Of a network whose weights are most of its file."""
    pytest.importorskip("ai_edge_quantizer")
    words = [*networks.SOUNDS, "--model.name", "cnn", "--model.width", "64"]
    recognizer = Recognizer(flags.to_config(flags.parse_fit(words)[1]), ["high", "low"])
    sizes, differences = [], []
    for name in ("litert", "litert-int8"):
        path, certificate = publish.publish(recognizer, name, tmp_path, "sized")
        sizes.append(path.stat().st_size)
        differences.append(certificate["largest_difference"])
    assert sizes[1] < 0.35 * sizes[0]
    assert differences[0] <= 1e-4 < differences[1] < 0.2


def test_a_failure_leaves_nothing_behind(trained, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    recognizer = trained("digits")[1]
    (tmp_path / "digits.tflite").write_bytes(b"the earlier one")
    wrong = recognizer.replace(frontend=recognizer.frontend)
    of_values = savedmodel.of_values
    monkeypatch.setattr(savedmodel, "of_values", lambda *given: lambda inputs: of_values(*given)(inputs) * 1.01)
    with pytest.raises(UserError, match=r"^Not published: the file answers example 0: "):
        publish.publish(wrong, "litert", tmp_path, "digits")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.tflite"]
    assert (tmp_path / "digits.tflite").read_bytes() == b"the earlier one"


def test_hostile_files_end_in_a_sentence(trained, tmp_path):
    """Bytes changed at random, and the file cut at every place, in the model as in its description."""
    pytest.importorskip("ai_edge_litert")
    path = publish.publish(trained("digits")[1], "litert", tmp_path, "digits")[0]
    whole, random = path.read_bytes(), np.random.default_rng(0)
    sentences = []
    for i in range(40):
        content = bytearray(whole)
        if i % 2:
            content = content[: random.integers(len(whole))]
        else:
            for place in random.integers(len(whole), size=20):
                content[place] = random.integers(256)
        changed = tmp_path / "changed.tflite"
        changed.write_bytes(content)
        try:
            (answer,) = tfrec.load(changed).predict(np.zeros((8, 8, 1), "uint8"))
            assert answer.label in list("0123456789")
        except UserError as error:  # nothing else
            sentences.append(str(error))
    assert len(sentences) >= 20  # every cut file
    assert all(str(changed) in sentence and "\n" not in sentence for sentence in sentences)


def test_the_worker_imports_no_tensorflow():
    code = "import sys; from tfrec.devices.worker import messages, runtimes; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
