"""The report on a comparison: what is known of each model, as tables and with pictures."""

import csv
import io
import itertools
import os
import pathlib
import platform
import shlex
import statistics

import tensorflow as tf
from rich import box
from rich.table import Table

from tfrec.reports import comparison_plots as pictures
from tfrec.reports.comparison_plots import short
from tfrec.runs.run import Run

PICTURES = {"accuracy.png": "test accuracy", "time.png": "training time and accuracy", "curves.png": "learning curves"}
SETTLED = 0.01  # of accuracy below the best: from there on a curve counts as flat

# Name in the CSV file, heading in the other tables, how a value is written there.
COLUMNS = (
    ("model", "model", str),
    ("width_multiplier", "width", "{:g}".format),
    ("depth_multiplier", "depth", "{:g}".format),
    ("test_accuracy", "test accuracy, %", lambda value: f"{100 * value:.2f}"),
    ("test_interval", "95 % interval", lambda value: f"{100 * value[0]:.2f} to {100 * value[1]:.2f}"),
    ("validation_accuracy", "validation, %", lambda value: f"{100 * value:.2f}"),
    ("parameters", "parameters", short),
    ("multiply_adds", "multiply-adds", short),
    ("latency_ms", "latency, ms", "{:.3g}".format),
    ("peak_megabytes", "peak memory, MB", "{:,.0f}".format),
    ("minutes", "training, min", "{:.3g}".format),
    ("epochs", "epochs", str),
    ("settings", "other settings", str),
)
ON_TERMINALS = ("model", "test_accuracy", "test_interval", "parameters", "epochs")
MEANING = """\
- test accuracy: of the weights with the best validation, on {test:,} examples never used to choose anything; Wilson's
  95 % interval. Validation accuracy: of the same weights, on {validation:,} examples.
- width, depth: `width_multiplier` and `depth_multiplier`, by which the channels and the blocks of the published
  architecture were scaled; 1 is the paper's.
- parameters: trainable weights. Multiply-adds: of convolutions and matrix products, for {one}.
- latency: median of a batch of one on this machine, the network as a graph: {one} to logits, without the frontend
  (resizing, normalization or spectrogram), which is the same for all.
- peak memory: the largest resident set of the training's process, with TensorFlow, the data and the evaluation.
- training: minutes spent, with validation; the budget cuts the last epoch short. The pictures of training time leave
  that epoch out of the seconds for one, unless there is no other.\
"""


def rows(chosen, record, folder):
    """Candidates and a comparison's record -> a dict for each: the columns, "label", "title", "style", "history", ...

    What is not known, or not yet, is None.
    """
    result = []
    for one, style in zip(chosen, pictures.styles(len(chosen)), strict=True):
        cost, ended = record["costs"].get(one.label, {}), record["results"].get(one.label, {"status": "waiting"})
        row = {name: cost.get(name, ended.get(name)) for name, _, _ in COLUMNS}
        model, peak = one.config.model, ended.get("peak_bytes")
        row |= {"model": one.label, "label": one.label, "title": model_title(one.label, model), "style": style}
        row |= {name: getattr(model, name, None) for name in ("width_multiplier", "depth_multiplier")}
        row["settings"] = _settings(one.settings)
        row["peak_megabytes"] = peak and peak / 1e6
        row |= {"status": ended["status"], "reason": ended.get("reason", "")}
        row["history"] = history = Run(folder / "runs" / one.label).read_history()
        if ended["status"] == "done" and history:
            best = max(epoch["val_accuracy"] for epoch in history)
            row["settled_minutes"] = next(
                epoch["minutes"] for epoch in history if epoch["val_accuracy"] >= best - SETTLED
            )
            starts = [0.0, *(epoch["minutes"] for epoch in history)]
            lengths = [60 * (end - start) for start, end in itertools.pairwise(starts)]
            row["epoch_seconds"] = statistics.median(lengths[:-1] or lengths)  # the last may be cut short
        result.append(row)
    return result


def model_title(label, model):
    """A model's name in plots: its label, and its multipliers where they are not 1."""
    scaled = [
        f"{name} {value:g}" for name in ("width", "depth") if (value := getattr(model, f"{name}_multiplier", 1)) != 1
    ]
    return "\n".join([label, ", ".join(scaled)]) if scaled else label


def scores(run):
    """What a finished run scored, and what it took."""
    metrics, state = run.read_json("metrics.json"), run.read_json("state/state.json")
    return {
        "test_accuracy": metrics["test"]["accuracy"],
        "test_interval": metrics["test"]["accuracy_interval"],
        "validation_accuracy": metrics["validation"]["accuracy"],
        "minutes": state["seconds"] / 60,
        "epochs": len(state["history"]),
    }


def write(rows, record, again, folder):
    """Writes tables, pictures and report.md into the comparison's folder, a Run."""
    done = [row for row in rows if row["status"] == "done"]
    curves = [row for row in rows if row["history"]]
    timed = [row for row in done if row["history"]]  # not where somebody has deleted a run's state to save space
    for name, shown, draw in zip(
        PICTURES, (done, timed, curves), (pictures.accuracies, pictures.times, pictures.curves), strict=True
    ):
        if shown:
            draw(shown, folder.path / name)
    folder.write_text("table.csv", _csv(rows))
    folder.write_text("table.md", markdown(rows))
    folder.write_text("report.md", _report(rows, record, again, folder))


def markdown(rows):
    """The table of all models, in Markdown."""
    columns = _columns(rows)
    lines = [[heading for _, heading, _ in columns], ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [_cells(row, columns) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal_table(rows):
    """The part of it that a terminal has room for."""
    columns = [column for column in _columns(rows) if column[0] in ON_TERMINALS]
    table = Table(box=box.SIMPLE)
    for _, heading, _ in columns:
        table.add_column(heading, justify="left" if heading == "model" else "right", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, columns))
    return table


def sentence(label, result):
    """How a training ended."""
    if result["status"] == "failed":
        return f"{label} failed: {result['reason']}"
    low, high = result["test_interval"]
    return (
        f"{label}: test accuracy {result['test_accuracy']:.2%} ({low:.2%} to {high:.2%}),"
        f" {result['epochs']} epochs in {result['minutes']:.3g} min"
    )


def cost_sentence(cost):
    """What a network costs."""
    if "error" in cost:
        return cost["error"]
    products = "unknown" if cost["multiply_adds"] is None else short(cost["multiply_adds"])
    return f"{short(cost['parameters'])} parameters, {products} multiply-adds, {cost['latency_ms']:.3g} ms"


def hardware():
    """Processor, cores, memory and accelerators of this machine, in words."""
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


def _columns(rows):
    """Those that hold anything: the settings of single models may not."""
    return [column for column in COLUMNS if any(row[column[0]] not in (None, "") for row in rows)]


def _cells(row, columns):
    return ["-" if row[name] in (None, "") else write(row[name]) for name, _, write in columns]


def _settings(settings):
    return ", ".join(f"{name}={value}" for name, value in settings.items() if not name.endswith("_multiplier"))


def _csv(rows):
    names = [name for name, _, _ in COLUMNS if name != "test_interval"]
    names.insert(names.index("test_accuracy") + 1, "test_accuracy_low")
    names.insert(names.index("test_accuracy_low") + 1, "test_accuracy_high")
    names += ["status", "reason"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        low, high = row["test_interval"] or (None, None)
        writer.writerow({**row, "test_accuracy_low": low, "test_accuracy_high": high})
    return text.getvalue()


def _report(rows, record, again, folder):
    done = [row["label"] for row in rows if row["status"] == "done"]
    failed = [row for row in rows if row["status"] == "failed"]
    waiting = [row["label"] for row in rows if row["status"] == "waiting"]
    known = next((cost for cost in record["costs"].values() if "error" not in cost), None)
    parts = [f"# {record['data']}: {len(rows)} models, {record['budget_minutes']:g} min of training each"]
    if waiting:
        parts += [
            f"{len(done)} of {len(rows)} are trained by now; {', '.join(waiting)} wait. Go on with",
            f"    {again}",
        ]
    parts.append(markdown(rows).rstrip())
    if failed:
        lines = [f"- {row['label']}: {row['reason']} ([log](logs/{row['label']}.txt))" for row in failed]
        parts += ["Failed:", "\n".join(lines)]
    for name, caption in PICTURES.items():
        if (folder.path / name).is_file():
            parts.append(f"![{caption}]({name})")
    if known:
        one = "one example of " + " x ".join(map(str, known["features"])) + " features"
        parts += ["## What the columns say", MEANING.format(one=one, **known["examples"])]
    return "\n\n".join([*parts, "## Where it comes from", _origin(record, known, folder)]) + "\n"


def _origin(record, known, folder):
    start = [record["experiment"]] if record["experiment"] else []
    words = ["--models", *record["models"], "--budget-minutes", f"{record['budget_minutes']:g}", *record["words"]]
    first = record["sessions"][0]
    commits = dict.fromkeys(session["git_commit"] or "unknown" for session in record["sessions"])
    versions = ", ".join(f"{name} {first['packages'].get(name)}" for name in ("tensorflow", "keras"))
    lines = [
        f"    {shlex.join(['python', '-m', 'tfrec.compare', *start, *words])}",
        "",
        f"- commit {', then '.join(commits)}; {first['date']}; Python {first['python']}, {versions}",
        f"- {first['hardware']}",
    ]
    if known:
        sizes = ", ".join(f"{size:,} {name}" for name, size in known["examples"].items())
        lines.append(f"- {record['data']}: {known['classes']} classes, {sizes} examples")
    lines.append(f"- each model is a run: `python -m tfrec evaluate {folder.path}/runs/NAME` looks at it")
    return "\n".join(lines)
