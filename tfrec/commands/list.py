"""Lists architectures, datasets, experiments and layers: `python -m tfrec list [KIND]`."""

import dataclasses
import inspect
import json
import os
from collections.abc import Sequence
from typing import Any, Literal

import tyro
from rich.table import Table

from pipelines.datasets import DATASETS
from pipelines.layers import LAYERS
from tfrec.architectures import ARCHITECTURES, find
from tfrec.config import flags
from tfrec.config.experiments import EXPERIMENTS
from tfrec.utils.console import console

MAX_WIDTH = 120  # characters


@dataclasses.dataclass(frozen=True)
class Arguments:
    """List architectures, datasets, experiments and layers, one line each."""

    kind: tyro.conf.Positional[Literal["all", "architectures", "datasets", "experiments", "layers"]] = "all"  # which
    json: bool = False  # print JSON


def main(argv: Sequence[str]) -> int:
    """Prints the registries.

    Args:
        argv: command-line arguments, without the name of the command.

    Returns:
        The exit status.
    """
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec list")
    listing = {kind: entries for kind, entries in registries().items() if arguments.kind in ("all", kind)}
    if arguments.json:
        print(json.dumps(listing, indent=2, ensure_ascii=False))
        return 0
    for kind, entries in listing.items():
        table = Table("name", "summary", title=kind, title_justify="left", width=_width())
        for name, entry in entries.items():
            table.add_row(name, entry["summary"])
        console.print(table)
    return 0


def _width() -> int:
    """The width of a table: that of the terminal or of COLUMNS, 120 at most and where there is neither."""
    return min(MAX_WIDTH, console.width) if console.is_terminal or "COLUMNS" in os.environ else MAX_WIDTH


def registries() -> dict[str, dict[str, dict[str, Any]]]:
    """Returns {"architectures": {NAME: {"summary": ...}}, "datasets": ..., "experiments": ..., "layers": ...}."""
    return {
        "architectures": {
            name: {
                "summary": _summary(module),
                "input_kinds": list(find(name).input_kinds),
                "output_kind": find(name).output_kind,
                "config": dataclasses.asdict(config),
            }
            for name, (module, config) in ARCHITECTURES.items()
        },
        "datasets": {name: {"summary": _summary(module)} for name, module in DATASETS.items()},
        "experiments": {name: {"summary": _summary(function)} for name, function in EXPERIMENTS.items()},
        "layers": {name: {"summary": _summary(layer)} for name, layer in LAYERS.items()},
    }


def _summary(documented: object) -> str:
    """The first sentence of a docstring, without its full stop."""
    return (inspect.getdoc(documented) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
