"""Studies: what is trained, what is not trained twice, and the table."""

import csv
import json
import os
import time

import numpy as np
import pytest
import soundfile
from scipy import stats

from pipelines.errors import UserError
from tfrec.commands import study
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.studies import noise, speakers, transfer
from tfrec.studies import study as studying
from tfrec.studies.study import Step
from tfrec.utils import processes

QUICK = ("digits", "--fit.epochs", "1", "--model.width", "4", "--model.depth", "1")


def fake(folder, label, accuracy):
    run = Run(folder / "runs" / label)
    run.path.mkdir(parents=True)
    run.write_json("metrics.json", {"test": {"accuracy": accuracy}, "fit_seconds": 60})


def test_rows_and_files(tmp_path):
    ours, base = (0.8, 0.82, 0.87), (0.7, 0.69, 0.71)
    steps = [Step("source", None, ())]
    for seed, (one, other) in enumerate(zip(ours, base, strict=True)):
        fake(tmp_path, f"ours-{seed}", one)
        fake(tmp_path, f"base-{seed}", other)
        steps += [Step(f"base-{seed}", "base", ()), Step(f"ours-{seed}", "ours", ())]
    first, second = studying.rows(tmp_path, steps, "base")
    assert (first["row"], first["margin"], second["row"]) == ("base", None, "ours")
    assert second["mean"] == pytest.approx(0.83)
    assert second["margin"] == pytest.approx(0.13)
    test = stats.ttest_rel(ours, base).confidence_interval()  # an independent way to the same interval
    assert second["margin_interval"] == pytest.approx((test.low, test.high))
    assert studying.interval([0.5]) is None
    studying.write(tmp_path, [studying.margins(tmp_path, steps, "base", "both", "The margin is over base.")])
    text = (tmp_path / "study.md").read_text()
    assert text.startswith("The margin is over base.\n\n| training |")
    assert "| ours | 83.0 | 74.0 to 92.0 | 13.0 |" in text
    written = list(csv.DictReader((tmp_path / "both.csv").open()))
    assert float(written[1]["margin_low"]) == pytest.approx(test.low)


def test_finished_trainings_are_not_repeated_and_a_failing_one_is_named(tmp_path, capsys):
    steps = [Step("one", "a", QUICK), Step("two", "b", (*QUICK, "--fit.learning_rate", "1e30"))]
    with pytest.raises(UserError, match=r"two failed: .*fit.learning_rate"):
        studying.train(tmp_path, steps)
    trained = (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns
    steps[1] = Step("two", "b", (*QUICK, "--seed", "1"))
    studying.train(tmp_path, steps)
    assert (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns == trained
    assert all(studying.score(Run(tmp_path / "runs" / label))[1] for label in ("one", "two"))
    assert capsys.readouterr().out.count("of the test split") == 2


def test_the_transfer_study_gives_every_policy_every_seed_and_its_own_source(tmp_path):
    steps = transfer.steps(transfer.Options(seeds=(0, 7)), [], tmp_path)
    assert len(steps) == len({step.label for step in steps}) == 2 * (2 + len(transfer.POLICIES))
    for seed in ("0", "7"):
        mine = [step for step in steps if step.label.endswith(f"-{seed}")]
        assert {step.row for step in mine} == {None, transfer.BASELINE, *transfer.POLICIES}
        for step in mine:
            assert step.words[step.words.index("--seed") + 1] == seed
            if "--model.weights" in step.words:
                assert step.words[step.words.index("--model.weights") + 1] == str(tmp_path / f"first-five-{seed}")


def test_several_at_once_but_sources_first(tmp_path, monkeypatch):
    running, most, order = set(), [], []

    def train(run, words, logs, follow):
        running.add(run.name)
        most.append(len(running))
        order.append(run.name)
        time.sleep(0.2)
        running.remove(run.name)
        fake(tmp_path, run.name, 0.5)

    monkeypatch.setattr(processes, "train", train)
    steps = [Step(f"a{i}", "a", ()) for i in range(4)]
    studying.train(tmp_path, [*steps, Step("source", None, ())], workers=2)
    assert order[0] == "source"
    assert most[0] == 1
    assert max(most) == 2
    assert sorted(order) == ["a0", "a1", "a2", "a3", "source"]


def test_one_that_fails_ends_the_others(tmp_path, monkeypatch):
    ended = []

    class Endless:
        def wait(self, seconds):
            time.sleep(0.01)
            return False

    def train(run, words, logs, follow):
        if run.name == "bad":
            return "It is bad."
        follow(Endless(), run)
        ended.append(run.name)

    monkeypatch.setattr(processes, "train", train)
    steps = [Step("endless", "a", ()), Step("bad", "a", ()), Step("never", "a", ())]
    with pytest.raises(UserError, match="bad failed: It is bad"):
        studying.train(tmp_path, steps, workers=2)
    assert ended[0] == "endless"


def test_cores_are_divided(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    with processes.cores_divided(3):
        assert (os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["TF_NUM_INTEROP_THREADS"]) == ("2", "3")
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    with processes.cores_divided(1):
        assert "TF_NUM_INTRAOP_THREADS" not in os.environ


MEASURES = """
import json, pathlib, sys
run, *words = sys.argv[1:]
pathlib.Path(run, "more.json").write_text(json.dumps(words))
"""


def test_what_is_trained_is_measured_once(tmp_path, monkeypatch):
    (tmp_path / "measures.py").write_text(MEASURES)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ['PYTHONPATH']}")
    step = Step("one", "a", QUICK, "clean", (("more.json", ("measures", "--loud")),))
    studying.train(tmp_path, [step])
    measured = tmp_path / "runs" / "one" / "more.json"
    assert json.loads(measured.read_text()) == ["--loud"]
    trained = (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns
    measured.unlink()
    studying.train(tmp_path, [step])  # after an interruption between the two
    assert measured.is_file()
    assert (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns == trained
    (tmp_path / "measures.py").write_text("raise SystemExit('error: too loud')")
    measured.unlink()
    with pytest.raises(UserError, match="one failed: too loud"):
        studying.train(tmp_path, [step])


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


def test_the_speaker_study_leaves_each_out(tmp_path, noises):
    steps = speakers.steps(speakers.Options(noise=noises, seeds=(0, 1)), [], tmp_path)
    assert len(steps) == 10
    for step in steps:
        _, arguments = flags.parse_fit(list(step.words))
        assert (arguments.data.split, arguments.data.test_speakers) == ("speaker", (step.row,))


def heard(folder, label, clean, average):
    fake(folder, label, clean)
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
            heard(tmp_path, f"gru-{group}-{seed}", accuracy, 0.5)
            steps.append(Step(f"gru-{group}-{seed}", "gru", (), group))
        heard(tmp_path, f"few-{seed}", 0.6, accuracy)
        steps.append(Step(f"few-{seed}", f"{noise.PRETRAINING}random weights", (), noise.GROUPS[1]))
    architectures, types, pretraining = noise.tables(tmp_path, steps)
    low, high = studying.interval([0.7, 0.8])
    assert architectures.headings[:3] == ("training", "clean: clean", "clean: set A")
    assert architectures.lines[0][:3] == ("gru", f"75.0 ({100 * low:.1f} to {100 * high:.1f})", "50.0 (50.0 to 50.0)")
    assert architectures.lines[0][-1] == "2.0"
    assert types.headings == ("training", "wind", "minutes each")
    assert pretraining.records[0]["multi-condition A"] == pytest.approx(0.75)
    (one, *_) = noise.tables(tmp_path, steps[:2])
    assert one.lines[0][1] == "70.0 (50.0 to 90.0)"  # a single seed has its report's own interval


def test_mean_over_speakers(tmp_path):
    steps = []
    for speaker, accuracy in (("george", 0.9), ("theo", 0.8)):
        heard(tmp_path, f"{speaker}-0", accuracy, accuracy - 0.1)
        steps.append(Step(f"{speaker}-0", speaker, (), noise.GROUPS[1]))
    (table,) = speakers.tables(tmp_path, steps)
    assert [line[0] for line in table.lines] == ["george", "theo", "mean over speakers"]
    assert table.lines[-1][1:3] == ("85.0", "75.0")
    studying.write(tmp_path, [table])
    assert "| mean over speakers | 85.0 | 75.0 |" in (tmp_path / "study.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_mistakes_in_the_noise_study(words, said, noises, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"(?i){said}"):
        study.main(["noise", *(noises if word == "NOISES" else word for word in words)])
    assert not (tmp_path / "runs").exists()


def test_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="transfer"):
        study.main(["transfr"])
    with pytest.raises(UserError, match="seeds"):
        study.main(["transfer", "--seeds", "1", "1"])
    with pytest.raises(UserError, match=r"no study\.json"):
        study.main(["transfer", "--resume"])
    (tmp_path / "runs" / "transfer").mkdir(parents=True)
    (tmp_path / "runs" / "transfer" / "study.json").write_text(json.dumps({"study": "transfer", "seeds": [0]}))
    with pytest.raises(UserError, match="already exists and is not empty"):
        study.main(["transfer"])
    with pytest.raises(UserError, match="cannot change"):
        study.main(["transfer", "--resume", "--seeds", "3"])
