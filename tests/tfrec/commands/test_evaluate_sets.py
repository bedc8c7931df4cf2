"""`evaluate --conformal`, and the sets in exports."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.commands import evaluate
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.serving import layout
from tfrec.serving.certificate import compare


@pytest.fixture
def digits(trained, tmp_path):
    """A copy of a run that has chosen nothing yet, as older versions left it."""
    shutil.copytree(trained("digits")[0].path, tmp_path / "digits")
    return Run.open(tmp_path / "digits")


def test_sets_are_fitted_measured_and_exported(digits, tmp_path, capsys):
    assert evaluate.main([str(digits.path), "--conformal", "0.95", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["test"]["conformal"]
    decision = digits.read_json("decision.json")["conformal"]
    assert (decision["level"], decision["examples"]) == (0.95, scores["fit_examples"])
    assert scores["coverage"] >= 0.9
    before = digits.read_json("decision.json")
    (digits.path / "splits.csv").unlink(missing_ok=True)
    assert evaluate.main([str(digits.path), "--conformal", "0.95"]) == 0  # what was fitted stays
    assert digits.read_json("decision.json") == before
    out = " ".join(capsys.readouterr().out.split())
    assert "prediction sets" in out
    assert f"{scores['coverage']:.2%}" in out

    recognizer = Recognizer.from_run(digits)
    folder = recognizer.export(tmp_path / "models", "digits")  # replays the sets
    description = json.loads((folder / layout.DESCRIPTION).read_text())
    assert description["set_threshold"] == decision["threshold"]
    assert description["set_coverage"] == 0.95
    loaded = tf.saved_model.load(str(folder))
    images = np.stack(list(recognizer.examples()))
    outputs = loaded.signatures["tensor"](tf.constant(images))
    sets, probabilities = outputs["prediction_sets"].numpy(), outputs["probabilities"].numpy()
    assert sets.shape == probabilities.shape
    best = probabilities.argmax(axis=-1)[:, None] == np.arange(10)
    np.testing.assert_array_equal(sets, (probabilities >= decision["threshold"]) | best)


def test_without_a_fit_there_are_no_sets(trained):
    _, recognizer = trained("digits")
    assert "prediction_sets" not in recognizer.answers(np.zeros((1, 8, 8, 1), "uint8"))


def test_a_set_may_differ_at_its_threshold_alone():
    row = {"probabilities": np.float32([0.7, 0.2, 0.1]), "prediction_sets": np.array([True, True, False])}
    other = row | {"prediction_sets": np.array([True, False, False])}
    near = compare.Comparison(set_threshold=0.20005)
    near.add(other, row)
    assert near.ties == 1
    for threshold in (0.21, None):
        with pytest.raises(compare.DifferenceError, match="prediction_sets"):
            compare.Comparison(set_threshold=threshold).add(other, row)


def test_what_has_no_classes_has_no_sets(trained):
    with pytest.raises(UserError, match=r"--conformal: task\.name transcribe has no classes"):
        evaluate.main([str(trained("bilstm_ctc")[0].path), "--conformal", "0.9"])
