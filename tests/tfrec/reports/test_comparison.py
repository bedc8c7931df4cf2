"""Tables and plots of a comparison, from runs without training."""

import csv

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.text import Text
from PIL import Image

from tfrec.evaluation.metrics.classification import wilson_interval
from tfrec.reports import comparison, comparison_plots, plots
from tfrec.runs.run import Run
from tfrec.studies import candidates

EXAMPLES = {"train": 1293, "validation": 144, "test": 360}
COST = {"parameters": 1_248_424, "multiply_adds": 15_470_264_320, "latency_ms": 3.14159}


def state(accuracies, seconds):
    each = seconds / 60 / len(accuracies)
    rows = [
        {"epoch": i + 1, "loss": 2 - value, "val_accuracy": value, "minutes": each * (i + 1)}
        for i, value in enumerate(accuracies)
    ]
    return {"history": rows, "seconds": seconds}


def finished(run, accuracies, seconds=60.0, test=0.9):
    (run.path / "state").mkdir(parents=True)
    run.write_json("state/state.json", state(accuracies, seconds))
    interval = wilson_interval(round(test * 360), 360)
    run.write_json(
        "metrics.json", {"test": {"accuracy": test, "accuracy_interval": interval}, "validation": {"accuracy": 0.8}}
    )


@pytest.fixture
def compared(tmp_path):
    """(rows, record) of three models: one is trained, one failed after an epoch, one waits."""
    chosen = candidates.parse(["mlp,cnn:width=4,fit.clip_norm=1,cnn"], None, [], 10.0)
    finished(Run(tmp_path / "runs" / "mlp"), [0.5, 0.795, 0.8, 0.7])
    (tmp_path / "runs" / "cnn" / "state").mkdir(parents=True)
    Run(tmp_path / "runs" / "cnn").write_json("state/state.json", state([0.3], 9.0))
    known = {"features": [8, 8, 1], "classes": 10, "examples": EXAMPLES}
    session = {"git_commit": "abc", "date": "now", "python": "3", "packages": {}, "hardware": "an abacus, 2 cores"}
    record = {
        "models": ["mlp,cnn:width=4,fit.clip_norm=1,cnn"],
        "experiment": "digits",
        "words": ["--fit.batch_size", "32"],
        "budget_minutes": 10.0,
        "data": "digits",
        "sessions": [session, {**session, "git_commit": "def"}],
        "costs": {"mlp": {**COST, **known}, "cnn": {**COST, **known}, "cnn-2": {**COST, **known}},
        "results": {
            "mlp": {"status": "done", "peak_bytes": 678_900_000, **comparison.scores(Run(tmp_path / "runs" / "mlp"))},
            "cnn": {"status": "failed", "reason": "The loss is NaN or infinite.", "peak_bytes": 500_000_000},
        },
    }
    return comparison.rows(chosen, record, tmp_path), record


def test_rows(compared):
    mlp, cnn, waiting = compared[0]
    assert [row["status"] for row in compared[0]] == ["done", "failed", "waiting"]
    assert (mlp["test_accuracy"], mlp["validation_accuracy"], mlp["epochs"], mlp["minutes"]) == (0.9, 0.8, 4, 1.0)
    assert mlp["peak_megabytes"] == pytest.approx(678.9)
    assert mlp["converged_minutes"] == pytest.approx(0.5)  # after the second of four epochs: 0.795 is nearly 0.8
    assert mlp["epoch_seconds"] == pytest.approx(15.0)
    assert (cnn["settings"], len(cnn["history"])) == ("width=4, fit.clip_norm=1", 1)
    assert (waiting["label"], waiting["test_accuracy"], waiting["parameters"]) == ("cnn-2", None, 1_248_424)


def test_multipliers_have_their_own_columns(compared):
    rows = compared[0]
    assert "width |" not in comparison.markdown(rows)
    rows[0] |= {"width_multiplier": 0.25, "depth_multiplier": 0.5}
    assert comparison.markdown(rows).splitlines()[2].startswith("| mlp | 0.25 | 0.5 | 90.00 |")


def test_epoch_cut_short_is_not_timed(tmp_path):
    run = Run(tmp_path / "runs" / "mlp")
    finished(run, [0.1, 0.2, 0.3])
    stored = run.read_json("state/state.json")
    for epoch, minutes in zip(stored["history"], (0.4, 0.8, 0.9), strict=True):
        epoch["minutes"] = minutes
    run.write_json("state/state.json", stored)
    record = {"costs": {}, "results": {"mlp": {"status": "done", **comparison.scores(run)}}}
    row = comparison.rows(candidates.parse(["mlp"], None, [], 1.0), record, tmp_path)[0]
    assert row["epoch_seconds"] == pytest.approx(24.0)
    assert row["converged_minutes"] == 0.9


def test_files(compared, tmp_path):
    rows, record = compared
    comparison.write(rows, record, "python -m tfrec compare --report there --resume", Run(tmp_path))
    report = (tmp_path / "report.md").read_text()
    for part in (
        "# digits: 3 models, 10 min of training each",
        "1 of 3 are trained by now; cnn-2 wait. Resume with",
        "--report there --resume",
        "| mlp | 90.00 | 86.47 to 92.69 | 80.00 | 1.25 M | 15.5 G | 3.14 | 679 | 1 | 4 |",
        "- cnn: The loss is NaN or infinite. ([log](logs/cnn.txt))",
        "![learning curves](curves.png)",
        "8 x 8 x 1 features",
        "without the frontend",
        "    python -m tfrec compare digits --models mlp,cnn:width=4,fit.clip_norm=1,cnn --budget-minutes 10 --",
        "commit abc, then def",
        "an abacus, 2 cores",
    ):
        assert part in report
    assert (tmp_path / "table.md").read_text() in report
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["model"] for row in table] == ["mlp", "cnn", "cnn-2"]
    assert (float(table[0]["test_accuracy_low"]), table[0]["multiply_adds"]) == (
        pytest.approx(0.8647, abs=1e-4),
        "15470264320",
    )
    assert (table[1]["status"], table[1]["reason"]) == ("failed", "The loss is NaN or infinite.")
    for name in comparison.PLOTS:
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 200
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_files_before_any_training(compared, tmp_path):
    rows, record = compared
    for row in rows:
        row.update(status="waiting", history=[])
    comparison.write(rows, {**record, "costs": {}}, "again", Run(tmp_path))
    assert not list(tmp_path.glob("*.png"))
    assert "0 of 3 are trained" in (tmp_path / "report.md").read_text()


def close_rows(count):
    """Rows of models with similar scores, as under the same budget."""
    random = np.random.default_rng(0)
    rows = []
    for i, style in enumerate(plots.styles(count)):
        test = random.uniform(0.9, 0.93)
        history = [{"epoch": n + 1, "minutes": n, "val_accuracy": test, "loss": 1.0} for n in range(1 + 3 * i)]
        row = {"label": f"architecture_{i}", "title": f"architecture_{i}\nwidth 0.25, depth 0.5", "style": style}
        row |= {"test_accuracy": test, "test_interval": wilson_interval(int(10_000 * test), 10_000), "history": history}
        row |= {"converged_minutes": random.uniform(9, 10), "epoch_seconds": np.exp(random.uniform(2, 5))}
        rows.append({**row, "parameters": int(np.exp(random.uniform(12, 18)))})
    return rows


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("draw", ["accuracies", "times", "curves"])
def test_labels_do_not_overlap(monkeypatch, tmp_path, draw, count):
    def save(figure, path):
        figure.canvas.draw()
        for axis in figure.axes:
            texts = [*axis.texts, *axis.get_yticklabels(), *(figure.legends[0].get_texts() if draw == "curves" else ())]
            texts = [text for text in texts if text.get_text().strip()]
            boxes = [Text.get_window_extent(text) for text in texts]  # without the line to the marker
            for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
                assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
                assert not [texts[j] for j in range(i) if box.overlaps(boxes[j])], text
            assert sum("architecture" in text.get_text() for text in texts) == count
        pyplot.close(figure)

    monkeypatch.setattr(comparison_plots.plots, "save", save)
    getattr(comparison_plots, draw)(close_rows(count), tmp_path / "picture.png")


def test_styles_differ():
    assert len(set(plots.styles(18))) == 18


def test_hardware():
    assert "cores" in comparison.hardware()


def test_titles_name_the_multipliers():
    class Model:
        width_multiplier, depth_multiplier = 0.25, 1.0

    assert comparison.model_title("vgg16", Model) == "vgg16\nwidth 0.25"
    Model.depth_multiplier = 0.5
    assert comparison.model_title("vgg16", Model) == "vgg16\nwidth 0.25, depth 0.5"
    assert comparison.model_title("mlp", object()) == "mlp"
