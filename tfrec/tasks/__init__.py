"""The registry of tasks: what a network's outputs mean."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

from pipelines.datasets.base import Corpus
from pipelines.errors import UserError, unknown
from tfrec.tasks.base import Task
from tfrec.tasks.best_rq import BestRQ
from tfrec.tasks.classification import Classification
from tfrec.tasks.masked_pixels import MaskedPixels
from tfrec.tasks.predictive_coding import PredictiveCoding
from tfrec.tasks.regression import Regression
from tfrec.tasks.retrieval import Retrieval
from tfrec.tasks.simclr import SimCLR
from tfrec.tasks.transcription import Transcription

TASKS: dict[str, type[Task]] = {
    "best_rq": BestRQ,
    "classify": Classification,
    "masked_pixels": MaskedPixels,
    "predictive_coding": PredictiveCoding,
    "regress": Regression,
    "retrieve": Retrieval,
    "simclr": SimCLR,
    "transcribe": Transcription,
}

# The task of a corpus, by what its labels are, where none is named.
OF_LABELS = {task.label_kind: name for name, task in TASKS.items() if task.label_kind}


def find(name: str) -> type[Task]:
    """The class of a task; UserError for an unknown name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def of_outputs(outputs: Iterable[str]) -> type[Task]:
    """The class of the task whose exports have these outputs; UserError for any other ones.

    >>> of_outputs(["text", "confidence"]).name
    'transcribe'
    """
    names = set(outputs)
    for task in TASKS.values():
        if task.served_output in names:
            return task
    raise UserError(f"The outputs {', '.join(sorted(names))} are not those of an export of tfrec.")


def default_config(name: str) -> Any:
    """The default settings of a task; UserError for an unknown name."""
    return find(name).config_type()


def labels(config: Any, corpus: Corpus) -> Any:
    """What the task must know of a corpus, as JSON; UserError where the corpus is for another task."""
    return TASKS[config.name].find_labels(config, corpus)


def require_labels(config: Any, stored: Any, path: pathlib.Path) -> None:
    """Raises UserError where `stored`, from the file at `path`, is not what `labels` returns."""
    try:
        TASKS[config.name].check_labels(stored)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}") from error


def scores(config: Any) -> tuple[str, ...]:
    """Names of the single numbers that a task measures on a split, the usual one first."""
    return TASKS[config.name].score_names(config)


def output_kind(config: Any) -> str:
    """The kind of outputs of a task's networks."""
    return TASKS[config.name].output_kind


def model(name: str, of_pairs: bool = False) -> str:
    """The architecture of a task where none is named, for pairs of pictures and clips or for other data."""
    task = TASKS[name]
    return task.default_pair_model if of_pairs and task.default_pair_model else task.default_model


def build(config: Any, labels: Any) -> Task:
    """The task of a config; UserError for labels that are damaged."""
    return TASKS[config.name](config, labels)
