"""The configuration of a run: everything that decides its outcome, as frozen dataclasses and as JSON."""

import dataclasses
from typing import Generic, Literal, TypeVar

Data = TypeVar("Data")
Frontend = TypeVar("Frontend")
Model = TypeVar("Model")
Task = TypeVar("Task")


def _require(holds, rule, received):
    if not holds:
        raise ValueError(f"{rule}. Received: {received}")


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the weights are found."""

    epochs: int = 10  # passes over the training split
    batch_size: int = 64  # examples in each step
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"  # rule of the step
    learning_rate: float = 1e-3  # at its highest
    momentum: float = 0.9  # of sgd and rmsprop
    weight_decay: float = 0.0  # decoupled, times the learning rate; spares biases and normalization
    schedule: Literal["constant", "linear", "cosine", "step", "plateau"] = "cosine"  # of the learning rate
    warmup_epochs: float = 0.0  # linear rise to the learning rate
    step_epochs: tuple[int, ...] = ()  # where schedule step multiplies by step_factor
    step_factor: float = 0.1  # of schedules step and plateau
    plateau_patience: int = 3  # epochs without a better validation before schedule plateau steps
    clip_norm: float | None = None  # largest norm of the whole gradient
    batch_seconds: float | None = None  # of sound in a batch at most, padding included; clips of one length together
    monitor: Literal["loss", "accuracy", "wer", "cer", "per"] = (
        "loss"  # on validation: decides the best weights, stopping and plateaus
    )
    patience: int | None = None  # epochs without a better validation before training stops
    budget_minutes: float | None = None  # of training, after which it stops; schedules linear and cosine keep to it
    freeze: str = "none"  # what stays as it is: none, backbone, until:BLOCK, or gradual, from all to nothing
    unfreeze_epochs: int = 1  # of freeze gradual: how long until the next block is freed
    head_epochs: int = 0  # at first, with all but the head frozen
    backbone_rate: float = 1.0  # learning rate of the backbone, as a factor
    bias_rate: float = 1.0  # learning rate of biases and of batch normalization's scales and offsets, as a factor
    average: float = 0.0  # of the weights over the steps, for validation and for what is kept: how much of it stays
    checkpoints: int = 1  # the mean of the weights after so many epochs is kept
    checkpoints_of: Literal["best", "last"] = "best"  # which epochs those are
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = (
        "float32"  # of the network; features stay float32
    )
    tf32: bool = False  # let GPUs round float32 products to TensorFloat-32: faster, features off by up to 1e-3
    jit_compile: bool = False  # compile the step with XLA; pays on GPUs
    strategy: Literal["default", "mirrored"] = (
        "default"  # mirrored: every GPU of this machine takes a part of each batch
    )
    tensorboard: bool = False  # write event files for TensorBoard into the run

    def __post_init__(self):
        for field in ("epochs", "batch_size", "plateau_patience", "checkpoints"):
            _require(getattr(self, field) >= 1, f"fit.{field} must be 1 or more", getattr(self, field))
        _require(
            self.batch_seconds is None or self.batch_seconds > 0,
            "fit.batch_seconds must be above 0",
            self.batch_seconds,
        )
        _require(self.learning_rate > 0, "fit.learning_rate must be above 0", self.learning_rate)
        _require(0 <= self.momentum < 1, "fit.momentum must be at least 0 and below 1", self.momentum)
        _require(self.weight_decay >= 0, "fit.weight_decay must be 0 or more", self.weight_decay)
        _require(self.warmup_epochs >= 0, "fit.warmup_epochs must be 0 or more", self.warmup_epochs)
        _require(self.clip_norm is None or self.clip_norm > 0, "fit.clip_norm must be above 0", self.clip_norm)
        _require(self.patience is None or self.patience >= 1, "fit.patience must be 1 or more", self.patience)
        _require(
            self.budget_minutes is None or self.budget_minutes > 0,
            "fit.budget_minutes must be above 0",
            self.budget_minutes,
        )
        _require(self.unfreeze_epochs >= 1, "fit.unfreeze_epochs must be 1 or more", self.unfreeze_epochs)
        _require(
            0 <= self.head_epochs < self.epochs,
            "fit.head_epochs must be 0 or more and below fit.epochs",
            self.head_epochs,
        )
        for field in ("backbone_rate", "bias_rate"):
            _require(getattr(self, field) > 0, f"fit.{field} must be above 0", getattr(self, field))
        _require(0 <= self.average < 1, "fit.average must be at least 0 and below 1", self.average)
        needs_steps = self.schedule == "step" and not self.step_epochs
        _require(not needs_steps, "fit.schedule step needs fit.step_epochs", self.step_epochs)


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Where the SavedModel goes."""

    after_fit: bool = True  # publish the model when training ends
    folder: str = "saved_models"  # holds NAME/VERSION/
    name: str | None = None  # the model's name; None is the run folder's
    beam_width: int = 1  # of a recognizer that writes texts: of a beam inside the graph; 1 is the greedy text

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
