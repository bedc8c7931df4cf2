"""Time of a search in an index of embeddings: `python -m benchmarks.embedding_search`.

Compared with the index, whose embeddings are mapped: one sum over all embeddings, about what reading the memory takes;
and with --peers the same in memory, half-precision embeddings that are converted in parts, and the exact search of
faiss where it is installed.

Two cores that other programs shared, median of 15 (and 8) in seconds, of 1,000,000 (and, with --peers, 100,000):

    the index, mapped     0.325  (0.031)
    one sum over all      0.449  (0.037)
    the same, loaded             (0.031)
    float16, converted           (0.589)
    faiss, exact                 (0.098)
"""

import dataclasses
import pathlib
import statistics
import tempfile

import numpy as np
import tyro
from rich.table import Table

from benchmarks import timing
from tfrec.inference.embedding_index import EmbeddingIndex, File, memory_needed
from tfrec.utils.console import console

ROWS = 50_000  # that are drawn, converted or added at once


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Searches for one query, in seconds."""

    items: int = 1_000_000  # embeddings
    units: int = 1024  # of an embedding
    repetitions: int = 10  # of each search, after the first
    folder: str | None = None  # for 4 bytes for each unit; None is that of temporary files
    peers: bool = False  # measure the others too, which need four times the memory


def draw(path, items, units):
    """Writes embeddings of length one, and returns them mapped."""
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (items, units))
    random = np.random.default_rng(0)
    for start in range(0, items, ROWS):
        rows = random.standard_normal((min(ROWS, items - start), units), dtype=np.float32)
        vectors[start : start + ROWS] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    vectors.flush()
    return np.load(path, mmap_mode="r")


def half_precision(vectors, query):
    """A search in float16 embeddings."""
    similarities = [np.float32(vectors[start : start + 8192]) @ query for start in range(0, len(vectors), 8192)]
    return np.argpartition(np.concatenate(similarities), -10)[-10:]


def calls_of(folder, vectors, query, peers):
    """Name -> a search."""
    files = [File(str(row), 0, 0) for row in range(len(vectors))]
    index = EmbeddingIndex(folder, files, vectors)
    calls = {
        "the index, mapped": lambda: index.search(query[None], 10),
        "one sum over all": lambda: np.add.reduce(vectors, axis=None),
    }
    if not peers:
        return calls
    half, loaded = vectors.astype("float16"), np.array(vectors)
    in_memory = EmbeddingIndex(folder, files, loaded)
    calls["the same, loaded"] = lambda: in_memory.search(query[None], 10)
    calls["float16, converted"] = lambda: half_precision(half, query)
    try:
        import faiss
    except ImportError:
        return calls
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(loaded)
    calls["faiss, exact"] = lambda: flat.search(query[None], 10)
    return calls


def main(words=None):
    """Prints the median seconds of each search and their ratio to the index's."""
    arguments = tyro.cli(Arguments, args=words)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        vectors = draw(pathlib.Path(folder) / "embeddings.npy", arguments.items, arguments.units)
        query = np.array(vectors[len(vectors) // 2])
        calls = calls_of(pathlib.Path(folder), vectors, query, arguments.peers)
        times = timing.times(calls, arguments.repetitions)
    size = memory_needed(arguments.items, arguments.units)[0]
    table = Table(title=f"{arguments.items:,} embeddings of {arguments.units:,}: {size / 1e9:.1f} GB")
    for column in ("search", "median, s", "best, s", "ratio of medians"):
        table.add_column(column, justify="left" if column == "search" else "right")
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, median in medians.items():
        table.add_row(name, f"{median:.3f}", f"{min(times[name]):.3f}", f"{median / medians['the index, mapped']:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
