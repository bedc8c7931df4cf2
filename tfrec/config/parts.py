"""Which dataclasses the parts `data`, `frontend`, `model` and `task` of a configuration are: their names decide."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from pipelines import datasets, frontends
from pipelines.datasets.base import DataConfig, FilesConfig
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import experiments
from tfrec.config.schema import AnyConfig, Config, unstructure
from tfrec.config.structure import merge, require_mapping, structure

PARTS = ("data", "frontend", "model", "task")
# What has a name and settings of its own: the parts, and the networks inside a network for pairs.
NAMED = (*PARTS, "model.image", "model.speech")
DEFAULT_EXPERIMENT = "digits"
PAIRED = [frontends.FRONTEND_OF_MODALITY[modality] for modality in ("image_audio", "video_audio")]


def choose(experiment: str | None, settings: Mapping[str, Any]) -> AnyConfig:
    """Returns the configuration that settings change: an experiment's, with the defaults of parts that are renamed.

    Without an experiment it starts from the defaults of `data.name`, or from the experiment digits. Data of another
    name brings its kind of frontend and its usual task, a task of another name its usual architecture.

    Args:
        experiment: name of an experiment, or None.
        settings: nested mappings; only the names, and everything in `data`, are used.

    Raises:
        UserError: an unknown name, or data whose modality cannot be determined.
    """
    names = {part: _name(settings, part) for part in PARTS}
    start = _start(experiment, names["data"])
    data = _default_data(start, names["data"])
    task = _default_task(start, data, names["task"])
    if isinstance(data, FilesConfig) and tasks.find(task.name).label_kind is None:
        data = dataclasses.replace(data, unlabeled=True)
    frontend_name, model_name = names["frontend"], names["model"]
    if frontend_name is None and start is not None and set(settings.get("data", {})) <= {"name"} and data is start.data:
        frontend_name = start.frontend.name  # without a question to the data
    if frontend_name is None:
        configured = structure(merge(unstructure(data), settings.get("data", {}), "data."), type(data), "data")
        frontend_name = frontends.FRONTEND_OF_MODALITY[datasets.find(data.name).modality(configured)]
    if model_name is None:
        of_pairs = frontend_name in PAIRED
        is_kept = start and task.name == start.task.name and of_pairs == (start.frontend.name in PAIRED)
        model_name = start.model.name if start and is_kept else tasks.model(task.name, of_pairs)
    model = _kept(start, "model", model_name) or architectures.default_config(model_name)
    chosen = {
        "data": data,
        "frontend": _kept(start, "frontend", frontend_name) or frontends.default_config(frontend_name),
        "model": _with_networks(model, settings.get("model", {})),
        "task": task,
    }
    return Config(**chosen) if start is None else dataclasses.replace(start, **chosen)


def with_classes(kind: Any, config: AnyConfig) -> Any:
    """Returns Config, or a generic subclass, with the classes of a configuration's parts as its arguments."""
    return kind[tuple(_class_of(getattr(config, part)) for part in PARTS)]


def _class_of(config: Any) -> Any:
    """The dataclass of a part; a generic one with the classes of the configs in its fields as arguments."""
    kind = type(config)
    hints, parameters = typing.get_type_hints(kind), getattr(kind, "__parameters__", ())
    fields = {hint: name for name, hint in hints.items()}
    return kind[tuple(_class_of(getattr(config, fields[each])) for each in parameters)] if parameters else kind


def data_class(experiment: str | None, settings: Mapping[str, Any]) -> type[DataConfig]:
    """Returns the dataclass of the part `data`; raises UserError for an unknown name."""
    name = _name(settings, "data")
    return type(_default_data(_start(experiment, name), name))


def _start(experiment: str | None, data_name: str | None) -> AnyConfig | None:
    """The experiment that settings change; None where only data are named."""
    if experiment is None and data_name is not None:
        return None
    return experiments.find(DEFAULT_EXPERIMENT if experiment is None else experiment)()


def _default_data(start: AnyConfig | None, name: str | None) -> DataConfig:
    if start is not None and name in (None, start.data.name):
        return start.data
    data_name = name or ""
    return datasets.find(data_name).Config(name=data_name)


def _default_task(start: AnyConfig | None, data: DataConfig, name: str | None) -> Any:
    """The experiment's task if it has the name, or, without a name, if the data are the experiment's."""
    if start is not None and (data is start.data if name is None else name == start.task.name):
        return start.task
    return tasks.default_config(tasks.OF_LABELS[datasets.label_kind(data.name)] if name is None else name)


def _kept(start: AnyConfig | None, part: str, name: str) -> Any:
    """The experiment's part if it has the name, or else None."""
    return getattr(start, part) if start is not None and getattr(start, part).name == name else None


def _with_networks(model: Any, settings: Mapping[str, Any]) -> Any:
    """The config of a network with the defaults of the networks in it that settings name."""
    changes = {}
    for part in NAMED:
        field = part.removeprefix("model.")
        if field != part and hasattr(model, field):
            name = _name(settings, field, "model.")
            if name not in (None, getattr(model, field).name):
                changes[field] = architectures.default_config(name)
    return dataclasses.replace(model, **changes)


def _name(settings: Mapping[str, Any], part: str, path: str = "") -> str | None:
    """The name that settings give a part; None where they give none."""
    require_mapping(f"{path}{part}", settings.get(part, {}))
    name = settings.get(part, {}).get("name")
    if name is not None and not isinstance(name, str):
        raise UserError(f"{path}{part}.name must be a string. Received: {name!r}")
    return name
