"""Classification of pairs: one training, answers with one input alone, and what is refused."""

import csv
import json

import numpy as np
import pytest

from tfrec import tasks
from tfrec.commands import evaluate, noise_report, predict
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run


@pytest.fixture(scope="module")
def run(trained):
    run, recognizer = trained("av_fusion")
    scores = json.loads((run.path / "metrics.json").read_text())["test"]
    assert scores["accuracy"] >= 0.9
    assert recognizer.task.class_names == ("a", "b", "c", "d")
    return run.path


def test_data_of_pairs_bring_the_network():
    words = ["--data.name", "digit_pairs", "--task.name", "classify"]
    config = flags.to_config(flags.parse_fit(words)[1])
    assert (config.model.name, config.frontend.name) == ("av_fusion", "paired")
    assert tasks.model("classify") == "cnn"
    config = flags.to_config(flags.parse_fit(["digits", *words])[1])
    assert config.model.name == "av_fusion"


def test_predict_takes_either_input_or_both(run, pairs, capsys):
    recognizer = Recognizer.from_run(run)
    folder = pairs.parent
    files = [str(folder / name) for name in ("1.png", "1.wav")]
    both = {"image": files[0], "audio": files[1]}
    answers = list(recognizer.predict([*files, both]))
    assert {answer.label for answer in answers} == {"b"}
    assert not np.allclose(answers[0].probabilities, answers[2].probabilities)
    (listed,) = recognizer.predict(both)
    np.testing.assert_allclose(listed.probabilities, answers[2].probabilities)
    rows = folder / "few.csv"
    rows.write_text("image,audio\n1.png,1.wav\n2.png,2.wav\n", encoding="utf-8")
    assert predict.main([str(run), *files, str(rows), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in printed] == ["b", "b", "b", "c"]
    assert printed[2]["file"] == f"{files[0]} + {files[1]}"
    with pytest.raises(ValueError, match="must have the keys image and audio"):
        list(recognizer.predict({"image": files[0]}))


def test_evaluate_other_pairs(run, pairs, capsys):
    rows = pairs.parent / "other.csv"
    rows.write_text("image,audio,label\n1.png,1.wav,b\n3.png,3.wav,d\n", encoding="utf-8")
    assert evaluate.main([str(run), "--data.path", str(rows), "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out).values()
    assert scores["accuracy"] == 1


def test_noise_report_of_pairs(run, noise, capsys):
    words = ["--noise", str(noise), "--snr", "clean,0,-20", "--pictures", "gaussian_noise:1", "occlusion_50"]
    assert noise_report.main([str(run), *words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["audio"]) == ["clean", "0", "-20"]
    assert list(result["image"]) == ["clean", "gaussian_noise:1", "occlusion_50"]
    recognizer = Recognizer.from_run(run)
    scores = json.loads((run / "metrics.json").read_text())["test"]
    assert result["fused"]["clean"]["clean"]["accuracy"] == pytest.approx(scores["accuracy"])
    assert result["audio"]["-20"]["examples"] == 32  # with two noises
    assert result["audio"]["-20"]["accuracy"] < result["audio"]["clean"]["accuracy"]
    assert 0 < result["fused"]["0"]["occlusion_50"]["image_gate"] < 1
    rows = list(csv.DictReader((run / "pairs" / "pairs.csv").open()))
    assert len(rows) == 3 + 3 + 9
    assert Run(run).free_report("pairs", result) == run / "pairs"
    assert recognizer.of_inputs(["audio", "image"]) is recognizer


def test_user_errors(run, trained, fails):
    assert "needed for a run on pairs" in fails(noise_report, run)
    assert "Unknown corruption 'blur'" in fails(noise_report, run, "--pictures", "blur")
    assert "1 to 5" in fails(noise_report, run, "--pictures", "fog:6")
    assert "needed for a run on pairs" in fails(noise_report, trained("dual_encoder")[0].path)
