"""Retrieval: against scikit-learn and brute force, ties, bounded memory, what is no number."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tfrec.evaluation.metrics import retrieval, transcription
from tfrec.evaluation.metrics.retrieval import query_scores, retrieval_scores

SCORES = ("recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank", "mean_average_precision")


def unit(random, rows, size=16):
    values = random.normal(size=(rows, size)).astype("float32")
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def problem(queries=30, candidates=200, groups=7):
    random = np.random.default_rng(4)
    return (
        unit(random, queries),
        unit(random, candidates),
        random.integers(groups, size=queries),
        random.integers(groups, size=candidates),
    )


def test_every_score_equals_brute_force():
    """Ranks by a plain sort of all candidates, average precision by scikit-learn."""
    queries, candidates, query_groups, candidate_groups = problem()
    scores = retrieval_scores(queries, candidates, query_groups, candidate_groups)
    first, precisions = [], []
    for query, group in zip(queries, query_groups, strict=True):
        similarities = [float(query @ candidate) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda i: -similarities[i])
        first.append(next(rank for rank, i in enumerate(order, start=1) if candidate_groups[i] == group))
        precisions.append(average_precision_score(candidate_groups == group, similarities))
    first = np.array(first)
    assert 1 < np.mean(first) < 20
    for k in (1, 5, 10):
        assert scores[f"recall_at_{k}"] == np.mean(first <= k)
    assert scores["median_rank"] == np.median(first)
    assert scores["mean_reciprocal_rank"] == pytest.approx(np.mean(1 / first))
    assert scores["mean_average_precision"] == pytest.approx(np.mean(precisions), abs=1e-9)
    assert (scores["queries"], scores["candidates"], scores["queries_without_match"]) == (30, 200, 0)


@pytest.mark.parametrize("values", [1, 450, 2**24])
def test_the_size_of_a_chunk_never_changes_a_score(values, monkeypatch):
    expected = query_scores(*problem())
    monkeypatch.setattr(retrieval, "CHUNK_VALUES", values)
    for name, value in query_scores(*problem()).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("noise", [0.0, 1e-8])
def test_a_collapse_scores_nothing(noise):
    """All embeddings are the same, or the same but for rounding; half of the candidates match."""
    random = np.random.default_rng(1)
    same = np.tile(unit(random, 1), (100, 1))
    queries, candidates = (same + noise * random.normal(size=same.shape).astype("float32") for _ in range(2))
    groups = np.arange(100) % 2
    scores = retrieval_scores(queries, candidates, groups, groups)
    assert scores["recall_at_10"] == 0
    assert scores["median_rank"] == 51
    assert scores["mean_average_precision"] < 0.4  # one half by chance


def test_ties_count_against_the_query():
    candidates = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], "float32")
    values = query_scores(np.eye(2, dtype="float32"), candidates, np.array([5, 5]), np.array([5, 7, 7, 5]))
    np.testing.assert_array_equal(values["rank"], [3, 1])
    np.testing.assert_allclose(values["mean_average_precision"], [(1 / 3 + 2 / 4) / 2, (1 + 2 / 4) / 2])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("of", [0, 1])
def test_values_that_are_not_finite_have_the_worst_rank(bad, of):
    embeddings = [np.eye(4, dtype="float32"), np.eye(4, dtype="float32")]
    embeddings[of][2] = bad
    groups = np.arange(4)
    ranks = query_scores(*embeddings, groups, groups)["rank"]
    assert ranks[2] == 4
    assert (ranks > 1).all() or of == 0


def test_perfect_scores():
    groups = np.arange(12)
    scores = retrieval_scores(np.eye(12), np.eye(12), groups, groups)
    assert [scores[name] for name in (*SCORES, "median_rank")] == [1.0] * 6
    assert [scores[f"{name}_interval"] for name in (*SCORES, "median_rank")] == [[1.0, 1.0]] * 6


def test_intervals_hold_the_score_and_follow_the_seed():
    scores = [retrieval_scores(*problem(), seed=seed) for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]
    for name in (*SCORES, "median_rank"):
        low, high = scores[0][f"{name}_interval"]
        assert low <= scores[0][name] <= high
        assert low < high


def test_queries_without_a_match_are_counted_and_left_out():
    eye, groups = np.eye(4), np.arange(4)
    scores = retrieval_scores(eye, eye, np.array([0, 1, 2, 9]), groups)
    assert (scores["queries"], scores["queries_without_match"], scores["recall_at_1"]) == (3, 1, 1.0)
    with pytest.raises(ValueError, match="Received: none"):
        retrieval_scores(eye, eye, groups + 9, groups)


def test_classes_other_than_the_groups():
    """Each query's own candidate is far from it, but the nearest is of its class."""
    candidates, groups = np.eye(4), np.arange(4)
    queries, classes = candidates[[1, 0, 3, 2]], np.array([0, 0, 1, 1])
    scores = retrieval_scores(queries, candidates, groups, groups, classes=(classes, classes))
    assert (scores["recall_at_1"], scores["class_accuracy_at_1"]) == (0.0, 1.0)
    assert "class_accuracy_at_1" not in retrieval_scores(queries, candidates, groups, groups)


def test_the_first_candidate_of_a_class_is_recall_at_1():
    queries, candidates, *classes = problem()
    scores = retrieval_scores(queries, candidates, *classes, classes=tuple(classes))
    nearest = (queries @ candidates.T).argmax(axis=1)
    assert scores["recall_at_1"] == scores["class_accuracy_at_1"] == np.mean(classes[1][nearest] == classes[0])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 4), (5, 3), (3,), (5,)), r"must be \(n, d\) and \(m, d\)\. Received: \(3, 4\), \(5, 3\)"),
        (((3, 4), (5, 4), (2,), (5,)), r"a group for each of 3 embeddings\. Received: \(2,\)"),
        (((3, 4), (5, 4), (3,), (5, 1)), r"a group for each of 5 embeddings\. Received: \(5, 1\)"),
    ],
)
def test_other_shapes(shapes, message):
    with pytest.raises(ValueError, match=message):
        retrieval_scores(*(np.zeros(shape) for shape in shapes))


def test_the_bootstrap_draws_the_same_in_parts(monkeypatch):
    values = np.random.default_rng(0).uniform(size=50)
    expected = transcription.bootstrap_rates(values, np.ones(50), seed=3)
    monkeypatch.setattr(transcription, "BOOTSTRAP_VALUES", 350)
    found = transcription.bootstrap_rates(values, np.ones(50), seed=3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # a sum depends on the size of its matrix in the last bit
