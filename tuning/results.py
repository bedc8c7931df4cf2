"""What a sweep has found: its trials, the best, the front."""

import dataclasses
import math

from tuning.objectives import Constraint, Objective
from tuning.spaces import Parameter

DEFAULT = "default"  # label of the configuration that the sweep starts from
TIES = Objective("loss")  # decides among equals: a small split knows few different accuracies
STATES = ("done", "failed", "infeasible", "running")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training. `label` is its run's folder; `values` are those of the parameters that count in it."""

    label: str
    status: str  # one of STATES; infeasible ones break a constraint
    values: dict[str, object] = dataclasses.field(default_factory=dict)
    scores: dict[str, float] = dataclasses.field(default_factory=dict)  # what is known of it
    reason: str = ""  # why it failed or is infeasible
    seconds: float | None = None  # from its start to its end
    history: list[dict] = dataclasses.field(default_factory=list)  # its epochs, where its run is on this machine

    @property
    def changed(self):
        """What makes it another than the configuration that the sweep starts from."""
        return {} if self.label == DEFAULT else self.values


@dataclasses.dataclass(frozen=True)
class Results:
    """All trials, in the order in which they began; `default` is the Trial of the unchanged configuration, or None."""

    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    trials: tuple[Trial, ...]
    default: Trial | None = None

    @property
    def done(self):
        """The trials that ended well and keep to the constraints."""
        return [trial for trial in self.trials if trial.status == "done"]

    def rank(self, trial):
        """What sorts trials the best first: the first objective, among equals the next, then the loss."""
        return [objective.rank(trial.scores) for objective in (*self.objectives, TIES)]

    @property
    def ranked(self):
        """Those of `done` whose first objective is known, the best first; of equals who began first."""
        return sorted((trial for trial in self.done if self.rank(trial)[0] != math.inf), key=self.rank)

    @property
    def best(self):
        """The first of `ranked`; None where there is none."""
        return next(iter(self.ranked), None)

    @property
    def winner(self):
        """The best trial, or the default where it is as good; None where there is neither."""
        default, best = self.default, self.best
        if default is None or default.status != "done" or (best and self.rank(best) < self.rank(default)):
            return best
        return default

    @property
    def front(self):
        """The trials that no other is as good as in every objective and better in one (Pareto), in their order."""
        return [one for one in self.done if not any(self._dominates(other, one) for other in self.done)]

    def _dominates(self, one, other):
        pairs = [(objective, one.scores[objective.name], other.scores[objective.name]) for objective in self.objectives]
        return all(not objective.better(theirs, mine) for objective, mine, theirs in pairs) and any(
            objective.better(mine, theirs) for objective, mine, theirs in pairs
        )
