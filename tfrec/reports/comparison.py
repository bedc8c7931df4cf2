"""The report of a comparison: tables and plots of the models, and how they were made."""

import itertools
import os
import pathlib
import platform
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf
from rich import box
from rich.table import Table

from pipelines.counts import counted
from tfrec.reports import comparison_plots, plots
from tfrec.reports.gallery import csv_text
from tfrec.runs.run import Run

PLOTS = {"accuracy.png": "test accuracy", "time.png": "training time and accuracy", "curves.png": "learning curves"}
CONVERGED = 0.01  # accuracy: training has converged when validation accuracy is this close to its best

# Name in the CSV file, heading in the other tables, how a value is written there.
COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("model", "model", str),
    ("width_multiplier", "width", "{:g}".format),
    ("depth_multiplier", "depth", "{:g}".format),
    ("test_accuracy", "test accuracy, %", lambda value: f"{100 * value:.2f}"),
    ("test_interval", "95 % interval", lambda value: f"{100 * value[0]:.2f} to {100 * value[1]:.2f}"),
    ("validation_accuracy", "validation, %", lambda value: f"{100 * value:.2f}"),
    ("parameters", "parameters", plots.abbreviate),
    ("multiply_adds", "multiply-adds", plots.abbreviate),
    ("latency_ms", "latency, ms", "{:.3g}".format),
    ("peak_megabytes", "peak memory, MB", "{:,.0f}".format),
    ("minutes", "training, min", "{:.3g}".format),
    ("epochs", "epochs", str),
    ("settings", "other settings", str),
)
TERMINAL_COLUMNS = ("model", "test_accuracy", "test_interval", "parameters", "epochs")
COLUMN_NOTES = """\
- test accuracy: of the weights with the best validation, on {test:,} examples that were used for nothing else; Wilson's
  95 % interval. Validation accuracy: of the same weights, on {validation:,} examples.
- width, depth: `width_multiplier` and `depth_multiplier`, by which the channels and the blocks of the published
  architecture were scaled; 1 is the paper's.
- parameters: trainable weights. Multiply-adds: of convolutions and matrix products, for {example}.
- latency: median of a batch of one on this machine, the network as a graph: {example} to logits, without the frontend
  (resizing, normalization or spectrogram), which is the same for all.
- peak memory: the largest resident set of the training's process, with TensorFlow, the data and the evaluation.
- training: minutes, with validation; the budget cuts the last epoch short. The plots of training time leave that epoch
  out of the seconds for one epoch, unless there is no other.\
"""


Row = dict[str, Any]
Record = Mapping[str, Any]  # of comparison.json


class Candidate(Protocol):
    """What the report reads of a model that is compared."""

    @property
    def label(self) -> str:
        """The model's name in the comparison."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The model's own flags."""

    @property
    def config(self) -> Any:
        """The configuration of the training."""


def rows(candidates: Sequence[Candidate], record: Record, folder: pathlib.Path) -> list[Row]:
    """Collects the results of all models.

    Args:
        candidates: the models.
        record: content of comparison.json.
        folder: the comparison's folder, which holds the runs.

    Returns:
        For each model a dict of `COLUMNS`, "label", "title", "style", "status", "reason" and "history"; of trained
        models also "converged_minutes" and "epoch_seconds". Unknown values are None.
    """
    styles = plots.styles(len(candidates))
    return [_row(candidate, style, record, folder) for candidate, style in zip(candidates, styles, strict=True)]


def _row(candidate: Candidate, style: plots.Style, record: Record, folder: pathlib.Path) -> Row:
    label, model = candidate.label, candidate.config.model
    cost, result = record["costs"].get(label, {}), record["results"].get(label, {"status": "waiting"})
    row: Row = {name: cost.get(name, result.get(name)) for name, _, _ in COLUMNS}
    row |= {"model": label, "label": label, "title": model_title(label, model), "style": style}
    row |= {name: getattr(model, name, None) for name in ("width_multiplier", "depth_multiplier")}
    row["settings"] = _settings(candidate.settings)
    peak = result.get("peak_bytes")
    row["peak_megabytes"] = peak and peak / 1e6
    row |= {"status": result["status"], "reason": result.get("reason", "")}
    row["history"] = history = Run(folder / "runs" / label).read_history()
    if result["status"] == "done" and history:
        best = max(epoch["val_accuracy"] for epoch in history)
        row["converged_minutes"] = next(
            epoch["minutes"] for epoch in history if epoch["val_accuracy"] >= best - CONVERGED
        )
        starts = [0.0, *(epoch["minutes"] for epoch in history)]
        durations = [60 * (end - start) for start, end in itertools.pairwise(starts)]
        row["epoch_seconds"] = statistics.median(durations[:-1] or durations)  # the last may be cut short
    return row


def model_title(label: str, model: Any) -> str:
    """Returns a model's name in plots: its label, and its multipliers where they are not 1.

    Args:
        label: the model's name in the comparison.
        model: the configuration of its architecture.
    """
    scaled = [
        f"{name} {value:g}" for name in ("width", "depth") if (value := getattr(model, f"{name}_multiplier", 1)) != 1
    ]
    return "\n".join([label, ", ".join(scaled)]) if scaled else label


def scores(run: Run) -> dict[str, Any]:
    """Returns the scores, minutes and epochs of a finished run."""
    metrics, state = run.read_json("metrics.json"), run.read_json("state/state.json")
    return {
        "test_accuracy": metrics["test"]["accuracy"],
        "test_interval": metrics["test"]["accuracy_interval"],
        "validation_accuracy": metrics["validation"]["accuracy"],
        "minutes": state["seconds"] / 60,
        "epochs": len(state["history"]),
    }


def write(rows: Sequence[Row], record: Record, resume_command: str, folder: Run) -> None:
    """Writes tables, plots and report.md.

    Args:
        rows: what `rows` returns.
        record: content of comparison.json.
        resume_command: the command that continues the comparison.
        folder: the comparison's folder.
    """
    trained = [row for row in rows if row["status"] == "done"]
    started = [row for row in rows if row["history"]]
    timed = [row for row in trained if row["history"]]  # a run's state may have been deleted to save space
    draw = (comparison_plots.accuracies, comparison_plots.times, comparison_plots.curves)
    for name, shown, plot in zip(PLOTS, (trained, timed, started), draw, strict=True):
        if shown:
            plot(shown, folder.path / name)
    folder.write_text("table.csv", _csv(rows))
    folder.write_text("table.md", markdown(rows))
    folder.write_text("report.md", _report(rows, record, resume_command, folder))


def markdown(rows: Sequence[Row]) -> str:
    """Returns the table of all models in Markdown."""
    columns = _columns(rows)
    lines = [[heading for _, heading, _ in columns], ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [_cells(row, columns) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal_table(rows: Sequence[Row]) -> Table:
    """Returns the table of all models with the columns that fit on a terminal."""
    columns = [column for column in _columns(rows) if column[0] in TERMINAL_COLUMNS]
    table = Table(box=box.SIMPLE)
    for _, heading, _ in columns:
        table.add_column(heading, justify="left" if heading == "model" else "right", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, columns))
    return table


def result_sentence(label: str, result: Mapping[str, Any]) -> str:
    """Returns a sentence on how a training ended.

    Args:
        label: the model's name in the comparison.
        result: its result in comparison.json.
    """
    if result["status"] == "failed":
        return f"{label} failed: {result['reason']}"
    low, high = result["test_interval"]
    return (
        f"{label}: test accuracy {result['test_accuracy']:.2%} ({low:.2%} to {high:.2%}),"
        f" {counted(result['epochs'], 'epoch')} in {result['minutes']:.3g} min"
    )


def cost_sentence(cost: Mapping[str, Any]) -> str:
    """Returns a sentence on what a network costs, from its entry in comparison.json."""
    if "error" in cost:
        return cost["error"]
    products = "unknown" if cost["multiply_adds"] is None else plots.abbreviate(cost["multiply_adds"])
    return f"{plots.abbreviate(cost['parameters'])} parameters, {products} multiply-adds, {cost['latency_ms']:.3g} ms"


def hardware() -> str:
    """Returns processor, cores, memory and GPUs of this machine as a text."""
    processor = platform.processor() or platform.machine()
    if pathlib.Path("/proc/cpuinfo").is_file():
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return f"{processor}, {cores} cores, {memory:.0f} GB of memory, {', '.join(gpus) or 'no GPU'}"


def _columns(rows: Sequence[Row]) -> list[tuple[str, str, Callable[[Any], str]]]:
    """The columns that are not empty."""
    return [column for column in COLUMNS if any(row[column[0]] not in (None, "") for row in rows)]


def _cells(row: Row, columns: Sequence[tuple[str, str, Callable[[Any], str]]]) -> list[str]:
    return ["-" if row[name] in (None, "") else write(row[name]) for name, _, write in columns]


def _settings(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items() if not name.endswith("_multiplier"))


def _csv(rows: Sequence[Row]) -> str:
    names = [name for name, _, _ in COLUMNS if name != "test_interval"]
    names.insert(names.index("test_accuracy") + 1, "test_accuracy_low")
    names.insert(names.index("test_accuracy_low") + 1, "test_accuracy_high")
    names += ["status", "reason"]
    records = []
    for row in rows:
        low, high = row["test_interval"] or (None, None)
        cells = {**row, "test_accuracy_low": low, "test_accuracy_high": high}
        records.append({name: cells[name] for name in cells if name in names})
    return csv_text.of_records(names, records)


def _report(rows: Sequence[Row], record: Record, resume_command: str, folder: Run) -> str:
    trained = [row["label"] for row in rows if row["status"] == "done"]
    failed = [row for row in rows if row["status"] == "failed"]
    waiting = [row["label"] for row in rows if row["status"] == "waiting"]
    known = next((cost for cost in record["costs"].values() if "error" not in cost), None)
    parts = [f"# {record['data']}: {counted(len(rows), 'model')}, {record['budget_minutes']:g} min of training each"]
    if waiting:
        parts += [
            f"{len(trained)} of {len(rows)} are trained by now; {', '.join(waiting)} wait. Resume with",
            f"    {resume_command}",
        ]
    parts.append(markdown(rows).rstrip())
    if failed:
        lines = [f"- {row['label']}: {row['reason']} ([log](logs/{row['label']}.txt))" for row in failed]
        parts += ["Failed:", "\n".join(lines)]
    for name, caption in PLOTS.items():
        if (folder.path / name).is_file():
            parts.append(f"![{caption}]({name})")
    if known:
        example = "one example of " + " x ".join(map(str, known["features"])) + " features"
        parts += ["## Columns", COLUMN_NOTES.format(example=example, **known["examples"])]
    return "\n\n".join([*parts, "## How it was made", _origin(record, known, folder)]) + "\n"


def _origin(record: Record, known: Mapping[str, Any] | None, folder: Run) -> str:
    """Command, commits, versions, hardware and data."""
    start = [record["experiment"]] if record["experiment"] else []
    words = ["--models", *record["models"], "--budget-minutes", f"{record['budget_minutes']:g}", *record["words"]]
    first = record["sessions"][0]
    commits = dict.fromkeys(session["git_commit"] or "unknown" for session in record["sessions"])
    versions = ", ".join(f"{name} {first['packages'].get(name)}" for name in ("tensorflow", "keras"))
    lines = [
        f"    {shlex.join(['python', '-m', 'tfrec', 'compare', *start, *words])}",
        "",
        f"- commit {', then '.join(commits)}; {first['date']}; Python {first['python']}, {versions}",
        f"- {first['hardware']}",
    ]
    if known:
        sizes = ", ".join(f"{size:,} {name}" for name, size in known["examples"].items())
        lines.append(f"- {record['data']}: {known['classes']} classes, {sizes} examples")
    lines.append(f"- each model is a run: evaluate it with `python -m tfrec evaluate {folder.path}/runs/NAME`")
    return "\n".join(lines)
