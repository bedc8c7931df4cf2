"""Which models are served: those in a folder, or those of a model config file of TensorFlow Serving."""

from __future__ import annotations

import dataclasses
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from pipelines.errors import UserError
from tfrec.serving.server.errors import ServingError, invalid

NO_LABELS: Mapping[str, Mapping[str, int]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Where a model is and which of its versions are served."""

    name: str
    base_path: pathlib.Path
    latest: int | None = 1  # number of versions, the highest ones; None is all, unless `specific` names some
    specific: tuple[int, ...] = ()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def aspired(self) -> list[int]:
        """The versions on the disk that the policy serves, ascending."""
        try:
            names = [path.name for path in self.base_path.iterdir() if path.name.isdecimal() and path.is_dir()]
        except OSError:
            return []
        versions = sorted({int(name) for name in names})
        if self.specific:
            return [version for version in versions if version in self.specific]
        return versions if self.latest is None else versions[-self.latest :]

    def path_of(self, version: int) -> pathlib.Path:
        """The folder of a version on the disk, whose name may have leading zeros."""
        paths = [path for path in self.base_path.iterdir() if path.name.isdecimal()]
        return next(path for path in paths if int(path.name) == version)


def in_folder(folder: pathlib.Path, labels: Mapping[str, Mapping[str, int]] = NO_LABELS) -> list[ModelConfig]:
    """The models in a folder of models, `saved_models/`, or the one of a folder of versions, `saved_models/NAME/`.

    Args:
        folder: holds them.
        labels: model -> label -> version: labeled versions are served beyond the latest one.
    """
    if _has_versions(folder):
        folder = folder.resolve()
        return [_with_labels(ModelConfig(folder.name, folder), labels)]
    try:
        children = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
    return [_with_labels(ModelConfig(path.name, path), labels) for path in children if _has_versions(path)]


def _with_labels(config: ModelConfig, labels: Mapping[str, Mapping[str, int]]) -> ModelConfig:
    own = labels.get(config.name, {})
    if not own:
        return config
    return dataclasses.replace(config, specific=tuple({*own.values(), *config.aspired()}), labels=dict(own))


def _has_versions(folder: pathlib.Path) -> bool:
    try:
        return any(path.name.isdecimal() and path.is_dir() for path in folder.iterdir())
    except OSError:
        return False


def from_file(path: pathlib.Path) -> list[ModelConfig]:
    """The models of a model config file; UserError where it is wrong."""
    try:
        message = text_format.Parse(path.read_text(encoding="utf-8"), model_server_config_pb2.ModelServerConfig())
        return from_message(message)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The model config file {path} cannot be read: {error}.") from None
    except (text_format.ParseError, ServingError) as error:
        raise UserError(f"The model config file {path} is wrong: {error}.") from None


def from_message(message: Any) -> list[ModelConfig]:
    """The models of a ModelServerConfig; ServingError where it is wrong."""
    if message.WhichOneof("config") == "custom_model_config":
        raise ServingError("UNIMPLEMENTED", "custom_model_config is not supported")
    configs = [_model(one) for one in message.model_config_list.config]
    names = [config.name for config in configs]
    if len(set(names)) < len(names):
        raise invalid(f"Illegal to list model {next(one for one in names if names.count(one) > 1)} multiple times")
    return configs


def _model(message: Any) -> ModelConfig:
    if not message.name:
        raise invalid("Illegal for a model to have no name")
    if message.model_platform != "tensorflow":
        raise invalid(f'model_platform must be "tensorflow" for model {message.name}. Was: "{message.model_platform}"')
    if not pathlib.PurePath(message.base_path).is_absolute():
        raise invalid(
            f"Expected model {message.name} to have an absolute path or URI; got base_path={message.base_path}"
        )
    policy = message.model_version_policy
    latest: int | None = 1
    specific: Sequence[int] = ()
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        latest = None
    elif kind == "latest":
        latest = policy.latest.num_versions or 1
    elif kind == "specific":
        specific = policy.specific.versions
        if not specific:
            raise invalid(f"The policy specific of model {message.name} names no versions")
    return ModelConfig(
        message.name, pathlib.Path(message.base_path), latest, tuple(specific), dict(message.version_labels)
    )
