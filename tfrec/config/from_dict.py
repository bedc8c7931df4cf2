"""Dicts and JSON to configurations."""

import os
from collections.abc import Mapping
from typing import Any

from pipelines.errors import UserError
from tfrec.config import parts
from tfrec.config.schema import AnyConfig, Config
from tfrec.config.structure import merge, nested, require_mapping, structure
from tfrec.utils import json_files


def build(
    experiment: str | None, overrides: Mapping[str, Any], source: str | os.PathLike[str] | None = None
) -> AnyConfig:
    """Builds the configuration of an experiment, or of the defaults, with some settings changed.

    Args:
        experiment: name of an experiment, or None; see `parts.choose`.
        overrides: settings as nested mappings, by dotted names, or both.
        source: file that the settings come from, which errors then name.

    Raises:
        UserError: an unknown experiment, name or key, or a value of the wrong type or out of range.
    """
    try:
        require_mapping("a configuration", overrides)
        settings = nested(overrides)
        return change(parts.choose(experiment, settings), settings)
    except UserError as error:
        if source is None:
            raise
        raise UserError(f"{source}: {error}") from error


def change(config: AnyConfig, settings: Mapping[str, Any], kind: Any = Config) -> Any:
    """Returns an instance of `kind` with the settings of a configuration and others over them.

    Args:
        config: the configuration to start from, whose parts have the classes that the settings need.
        settings: nested mappings.
        kind: Config or a subclass, whose own fields are settings too.

    Raises:
        UserError: an unknown key, or a value of the wrong type or out of range.
    """
    return structure(merge(config.to_dict(), settings), parts.with_classes(kind, config))


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the JSON object in a file; raises UserError for a file that is missing or holds anything else."""
    try:
        stored = json_files.load(path)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path} as JSON: {error}.") from None
    if not isinstance(stored, dict):
        raise UserError(f"{path} must hold a JSON object, as a run's config.json does.")
    return stored
