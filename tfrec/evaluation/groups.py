"""Scores by group, such as speakers: the worst group, the gap, and which groups differ from the others.

fairlearn's MetricFrame divides the examples. Whether a group differs from all other examples is tested by Fisher's
exact test of right and wrong answers, and by a permutation test of error rates; the p-values are corrected for the
number of groups by Holm's method (Holm 1979).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from pipelines.errors import UserError
from tfrec.evaluation.metrics import classification, transcription
from tfrec.evaluation.metrics.per_example import LOWER_IS_BETTER, PerExampleScores
from tfrec.evaluation.noise_conditions import ratio_name

PERMUTATIONS = 4999
MAX_GROUPS = 200
DRAWN_AT_ONCE = 2**22  # values of the permutation test, 32 MiB


def score(scores: PerExampleScores, values: Sequence[str], column: str = "group") -> dict[str, Any]:
    """Divides the examples into groups and compares them.

    Args:
        scores: of each example.
        values: the group of each example.
        column: where the groups come from, for messages.

    Returns:
        A dict of JSON values: "measure", a name of a score; "overall"; "groups", the worst first, with "group",
        "examples", that score, its 95 % "interval" (Wilson's of an accuracy, otherwise a bootstrap over the examples),
        "difference" from all other examples, "p" and "p_holm"; "worst" and "best", names of groups; "gap" between
        these, a number above 0, with "gap_interval", a bootstrap over the examples of each group. By chance alone the
        gap is above 0, the more so the smaller the groups are.

    Raises:
        UserError: there is one group, or more than `MAX_GROUPS`; or fairlearn is missing.
    """
    names = np.unique(values).tolist()
    if len(names) < 2:
        raise UserError(f"--groups {column}: all examples have the value {names[0]!r}, so that there are no groups.")
    if len(names) > MAX_GROUPS:
        raise UserError(
            f"--groups {column}: {len(names):,} different values are too many groups, at most {MAX_GROUPS}."
        )
    frame = _metric_frame(scores, values)
    parts = [_part(scores, np.asarray(values) == name) for name in names]
    rows = [_row(scores, frame.by_group["score"][name], name, part) for name, part in zip(names, parts, strict=True)]
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    rows.sort(key=lambda row: row[scores.name], reverse=scores.name in LOWER_IS_BETTER)
    samples = np.stack([transcription.bootstrap_rates(part.counts, part.sizes, i) for i, part in enumerate(parts)])
    gaps = samples.max(axis=0) - samples.min(axis=0)
    return {
        "measure": scores.name,
        "overall": float(frame.overall["score"]),
        "groups": rows,
        "worst": rows[0]["group"],
        "best": rows[-1]["group"],
        "gap": float(frame.difference(method="between_groups")["score"]),
        "gap_interval": np.quantile(gaps, [0.025, 0.975]).tolist(),
    }


def score_mixes(
    scores: PerExampleScores, places: Mapping[Any, np.ndarray], values: Sequence[str], column: str = "group"
) -> dict[str, dict[str, Any]]:
    """Compares the groups of clips that are mixed with noises, at each ratio over all noises.

    Args:
        scores: of each mix.
        places: where the mixes of each (noise, ratio) are in `scores`, (repeats, clips).
        values: the group of each clip.
        column: where the groups come from.

    Returns:
        {ratio: what `score` returns}. A clip is one example there, however often it is mixed. In addition "clips" has
        the "counts", "sizes" and "groups" of the single clips.
    """
    result = {}
    for ratio in sorted({ratio for _, ratio in places}, reverse=True):
        mixes = np.concatenate([clips for (_, other), clips in places.items() if other == ratio])
        of_clips = PerExampleScores(scores.name, scores.counts[mixes].sum(axis=0), scores.sizes[mixes].sum(axis=0))
        clips = {"counts": of_clips.counts.tolist(), "sizes": of_clips.sizes.tolist(), "groups": list(values)}
        result[ratio_name(ratio)] = {**score(of_clips, values, column), "clips": clips}
    return result


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order, count = np.argsort(p_values, kind="stable"), len(p_values)
    corrected = np.maximum.accumulate([(count - i) * p_values[place] for i, place in enumerate(order)])
    result = np.zeros(count)
    result[order] = np.minimum(corrected, 1.0)
    return result.tolist()


def _metric_frame(scores: PerExampleScores, values: Sequence[str]) -> Any:
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError as error:
        raise UserError("Scores by group need fairlearn: pip install 'tfrec[fairness]'.") from error

    def rate(sizes: Any, counts: Any) -> float:
        return float(np.sum(counts) / max(np.sum(sizes), 1))

    counts = np.asarray(scores.counts, "float64")
    return MetricFrame(metrics={"score": rate}, y_true=scores.sizes, y_pred=counts, sensitive_features=list(values))


def _part(scores: PerExampleScores, chosen: np.ndarray) -> PerExampleScores:
    return PerExampleScores(scores.name, scores.counts[chosen], scores.sizes[chosen])


def _row(scores: PerExampleScores, rate: float, name: str, part: PerExampleScores) -> dict[str, Any]:
    """A group's score, compared with that of all other examples; `part` are the scores of the group."""
    is_counted = scores.name == "accuracy" and bool(np.all(scores.sizes == 1))
    count, size = part.counts.sum(), part.sizes.sum()
    others, other_size = scores.counts.sum() - count, scores.sizes.sum() - size
    if is_counted:
        interval = classification.wilson_interval(int(count), int(size))
        table = [[int(count), int(size - count)], [int(others), int(other_size - others)]]
        p_value = float(stats.fisher_exact(table).pvalue)
    else:
        interval = transcription.bootstrap_interval(part.counts, part.sizes)
        p_value = _permutation_test(scores, len(part.counts), rate - others / max(other_size, 1))
    return {
        "group": name,
        "examples": len(part.counts),
        scores.name: float(rate),
        "interval": interval,
        "difference": float(rate - others / max(other_size, 1)),
        "p": p_value,
    }


def _permutation_test(scores: PerExampleScores, members: int, difference: float) -> float:
    """How often as many random examples differ from the others by at least as much, in either direction."""
    random, examples = np.random.default_rng(0), len(scores.counts)
    block, at_least, done = max(1, DRAWN_AT_ONCE // examples), 0, 0
    counts, sizes = np.asarray(scores.counts, "float64"), scores.sizes
    while done < PERMUTATIONS:
        draws = min(block, PERMUTATIONS - done)
        order = random.permuted(np.tile(np.arange(examples), (draws, 1)), axis=1)[:, :members]
        own, own_size = counts[order].sum(axis=1), sizes[order].sum(axis=1)
        rest, rest_size = counts.sum() - own, sizes.sum() - own_size
        drawn = own / np.maximum(own_size, 1) - rest / np.maximum(rest_size, 1)
        at_least += int((np.abs(drawn) >= abs(difference) - 1e-12).sum())
        done += draws
    return (at_least + 1) / (PERMUTATIONS + 1)
