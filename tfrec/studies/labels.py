"""Scores against the fraction of labels, from random weights and from weights that were trained without labels.

For each seed a network is pre-trained on all training examples, without labels. Then the same network is trained on
fractions of the labeled examples, from random weights and from those. Smaller fractions are parts of larger ones, with
every class in proportion; a seed has the same examples and the same order for both. With fewer examples there are more
epochs, those of all examples over the square root of the fraction, so that a small fraction has enough steps.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import experiments
from tfrec.evaluation.metrics.per_example import LOWER_IS_BETTER, TITLES
from tfrec.reports import error_plots
from tfrec.runs.run import Run
from tfrec.studies import study
from tfrec.studies import tables as study_tables
from tfrec.studies.study import Step
from tfrec.studies.tables import Table

ACCEPTS_FIT_FLAGS = True
SCRATCH, PRETRAINED, FROZEN = "from scratch", "pre-trained", "pre-trained, backbone frozen"
PLOT = "labels.png"


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Fractions of the labels, from scratch and pre-trained; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study labels
    python -m tfrec study labels --pretraining an4_best_rq --training an4_conformer --data.path an4/
    """

    pretraining: str = "cifar10_simclr"  # experiment that trains without labels
    training: str = "cifar10_cnn"  # experiment that trains the same network with labels
    fractions: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the labeled training examples
    pretraining_epochs: int | None = None  # None is that of the experiment
    epochs: int | None = None  # with all labels; None is that of the experiment
    frozen: bool = False  # train only the head on pre-trained weights, too

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.fractions or not all(0 < fraction <= 1 for fraction in self.fractions):
            raise ValueError(f"fractions must be above 0 and at most 1. Received: {self.fractions}")
        if len(set(self.fractions)) < len(self.fractions):
            raise ValueError(f"fractions must name each once. Received: {self.fractions}")
        for name in ("pretraining_epochs", "epochs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more. Received: {value}")


def steps(options: Options, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans a pre-training for each seed, and the trainings on each fraction; see `Study.steps`."""
    study.reject_flags(flags, "--model.weights", "--data.train_fraction", "--data.split_seed", "--fit.epochs")
    pretraining, training = (experiments.find(name)() for name in (options.pretraining, options.training))
    if tasks.find(pretraining.task.name).label_kind is not None:
        raise UserError(f"--pretraining {options.pretraining} needs labels: name an experiment that needs none.")
    if pretraining.model != training.model:
        raise UserError(
            f"--pretraining {options.pretraining} has another network than --training {options.training}: name"
            " experiments with the same one."
        )
    result = []
    for seed in map(str, options.seeds):
        source, common = f"pretraining-{seed}", ("--seed", seed, "--data.split_seed", seed, *flags)
        epochs = options.pretraining_epochs or pretraining.fit.epochs
        result.append(Step(source, None, (options.pretraining, *common, "--fit.epochs", str(epochs))))
        for fraction in sorted(options.fractions):
            epochs = round((options.epochs or training.fit.epochs) / fraction**0.5)
            start = (options.training, *common, "--fit.epochs", str(epochs), "--data.train_fraction", f"{fraction:g}")
            weights = (*start, "--model.weights", str(runs / source))
            row = f"{100 * fraction:g} %"
            result.append(Step(f"scratch-{fraction:g}-{seed}", row, start, SCRATCH))
            result.append(Step(f"pretrained-{fraction:g}-{seed}", row, weights, PRETRAINED))
            if options.frozen:
                words = (*weights, "--fit.freeze", "backbone")
                result.append(Step(f"frozen-{fraction:g}-{seed}", row, words, FROZEN))
    return result


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the table of scores by fraction, with margins over training from scratch; see `Study.tables`."""
    name, scores = _read_scores(folder, steps)
    lines: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for row, groups in scores.items():
        for group, values in groups.items():
            margins = None if group == SCRATCH else np.subtract(values, groups[SCRATCH])
            bounds = study_tables.t_interval(values)
            record: dict[str, Any] = {"labels": row, "training": group, "mean": float(np.mean(values))}
            record |= dict(zip(("low", "high"), bounds or ("", ""), strict=True))
            margin = None if margins is None else float(np.mean(margins))
            margin_bounds = None if margins is None else study_tables.t_interval(margins)
            record |= {"margin": "" if margin is None else margin}
            record |= dict(zip(("margin_low", "margin_high"), margin_bounds or ("", ""), strict=True))
            records.append({**record, "values": " ".join(map(str, values))})
            percent, percent_range = study_tables.percent, study_tables.percent_range
            cells = (percent(record["mean"]), percent_range(bounds), percent(margin), percent_range(margin_bounds))
            lines.append((row, group, *cells, ", ".join(percent(value) for value in values)))
    headings = ("labels", "training", f"{TITLES[name]}, %", "95 % interval", "margin, points", "95 % interval")
    title = f"Margins are over training from scratch, seed by seed; {_direction(name)} is better."
    return [Table("labels", title, (*headings, "each seed, %"), lines, records)]


def _direction(name: str) -> str:
    return "lower" if name in LOWER_IS_BETTER else "higher"


def _read_scores(folder: pathlib.Path, steps: Sequence[Step]) -> tuple[str, dict[str, dict[str, list[float]]]]:
    """The name of the main score, and {row: {group: [score of each seed]}}."""
    name = ""
    scores: dict[str, dict[str, list[float]]] = {}
    for step in steps:
        if step.row:
            name, value = study_tables.score(Run(folder / "runs" / step.label))
            scores.setdefault(step.row, {}).setdefault(step.group, []).append(value)
    return name, scores


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> pathlib.Path:
    """Draws the scores against the fraction of labels; see `Study.draw`."""
    name, scores = _read_scores(folder, steps)
    rows = [
        {
            "model": row,
            "condition": group,
            "rate": float(np.mean(values)),
            "interval": study_tables.t_interval(values),
        }
        for row, groups in scores.items()
        for group, values in groups.items()
    ]
    error_plots.error_rates(rows, folder / PLOT, TITLES[name])
    return folder / PLOT
