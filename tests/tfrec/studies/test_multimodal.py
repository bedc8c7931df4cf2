"""The study of pictures and speech: what it trains, its tables, and the command."""

import csv
import sys

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from tfrec.commands import study
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.studies import fit_process, multimodal, tables
from tfrec.studies import study as studying
from tfrec.studies.speakers import SPEAKERS


@pytest.fixture
def noises(tmp_path):
    folder = tmp_path / "noises"
    for name in ("crowd", "machine", "wind"):
        (folder / name).mkdir(parents=True)
        soundfile.write(folder / name / "a.wav", np.ones(100) / 10, 8000)
    return str(folder)


def test_trainings(tmp_path, noises):
    options = multimodal.Options(noise=noises, seeds=(0, 1))
    steps = multimodal.steps(options, ["--fit.epochs", "7"], tmp_path)
    assert len({step.label for step in steps}) == len(steps) == 2 * (1 + len(SPEAKERS) + 1)
    for step in steps:
        _, arguments = flags.parse_fit(list(step.words))
        assert (arguments.fit.epochs, arguments.seed) == (7, int(step.label[-1]))
        if step.group == multimodal.UNSEEN:
            assert (arguments.data.split, arguments.data.test_speakers) == ("speaker", (step.row,))
        elif step.group == multimodal.FUSION:
            assert arguments.frontend.speech.noise_types == ("crowd", "machine")
            ((file, measure),) = step.measures
            assert file == multimodal.REPORT
            assert measure[:3] == ("noise_report", "--noise", noises)
    parts = multimodal.Options(parts=("retrieval",), speakers=("theo",), seeds=(3,))  # needs no noises
    assert [step.label for step in multimodal.steps(parts, [], tmp_path)] == ["pairs-3", "pairs-theo-3"]


def score(value):
    return {"recall_at_1": value, "recall_at_1_interval": [value - 0.1, value + 0.1]}


def write_run(run, value):
    run.path.mkdir(parents=True, exist_ok=True)
    if run.name.startswith("fusion"):
        test = {"accuracy": value}
        cell = {"accuracy": value, "interval": [value - 0.1, value + 0.1]}
        cells = {"clean": cell, "occlusion_50": cell}
        report = {"image": cells, "audio": {"clean": cell, "0": cell}, "fused": {"clean": cells, "0": cells}}
        (run.path / "pairs").mkdir(exist_ok=True)
        run.write_json(multimodal.REPORT, report)
    else:
        test = {"recall_at_1": value, "audio_to_image": score(value), "image_to_audio": score(value + 0.05)}
    run.write_json("metrics.json", {"test": test, "fit_seconds": 120})


def test_tables(tmp_path, noises):
    options = multimodal.Options(noise=noises, speakers=("george", "theo"), seeds=(0, 1))
    steps = multimodal.steps(options, [], tmp_path)
    for step in steps:
        write_run(Run(tmp_path / "runs" / step.label), {"0": 0.6, "1": 0.8}[step.label[-1]])
    pairs, speakers, fusion = multimodal.tables(tmp_path, steps)
    assert pairs.headings == ("training", "speech to image", "image to speech", "minutes each")
    low, high = tables.t_interval([0.6, 0.8])
    assert pairs.lines[0] == ("seed 0", "60.0 (50.0 to 70.0)", "65.0 (55.0 to 75.0)", "2.0")
    assert pairs.lines[-1][:2] == ("all seeds", f"70.0 ({100 * low:.1f} to {100 * high:.1f})")
    assert [line[0] for line in speakers.lines] == ["george", "theo", "mean over speakers"]
    assert fusion.headings == ("speech", "clip alone", "clean", "occlusion_50")
    assert [line[0] for line in fusion.lines] == ["picture alone", "clean", "0 dB"]
    assert fusion.lines[2][1].startswith("70.0 (")
    (one, *_) = multimodal.tables(tmp_path, [step for step in steps if step.label.endswith("0")])
    assert [line[0] for line in one.lines] == ["seed 0"]
    tables.write(tmp_path, [fusion])
    rows = list(csv.DictReader((tmp_path / "fusion.csv").open()))
    assert [(row["inputs"], row["speech"], row["picture"]) for row in rows[:3]] == [
        ("picture alone", "", "clean"),
        ("picture alone", "", "occlusion_50"),
        ("clip alone", "clean", ""),
    ]
    assert len(rows) == 2 + 2 * 3


def test_the_command_and_its_resumption(tmp_path, noises, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained = []

    def fit(run, words, logs, call):
        trained.append(run.name)
        if run.name == "fusion-0" and trained.count("fusion-0") == 1:
            return "It was interrupted."
        write_run(run, 0.5)

    monkeypatch.setattr(fit_process, "fit", fit)
    monkeypatch.setattr(studying, "COMMAND_LINE", (sys.executable, "-c", "raise SystemExit(1)"))  # measures nothing
    words = ["multimodal", "--noise", noises, "--speakers", "theo", "--seeds", "0", "--report", "study"]
    with pytest.raises(UserError, match=r"fusion-0 failed: It was interrupted"):
        study.main(words)
    assert study.main([*words, "--resume"]) == 0
    assert trained == ["pairs-0", "pairs-theo-0", "fusion-0", "fusion-0"]
    text = (tmp_path / "study" / "study.md").read_text()
    assert all(part in text for part in ("| seed 0 |", "| mean over speakers |", "| picture alone |"))
    assert "clip alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --noise"),
        (["--noise", "NOISES", "--unseen", "wnd"], "did you mean 'wind'"),
        (["--noise", "NOISES", "--data.split", "speaker"], "leave it out"),
        (["--parts", "fusoin"], "fusoin"),
        (["--parts", "retrieval", "--speakers", "theos"], "did you mean 'theo'"),
    ],
)
def test_user_errors(words, message, noises, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        study.main(["multimodal", *(noises if word == "NOISES" else word for word in words)])
    assert not (tmp_path / "runs").exists()
