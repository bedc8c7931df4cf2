"""The report on sweeps that nobody has made."""

import csv
import dataclasses
import html.parser

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image
from rich.console import Console

from tfrec.runs.run import Run
from tuning import drawing, page, plots, report
from tuning.importance import Importance, Importances
from tuning.objectives import Constraint, Objective
from tuning.parallel import ACROSS, parallel
from tuning.results import Results, Trial
from tuning.spaces import Parameter

NAME = Parameter("model.name", choices=("cnn", "mlp"))
DEPTH = Parameter("model.depth", low=1, high=6, whole=True, conditions=(("model.name", ("cnn",)),))
RATE = Parameter("fit.learning_rate", low=1e-4, high=1e-1, log=True)
HOSTILE = '<script>alert("x")</script> $\\frac{$ \x1b[2J\n=1'
FACTS = report.Facts("digits: 3 trials", "python -m x <y>", "one core", ("Beats it by 1 point.",), ("No curves.",))
ACCURACY, LOSS, COST = Objective("accuracy"), Objective("loss"), Objective("parameters")


def trial(label, accuracy, values=None, cost=1000.0, epochs=3, **more):
    history = [{"epoch": i + 1, "val_loss": 1.0, "val_accuracy": accuracy * (i + 1) / epochs} for i in range(epochs)]
    values = values if values is not None else {"model.name": "mlp", "fit.learning_rate": 0.01}
    more = {"status": "done", "seconds": 12.0, "history": history, **more}
    return Trial(label, values=values, scores={"accuracy": accuracy, "parameters": cost}, **more)


def sweep(trials, objectives=(ACCURACY,), parameters=(NAME, DEPTH, RATE), default=None, constraints=()):
    return Results(tuple(parameters), tuple(objectives), tuple(constraints), tuple(trials), default)


def texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def drawn(made, tmp_path):
    """Saves a picture, which must not be blank, and returns its texts and caption."""
    figure, caption = made
    found = texts(figure)
    figure.savefig(tmp_path / "picture.png", dpi=40)
    plt.close(figure)
    assert np.asarray(Image.open(tmp_path / "picture.png").convert("L")).std() > 5
    return found, caption


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.images = [], []

    def handle_starttag(self, tag, attributes):
        self.found.append(tag)
        if tag == "img":
            self.images.append(dict(attributes)["src"])


def written(folder, results, facts=FACTS):
    report.write(Run(folder), results, facts)
    text, tags = (folder / "report.html").read_text(), Tags()
    tags.feed(text)
    with open(folder / "trials.csv", newline="") as file:
        return text, tags, list(csv.DictReader(file))


def test_a_report_holds_the_winner_the_trials_and_pictures_in_itself(tmp_path):
    trials = [
        trial("t0", 0.8, {"model.name": "cnn", "model.depth": 3, "fit.learning_rate": 0.00123456}),
        trial("t1", 0.9, cost=5000.0),
        Trial("t2", "failed", {"model.name": "mlp"}, reason="NaN in the loss"),
        Trial("t3", "infeasible", {"model.name": "mlp"}, {"parameters": 9e9}, "latency_ms<5 does not hold"),
    ]
    default = trial("default", 0.85, {"model.name": "mlp", "fit.learning_rate": 0.001})
    results = sweep(trials, (ACCURACY, COST), default=default, constraints=[Constraint("latency_ms", "<", 5.0)])
    (tmp_path / "importance.png").write_bytes(b"of a report before")
    facts = dataclasses.replace(FACTS, test={"t1": {"accuracy": 0.7654}})
    text, tags, lines = written(tmp_path, results, facts)
    for words in ("Winner: t1", "90.00", "85.00", "76.54", "Beats it by 1 point.", "No curves.", "one core"):
        assert words in text
    assert "python -m x &lt;y&gt;" in text
    assert "latency_ms&lt;5" in text
    assert "2 done, 1 failed, 1 infeasible" in text
    assert "NaN in the loss" in text
    assert "need 8 finished trials" in text
    assert len(tags.images) == 4
    assert all(image.startswith("data:image/png;base64,") for image in tags.images)
    assert "script" not in tags.found
    assert {path.name for path in tmp_path.glob("*.png")} == {"parallel.png", "progress.png", "front.png", "curves.png"}
    places = [text.index(f"<td>{label}") for label in ("t1", "default", "t0", "t3", "t2")]
    assert places == sorted(places)  # the best first, what came to nothing last
    assert [line["label"] for line in lines] == ["default", "t0", "t1", "t2", "t3"]
    assert lines[1] | {"model.depth": "3", "fit.learning_rate": "0.00123456", "epochs": "3"} == lines[1]
    assert lines[2]["model.depth"] == lines[3]["accuracy"] == ""
    assert not list(tmp_path.glob(".tmp*"))


@pytest.mark.parametrize("trials", [[], [Trial("t0", "failed", reason="no memory")], [Trial("t0", "running")]])
def test_a_report_on_nothing_says_so(tmp_path, trials):
    text, tags, lines = written(tmp_path, sweep(trials))
    assert "No trial has ended well." in text
    assert not tags.images
    assert len(lines) == len(trials)
    assert not list(tmp_path.glob("*.png"))
    assert report.terminal_table(sweep(trials)).row_count == 0


def test_hostile_texts_stay_texts(tmp_path):
    space = [Parameter(HOSTILE, choices=(HOSTILE, "=2")), RATE]
    trials = [trial(HOSTILE + str(i), 0.5 + 0.1 * i, {HOSTILE: HOSTILE}, reason=HOSTILE) for i in range(2)]
    trials.append(Trial("@SUM(A1)", "failed", {HOSTILE: "=2"}, reason="=HYPERLINK()" + "x" * 5000))
    results = sweep(trials, (ACCURACY, COST), space, default=trial("-default", 0.4, {HOSTILE: "-1"}))
    text, tags, lines = written(tmp_path, results, report.Facts(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,)))
    assert not {"script", "b"} & set(tags.found)
    assert "\x1b" not in text
    assert "x" * 1000 not in text
    assert [lines[0]["label"], lines[3]["label"]] == ["'-default", "'@SUM(A1)"]
    assert lines[3]["reason"].startswith("'=HYPERLINK()x")
    assert [line[name] for line in (lines[0], lines[3]) for name in line if name.startswith("<script>")] == [
        "-1",
        "'=2",
    ]
    console = Console(width=100, record=True, file=open(tmp_path / "terminal", "w"))  # noqa: SIM115
    console.print(report.terminal_table(results))
    assert "\x1b[2J" not in console.export_text()


def test_the_page_has_room_for_so_many_trials(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "ROWS", 5)
    trials = [trial(f"t{i}", i / 10, epochs=0) for i in range(9)]
    found = Importances(reason="none")
    text = page.text(sweep(trials), FACTS, found, [])
    assert "The first 5 of 9" in text
    assert "<td>t8" in text
    assert "<td>t3" not in text


def test_the_terminal_shows_the_best_and_the_default():
    results = sweep([trial(f"t{i}", i / 10) for i in range(9)], default=trial("default", 0.05))
    table = report.terminal_table(results, count=3)
    assert [str(cell) for cell in table.columns[0].cells] == ["t8", "t7", "t6", "default"]
    assert str(next(iter(table.columns[2].cells))) == "name=mlp, learning_rate=0.01"


def test_parallel_coordinates_have_a_place_for_what_does_not_count(tmp_path):
    one = trial("t0", 0.8, {"model.name": "cnn", "model.depth": 3, "fit.learning_rate": 0.01})
    found, caption = drawn(parallel(sweep([one]), Importances()), tmp_path)
    assert "  -  " not in found
    assert "0.001" in found  # a tick of the logarithmic axis
    other = trial("t1", 0.9, {"model.name": "mlp", "fit.learning_rate": 0.01})
    odd = trial("default", 0.7, {"model.name": "vit", "fit.learning_rate": 0.0, "model.depth": 9})
    found, caption = drawn(parallel(sweep([one, other], default=odd), Importances()), tmp_path)
    assert found.count("  -  ") == 2  # of the depth, and of the rate, which has no logarithm
    assert {"vit", "9", "90.00"} <= set(found)
    assert "dashed the default" in caption


def test_parallel_coordinates_show_the_most_important_of_many_parameters(tmp_path):
    space = [Parameter(f"fit.p{i}", low=0.0, high=1.0) for i in range(ACROSS + 5)]
    ranks = Importances(tuple(Importance(one.name, 0.1, 0) for one in space[::-1]), 0.9)
    trials = [trial(f"t{i}", 0.9, {one.name: 0.5 for one in space}) for i in range(3)]  # all the same
    found, caption = drawn(parallel(sweep(trials, parameters=space), ranks), tmp_path)
    assert [text for text in found if text.startswith("fit.p")] == [one.name for one in space[5:]]
    assert f"The {ACROSS} most important of {ACROSS + 5}" in caption


def test_a_trial_that_came_to_nothing_does_not_press_the_others():
    assert ACCURACY.worst([0.9, 0.91, 0.92, 0.1]) == pytest.approx(0.92 - 3 * 0.015)
    assert LOSS.worst([1.0, 2.0, 3.0, 1e9]) == pytest.approx(1 + 3 * 1.5)
    assert COST.worst([1.0, 2.0, 3.0, 1e9]) == 1e9
    assert ACCURACY.worst([0.9, 0.9, 0.9, 0.1]) == 0.1
    height = drawing.goodness(LOSS, [1.0, 2.0, 3.0, 1e9])
    assert [height(score) for score in (1.0, 1e9)] == [1.0, 0.0]
    assert drawing.goodness(COST, [5.0])(5.0) == 0.5


def test_curves_are_of_the_objective_or_of_the_loss(tmp_path):
    trials = [trial("t0", 0.8), trial("t1", 0.9, epochs=1), trial("t2", 0.95, epochs=0)]
    trials[0].history.append({"epoch": 4, "val_accuracy": float("nan")})
    found, _ = drawn(plots.curves(sweep(trials, default=trial("default", 0.5))), tmp_path)
    assert "validation accuracy, %" in found
    assert "default" in found
    assert "validation loss" in drawn(plots.curves(sweep(trials, (COST,))), tmp_path)[0]
    assert plots.curves(sweep([trials[2]])) is None
    assert "default" in drawn(plots.curves(sweep([], default=trial("default", 0.5))), tmp_path)[0]


def test_the_front_is_drawn_for_every_pair_of_objectives(tmp_path):
    trials = [trial("small", 0.8, cost=10.0), trial("large", 0.9, cost=1000.0), trial("worse", 0.7, cost=1000.0)]
    trials.append(trial("unknown", 0.9, cost=float("nan")))
    found, caption = drawn(plots.front(sweep(trials, (ACCURACY, COST), default=trial("default", 0.75))), tmp_path)
    assert {"small", "large", "default"} <= set(found)
    assert not {"worse", "unknown"} & set(found)
    assert caption.startswith("3 trials")
    assert "edge" not in caption
    trials += [trial(f"t{i}", 0.89, cost=2000.0) for i in range(5)] + [trial("lost", 0.1)]
    assert "edge" in drawn(plots.front(sweep(trials, (ACCURACY, COST))), tmp_path)[1]
    assert plots.front(sweep(trials)) is None
    assert plots.front(sweep(trials[3:4], (ACCURACY, COST))) is None


def test_progress_counts_failures_as_finished(tmp_path):
    results = sweep([trial("t0", 0.8), Trial("t1", "failed"), trial("t2", 0.9), Trial("t3", "running")])
    figure, _ = plots.progress(results)
    line = figure.axes[0].get_lines()[0]
    assert list(line.get_xdata()) == [1, 3, 3.5]
    assert list(line.get_ydata()) == pytest.approx([80, 90, 90])
    assert "failed or infeasible" in drawn((figure, ""), tmp_path)[0]


def test_importances_that_mean_little_say_so_in_the_picture(tmp_path):
    rows = (Importance("fit.a", 0.2, 0.1), Importance("fit.b", -0.01, 0.01))
    found, _ = drawn(plots.importance(Importances(rows, -0.2)), tmp_path)
    assert "mean little" in " ".join(found).replace("\n", " ")
    assert plots.importance(Importances()) is None
