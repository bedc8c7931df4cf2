"""`--groups` of evaluate and of noise_report."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tfrec.commands import evaluate, noise_report

pytest.importorskip("fairlearn")


@pytest.fixture
def tones_of_devices(trained, tones, tmp_path):
    """A manifest with the tones, of which all that the device "far" has recorded are not recognized."""
    lines, paths = ["path,label,device,spk"], sorted(tones.glob("*/*"))
    for i, (path, answer) in enumerate(zip(paths, trained("cnn")[1].predict(paths), strict=True)):
        device = "far" if i % 4 == 0 else "near"
        label = answer.label if device == "near" else {"low": "high", "high": "low"}[answer.label]
        lines.append(f"{path},{label},{device},s{i % 3}")
    (tmp_path / "devices.csv").write_text("\n".join(lines))
    return tmp_path / "devices.csv"


@pytest.mark.slow
def test_groups_of_a_manifest(trained, tones_of_devices, tmp_path, capsys):
    run = pathlib.Path(shutil.copytree(trained("cnn")[0].path, tmp_path / "run"))
    words = [str(run), "--data.path", str(tones_of_devices), "--groups", "device", "speaker"]
    assert evaluate.main(words) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "accuracy by device" in out
    assert "Different from the others" in out
    scores = json.loads((run / "metrics.json").read_text())["data_devices.csv"]
    device = scores["groups"]["device"]
    assert (device["worst"], device["best"]) == ("far", "near")
    assert [row["examples"] for row in device["groups"]] == [8, 24]
    assert device["gap"] > 0.5
    assert device["overall"] == scores["accuracy"]
    assert max(row["p_holm"] for row in device["groups"]) < 0.05
    assert len(scores["groups"]["speaker"]["groups"]) == 3
    folder = run / "data_devices.csv"
    with Image.open(folder / "groups_device.png") as picture:
        assert min(picture.size) > 150
    page = (folder / "groups.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 2
    assert "<bdi>far</bdi>" in page
    with pytest.raises(UserError, match=r"'accent'.*device"):
        evaluate.main([*words[:3], "--groups", "accent"])


def test_word_error_rate_by_speaker(trained, tmp_path, capsys):
    run = pathlib.Path(shutil.copytree(trained("bilstm_ctc")[0].path, tmp_path / "run"))
    assert evaluate.main([str(run), "--groups", "speaker", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["test"]
    rows = scores["groups"]["speaker"]["groups"]
    assert {row["group"]: row["wer"] for row in rows} == {
        name: pytest.approx(part["wer"], abs=1e-6) for name, part in scores["by_speaker"].items()
    }
    assert rows[0]["wer"] == max(row["wer"] for row in rows)
    with pytest.raises(UserError, match="leave out the flags of decode"):
        evaluate.main([str(run), "--groups", "speaker", "--decode.method", "beam"])


def test_groups_in_noise(trained, tones, tmp_path, capsys):
    """The list of the run's own files has no speakers here, so that a column is written into it."""
    run = pathlib.Path(shutil.copytree(trained("cnn")[0].path, tmp_path / "run"))
    lines = (run / "splits.csv").read_text().splitlines()
    numbered = [f'{line}"{{""room"": ""{"ab"[i % 2]}""}}"' for i, line in enumerate(lines[1:])]
    (run / "splits.csv").write_text("\n".join([lines[0], *numbered]) + "\n")
    (tmp_path / "noise" / "rain").mkdir(parents=True)
    hiss = 0.1 * np.random.default_rng(0).normal(size=16000)
    soundfile.write(tmp_path / "noise" / "rain" / "0.wav", hiss, 8000)
    words = [str(run), "--noise", str(tmp_path / "noise"), "--snr", "clean,0"]
    assert noise_report.main([*words, "--groups", "room", "--repeats", "2"]) == 0
    assert "accuracy by room" in capsys.readouterr().out
    result = json.loads((run / "noise" / "noise.json").read_text())
    room = result["groups"]["room"]
    assert list(room) == ["clean", "0"]
    assert sum(row["examples"] for row in room["0"]["groups"]) == result["examples"]
    assert room["0"]["overall"] == pytest.approx(result["noises"]["rain"]["snr"]["0"]["accuracy"], abs=1e-6)
    with pytest.raises(UserError, match="--groups goes with --noise"):
        noise_report.main([str(run), "--recording", "--groups", "room"])
