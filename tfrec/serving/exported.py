"""An export, loaded back: a file in, an answer out."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import INPUTS
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.inference import reader
from tfrec.serving import operations
from tfrec.serving.layout import DESCRIPTION
from tfrec.serving.savedmodel import DEFAULT, TENSOR
from tfrec.tasks.base import Answer
from tfrec.utils import json_files


class ExportedRecognizer:
    """A SavedModel that tfrec has exported.

    Attributes:
        path: the version's folder.
        description: what `assets.extra/tfrec.json` says.
        task: the class of the task.
    """

    def __init__(self, path: pathlib.Path, description: dict[str, Any], model: Any) -> None:
        self.path, self.description = path, description
        self.task = tasks.find(description["task"])
        self._model = model  # its signatures need it alive
        _ = model.signatures[DEFAULT], model.signatures[TENSOR]

    @classmethod
    def open(cls, path: Any, trust: bool = False) -> ExportedRecognizer:
        """Loads `saved_models/NAME/VERSION`, or the highest version of `saved_models/NAME`.

        Args:
            path: the folder.
            trust: whether it runs whatever its operations are, see `operations.require_allowed`.

        Raises:
            UserError: where there is no export of tfrec, a damaged one, or one that does more than compute.
        """
        path = pathlib.Path(path)
        versions = [child for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
        if versions:
            path = max(versions, key=lambda version: int(version.name))
        if not (path / "saved_model.pb").is_file():
            raise UserError(f"{path} is neither a run (no config.json) nor an export (no saved_model.pb).")
        description = _read_description(path)
        if not trust:
            operations.require_allowed(path)
        try:
            return cls(path, description, tf.saved_model.load(str(path)))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"The export {path} is damaged or incomplete: export the run again.") from error

    @property
    def modality(self) -> str:
        """What it takes: "image", "audio", or "image_audio" for pairs."""
        return str(self.description["modality"])

    @property
    def takes_pairs(self) -> bool:
        """Whether it answers from a picture and a clip together."""
        return self.modality == "image_audio" and self.task.answers_pairs

    @property
    def takes_blocks(self) -> bool:
        """Whether `predictor` takes a recording in blocks of samples."""
        return self.modality == "audio" and self.task.takes_blocks

    @property
    def audio_channel(self) -> str:
        """Which channel of a recording it takes, as `pipelines.audio.read` does."""
        return str(self.description.get("audio_channel", "average"))

    def read(self, source: Any) -> Any:
        """One source of `predict` as the export takes it: pixels, or samples at its rate.

        Of pairs it is a dict of either, or of both.
        """
        if isinstance(source, Mapping):
            return reader.pair(source, self.read, INPUTS[self.description["modality"]])
        inputs = INPUTS[self.description["modality"]]
        kind = reader.kind(source, inputs)
        if kind == "image":
            background, size = self.description.get("background", "white"), self.description.get("reduced_to")
            raw = reader.image(source, self.description["channels"], background, tuple(size) if size else None)
        else:
            raw = reader.audio(source, self.description["sample_rate_hz"], self.audio_channel)
        return raw if len(inputs) == 1 else {kind: raw}

    def read_blocks(self, source: Any, **reading: Any) -> Iterator[np.ndarray]:
        """A recording as `read` returns it, in blocks; `reading` are options of `reader.audio_blocks`."""
        return reader.audio_blocks(
            source, self.description["sample_rate_hz"], **{"channel": self.audio_channel, **reading}
        )

    def has_signature(self, name: str) -> bool:
        """Whether the export has a signature; older ones lack some."""
        return name in self._model.signatures

    def answers(self, inputs: dict[str, np.ndarray], signature: str = TENSOR) -> dict[str, np.ndarray]:
        """Outputs of a signature for a batch of its inputs; UserError for inputs beyond the export's bounds."""
        function = self._model.signatures[signature]
        types = {name: spec.dtype for name, spec in function.structured_input_signature[1].items()}
        try:
            outputs = function(**{name: _tensor(value, types[name]) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            if (found := re.search(r"assertion failed: \[(.*?)\]", str(error))) is None:
                raise
            raise UserError(f"The export {self.path} refuses its input: {found[1]}.") from error
        return {name: value.numpy() for name, value in outputs.items()}

    def answer_function(self) -> Callable[[Any], dict[str, np.ndarray]]:
        """The function `answers`, as `Recognizer.answer_function` returns it."""
        return self.answers

    def predict(self, sources: Any, **options: Any) -> Iterator[Answer]:
        """Yields the task's answer for each source, as `Recognizer.predict` does.

        Raises:
            UserError: at a source that cannot be read, and for options, which an export does not have.
        """
        answer = self.predictor(**options)
        return (answer(source) for source in reader.listed(sources))

    def predictor(self, **options: Any) -> Callable[..., Answer]:
        """A function from one source to its Answer; see `predict`. It takes the options of `read_blocks` too."""
        answer = self.task.export_predictor(self, **options)
        read: Callable[..., Any] = self.read_blocks if self.takes_blocks else self.read
        return lambda source, **reading: answer(read(source, **reading))

    def batch_of_one(self, raw: Any) -> dict[str, np.ndarray]:
        """One raw example, pixels or samples, or a dict of them, as a batch."""
        parts = raw if isinstance(raw, dict) else {self.description["modality"]: raw}
        batch = {name: value[None] for name, value in parts.items()}
        return batch | ({"length": np.array([len(parts["audio"])], "int32")} if "audio" in parts else {})


def _tensor(values: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    """Values as the signature takes them: pixels of more than 8 bits are rounded where it takes 8."""
    return tf.constant(np.rint(values) if dtype.is_integer else values, dtype)


def _read_description(path: pathlib.Path) -> dict[str, Any]:
    try:
        description = json_files.load(path / DESCRIPTION)
        for name in INPUTS[description["modality"]]:
            description["channels" if name == "image" else "sample_rate_hz"]
        task = tasks.find(description["task"])
        if task.needs_labels:
            description["labels"]
        return description
    except FileNotFoundError:
        raise UserError(f"{path} was not exported by tfrec: it has no {DESCRIPTION}.") from None
    except (UserError, OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path / DESCRIPTION} is damaged: export the run again.") from None
