"""The outputs of a network for several clips, reduced to the steps and symbols that a beam search can use.

A step is active where a symbol is likely enough to extend a prefix. Between active steps prefixes only stay, which has
a closed form: a run of passive steps costs as much as one.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

LOWEST = -1e6  # nats; stands for -inf, of which differences are not defined


@dataclasses.dataclass(frozen=True)
class Emissions:
    """What a beam search reads; clips are sorted by their number of active steps, the most first.

    Columns are the symbols that are admitted somewhere in a clip, column 0 the blank. Arrays go up to the largest
    number of active steps of a clip; ranks number the symbols that may extend prefixes at a step, up to the most.

    Attributes:
        order: the place of each clip in the batch, int (clips,).
        counts: how many clips have each active step, int (active,).
        most: the largest number of admitted symbols at each, int (active,).
        rows: log-probabilities of the columns, (active, clips, columns).
        passed: sums of the log-probabilities over the passive steps before each active one, (active, clips, columns).
        left: log of the sum over those steps of the probability that a prefix repeats its symbol before the step and
            has blanks from it, divided by that of blanks at all; -inf where there are none, (active, clips, columns).
        columns: of the admitted symbols, padded with 0, int (active, clips, ranks).
        symbols: their ids, padded with 0, likewise.
        emitted: their log-probabilities, padded with -inf, (active, clips, ranks).
    """

    order: np.ndarray
    counts: np.ndarray
    most: np.ndarray
    rows: np.ndarray
    passed: np.ndarray
    left: np.ndarray
    columns: np.ndarray
    symbols: np.ndarray
    emitted: np.ndarray


def reduce(clips: Sequence[np.ndarray], min_log_prob: float) -> Emissions:
    """Reduces the outputs for clips.

    Args:
        clips: log-probabilities (steps, n + 1) of each clip, natural logarithms.
        min_log_prob: symbols with a lower log-probability at a step are not admitted there.
    """
    admitted = [(clip > min_log_prob) & (clip > LOWEST) for clip in clips]
    for one in admitted:
        one[:, 0] = False
    active = [np.flatnonzero(one.any(axis=1)) for one in admitted]
    used = [np.append(0, np.flatnonzero(one.any(axis=0))) for one in admitted]
    order = np.argsort([-len(steps) for steps in active], kind="stable")
    lengths = np.array([len(active[clip]) for clip in order], int)
    longest, columns = int(lengths.max(initial=0)), max(map(len, used), default=0)
    ranks = max((int(one.sum(axis=1).max(initial=0)) for one in admitted), default=0)
    shape, of_ranks = (longest, len(clips), columns), (longest, len(clips), ranks)
    counts = (lengths > np.arange(longest)[:, None]).sum(axis=1)
    result = Emissions(
        order, counts, np.zeros(longest, int),
        np.full(shape, -np.inf), np.zeros(shape), np.full(shape, -np.inf),
        np.zeros(of_ranks, int), np.zeros(of_ranks, int), np.full(of_ranks, -np.inf),
    )  # fmt: skip
    for place, clip in enumerate(order):
        if len(active[clip]):
            _fill(result, place, clips[clip], admitted[clip], active[clip], used[clip])
    return result


def _fill(
    result: Emissions, place: int, clip: np.ndarray, admitted: np.ndarray, active: np.ndarray, used: np.ndarray
) -> None:
    """Writes the arrays of one clip."""
    rows = np.maximum(clip[: active[-1] + 1, used].astype(float), LOWEST)
    part = slice(len(active)), place, slice(len(used))
    result.rows[part] = rows[active]
    result.passed[part], result.left[part] = _passive_runs(rows, active)
    admitted = admitted[active][:, used]
    step, column = np.nonzero(admitted)
    rank = (np.cumsum(admitted, axis=1) - 1)[step, column]
    result.columns[step, place, rank], result.symbols[step, place, rank] = column, used[column]
    result.emitted[step, place, rank] = rows[active[step], column]
    np.maximum(result.most[: len(active)], admitted.sum(axis=1), out=result.most[: len(active)])


def _passive_runs(rows: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`passed` and `left` of a clip, (active, columns)."""
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    first = np.append(0, active[:-1] + 1)  # of each run; it ends before the active step
    passed = sums[active] - sums[first]
    left = np.full(passed.shape, -np.inf)
    runs = np.flatnonzero(first < active)
    if len(runs):
        passive = np.ones(len(rows), bool)
        passive[active] = False
        # Relative to the blank, from which a prefix does not return to its last symbol.
        ratio = (sums - sums[:, :1])[:-1]
        starts = np.append(0, np.cumsum((active - first)[runs])[:-1])
        left[runs] = np.logaddexp.reduceat(ratio[passive], starts, axis=0) - ratio[first[runs]]
    return passed, left
