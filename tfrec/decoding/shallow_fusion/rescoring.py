"""Log-probabilities of several texts of each clip, summed over all alignments: CTC's forward variables on a tree.

The texts of a beam begin alike: what they share is computed once (Graves et al. 2006, section 4.1, for a tree instead
of a text). Probabilities are divided by the largest of their step, so that float64 holds them.
"""

from typing import NamedTuple

import numpy as np

from tfrec.decoding import ctc
from tfrec.decoding.shallow_fusion import prefixes

FAR = -600.0  # nats; float64 holds no smaller ratios to the likeliest path with certainty


class _Tree(NamedTuple):
    """The prefixes of texts: arrays (nodes,), and the node of each text, (texts,)."""

    clip: np.ndarray
    symbol: np.ndarray  # 0 at the roots, which are their own parents
    parent: np.ndarray
    last: np.ndarray


def best(log_probs: np.ndarray, steps: np.ndarray, ids: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Finds the best text of each clip by the log-probability that `ctc.score` computes and further nats.

    Args:
        log_probs: (clips, steps, n + 1), natural logarithms; what is past a clip's steps is not read.
        steps: the number of steps of each clip, int (clips,).
        ids: texts, padded with 0 at their ends, int (clips, texts, length).
        extra: nats of each text that are added, (clips, texts).

    Returns:
        The index of the text, int (clips,).
    """
    totals, is_exact = score(log_probs, steps, ids)
    totals += extra
    result = totals.argmax(axis=1)
    for clip in np.flatnonzero(~is_exact[np.arange(len(result)), result]):
        result[clip] = np.argmax(_slowly(log_probs[clip, : steps[clip]], ids[clip]) + extra[clip])
    return result


def score(log_probs: np.ndarray, steps: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes what `ctc.score` does, where float64 suffices.

    Args:
        log_probs: As `best` takes it.
        steps: Likewise.
        ids: Likewise.

    Returns:
        Nats, float64 (clips, texts), and whether they are exact, bool (clips, texts); the others are larger than the
        exact ones.
    """
    clips, texts, length = ids.shape
    inside = np.arange(log_probs.shape[1]) < np.asarray(steps)[:, None]
    rows = np.where(inside[:, :, None], log_probs, 0.0).astype(float)
    highest = rows.max(axis=-1, initial=-np.inf)
    path = np.where(inside, highest, 0.0).sum(axis=1)
    ratios = np.exp(np.maximum(rows - highest[:, :, None], ctc.SMALLEST_LOG_PROBABILITY))
    ratios[~inside] = np.eye(1, rows.shape[2])  # only blanks follow
    tree = _tree(ids.reshape(clips * texts, length), np.repeat(np.arange(clips), texts))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = np.log(_forward(ratios, tree)).reshape(clips, texts)
    is_exact = (found > FAR) & (path > FAR)[:, None]
    bounds = np.where(path > FAR, path + FAR, 0.0)
    return np.where(is_exact, found + path[:, None], bounds[:, None]), is_exact


def _forward(ratios: np.ndarray, tree: _Tree) -> np.ndarray:
    """The probability of each text relative to that of the likeliest path of its clip."""
    clips, steps, outputs = ratios.shape
    by_step = ratios.transpose(1, 0, 2).reshape(steps, clips * outputs)
    emitted = by_step.take(tree.clip * outputs + tree.symbol, axis=1)
    emitted[:, tree.symbol == 0] = 0.0
    blanks = by_step.take(tree.clip * outputs, axis=1)
    after_other = (tree.symbol != tree.symbol[tree.parent]).astype(float)
    symbol, blank = np.zeros(len(tree.clip)), (tree.symbol == 0).astype(float)
    for emission, stay in zip(emitted, blanks, strict=True):
        begun = symbol.take(tree.parent)
        begun *= after_other
        begun += blank.take(tree.parent)
        begun += symbol
        blank += symbol
        blank *= stay
        symbol = begun * emission
    return (symbol + blank)[tree.last]


def _tree(ids: np.ndarray, clips: np.ndarray) -> _Tree:
    """The tree of texts (n, length) of clips (n,)."""
    names = np.empty((len(ids), ids.shape[1] + 1), np.int64)
    names[:, 0] = clips
    symbols = int(ids.max(initial=0)) + 1
    for i in range(ids.shape[1]):
        longer = prefixes.extend(names[:, i], ids[:, i], symbols)
        names[:, i + 1] = np.where(ids[:, i] > 0, longer, names[:, i])
    _, first, node = np.unique(names, return_index=True, return_inverse=True)
    node = node.reshape(names.shape)
    row, column = np.divmod(first, names.shape[1])
    symbol = np.where(column > 0, ids[row, column - 1] if ids.shape[1] else 0, 0)
    return _Tree(clips[row], symbol, node[row, np.maximum(column - 1, 0)], node[:, -1])


def _slowly(log_probs: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The scores of the texts of one clip (texts, length) by logarithms."""
    repeated = np.broadcast_to(log_probs, (len(ids), *log_probs.shape))
    scores: np.ndarray = ctc.score(repeated, np.full(len(ids), len(log_probs), "int32"), ids).numpy()
    return scores
