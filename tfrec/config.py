"""The configuration of a run: everything that decides its outcome, as frozen dataclasses and as JSON."""

import dataclasses
from typing import Generic, TypeVar

from tfrec.training import FitConfig

Data = TypeVar("Data")
Frontend = TypeVar("Frontend")
Model = TypeVar("Model")
Task = TypeVar("Task")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Where the SavedModel goes."""

    after_fit: bool = True  # publish the model when training ends
    folder: str = "saved_models"  # holds NAME/VERSION/
    name: str | None = None  # the model's name; None is the run folder's
    beam_width: int = 1  # of a recogniser that writes texts: of a beam inside the graph; 1 is the greedy text

    def __post_init__(self):
        if not 1 <= self.beam_width <= 1000:
            raise ValueError(f"export.beam_width must be from 1 to 1,000. Received: {self.beam_width}")


@dataclasses.dataclass(frozen=True)
class Config(Generic[Data, Frontend, Model, Task]):
    """Everything that decides the outcome of a run."""

    data: Data
    frontend: Frontend
    model: Model
    task: Task
    fit: FitConfig = FitConfig()
    export: ExportConfig = ExportConfig()
    seed: int = 0  # of weights, order and augmentation

    def __post_init__(self):
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be 0 or more and below 2,147,483,648. Received: {self.seed}")


def as_json(config):
    """The configuration as plain dicts, lists, numbers and strings."""
    parts = {field.name: getattr(config, field.name) for field in dataclasses.fields(Config)}
    return {name: dataclasses.asdict(part) if dataclasses.is_dataclass(part) else part for name, part in parts.items()}
