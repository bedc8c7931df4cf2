"""Search in more embeddings than can all be compared: by faiss, which compares those of the nearest clusters.

Embeddings are clustered, and stored in 8 bits for each number (an inverted file with scalar quantization: Jegou, Douze
& Schmid 2011). What faiss finds is then compared exactly.
"""

from __future__ import annotations

import logging
import pathlib
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.errors import UserError

_LOG = logging.getLogger(__name__)

FEW = 10  # matches that the recall counts
RECALL = 0.95  # that is aimed at
SAMPLES = 200  # embeddings that are queries of the recall
PER_CLUSTER = 40  # embeddings of a cluster, on average, that the clustering reads
ADD_ROWS = 50_000  # embeddings that are added at once
CANDIDATES = 10  # for each match, to be compared exactly
_FILE = re.compile(r"approximate-[0-9a-f]{16}\.faiss")


class ApproximateSearch:
    """An index of faiss.

    Args:
        index: of faiss, over all rows.
        recall: share of the exact matches among the first ten that it finds.
    """

    def __init__(self, index: Any, recall: float) -> None:
        self.index, self.recall = index, recall

    def candidates(self, queries: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields each query (units,), and rows that may be its matches, int64 (rows,)."""
        _, rows = self.index.search(queries, CANDIDATES * count)
        for query, found in zip(queries, rows, strict=True):
            yield query, np.sort(found[found >= 0])


def build(folder: pathlib.Path, vectors: np.ndarray) -> dict[str, Any] | None:
    """Builds an index of faiss and measures its recall against exact search.

    Args:
        folder: for its file.
        vectors: float32 (rows, units).

    Returns:
        What `read` needs, as JSON values; None without faiss, which is reported.
    """
    try:
        import faiss
    except ImportError:
        _LOG.warning(
            "Each search compares all of %s embeddings: install tfrec[search] for an index of clusters.",
            f"{len(vectors):,}",
        )
        return None
    clusters = max(1, int(4 * len(vectors) ** 0.5))
    random = np.random.default_rng(0)
    index = faiss.index_factory(vectors.shape[1], f"IVF{clusters},SQ8", faiss.METRIC_INNER_PRODUCT)
    rows = np.sort(random.permutation(len(vectors))[: PER_CLUSTER * clusters])
    _LOG.info("Clustering %s embeddings into %s.", f"{len(rows):,}", f"{clusters:,}")
    index.train(vectors[rows])
    for start in range(0, len(vectors), ADD_ROWS):
        index.add(np.ascontiguousarray(vectors[start : start + ADD_ROWS]))
    recall = _tune(index, vectors, np.sort(random.permutation(len(vectors))[:SAMPLES]))
    name = f"approximate-{secrets.token_hex(8)}.faiss"
    faiss.write_index(index, str(folder / name))
    return {"file": name, "size": (folder / name).stat().st_size, "probes": int(index.nprobe), "recall": recall}


def read(folder: pathlib.Path, stored: Mapping[str, Any], shape: tuple[int, ...]) -> ApproximateSearch | None:
    """Reads an index of faiss; None without faiss, so that all embeddings are compared.

    Args:
        folder: of its file.
        stored: what `build` returned.
        shape: of the embeddings, (rows, units).

    Raises:
        UserError: for a file that is damaged or another's.
    """
    kinds = {name: type(value) for name, value in stored.items()}
    if kinds != {"file": str, "size": int, "probes": int, "recall": float} or not _FILE.fullmatch(stored["file"]):
        raise UserError(f"{folder / 'index.json'} is damaged: delete the folder to build the index again.")
    try:
        import faiss
    except ImportError:
        _LOG.warning("faiss is not installed: each search compares all embeddings; install tfrec[search].")
        return None
    path = folder / stored["file"]
    try:
        if path.stat().st_size != stored["size"]:
            raise ValueError("another size")
        index = faiss.read_index(str(path))
        if (index.ntotal, index.d) != shape:
            raise ValueError("another shape")
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: delete {folder} to build the index again.") from error
    index.nprobe = stored["probes"]
    return ApproximateSearch(index, stored["recall"])


def _tune(index: Any, vectors: np.ndarray, rows: np.ndarray) -> float:
    """Sets the fewest clusters, a power of two, with which the recall at ten reaches `RECALL`; returns the recall."""
    queries = np.ascontiguousarray(vectors[rows])
    exact = _exact(vectors, queries)
    recall, index.nprobe = 0.0, 1
    while True:
        _, found = index.search(queries, CANDIDATES * FEW)
        recall = float(np.mean([np.isin(right, row).mean() for right, row in zip(exact, found, strict=True)]))
        if recall >= RECALL or index.nprobe >= index.nlist:
            _LOG.info(
                "Searches compare %s of %s clusters: recall at %s against exact search %.3f.",
                index.nprobe,
                index.nlist,
                FEW,
                recall,
            )
            return recall
        index.nprobe = min(2 * index.nprobe, index.nlist)


def _exact(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The rows of the first ten matches, int64 (queries, ten)."""
    best = np.zeros((len(queries), 0), "int64")
    values = np.zeros((len(queries), 0), "float32")
    for start in range(0, len(vectors), ADD_ROWS):
        similarities = queries @ vectors[start : start + ADD_ROWS].T
        values = np.concatenate([values, similarities], axis=1)
        numbers = np.broadcast_to(np.arange(start, start + similarities.shape[1]), similarities.shape)
        best = np.concatenate([best, numbers], axis=1)
        top = np.argsort(-values, axis=1, kind="stable")[:, :FEW]
        best, values = np.take_along_axis(best, top, axis=1), np.take_along_axis(values, top, axis=1)
    return best
