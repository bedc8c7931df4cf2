"""The command `noise_report`."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from tfrec.commands import noise_report

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for name, seconds in (("rain", (2.0, 0.2)), ("road", (1.0,))):
        (folder / name).mkdir()
        for i, length in enumerate(seconds):
            soundfile.write(folder / name / f"{i}.wav", 0.1 * random.normal(size=round(length * 8000)), 8000)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a trained run in the user's folder."""
    return pathlib.Path(shutil.copytree(trained("cnn")[0].path, tmp_path / "mine"))


@pytest.mark.slow
def test_a_separate_process(run, noise, tmp_path):
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP", "KERAS"))}
    words = ["mine", "--noise", noise, "--snr", "clean,20,15,10,5,0,-5", "--seen", "rain", "--seen-fraction", "0.65"]
    done = subprocess.run(
        [sys.executable, "-m", "tfrec", "noise_report", *map(str, words)],
        cwd=tmp_path,
        env={**quiet, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads((run / "noise" / "noise.json").read_text())
    assert {name: scores["set"] for name, scores in result["noises"].items()} == {"rain": "A", "road": "B"}
    assert result["clean"]["accuracy"] == json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
    for part in ("4 clips of the test split", "-5 dB", "20 to 0 dB", "rain", "road", "mean of 2", "clean"):
        assert part in done.stdout
    assert f"{100 * result['noises']['rain']['snr']['0']['accuracy']:.1f}" in done.stdout
    assert "In mine/noise: " in done.stdout
    assert sorted(path.name for path in (run / "noise").iterdir()) == [
        "confusion.png", "confusion_0_dB.png", "curves.png", "heat_map.png", "noise.csv", "noise.json",
        "reliability.png",
    ]  # fmt: skip
    assert sum(each["examples"] for each in result["calibration"]["bins"]) == 2 * 6 * result["examples"]
    assert "calibration error in noise" in " ".join(done.stdout.split())
    with Image.open(run / "noise" / "heat_map.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.slow
def test_the_seed_determines_the_result(run, noise, capsys):
    def measure(*words):
        assert noise_report.main([str(run), "--noise", str(noise), "--snr", "3,clean,-10", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    first = measure()
    assert first == measure() == json.loads((run / "noise" / "noise.json").read_text())
    assert first["snr_db"] == [3.0, -10.0]
    assert (first["seen"], first["averages"]) == ([], {})
    other = measure("--seed", "1", "--repeats", "2", "--split", "train")
    assert (other["seed"], other["repeats"], other["examples"]) == (1, 2, 26)
    assert other["noises"]["road"]["snr"]["3"]["examples"] == 52


@pytest.mark.slow
def test_another_report_does_not_replace_the_first(run, noise, capsys):
    def measure(*words):
        noise_report.main([str(run), "--noise", str(noise), "--snr", "0", *words])
        return capsys.readouterr().out

    assert f"In {run / 'noise'}: " in measure()
    first = (run / "noise" / "noise.json").read_text()
    assert f"In {run / 'noise-2'}: " in measure("--seed", "1")
    assert f"In {run / 'noise'}: " in measure()
    assert f"In {run / 'noise-2'}: " in measure("--seed", "1")
    assert f"In {run / 'noise-3'}: " in measure("--split", "validation")
    assert (run / "noise" / "noise.json").read_text() == first
    assert json.loads((run / "noise-2" / "noise.json").read_text())["seed"] == 1


def test_silent_noise_adds_nothing(run, noise, tmp_path, capsys, fails, caplog):
    shutil.copytree(noise, tmp_path / "noises")
    for name in ("silent", "rain"):
        (tmp_path / "noises" / name).mkdir(exist_ok=True)
        soundfile.write(tmp_path / "noises" / name / "zeros.wav", np.zeros(8000), 8000)
    words = [str(run), "--noise", str(tmp_path / "noises"), "--snr", "20,15,10,5,0"]
    noise_report.main(words)
    result = json.loads((run / "noise" / "noise.json").read_text())
    assert result["silent"] == ["silent"]
    assert list(result["noises"]) == result["sets"]["all"]["noises"] == ["rain", "road"]
    assert "silent and left out: silent" in capsys.readouterr().out.replace("\n", " ")
    assert "Noises that are silent add nothing and are left out: silent." in caplog.text
    assert "1 of 3 waveforms of the noise rain are silent" in caplog.text
    shutil.rmtree(tmp_path / "noises" / "rain")
    shutil.rmtree(tmp_path / "noises" / "road")
    assert "are all silent" in fails(noise_report, *words)


@pytest.mark.slow
def test_a_run_that_transcribes(trained, noise, tmp_path, capsys):
    run = pathlib.Path(shutil.copytree(trained("bilstm_ctc")[0].path, tmp_path / "mine"))
    assert noise_report.main([str(run), "--noise", str(noise), "--snr", "clean,0"]) == 0
    assert "word error rate among noises, %: 8 clips of the test split" in capsys.readouterr().out
    result = json.loads((run / "noise" / "noise.json").read_text())
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert (result["clean"]["wer"], result["clean"]["words"]) == (test["wer"], test["words"])
    assert not list((run / "noise").glob("confusion*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--snr", "clean,loud"], "snr must be clean or decibels from -100 to 100, with commas. Received: 'loud'"),
        (["--snr", "20,,0"], "Received: ''"),
        (["--snr", "inf"], "Received: 'inf'"),
        (["--snr", "nan"], "Received: 'nan'"),
        (["--snr", "101"], "Received: '101'"),
        (["--snr", "20,5,20.0"], "snr must name each ratio once. Received: '20.0' again"),
        (["--snr", "clean"], "snr must name a ratio in addition to clean"),
        (["--repeats", "0"], "repeats must be 1 or more. Received: 0"),
        (["--batch_size", "0"], "batch_size must be 1 or more. Received: 0"),
        (["--seed", "-1"], "seed must be 0 or more. Received: -1"),
        (["--seen", "rain", "rain"], "seen must name each type of noise once. Received: rain rain"),
        (["--seen", "rian"], "did you mean 'rain'"),
        (["--seen", "rain"], "--seen needs --seen-fraction F"),
        (["--seen", "rain", "--seen-fraction", "1"], "seen_fraction must be at least 0 and below 1. Received: 1.0"),
        (["--split", "tests"], "split"),
        (["--noises", "x"], "Unknown flag '--noises': did you mean '--noise'"),
        (["--noise", "nowhere"], "The noise folder nowhere does not exist"),
        (["--noise", "empty"], "The noise folder empty holds no audio"),
    ],
)
def test_user_errors(fails, run, noise, tmp_path, words, message):
    (tmp_path / "empty").mkdir()
    assert message in fails(noise_report, "mine", "--noise", noise, *words)


def test_runs_that_cannot_be_measured(fails, noise, trained):
    assert "is not a run" in fails(noise_report, "nothing", "--noise", noise)
    assert "was trained on images" in fails(noise_report, trained("digits")[0].path, "--noise", noise)
    assert "give --noise" in fails(noise_report, trained("cnn")[0].path)
