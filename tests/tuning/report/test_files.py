"""The files of the report on a sweep."""

import csv
import dataclasses
import html.parser

import pytest
from rich.console import Console

from tests.tuning.report.fake_results import ACCURACY, COST, DESCRIPTION, RATE, sweep, trial
from tfrec.runs.run import Run
from tuning.objectives import Constraint
from tuning.report import files
from tuning.report.page import Description
from tuning.report.results import Trial
from tuning.report.table import terminal_table
from tuning.search_space.parameters import Parameter

HOSTILE = '<script>alert("x")</script> $\\frac{$ \x1b[2J\n=1'


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.images = [], []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        if tag == "img":
            self.images.append(dict(attributes)["src"])


def write(folder, results, description=DESCRIPTION):
    """Writes the files; returns the page, its tags, and the lines of trials.csv."""
    files.write(Run(folder), results, description)
    text, tags = (folder / "report.html").read_text(), Tags()
    tags.feed(text)
    with open(folder / "trials.csv", newline="") as file:
        return text, tags, list(csv.DictReader(file))


def test_the_report_holds_the_winner_all_trials_and_plots(tmp_path):
    trials = [
        trial("t0", 0.8, {"model.name": "cnn", "model.depth": 3, "fit.learning_rate": 0.00123456}),
        trial("t1", 0.9, cost=5000.0),
        Trial("t2", "failed", {"model.name": "mlp"}, reason="NaN in the loss"),
        Trial("t3", "infeasible", {"model.name": "mlp"}, {"parameters": 9e9}, "latency_ms is 7, not latency_ms<5"),
    ]
    default = trial("default", 0.85, {"model.name": "mlp", "fit.learning_rate": 0.001})
    results = sweep(trials, (ACCURACY, COST), default=default, constraints=[Constraint("latency_ms", "<", 5.0)])
    (tmp_path / "importance.png").write_bytes(b"of an earlier report")
    description = dataclasses.replace(DESCRIPTION, test_scores={"t1": {"accuracy": 0.7654}})
    text, tags, lines = write(tmp_path, results, description)
    for words in ("Winner: t1", "90.00", "85.00", "76.54", "Beats it by 1 point.", "No curves.", "one core"):
        assert words in text
    assert "python -m x &lt;y&gt;" in text
    assert "latency_ms&lt;5" in text
    assert "2 done, 1 failed, 1 infeasible" in text
    assert "NaN in the loss" in text
    assert "need 8 finished trials" in text
    assert len(tags.images) == 4
    assert all(image.startswith("data:image/png;base64,") for image in tags.images)
    assert "script" not in tags.names
    assert {path.name for path in tmp_path.glob("*.png")} == {"parallel.png", "progress.png", "front.png", "curves.png"}
    places = [text.index(f"<td>{label}") for label in ("t1", "default", "t0", "t3", "t2")]
    assert places == sorted(places)  # the best first, failed ones last
    assert [line["label"] for line in lines] == ["default", "t0", "t1", "t2", "t3"]
    assert lines[1] | {"model.depth": "3", "fit.learning_rate": "0.00123456", "epochs": "3"} == lines[1]
    assert lines[2]["model.depth"] == lines[3]["accuracy"] == ""
    assert not list(tmp_path.glob(".tmp*"))


@pytest.mark.parametrize("trials", [[], [Trial("t0", "failed", reason="no memory")], [Trial("t0", "running")]])
def test_a_report_without_completed_trials(tmp_path, trials):
    text, tags, lines = write(tmp_path, sweep(trials))
    assert "No trial has completed." in text
    assert not tags.images
    assert len(lines) == len(trials)
    assert not list(tmp_path.glob("*.png"))


def test_hostile_texts_stay_texts(tmp_path):
    space = [Parameter(HOSTILE, choices=(HOSTILE, "=2")), RATE]
    trials = [trial(HOSTILE + str(i), 0.5 + 0.1 * i, {HOSTILE: HOSTILE}, reason=HOSTILE) for i in range(2)]
    trials.append(Trial("@SUM(A1)", "failed", {HOSTILE: "=2"}, reason="=HYPERLINK()" + "x" * 5000))
    results = sweep(trials, (ACCURACY, COST), space, default=trial("-default", 0.4, {HOSTILE: "-1"}))
    text, tags, lines = write(tmp_path, results, Description(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,)))
    assert not {"script", "b"} & set(tags.names)
    assert "\x1b" not in text
    assert "x" * 1000 not in text
    assert [lines[0]["label"], lines[3]["label"]] == ["'-default", "'@SUM(A1)"]
    assert lines[3]["reason"].startswith("'=HYPERLINK()x")
    assert [line[name] for line in (lines[0], lines[3]) for name in line if name.startswith("<script>")] == [
        "-1",
        "'=2",
    ]
    console = Console(width=100, record=True, file=open(tmp_path / "terminal", "w"))  # noqa: SIM115
    console.print(terminal_table(results))
    assert "\x1b[2J" not in console.export_text()
