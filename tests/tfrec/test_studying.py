"""Studies: what is trained, what is not trained twice, and the table."""

import csv
import json

import pytest
from scipy import stats

from pipelines.errors import UserError
from tfrec import study, studying
from tfrec.experiments import STUDIES, transfer
from tfrec.runs import Run
from tfrec.studying import Step

QUICK = ("digits", "--fit.epochs", "1", "--model.width", "4", "--model.depth", "1")


def fake(folder, label, accuracy):
    run = Run(folder / "runs" / label)
    run.path.mkdir(parents=True)
    run.write_json("metrics.json", {"test": {"accuracy": accuracy}})


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
    studying.write(tmp_path, [first, second])
    assert "| ours | 83.0 | 74.0 to 92.0 | 13.0 |" in (tmp_path / "study.md").read_text()
    written = list(csv.DictReader((tmp_path / "study.csv").open()))
    assert float(written[1]["margin_low"]) == pytest.approx(test.low)


def test_finished_trainings_are_not_repeated_and_a_failing_one_is_named(tmp_path, capsys):
    steps = [Step("one", "a", QUICK), Step("two", "b", (*QUICK, "--fit.learning_rate", "1e30"))]
    with pytest.raises(UserError, match=r"two failed: .*fit.learning_rate"):
        studying.train(tmp_path, steps)
    trained = (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns
    steps[1] = Step("two", "b", (*QUICK, "--seed", "1"))
    studying.train(tmp_path, steps)
    assert (tmp_path / "runs" / "one" / "best.weights.h5").stat().st_mtime_ns == trained
    assert all(studying.accuracy(Run(tmp_path / "runs" / label)) for label in ("one", "two"))
    assert capsys.readouterr().out.count("of the test split") == 2


def test_the_transfer_study_gives_every_policy_every_seed_and_its_own_source(tmp_path):
    steps = transfer.steps((0, 7), tmp_path)
    assert len(steps) == len({step.label for step in steps}) == 2 * (2 + len(transfer.POLICIES))
    for seed in ("0", "7"):
        mine = [step for step in steps if step.label.endswith(f"-{seed}")]
        assert {step.row for step in mine} == {None, transfer.BASELINE, *transfer.POLICIES}
        for step in mine:
            assert step.words[step.words.index("--seed") + 1] == seed
            if "--model.weights" in step.words:
                assert step.words[step.words.index("--model.weights") + 1] == str(tmp_path / f"first-five-{seed}")
    assert set(STUDIES) == {"transfer"}


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
    with pytest.raises(UserError, match="already holds something"):
        study.main(["transfer"])
    with pytest.raises(UserError, match="cannot change"):
        study.main(["transfer", "--resume", "--seeds", "3"])
