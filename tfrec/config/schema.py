"""The configuration of a run, everything that decides its outcome, as frozen dataclasses. Imports no Keras."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar

Data = TypeVar("Data")
Frontend = TypeVar("Frontend")
Model = TypeVar("Model")
Task = TypeVar("Task")

WARMUP_BATCHES = (1, 8)


def _require(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}. Received: {received}")


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the network is trained."""

    epochs: int = 10  # passes over the training split
    batch_size: int = 64  # examples of an update of the weights, on all devices together
    accumulate_steps: int = 1  # parts of a batch that are computed one after the other: less memory, the same gradient
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"  # update rule
    learning_rate: float = 1e-3  # maximum of the schedule
    momentum: float = 0.9  # of sgd and rmsprop
    weight_decay: float = 0.0  # decoupled, times the learning rate; not applied to biases and normalization
    schedule: Literal["constant", "linear", "cosine", "step", "plateau"] = "cosine"  # of the learning rate
    warmup_epochs: float = 0.0  # epochs of linear increase from 0 to the learning rate
    step_epochs: tuple[int, ...] = ()  # epochs after which schedule step multiplies the learning rate by step_factor
    step_factor: float = 0.1  # factor of the schedules step and plateau
    plateau_patience: int = 3  # epochs without a better validation score before schedule plateau lowers the rate
    clip_norm: float | None = None  # maximum norm of the gradient over all weights; None does not clip
    batch_seconds: float | None = None  # speech: maximum seconds in a batch, padding included; groups similar lengths
    monitor: str = "loss"  # validation score, such as accuracy or wer, for the best weights, stopping and plateaus
    patience: int | None = None  # epochs without a better validation score before training stops; None never stops
    budget_minutes: float | None = None  # minutes after which training stops; linear and cosine schedules fit into them
    freeze: str = "none"  # what is not trained: none, backbone, until:BLOCK, or gradual, which unfreezes by block
    unfreeze_epochs: int = 1  # epochs between two blocks that freeze gradual unfreezes
    head_epochs: int = 0  # number of first epochs that train only the head
    backbone_rate: float = 1.0  # learning rate of the backbone, as a factor
    bias_rate: float = 1.0  # learning rate of biases and of batch normalization's scales and offsets, as a factor
    average: float = 0.0  # decay of the moving average of the weights that is validated and saved; 0 is off
    checkpoints: int = 1  # number of epochs whose weights are averaged in the saved network
    checkpoints_of: Literal["best", "last"] = "best"  # which epochs are averaged
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"  # of the network, not of features
    tf32: bool = False  # let GPUs round float32 products to TensorFloat-32: faster, features differ by up to 1e-3
    jit_compile: bool = False  # compile the training step with XLA; faster on GPUs, slower on CPUs
    # Who computes a batch: one device (default), all GPUs of this machine (mirrored), several processes (multi_worker)
    strategy: Literal["default", "mirrored", "multi_worker"] = "default"  # one device, all of a machine, or processes
    cpu_devices: int = 1  # mirrored without GPUs: number of devices that the CPU is divided into, to try it
    sync_batch_norm: bool = False  # multi_worker: batch normalization over the examples of all workers
    checkpoint_minutes: float = 5.0  # between two states within an epoch, from which --resume continues
    tensorboard: bool = False  # write event files for TensorBoard into the run

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_size", "accumulate_steps", "plateau_patience", "checkpoints", "unfreeze_epochs")
        for field in (*counts, "patience", "cpu_devices"):
            value = getattr(self, field)
            _require(value is None or value >= 1, f"fit.{field} must be 1 or more", value)
        for field in (
            "learning_rate",
            "backbone_rate",
            "bias_rate",
            "clip_norm",
            "batch_seconds",
            "budget_minutes",
            "checkpoint_minutes",
        ):
            value = getattr(self, field)
            _require(value is None or value > 0, f"fit.{field} must be above 0", value)
        for field in ("weight_decay", "warmup_epochs"):
            value = getattr(self, field)
            _require(value >= 0, f"fit.{field} must be 0 or more", value)
        for field in ("momentum", "average"):
            value = getattr(self, field)
            _require(0 <= value < 1, f"fit.{field} must be at least 0 and below 1", value)
        rule = "fit.head_epochs must be 0 or more and below fit.epochs"
        _require(0 <= self.head_epochs < self.epochs, rule, self.head_epochs)
        rule = "fit.cpu_devices is for fit.strategy mirrored"
        _require(self.cpu_devices == 1 or self.strategy == "mirrored", rule, self.strategy)
        is_mirrored = self.sync_batch_norm and self.strategy == "mirrored"
        _require(not is_mirrored, "fit.sync_batch_norm is for fit.strategy multi_worker", self.strategy)
        needs_steps = self.schedule == "step" and not self.step_epochs
        _require(not needs_steps, "fit.schedule step needs fit.step_epochs", self.step_epochs)


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Where the SavedModel is written."""

    after_fit: bool = True  # export the model when training ends
    folder: str = "saved_models"  # folder of the exports, each at NAME/VERSION/
    name: str | None = None  # name of the model; None is the name of the run folder
    beam_width: int = 1  # transcription: width of the beam search inside the graph; 1 is greedy
    warmup_batches: tuple[int, ...] = WARMUP_BATCHES  # batch sizes that a server answers before it takes traffic
    # What a request of the export may ask for; more is refused, since it could exhaust the memory of the server
    max_rows: int | None = None  # rows; None is 256 clips, or 64 pictures of 224 pixels, up to 1,024 smaller ones
    max_megapixels: float = 100.0  # of the pictures of a request together
    max_seconds: float = 120.0  # of a clip
    max_total_seconds: float = 480.0  # of the clips of a request, each padded to the longest
    on_bad_row: Literal["error", "fill"] = "error"  # a bad row fails its request (error), or is answered empty (fill)

    def __post_init__(self) -> None:
        _require(self.max_rows is None or self.max_rows >= 1, "export.max_rows must be 1 or more", self.max_rows)
        for name in ("max_megapixels", "max_seconds", "max_total_seconds"):
            value = getattr(self, name)
            _require(0 < value <= 1e6, f"export.{name} must be above 0 and at most 1,000,000", value)
        batches = all(1 <= size <= 1024 for size in self.warmup_batches) and len(self.warmup_batches) <= 16
        _require(batches, "export.warmup_batches must be at most 16 sizes from 1 to 1,024", self.warmup_batches)
        name = "name" if self.name is None else self.name
        part = name.isprintable() and name not in ("", ".", "..") and not set(name) & {"/", "\\"}
        _require(part, "export.name must be the name of a folder, without a path", self.name)
        _require(1 <= self.beam_width <= 1000, "export.beam_width must be from 1 to 1,000", self.beam_width)


@dataclasses.dataclass(frozen=True)
class Config(Generic[Data, Frontend, Model, Task]):
    """Everything that decides the outcome of a run."""

    data: Data
    frontend: Frontend
    model: Model
    task: Task
    fit: FitConfig = FitConfig()
    export: ExportConfig = ExportConfig()
    seed: int = 0  # of initial weights, order of examples and augmentation

    def __post_init__(self) -> None:
        _require(0 <= self.seed < 2**31, "seed must be 0 or more and below 2,147,483,648", self.seed)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str | os.PathLike[str] | None = None) -> "AnyConfig":
        """Builds a configuration from plain values, as `to_dict` returns them and JSON stores them.

        The names in `data`, `frontend`, `model` and `task` decide which dataclasses these parts are. A setting that is
        missing has its default.

        Args:
            values: nested mappings, dotted names, or both.
            source: file that the values come from, which errors then name.

        Raises:
            UserError: an unknown key or name, or a value of the wrong type or out of range, with its dotted name.
        """
        from tfrec.config import from_dict  # imports Keras

        return from_dict.build(None, values, source)

    def to_dict(self) -> dict[str, Any]:
        """Returns the configuration as dicts, lists, numbers, strings and None, without the fields of a subclass."""
        return {field.name: unstructure(getattr(self, field.name)) for field in dataclasses.fields(Config)}


AnyConfig: TypeAlias = Config[Any, Any, Any, Any]


def unstructure(value: Any) -> Any:
    """Returns a dataclass as a dict and a tuple as a list, with everything in them; other values as they are."""
    if dataclasses.is_dataclass(value):
        return {field.name: unstructure(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [unstructure(item) for item in value]
    return value
