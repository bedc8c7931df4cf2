"""One number for each example."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.table import Table

from pipelines import paths
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.reports import plots
from tfrec.tasks.base import Answer, Task, source_names
from tfrec.utils import short_numbers

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer


@dataclasses.dataclass(frozen=True)
class Config:
    """Mean squared error of numbers that are standardized by the training split."""

    name: Literal["regress"] = "regress"  # task


@dataclasses.dataclass(frozen=True)
class Number(Answer):
    """The number of one example, in the unit of the corpus."""

    value: float

    def to_dict(self) -> dict[str, Any]:
        """The number."""
        return {"number": short_numbers.shorten(self.value)}

    @classmethod
    def table(cls, answers: Sequence[tuple[str, Any]]) -> Table:
        """A row for each file."""
        table = Table()
        table.add_column("file", overflow="fold")
        table.add_column("number", justify="right")
        for file, answer in answers:
            table.add_row(paths.shown(file), f"{answer.value:.6g}")
        return table


class Regression(Task):
    """Regression; targets are numbers `(batch,)`, labels the mean and deviation that standardize them."""

    name = "regress"
    config_type = Config
    default_model = "cnn"
    served_output = "number"
    label_kind = "numbers"
    bulky_scores = ("pairs", "predictions")
    num_outputs = 1

    def __init__(self, config: Config, labels: Mapping[str, float]) -> None:
        super().__init__(config, labels)
        self.monitors = {"loss": "min", "mae": "min"}

    @classmethod
    def find_labels(cls, config: Config, corpus: Corpus) -> dict[str, float]:
        """Mean and standard deviation of the training split's numbers; UserError where a split has none."""
        for name, split in corpus.splits.items():
            if split.numbers is None:
                raise UserError(
                    f"{corpus.name}, {name} split, has no numbers, which task.name {cls.name} needs: set another"
                    " --task.name."
                )
        numbers = np.asarray(corpus.splits["train"].numbers, "float64")
        return {"mean": float(numbers.mean()), "deviation": float(numbers.std()) or 1.0}

    @classmethod
    def check_labels(cls, labels: Any) -> None:
        """Raises UserError for anything but a finite mean and a positive deviation."""
        stored: dict[str, Any] = labels if isinstance(labels, dict) else {}
        mean, deviation = (stored.get(name, math.nan) for name in ("mean", "deviation"))
        finite = all(isinstance(value, int | float) and math.isfinite(value) for value in (mean, deviation))
        if not finite or not deviation > 0:
            raise UserError("it must hold a finite mean and a positive deviation.")

    @classmethod
    def score_names(cls, config: Config) -> tuple[str, ...]:
        """Mean absolute error and mean squared error."""
        return ("mae", "loss")

    def describe(self) -> str:
        """Where the numbers lie."""
        return f"numbers of {self.labels['mean']:.4g} +- {self.labels['deviation']:.4g}"

    def standardized(self, targets: Any) -> Any:
        """Numbers in the corpus's unit -> in standard deviations from the mean."""
        return (ops.cast(targets, "float32") - self.labels["mean"]) / self.labels["deviation"]

    def example_losses(self, outputs: Any, targets: Any) -> Any:
        """Squared errors `(batch,)` in standard deviations."""
        return ops.square(ops.cast(outputs, "float32")[:, 0] - self.standardized(targets))

    def metrics(self) -> list[keras.Metric]:
        """Mean absolute error in the corpus's unit."""
        return [keras.metrics.Mean(name="mae")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds the absolute errors of a batch."""
        errors = ops.abs(ops.cast(outputs, "float32")[:, 0] - self.standardized(targets))
        metrics[0].update_state(errors * self.labels["deviation"])

    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """Outputs `(batch, 1)` -> {"number": float32 (batch,)} in the corpus's unit."""
        return self.device_outputs(outputs)

    def device_outputs(self, outputs: Any) -> dict[str, tf.Tensor]:
        """Outputs `(batch, 1)` -> {"number": float32 (batch,)} in the corpus's unit."""
        return {"number": tf.cast(outputs, tf.float32)[:, 0] * self.labels["deviation"] + self.labels["mean"]}

    @classmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Any) -> list[Number]:
        """A Number for each example."""
        return [Number(float(value)) for value in outputs["number"]]

    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """Mean absolute error with a bootstrap interval at 95 %, root mean squared error, R2, and all pairs."""
        from scipy import stats  # slow to import

        self.require_no_decoding(decode)
        predicted, targets = self._pairs(recognizer, split, batch_size)
        errors = np.abs(predicted - targets)
        interval = [float(errors.mean())] * 2
        if len(errors) > 1 and errors.std() > 0:
            bootstrap = stats.bootstrap((errors,), np.mean, method="percentile", rng=np.random.default_rng(0))
            interval = [float(bound) for bound in bootstrap.confidence_interval]
        variance = float(np.var(targets))
        loss = float(np.mean(errors**2))
        return {
            "mae": float(errors.mean()),
            "mae_interval": interval,
            "rmse": loss**0.5,
            "r2": 1 - loss / variance if variance else None,
            "loss": loss,
            "examples": len(errors),
            "predictions": [
                {"path": path, "number": float(target), "answer": float(value)}
                for path, target, value in zip(source_names(split), targets, predicted, strict=True)
            ],
            "pairs": [[float(target), float(value)] for target, value in zip(targets, predicted, strict=True)],
        }

    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """Absolute or, for "loss", squared error of each example."""
        predicted, targets = self._pairs(recognizer, split, batch_size)
        errors = np.abs(predicted - targets)
        return PerExampleScores(name or "mae", errors**2 if name == "loss" else errors, np.ones(len(errors), int))

    def _pairs(self, recognizer: Recognizer, split: Split, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Predicted numbers and targets, in the corpus's unit."""
        outputs, targets = recognizer.outputs(split, batch_size)
        return outputs[:, 0] * self.labels["deviation"] + self.labels["mean"], targets.astype("float64")

    def report(self, scores: Mapping[str, Any], title: str) -> Table:
        """One row: errors, their interval, and R2."""
        table = Table(title=title)
        for column in ("mean absolute error", "95 % interval", "root mean squared error", "R2", "examples"):
            table.add_column(column, justify="right")
        low, high = scores["mae_interval"]
        r2 = "" if scores["r2"] is None else f"{scores['r2']:.3f}"
        row = [f"{scores['mae']:.4g}", f"{low:.4g} to {high:.4g}", f"{scores['rmse']:.4g}", r2]
        table.add_row(*row, str(scores["examples"]))
        return table

    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Draws predicted numbers over true ones as PNG."""
        plots.scatter(scores["pairs"], folder / "numbers.png")
