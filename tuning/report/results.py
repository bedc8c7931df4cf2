"""The results of a sweep: its trials, the best one, the Pareto front."""

import dataclasses
import math
from typing import Any

from tuning.objectives import Constraint, Objective
from tuning.search_space.parameters import Parameter, Values

DEFAULT = "default"  # label of the configuration that the sweep starts from
TIE_BREAKER = Objective("loss")  # a small validation split has few different accuracies
STATUSES = ("done", "failed", "infeasible", "running")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training. `label` is the folder of its run; `values` are those of its active parameters."""

    label: str
    status: str  # one of STATUSES; infeasible ones violate a constraint
    values: Values = dataclasses.field(default_factory=dict)
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""  # why it failed or is infeasible
    seconds: float | None = None  # from its start to its end
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # its epochs, if its run is on this machine

    @property
    def changed_values(self) -> Values:
        """The values by which it differs from the configuration that the sweep starts from."""
        return {} if self.label == DEFAULT else self.values


@dataclasses.dataclass(frozen=True)
class Results:
    """All trials, in the order in which they started.

    `default` is the Trial of the unchanged configuration, or None.
    """

    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    trials: tuple[Trial, ...]
    default: Trial | None = None

    @property
    def done(self) -> list[Trial]:
        """The completed trials that satisfy the constraints."""
        return [trial for trial in self.trials if trial.status == "done"]

    @property
    def with_default(self) -> list[Trial]:
        """The default, where there is one, and all trials."""
        start = [self.default] if self.default else []
        return start + [trial for trial in self.trials if trial is not self.default]

    def sort_key(self, trial: Trial) -> list[float]:
        """Returns a key that sorts trials best first: by the first objective, then the next ones, then the loss."""
        return [objective.sort_key(trial.scores) for objective in (*self.objectives, TIE_BREAKER)]

    @property
    def ranked(self) -> list[Trial]:
        """The trials of `done` whose first objective is known, best first; of equal ones the earliest first."""
        return sorted((trial for trial in self.done if self.sort_key(trial)[0] != math.inf), key=self.sort_key)

    @property
    def best(self) -> Trial | None:
        """The first of `ranked`, or None."""
        return next(iter(self.ranked), None)

    @property
    def winner(self) -> Trial | None:
        """The best trial, or the default where no trial is better; None where neither is done."""
        default, best = self.default, self.best
        if default is None or default.status != "done" or (best and self.sort_key(best) < self.sort_key(default)):
            return best
        return default

    @property
    def front(self) -> list[Trial]:
        """The Pareto front: the trials that no other dominates, in their order."""
        return [trial for trial in self.done if not any(self._dominates(other, trial) for other in self.done)]

    def _dominates(self, trial: Trial, other: Trial) -> bool:
        """Whether a trial is as good in every objective, and better in one."""
        pairs = [
            (objective, trial.scores[objective.name], other.scores[objective.name]) for objective in self.objectives
        ]
        return all(not objective.is_better(theirs, mine) for objective, mine, theirs in pairs) and any(
            objective.is_better(mine, theirs) for objective, mine, theirs in pairs
        )
