"""The studies of noise and of speakers: what they train, and their tables."""

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from tests.tfrec.studies.helpers import finished_run
from tfrec.commands import study
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.studies import noise, speakers, tables
from tfrec.studies.study import Step

NOISE = ("crowd", "machine", "wind")


@pytest.fixture
def noises(tmp_path):
    folder = tmp_path / "noises"
    for name in NOISE:
        (folder / name).mkdir(parents=True)
        soundfile.write(folder / name / "a.wav", np.ones(100) / 10, 8000)
    return str(folder)


def test_the_noise_study_trains_every_row_clean_and_with_noise(tmp_path, noises):
    options = noise.Options(noise=noises, seeds=(3,))
    steps = noise.steps(options, ["--fit.clip_norm", "7"], tmp_path)
    assert len({step.label for step in steps}) == len(steps)
    for row in noise.ARCHITECTURES:
        assert [step.group for step in steps if step.row == row] == list(noise.GROUPS)
    for step in (step for step in steps if step.row):
        _, arguments = flags.parse_fit(list(step.words))
        assert (arguments.seed, arguments.fit.clip_norm) == (3, 7)
        assert arguments.frontend.noise_types == ("crowd", "machine")
        assert (arguments.frontend.noise_probability == 0) == (step.group == "clean")
        ((_, measure),) = step.measures
        assert measure[:3] == ("noise_report", "--noise", noises)
    policies = [step for step in steps if (step.row or "").startswith(noise.PRETRAINING)]
    assert len(policies) == 1 + len(noise.POLICIES)
    few = noise.steps(noise.Options(noise=noises, parts=("architectures",), models=("gru",)), [], tmp_path)
    assert [step.label for step in few][:2] == ["gru-clean-0", "gru-multi-condition-0"]
    assert len(few) == 2 * 3


def test_the_speaker_study_leaves_out_each_speaker(tmp_path, noises):
    steps = speakers.steps(speakers.Options(noise=noises, seeds=(0, 1)), [], tmp_path)
    assert len(steps) == 10
    for step in steps:
        _, arguments = flags.parse_fit(list(step.words))
        assert (arguments.data.split, arguments.data.test_speakers) == ("speaker", (step.row,))


def noise_run(folder, label, clean, average):
    finished_run(folder, label, clean)
    run = Run(folder / "runs" / label)
    run.write_json("metrics.json", {"test": {"accuracy": clean}, "fit_seconds": 120})
    (run.path / "noise").mkdir()
    score = {"accuracy": average, "interval": [average - 0.1, average + 0.1]}
    report = {
        "clean": {"accuracy": clean, "interval": [clean - 0.2, clean + 0.2]},
        "averages": {"A": score, "B": score, "all": score},
        "noises": {"wind": {"average": score}},
    }
    run.write_json("noise/noise.json", report)


def test_tables_of_the_noise_study(tmp_path):
    steps = []
    for seed, accuracy in enumerate((0.7, 0.8)):
        for group in noise.GROUPS:
            noise_run(tmp_path, f"gru-{group}-{seed}", accuracy, 0.5)
            steps.append(Step(f"gru-{group}-{seed}", "gru", (), group))
        noise_run(tmp_path, f"few-{seed}", 0.6, accuracy)
        steps.append(Step(f"few-{seed}", f"{noise.PRETRAINING}random weights", (), noise.GROUPS[1]))
    architectures, types, pretraining = noise.tables(tmp_path, steps)
    low, high = tables.t_interval([0.7, 0.8])
    assert architectures.headings[:3] == ("training", "clean: clean", "clean: set A")
    assert architectures.lines[0][:3] == ("gru", f"75.0 ({100 * low:.1f} to {100 * high:.1f})", "50.0 (50.0 to 50.0)")
    assert architectures.lines[0][-1] == "2.0"
    assert types.headings == ("training", "wind", "minutes each")
    assert pretraining.records[0]["multi-condition A"] == pytest.approx(0.75)
    (single, *_) = noise.tables(tmp_path, steps[:2])
    assert single.lines[0][1] == "70.0 (50.0 to 90.0)"  # for a single seed, the interval of its report


def test_mean_over_speakers(tmp_path):
    steps = []
    for speaker, accuracy in (("george", 0.9), ("theo", 0.8)):
        noise_run(tmp_path, f"{speaker}-0", accuracy, accuracy - 0.1)
        steps.append(Step(f"{speaker}-0", speaker, (), noise.GROUPS[1]))
    (table,) = speakers.tables(tmp_path, steps)
    assert [line[0] for line in table.lines] == ["george", "theo", "mean over speakers"]
    assert table.lines[-1][1:3] == ("85.0", "75.0")
    tables.write(tmp_path, [table])
    assert "| mean over speakers | 85.0 | 75.0 |" in (tmp_path / "study.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --noise"),
        (["--noise", "nowhere"], "does not exist"),
        (["--noise", "NOISES", "--unseen", "wnd"], "did you mean 'wind'"),
        (["--noise", "NOISES", "--unseen", *NOISE], "leave one for training"),
        (["--noise", "NOISES", "--models", "lsmt"], "did you mean 'lstm'"),
        (["--noise", "NOISES", "--few", "0"], "few must be 1"),
        (["--noise", "NOISES", "--model.name", "cnn"], "leave it out"),
        (["--noise", "NOISES", "--seed", "1"], "leave it out"),
        (["--noise", "NOISES", "--lound", "1"], "unknown flag"),
    ],
)
def test_user_errors_in_the_noise_study(words, message, noises, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"(?i){message}"):
        study.main(["noise", *(noises if word == "NOISES" else word for word in words)])
    assert not (tmp_path / "runs").exists()
