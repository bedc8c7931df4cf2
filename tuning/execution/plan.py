"""What all trials of a sweep share."""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tfrec.config import flags
from tfrec.config.schema import Config
from tfrec.runs.run import Run
from tuning.objectives import Constraint, Objective
from tuning.search_space.parameters import Parameter, Values, to_flags

RESULT_PARTS = ("data", "frontend", "model", "task", "fit")  # parts of a configuration that decide a trial's scores
MACHINE_FIELDS = ("path", "data_dir", "noise_path")  # fields of those parts that may differ between machines


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all trials share; `words` is the command line of `tfrec fit` before the values of a trial."""

    folder: pathlib.Path
    words: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]

    def run(self, label: str) -> Run:
        """Returns the run of a trial."""
        return Run(self.folder / "trials" / label)

    @property
    def logs(self) -> pathlib.Path:
        """The folder of the trainings' output."""
        return self.folder / "logs"

    @property
    def score_names(self) -> set[str]:
        """The names of all scores in objectives and constraints."""
        return {score.name for score in self.objectives} | {score.name for score in self.constraints}

    def command(self, values: Mapping[str, Any]) -> list[str]:
        """Returns the command line of `tfrec fit` for a trial's values."""
        return [*self.words, *to_flags(without_tuner_values(values))]

    def config(self, values: Mapping[str, Any]) -> Config:
        """Returns the configuration of a trial, with the export of the sweep's own command line."""
        return flags.to_config(flags.parse_fit(self.command(values))[1])

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash that two plans share if their trials are comparable, wherever their data and folders are."""
        config = self.config({}).to_dict()
        parts = [
            {name: value for name, value in config[part].items() if name not in MACHINE_FIELDS} for part in RESULT_PARTS
        ]
        content = [
            parts,
            config["seed"],
            [str(item) for item in self.objectives],
            [str(item) for item in self.constraints],
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def without_tuner_values(values: Mapping[str, Any]) -> Values:
    """Returns the values of a trial without what tuners add, such as hyperband's epochs."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}
