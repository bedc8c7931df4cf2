"""The scores of a run as a model card has them: of splits, classes and groups, and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfrec.evaluation.metrics.classification import wilson_interval
from tfrec.serving.model_card import markdown

MAX_ROWS = 40  # of a table of classes or groups; of more, only the worst are shown
WORST = 20
SPLITS = ("validation", "test")


def of_splits(metrics: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """A table with the scores of everything that was measured.

    Args:
        metrics: What metrics.json of the run holds.
        names: Of the task's scores.
    """
    measured = {split: values for split, values in metrics.items() if isinstance(values, dict)}
    rows = []
    for split, values in measured.items():
        parts = {"": values, **{name: part for name, part in values.items() if isinstance(part, dict)}}
        for part, found in parts.items():
            for name in names:
                if isinstance(found.get(name), int | float):
                    value = markdown.scored(name, found[name], found.get(f"{name}_interval"))
                    rows.append((f"{split} {part}".replace("_", " "), _size(values), name, value))
    yield from markdown.table(("measured on", "examples", "score", "value (95 % interval)"), rows)


def _size(values: Mapping[str, Any]) -> str:
    return next((f"{values[name]:,}" for name in ("examples", "utterances") if name in values), "-")


def by_class(test: Mapping[str, Any]) -> Iterator[str]:
    """A table of the classes of the test split, where the task has classes."""
    classes = [row for row in test.get("classes", ()) if row["examples"]]
    if not classes:
        return
    yield "### By class, test split"
    shown = classes
    if len(classes) > MAX_ROWS:
        shown = sorted(classes, key=lambda row: row["f1"])[:WORST]
        yield f"\nThe {len(shown)} of {len(classes)} classes with the lowest F1."
    rows = []
    for row in shown:
        interval = wilson_interval(round(row["recall"] * row["examples"]), row["examples"])
        recall = markdown.scored("recall", row["recall"], interval)
        precision = markdown.score("precision", row["precision"])
        rows.append((row["label"], f"{row['examples']:,}", precision, recall, f"{row['f1']:.3f}"))
    yield from markdown.table(("class", "examples", "precision", "recall (95 % interval)", "F1"), rows)


def by_group(test: Mapping[str, Any], run: str) -> Iterator[str]:
    """Tables of the groups of the test split, the worst first."""
    yield "### By group, test split"
    yield ""
    groups = {column: found for column, found in test.get("groups", {}).items() if found.get("groups")}
    for column, found in groups.items():
        measure, rows = found["measure"], found["groups"]
        gap = markdown.scored(measure, found["gap"], found.get("gap_interval"))
        yield f"By `{column}`: the worst is {found['worst']}, the gap to the best, {found['best']}, is {gap}."
        cells = [
            (row["group"], f"{row['examples']:,}", markdown.of_cell(measure, row), f"{row['p_holm']:.3g}")
            for row in rows[: MAX_ROWS if len(rows) <= MAX_ROWS else WORST]
        ]
        yield from markdown.table((column, "examples", f"{measure} (95 % interval)", "p of a difference (Holm)"), cells)
    for key in ("by_speaker", "by_group"):
        column = key.removeprefix("by_")
        if (found := test.get(key)) and column not in groups:
            yield from _rates(column, found)
            groups[column] = found
    if not groups:
        yield from markdown.not_measured(
            "Groups, such as speakers, where the data has them", f"tfrec evaluate {run} --groups COLUMN"
        )


def _rates(column: str, found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Error rates of transcripts by speaker or group, the worst first."""
    name = next(name for name in next(iter(found.values())) if name != "utterances")
    rows = sorted(found.items(), key=lambda item: -item[1][name])
    shown = rows if len(rows) <= MAX_ROWS else rows[:WORST]
    cells = [(group, f"{row['utterances']:,}", markdown.score(name, row[name])) for group, row in shown]
    yield from markdown.table((column, "utterances", name), cells)


def calibration(test: Mapping[str, Any], decision: Mapping[str, Any], run: str) -> Iterator[str]:
    """Whether the probabilities of classes are right, and what answers are accepted."""
    yield "## Calibration"
    yield ""
    found = test.get("calibration")
    if found is None:
        yield from markdown.not_measured("Whether the probabilities are right", f"tfrec evaluate {run}")
    else:
        error = markdown.scored("ece", found["ece"], found["ece_interval"])
        debiased = markdown.score("ece", found["ece_debiased"])
        yield f"Expected calibration error on the test split: {error}; as a root mean square without what chance"
        yield f"adds {debiased}."
        yield f"Negative log-likelihood {found['nll']:.4g}, Brier score {found['brier']:.4g}."
        yield f"The logits are divided by a temperature of {found['temperature']:.4g}, chosen on the validation split."
        yield ""
    if (sets := test.get("conformal")) is not None:
        coverage = markdown.scored("coverage", sets["coverage"], sets.get("coverage_interval"))
        yield f"Prediction sets for a coverage of {sets['level']:.0%}: on the test split {coverage}, a 99 % interval."
        yield f"They have {sets['mean_size']:.3g} classes on average."
        yield ""
    if "threshold" in decision:
        yield from _accepted(test, decision)


def word_confidences(test: Mapping[str, Any], run: str) -> Iterator[str]:
    """Whether the confidences of a transcriber's words are right."""
    yield "## Calibration"
    yield ""
    if (found := test.get("word_confidence")) is None:
        yield from markdown.not_measured("Whether the confidences of words are right", f"tfrec evaluate {run}")
        return
    error = markdown.scored("ece", found["ece"], found.get("ece_interval"))
    right = markdown.score("accuracy", found["accuracy"])
    yield f"Of {found['words']:,} words of the test split {right} are right. Expected calibration error of their"
    yield f"confidences: {error}; without the scaling that the validation split has chosen"
    yield f"{markdown.score('ece', found['ece_unscaled'])}."
    yield ""


def _accepted(test: Mapping[str, Any], decision: Mapping[str, Any]) -> Iterator[str]:
    """When an answer is accepted."""
    rejected, rate = ", ".join(decision.get("rejected", ())) or "none", decision["false_alarm_rate"]
    yield f"`accepted` needs a probability of at least {decision['threshold']:.4g}, chosen on the validation split for"
    yield f"{rate:.1%} of false alarms at most. Classes that are never accepted: {rejected}."
    if (detected := test.get("detection")) is not None:
        wrong, missed = detected["false_alarm_rate"], detected["miss_rate"]
        yield f"On the test split {wrong:.1%} of {detected['rejected_examples']:,} examples to reject are accepted, and"
        yield f"{missed:.1%} of the others are rejected."
    yield ""


def out_of_domain(metrics: Mapping[str, Any], run: str) -> Iterator[str]:
    """How well a classifier separates its classes from other data."""
    yield "## Data of no class"
    yield ""
    rows = []
    for name, found in metrics.items():
        if name.startswith("ood_") and isinstance(found, dict):
            for kind, each in found.items():
                if isinstance(each, dict) and "auroc" in each:
                    value = markdown.scored("auroc", each["auroc"], each.get("auroc_interval"))
                    other = f"{found['other_examples']:,} of {name.removeprefix('ood_')}"
                    rows.append((kind.replace("_", " "), f"{found['examples']:,}", other, value))
    if rows:
        yield from markdown.table(("score", "examples of the classes", "others", "AUROC (95 % interval)"), rows)
    else:
        yield from markdown.not_measured(
            "Whether data of no class is recognized as such", f"tfrec evaluate {run} --ood FOLDER"
        )
