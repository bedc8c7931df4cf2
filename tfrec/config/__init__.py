"""The configuration of a run: dataclasses, plain dicts, JSON and flags. Importing this package imports no Keras."""

import types
from collections.abc import Mapping
from typing import Any

from tfrec.config.schema import AnyConfig, Config, ExportConfig, FitConfig

__all__ = ["AnyConfig", "Config", "ExportConfig", "FitConfig", "build"]


def build(experiment: str | None = None, overrides: Mapping[str, Any] = types.MappingProxyType({})) -> AnyConfig:
    """Builds the configuration of an experiment with some settings changed.

    Another `model.name`, `data.name`, `task.name` or `frontend.name` brings that part's own defaults.

    >>> config = build("digits", {"model.name": "mlp", "fit": {"epochs": 3}})
    >>> config.model.name, config.fit.epochs
    ('mlp', 3)

    Args:
        experiment: name of an experiment; None starts from the defaults of `data.name`, or from the experiment digits.
        overrides: settings by dotted names, nested mappings, or both: `{"fit.epochs": 3, "model": {"width": 8}}`.

    Raises:
        UserError: an unknown experiment, name or key, or a value of the wrong type or out of range.
    """
    from tfrec.config import from_dict  # imports Keras

    return from_dict.build(experiment, overrides)
