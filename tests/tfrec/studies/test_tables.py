"""Tables of a study."""

import csv

import pytest
from scipy import stats

from tests.tfrec.studies.helpers import finished_run
from tfrec.studies import tables
from tfrec.studies.study import Step


def test_margin_table_and_files(tmp_path):
    ours, base = (0.8, 0.82, 0.87), (0.7, 0.69, 0.71)
    steps = [Step("source", None, ())]
    for seed, (accuracy, base_accuracy) in enumerate(zip(ours, base, strict=True)):
        finished_run(tmp_path, f"ours-{seed}", accuracy)
        finished_run(tmp_path, f"base-{seed}", base_accuracy)
        steps += [Step(f"base-{seed}", "base", ()), Step(f"ours-{seed}", "ours", ())]
    first, second = tables.summarize(tmp_path, steps, "base")
    assert (first["row"], first["margin"], second["row"]) == ("base", None, "ours")
    assert second["mean"] == pytest.approx(0.83)
    assert second["margin"] == pytest.approx(0.13)
    test = stats.ttest_rel(ours, base).confidence_interval()  # independent of our implementation
    assert second["margin_interval"] == pytest.approx((test.low, test.high))
    assert tables.t_interval([0.5]) is None
    tables.write(tmp_path, [tables.margin_table(tmp_path, steps, "base", "both", "Margins are over base.")])
    text = (tmp_path / "study.md").read_text()
    assert text.startswith("Margins are over base.\n\n| training |")
    assert "| ours | 83.0 | 74.0 to 92.0 | 13.0 |" in text
    written = list(csv.DictReader((tmp_path / "both.csv").open()))
    assert float(written[1]["margin_low"]) == pytest.approx(test.low)
