"""Metrics of retrieval: how high a query's matches rank among candidates, ordered by similarity.

Ties count against a query: a match stands behind every candidate that does not match and is as similar. Embeddings that
are all the same therefore score 0 rather than as the order of the candidates has it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from tfrec.evaluation.metrics.transcription import BOOTSTRAP_SAMPLES, bootstrap_interval

RECALL_RANKS = (1, 5, 10)
MEANS = (*(f"recall_at_{k}" for k in RECALL_RANKS), "mean_reciprocal_rank", "mean_average_precision")
CHUNK_VALUES = 2**24  # similarities computed at once: 64 MiB
TIE = 1e-6  # similarities of unit vectors that differ by less are rounding errors of float32


def retrieval_scores(
    queries: np.ndarray,
    candidates: np.ndarray,
    query_groups: np.ndarray,
    candidate_groups: np.ndarray,
    seed: int = 0,
    classes: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Computes all metrics of retrieval by inner products.

    Args:
        queries: embeddings (n, d).
        candidates: embeddings (m, d), all of which are ranked for each query.
        query_groups: int64 (n,); a candidate matches a query of the same group.
        candidate_groups: int64 (m,).
        seed: of the bootstrap.
        classes: those of queries (n,) and of candidates (m,), where the data has classes other than the groups.

    Returns:
        A dict of JSON values. "recall_at_1", "recall_at_5" and "recall_at_10" are the share of queries with a match
        among that many candidates, "median_rank" and "mean_reciprocal_rank" are of a query's first match, from 1;
        "mean_average_precision" counts all matches. Each has a 95 % interval, such as "recall_at_1_interval": a
        percentile bootstrap over the queries. "candidates" is the number that each query was ranked among, "queries"
        the number of queries with a match, which the scores are of, "queries_without_match" that of all others. With
        classes, "class_accuracy_at_1" is the share of queries whose first candidate is of their class; where groups are
        classes, this is "recall_at_1".

    Raises:
        ValueError: for other shapes, and where no query has a match.
    """
    values = query_scores(queries, candidates, query_groups, candidate_groups)
    matched = values["rank"] > 0
    if not matched.any():
        raise ValueError("A query must have a candidate of its group. Received: none that has")
    ranks = values["rank"][matched]
    result: dict[str, Any] = {"median_rank": float(np.median(ranks)), "median_rank_interval": _median(ranks, seed)}
    for name in MEANS:
        result |= _mean(name, values[name][matched], seed)
    if classes is not None:
        result |= _mean("class_accuracy_at_1", query_scores(queries, candidates, *classes)["recall_at_1"], seed)
    return {
        **result,
        "queries": int(matched.sum()),
        "queries_without_match": int((~matched).sum()),
        "candidates": len(candidates),
    }


def query_scores(
    queries: np.ndarray, candidates: np.ndarray, query_groups: np.ndarray, candidate_groups: np.ndarray
) -> dict[str, np.ndarray]:
    """Computes the scores of each query; the arguments are those of `retrieval_scores`.

    Memory is bounded: similarities are computed for `CHUNK_VALUES` pairs at once, for one query at least.

    Returns:
        {"rank": int64 (n,), of the first match from 1, or 0 for a query without a match; and float64 (n,) of each score
        whose mean `retrieval_scores` has: "recall_at_1" and so on, "mean_reciprocal_rank", the reciprocal rank, and
        "mean_average_precision", the average precision; 0 for a query without a match}.

    Raises:
        ValueError: for other shapes.
    """
    _check(queries, candidates, query_groups, candidate_groups)
    ranks, precisions = np.zeros(len(queries), "int64"), np.zeros(len(queries))
    for i, similarities, tie in _similarities(queries, candidates):
        matches = candidate_groups == query_groups[i]
        if matches.any():
            at = _match_ranks(similarities, matches, tie)
            ranks[i], precisions[i] = at[0], (np.arange(1, len(at) + 1) / at).mean()
    found = ranks > 0
    return {
        "rank": ranks,
        **{f"recall_at_{k}": (found & (ranks <= k)).astype("float64") for k in RECALL_RANKS},
        "mean_reciprocal_rank": found / np.maximum(ranks, 1),
        "mean_average_precision": precisions,
    }


def nearest(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the candidate that is most similar to each query.

    >>> nearest(np.float32([[1, 0], [0, 1]]), np.float32([[0, 1], [0.6, 0.8]]))[0].tolist()
    [1, 0]

    Args:
        queries: embeddings (n, d).
        candidates: embeddings (m, d).

    Returns:
        Its index and its similarity, (n,) each; the first one of those that are as similar.
    """
    indices, best = np.zeros(len(queries), "int64"), np.zeros(len(queries), "float32")
    for i, similarities, _ in _similarities(queries, candidates):
        indices[i] = np.argmax(similarities)
        best[i] = similarities[indices[i]]
    return indices, best


def _match_ranks(similarities: np.ndarray, matches: np.ndarray, tie: float) -> np.ndarray:
    """The ranks of all matches of a query, from 1 and ascending: int64 (matches,)."""
    # What is not a number has the worst rank.
    own = np.sort(np.nan_to_num(similarities[matches], nan=-np.inf))[::-1]
    others = np.sort(np.nan_to_num(similarities[~matches], nan=np.inf))
    return np.arange(1, len(own) + 1) + len(others) - np.searchsorted(others, own - tie)


def _similarities(queries: np.ndarray, candidates: np.ndarray) -> Iterator[tuple[int, np.ndarray, float]]:
    """Yields a query's number, its similarities to all candidates (m,), and what counts as a tie."""
    longest = float(np.nan_to_num(np.linalg.norm(candidates, axis=1)).max(initial=0))
    rows = max(1, CHUNK_VALUES // max(len(candidates), 1))
    for start in range(0, len(queries), rows):
        chunk = queries[start : start + rows]
        ties = TIE * longest * np.nan_to_num(np.linalg.norm(chunk, axis=1))
        with np.errstate(invalid="ignore"):
            products = chunk @ candidates.T
        for i, similarities in enumerate(products):
            yield start + i, similarities, float(ties[i])


def _mean(name: str, values: np.ndarray, seed: int) -> dict[str, Any]:
    interval = bootstrap_interval(values, np.ones(len(values)), seed)
    return {name: float(values.mean()), f"{name}_interval": interval}


def _median(ranks: np.ndarray, seed: int) -> list[float]:
    """The 95 % interval of the median, [low, high]."""
    if len(ranks) == 1:
        return [float(ranks[0])] * 2
    bootstrap = stats.bootstrap(
        (ranks,),
        np.median,
        method="percentile",
        n_resamples=BOOTSTRAP_SAMPLES,
        batch=max(1, CHUNK_VALUES // len(ranks)),
        rng=np.random.default_rng(seed),
    )
    return [float(bound) for bound in bootstrap.confidence_interval]


def _check(queries: np.ndarray, candidates: np.ndarray, query_groups: np.ndarray, candidate_groups: np.ndarray) -> None:
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise ValueError(f"Embeddings must be (n, d) and (m, d). Received: {queries.shape}, {candidates.shape}")
    for embeddings, groups in ((queries, query_groups), (candidates, candidate_groups)):
        if groups.shape != embeddings.shape[:1]:
            raise ValueError(
                f"There must be a group for each of {len(embeddings)} embeddings. Received: {groups.shape}"
            )
