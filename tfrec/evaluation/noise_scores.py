"""Scores of a noise report: of each condition, of sets of noises, and averages over ratios, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.evaluation.metrics import classification
from tfrec.evaluation.metrics.per_example import PerExampleScores, average_conditions, score_condition
from tfrec.evaluation.noise_conditions import AVERAGED_DB, CLEAN, ratio_name
from tfrec.evaluation.noise_mixing import Condition, Places


def summarize(
    scores: PerExampleScores, places: Places, sets: Mapping[str, str], class_names: Sequence[str], shared: bool
) -> dict[str, Any]:
    """Scores of all conditions, as `noise.measure` returns them.

    Args:
        scores: of each clip in each condition.
        places: where each condition's clips are in `scores`.
        sets: the set of each noise, "" for none.
        class_names: of the task.
        shared: whether all noises are mixed with the same clips.
    """
    ratios = sorted({ratio for _, ratio in places if ratio != CLEAN}, reverse=True)
    score = _Scorer(scores, places, shared)
    groups = {group: [name for name in sets if sets[name] == group] for group in sorted(set(sets.values())) if group}
    groups["all"] = list(sets)
    averaged = set(AVERAGED_DB) <= set(ratios)
    classes = [] if scores.answers is None else list(class_names)
    confusions = _confusions(scores, places, len(classes))
    recalls = {key: classification.precision_recall_f1(np.array(table))[1] for key, table in confusions.items()}
    return {
        "measure": scores.name,
        "snr_db": ratios,
        "examples": next(iter(places.values())).shape[1],
        "classes": classes,
        "clean": score.condition((None, CLEAN)) if (None, CLEAN) in places else None,
        "noises": {
            noise: {
                "set": group,
                "snr": {ratio_name(ratio): score.condition((noise, ratio)) for ratio in ratios},
                "average": score.mean([noise], AVERAGED_DB) if averaged else None,
            }
            for noise, group in sets.items()
        },
        "sets": {
            group: {"noises": names, "snr": {ratio_name(ratio): score.mean(names, [ratio]) for ratio in ratios}}
            for group, names in groups.items()
        },
        "averages": {group: score.mean(names, AVERAGED_DB) for group, names in groups.items()} if averaged else {},
        "confusion": confusions,
        "recall": {key: dict(zip(classes, map(float, row), strict=True)) for key, row in recalls.items()},
    }


class _Scorer:
    """Scores of single conditions and means over several."""

    def __init__(self, scores: PerExampleScores, places: Places, shared: bool) -> None:
        self.name, self.shared = scores.name, shared
        self.counts = {condition: scores.counts[clips] for condition, clips in places.items()}
        self.sizes = {condition: scores.sizes[clips[0]] for condition, clips in places.items()}

    def condition(self, condition: Condition) -> dict[str, Any]:
        """The score of one condition with its interval."""
        return score_condition(self.name, self.counts[condition], self.sizes[condition])

    def mean(self, noises: Sequence[str], ratios: Sequence[float]) -> dict[str, Any]:
        """The mean over noises and ratios with its interval."""
        groups = [noises] if self.shared else [[noise] for noise in noises]
        parts = [
            ([self.counts[noise, ratio] for noise in group for ratio in ratios], self.sizes[group[0], ratios[0]])
            for group in groups
        ]
        return average_conditions(self.name, parts)


def _confusions(scores: PerExampleScores, places: Places, classes: int) -> dict[str, list[list[int]]]:
    """Confusion matrices (truth, answer) summed over the noises, for each ratio and for all noisy clips."""
    if scores.answers is None or scores.labels is None:
        return {}
    tables: dict[str, Any] = {}
    for (noise, ratio), clips in places.items():
        pairs = scores.labels[clips] * classes + scores.answers[clips]
        counts = np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)
        for key in [ratio_name(ratio)] if noise is None else [ratio_name(ratio), "noisy"]:
            tables[key] = tables.get(key, 0) + counts
    return {key: table.tolist() for key, table in tables.items()}
