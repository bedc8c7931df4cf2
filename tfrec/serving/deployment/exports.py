"""What of exports a server must be configured for: versions, labels, kinds of inputs, and who wrote them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.errors import UserError
from tfrec.serving import layout, protos
from tfrec.serving.deployment import model_config
from tfrec.serving.deployment.model_config import ModelConfig
from tfrec.utils import json_files

# Images of tensorflow/serving, by the TensorFlow that they hold, ascending.
IMAGES = ("2.17.0", "2.18.0", "2.19.0", "2.19.1", "2.20.0")


@dataclasses.dataclass(frozen=True)
class Export:
    """The versions of a model that are to be served.

    Attributes:
        config: its name, folder, versions and labels.
        modality: "image" or "audio"; "" for a SavedModel that tfrec has not exported.
        fills_bad_rows: whether a bad row spoils no other row of its batch.
        tensorflow: the version of TensorFlow that wrote the newest of them.
    """

    config: ModelConfig
    modality: str
    fills_bad_rows: bool
    tensorflow: str


def labels_of(words: Sequence[str]) -> dict[str, dict[str, int]]:
    """Model -> label -> version, from words of the form MODEL:LABEL=VERSION; UserError for any other word.

    >>> labels_of(["digits:stable=1", "digits:canary=2"])
    {'digits': {'stable': 1, 'canary': 2}}
    """
    labels: dict[str, dict[str, int]] = {}
    for word in words:
        model, colon, rest = word.rpartition(":")
        label, equals, version = rest.partition("=")
        if not (model and colon and label and equals and version.isdecimal()):
            raise UserError(f"--labels: {word} is not of the form MODEL:LABEL=VERSION, such as digits:stable=1.")
        labels.setdefault(model, {})[label] = int(version)
    return labels


def find(folder: pathlib.Path, labels: Mapping[str, Mapping[str, int]]) -> list[Export]:
    """The exports of a folder of models, or of one of versions.

    Raises:
        UserError: where there are none, and for labels of models or versions that do not exist.
    """
    configs = model_config.in_folder(folder, labels)
    if not configs:
        raise UserError(f"{folder} holds no export: name the folder of NAME/VERSION/, or export a run.")
    names = [config.name for config in configs]
    for model in labels:
        if model not in names:
            raise UserError(f"--labels: {folder} holds no model {model}: there are {', '.join(names)}.")
    return [_export(config) for config in configs]


def _export(config: ModelConfig) -> Export:
    versions = config.aspired()
    for label, number in config.labels.items():
        if number not in versions:
            raise UserError(f"--labels: {config.name} has no version {number} for the label {label}.")
    paths = [config.path_of(number) for number in versions]
    descriptions = [_description(path) for path in paths]
    written = max((tensorflow_version(path) for path in paths), key=numbers)
    return Export(
        config,
        str(descriptions[-1].get("modality", "")),
        all(description.get("on_bad_row") == "fill" for description in descriptions),
        written,
    )


def _description(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        description = json_files.load(path / layout.DESCRIPTION)
        return description if isinstance(description, dict) else {}
    except (OSError, ValueError):
        return {}


def tensorflow_version(path: pathlib.Path) -> str:
    """The version of TensorFlow that wrote a SavedModel; UserError where it cannot be read."""
    try:
        return str(protos.read_saved_model(path).meta_graphs[0].meta_info_def.tensorflow_version)
    except Exception as error:  # of protobuf, whose module depends on its version
        raise UserError(f"{path} is damaged: its saved_model.pb cannot be read ({error}).") from None


def image_for(exports: Sequence[Export]) -> str:
    """The oldest image of tensorflow/serving that is not older than the exports; UserError where none is known."""
    newest = max(exports, key=lambda export: numbers(export.tensorflow))
    for version in IMAGES:
        if numbers(version) >= numbers(newest.tensorflow):
            return f"tensorflow/serving:{version}"
    raise UserError(
        f"{newest.config.name} was written by TensorFlow {newest.tensorflow}, an older server cannot run it, and no"
        f" image of tensorflow/serving is known that is as new (the newest is {IMAGES[-1]}): name one with --image, or"
        " export with Python 3.11 or 3.12, whose TensorFlow is 2.17."
    )


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, which compare; suffixes such as "-rc1" are left out."""
    parts = version.split("-")[0].split(".")
    return tuple(int(part) for part in parts if part.isdecimal())
