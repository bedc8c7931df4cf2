"""A file for a device, opened with the interface of a run: a file in, an answer out."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import frontends
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config.schema import Config
from tfrec.devices import contents
from tfrec.devices.formats import OUTPUT
from tfrec.devices.interpreter import Interpreter
from tfrec.recognizer import DECISION, Recognizer
from tfrec.runs.run import Run
from tfrec.serving import savedmodel
from tfrec.tasks.base import Answer
from tfrec.utils import json_files

VERSION = 1  # of the description


class FileRecognizer(Recognizer):
    """A Recognizer whose features and network are in a file, and computed by the runtime that devices have.

    Examples are computed one by one. It has no network of Keras: what needs gradients or layers does not apply.

    Args:
        config: the configuration that the file holds.
        labels: likewise.
        interpreter: of the file.
        names: of the network's outputs, which the task reads.

    Raises:
        UserError: for settings that do not go together.
    """

    def __init__(self, config: Config, labels: Any, interpreter: Interpreter, names: Sequence[str]) -> None:
        # Not that of the base class, which builds the network.
        self.config, self.interpreter, self.names, self.run = config, interpreter, tuple(names), None
        self.frontend = frontends.build(config.frontend)
        self.task = tasks.build(config.task, labels)

    @property
    def network(self) -> Any:
        """Raises UserError: what needs layers is for runs."""
        raise UserError(f"{self.path} is a file for devices, which has no layers for this: give the run instead.")

    inference_network = network

    @classmethod
    def open(cls, path: Any) -> FileRecognizer:
        """Opens a file that `tfrec export --format` has written.

        Raises:
            UserError: for any other file, and for one that is damaged.
        """
        interpreter = Interpreter(path)
        if contents.DESCRIPTION not in interpreter.texts:
            raise UserError(f"{path} was not exported by tfrec: it has no {contents.DESCRIPTION}.")
        try:
            stored = json_files.parse(interpreter.texts[contents.DESCRIPTION].encode())
            if stored["version"] != VERSION:
                raise UserError(f"{path} was exported by another version of tfrec: export the run again.")
            config = Config.from_dict(stored["config"], path)
            tasks.require_labels(config.task, stored["labels"], path)
            opened = cls(config, stored["labels"], interpreter, stored["network_outputs"])
            if stored["decision"] is not None:
                opened.task.use_decision(stored["decision"])
            opened._check_inputs()
        except UserError:
            raise
        except (ValueError, KeyError, TypeError, MemoryError, OverflowError):
            raise UserError(f"{path} is damaged: its {contents.DESCRIPTION} is not one of tfrec.") from None
        return opened

    def _check_inputs(self) -> None:
        """Raises UserError unless the runtime's inputs are those of the frontend."""
        expected: dict[str, Any] = {}
        for name, part in self.frontend.parts().items():
            shape = part.feature_shape if name == "image" else (self.samples,)
            expected[name] = [[1, *shape], "float32"]
            if name == "audio":
                expected["length"] = [[1], "int32"]
        if self.interpreter.inputs != expected:
            raise UserError(f"{self.path} is damaged: its inputs are not those of its {contents.DESCRIPTION}.")

    @property
    def path(self) -> pathlib.Path:
        """The file."""
        return self.interpreter.path

    @property
    def samples(self) -> int:
        """Samples of the longest clip that it takes; 0 where it takes none."""
        shape = self.interpreter.inputs.get("audio", [[1, 0]])[0]
        return int(shape[1]) if len(shape) == 2 else 0

    @property
    def takes_blocks(self) -> bool:
        """A clip is given as a whole."""
        return False

    @property
    def description(self) -> dict[str, Any]:
        """What an application must know: classes, rate, sizes, thresholds."""
        description: dict[str, Any] = json.loads(self.interpreter.texts[contents.DESCRIPTION])
        return description

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Raw batch -> the network's outputs, as numpy arrays."""
        values = inputs if isinstance(inputs, Mapping) else {next(iter(self.frontend.parts())): inputs}
        values = {name: np.asarray(value) for name, value in values.items()}
        rows = len(next(iter(values.values())))
        answers = [self.answer_row({name: value[i] for name, value in values.items()})[0] for i in range(rows)]
        try:
            outputs = {name: np.concatenate([row[name] for row in answers]) for name in self.names}
        except (KeyError, ValueError):
            raise UserError(f"{self.path} is damaged: it does not answer as its {contents.DESCRIPTION} says.") from None
        return outputs[OUTPUT] if self.names == (OUTPUT,) else outputs

    def answer_row(self, row: Mapping[str, np.ndarray], repeat: int = 1) -> tuple[dict[str, np.ndarray], float, int]:
        """What the runtime answers to one raw example, see `Interpreter.measure`."""
        return self.interpreter.measure(self.inputs_of(row), repeat)

    def inputs_of(self, row: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One raw example as the file takes it: pictures in its size, clips padded to its length.

        Args:
            row: "image" `(height, width, channels)`, or "audio" `(samples,)` with "length" or without it, or both.

        Raises:
            UserError: for a clip that is longer.
        """
        given: dict[str, np.ndarray] = {}
        if "image" in row:
            part = self.frontend.parts()["image"]
            image = np.asarray(row["image"], "float32")[None]
            given["image"] = image if part.resized_before else np.asarray(part.resize(image))
        if "audio" in row:
            length = int(row.get("length", len(row["audio"])))
            if length > self.samples:
                rate = self.frontend.parts()["audio"].config.sample_rate_hz
                raise UserError(
                    f"{self.path} takes clips of up to {self.samples / rate:.4g} s, and this one lasts"
                    f" {length / rate:.4g} s: give a shorter one, or export with a greater --seconds."
                )
            audio = np.zeros((1, self.samples), "float32")
            audio[0, :length] = row["audio"][:length]
            given |= {"audio": audio, "length": np.array([length], "int32")}
        return given

    def answers(self, inputs: Any) -> dict[str, np.ndarray]:
        """What the task answers to a batch of raw inputs, as numpy arrays."""
        outputs = tf.nest.map_structure(tf.constant, self(inputs))
        return {name: x.numpy() for name, x in self.task.export_outputs(outputs, self.config.export).items()}

    def answer_function(self) -> Callable[[Any], dict[str, np.ndarray]]:
        """The function `answers`."""
        return self.answers

    def predictor(self, **options: Any) -> Callable[..., Answer]:
        """A function from one source to its Answer.

        Raises:
            UserError: for options, which a file does not have, and for one input of pairs.
        """
        if options:
            flags = ", ".join(f"--{name}" for name in options)
            raise UserError(f"{flags}: only a run takes this, and {self.path} is a file for devices; leave it out.")

        def answer(source: Any) -> Answer:
            raw = self.read(source)
            if isinstance(raw, Mapping) and set(raw) != set(self.frontend.parts()):
                raise UserError(f"{self.path} takes a picture and a clip together, and only one of them is there.")
            return self.task.read_answers(self.answers(self.batch_of_one(raw)), self.task.labels)[0]

        return answer

    def of_single_inputs(self) -> dict[str, Recognizer]:
        """A file has none of them."""
        return {}

    def with_data_of(self, run: Run) -> Recognizer:
        """This recognizer with the settings of a run, by which its data is read; UserError for other labels."""
        if run.read_json("labels.json") != self.task.labels:
            raise UserError(f"{self.path} was not exported from {run.path}: their labels differ.")
        return self.replace(config=Config.from_dict(run.read_json("config.json"), run.path / "config.json"))

    def forward_function(self, batches: tf.data.Dataset) -> Any:
        """A function from the inputs of such batches to outputs, as tensors."""
        return lambda inputs: tf.nest.map_structure(tf.constant, self(inputs))


def describe(recognizer: Recognizer, samples: int | None) -> dict[str, Any]:
    """What a file holds as its description: for applications, and for `FileRecognizer.open`.

    No path of this machine is in it.
    """
    known = savedmodel.describe(recognizer)
    for name in ("limits", "on_bad_row", "drawing"):
        known.pop(name, None)
    inputs: dict[str, Any] = {}
    for name, part in recognizer.frontend.parts().items():
        inputs[name] = [1, samples] if name == "audio" else [1, *part.feature_shape]
        if name == "audio":
            inputs["length"] = [1]
    run = recognizer.run
    decision = run.read_json(DECISION) if run is not None and (run.path / DECISION).is_file() else None
    outputs = recognizer.inference_network.output
    return {
        "version": VERSION,
        **known,
        "inputs": inputs,
        "network_outputs": sorted(outputs) if isinstance(outputs, dict) else [OUTPUT],
        "config": _portable(recognizer.config.to_dict()),
        "labels": recognizer.task.labels,
        "decision": decision,
    }


def _portable(value: Any, key: str = "") -> Any:
    """A configuration whose paths have lost their folders, and whose features are made on the device."""
    if isinstance(value, dict):
        return {name: _portable(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_portable(each) for each in value]
    if key == "placement":
        return "device"
    return os.path.basename(value.rstrip("/")) if isinstance(value, str) and value.startswith(("/", "~")) else value
