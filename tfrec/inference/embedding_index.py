"""Embeddings of files, kept on disk: which file is most similar to a query.

An index is a folder with `index.json`, which names the files, and a NumPy file with their embeddings, which is read
through memory mapping. Both are written under other names first, and `index.json` last: whatever ends the process, the
folder holds the old index or the new one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from pipelines import paths, progress
from pipelines.errors import UserError
from tfrec.inference import approximate_search
from tfrec.utils import json_files
from tfrec.utils.files import atomic_write, lock_folder

_LOG = logging.getLogger(__name__)

FORMAT = 1
LISTING = "index.json"
EXACT_ITEMS = 1_000_000  # up to this number every embedding is compared; above, `approximate_search` leaves most out
CHUNK_BYTES = 2**26  # of embeddings that are compared at once
BLOCK_QUERIES = 16  # queries that are compared at once
_EMBEDDINGS = re.compile(r"embeddings-[0-9a-f]{16}\.npy")
_OWN_FILES = re.compile(rf"{_EMBEDDINGS.pattern}|approximate-[0-9a-f]{{16}}\.faiss|\.tmp-\d+-index\.json")
_DELETE = "delete the folder to build the index again."

# From files to the embedding (units,) of each, of length one and in order, or the error of one that cannot be read.
Embed = Callable[[Sequence[str]], Iterable[np.ndarray | UserError]]


class File(NamedTuple):
    """A file of an index, as it was when it was embedded."""

    path: str
    size: int  # bytes; -1 of a file that could not be read
    changed_ns: int  # time of the last change


class Match(NamedTuple):
    """A file that is similar to a query."""

    path: str
    similarity: float  # inner product


class EmbeddingIndex:
    """The embeddings of files, one row each. `update` makes one, `open` reads one.

    Attributes:
        folder: where the index is.
        files: a File for each row.
        vectors: float32 (files, units), mapped.
        approximate: what leaves most rows out of a search; None where all are compared.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        files: Sequence[File],
        vectors: np.ndarray,
        approximate: approximate_search.ApproximateSearch | None = None,
    ) -> None:
        self.folder, self.files, self.vectors, self.approximate = folder, list(files), vectors, approximate

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> EmbeddingIndex:
        """Opens an index.

        Raises:
            UserError: where the folder has no index, or its files are damaged or something else's.
        """
        folder = pathlib.Path(folder)
        listing = _read_listing(folder)
        vectors = _map(folder / listing["embeddings"], len(listing["files"]), listing["units"])
        approximate = None
        if listing["approximate"] is not None:
            approximate = approximate_search.read(folder, listing["approximate"], vectors.shape)
        return cls(folder, [File(*row) for row in listing["files"]], vectors, approximate)

    def search(self, queries: np.ndarray, count: int = 10) -> list[list[Match]]:
        """Finds the most similar files.

        Args:
            queries: embeddings (queries, units).
            count: files for each query; fewer where the index has fewer.

        Returns:
            For each query its matches, from the most similar on; files that are as similar are in the order of rows.

        Raises:
            UserError: where an embedding of the index is not finite.
            ValueError: for embeddings of another size.
        """
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"Queries must be (queries, {self.vectors.shape[1]}). Received: {queries.shape}")
        queries = np.ascontiguousarray(queries, "float32")
        if not len(self.files):
            return [[] for _ in queries]
        if self.approximate is not None:
            return [self._of_rows(query, rows, count) for query, rows in self.approximate.candidates(queries, count)]
        found = []
        for start in range(0, len(queries), BLOCK_QUERIES):
            for similarities in self._compare(queries[start : start + BLOCK_QUERIES]):
                found.append(self._best(np.arange(len(self.files)), similarities, count))
        return found

    def _compare(self, queries: np.ndarray) -> np.ndarray:
        """Inner products of all rows with queries: float32 (queries, files)."""
        similarities = np.empty((len(queries), len(self.vectors)), "float32")
        rows = max(1, CHUNK_BYTES // (4 * max(1, self.vectors.shape[1])))
        for start in range(0, len(self.vectors), rows):
            chunk = self.vectors[start : start + rows]
            for query, row in zip(queries, similarities, strict=True):
                np.matmul(chunk, query, out=row[start : start + rows])
        return similarities

    def _of_rows(self, query: np.ndarray, rows: np.ndarray, count: int) -> list[Match]:
        return self._best(rows, self.vectors[rows] @ query, count)

    def _best(self, rows: np.ndarray, similarities: np.ndarray, count: int) -> list[Match]:
        if not np.isfinite(similarities).all():
            raise UserError(f"{self.folder} holds embeddings that are not finite: {_DELETE}")
        count = min(count, len(rows))
        top = np.argpartition(-similarities, count - 1)[:count]
        top = top[np.lexsort((rows[top], -similarities[top]))]
        return [Match(self.files[rows[i]].path, float(similarities[i])) for i in top]


def memory_needed(items: int, units: int) -> tuple[int, int]:
    """Computes what an index takes.

    Args:
        items: number of files.
        units: size of an embedding.

    Returns:
        Bytes of the embeddings, on disk and, for fast searches, in the system's file cache; and bytes of memory that
        a search of one query allocates.
    """
    return 4 * items * units, 4 * items + CHUNK_BYTES


def update(
    folder: str | os.PathLike[str], files: Sequence[str], embed: Embed, units: int, model: str
) -> EmbeddingIndex:
    """Builds an index of files, or brings one up to date: embeds the files that are new or have changed.

    A file has changed if its size or its time of change is another. Rows of other files are removed. Files that cannot
    be read are left out until they change. An interrupt keeps what has been embedded so far.

    Args:
        folder: of the index; created if it does not exist.
        files: paths to index.
        embed: the embeddings of files.
        units: size of an embedding.
        model: what identifies the model; an index of another model is built again.

    Returns:
        The index.

    Raises:
        UserError: where the folder holds a damaged index or other files, another process writes it, or the disk is too
            small.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"Another process builds the index {folder}: wait for it, or name another folder."
    with lock_folder(folder, busy):
        listing = _usable_listing(folder, units, model)
        old = {File(*file): row for row, file in enumerate(listing["files"])} if listing else {}
        failed = {File(*file) for file in listing["failed"]} if listing else set()
        now = _current(files)
        kept = {file: old[file] for file in now if file in old}
        new = [file for file in now if file not in old and file not in failed]
        if listing and not new and len(kept) == len(old):
            _remove_strays(folder)
            return EmbeddingIndex.open(folder)
        _require_space(folder, len(now), units)
        vectors = _map(folder / listing["embeddings"], len(old), units) if listing else np.zeros((0, units))
        with _Writer(folder, units, model) as writer:
            writer.failed += [file for file in now if file in failed]
            for file, row in kept.items():
                writer.add(file, vectors[row])
            embedded = zip(new, embed([file.path for file in new]), strict=True)
            for file, result in progress.track(embedded, len(new), "files"):
                writer.add_result(file, result)
        return EmbeddingIndex.open(folder)


class _Writer:
    """Writes the files of an index; `index.json` at the end, and after an interrupt."""

    def __init__(self, folder: pathlib.Path, units: int, model: str) -> None:
        self.folder, self.units, self.model = folder, units, model
        self.files: list[File] = []
        self.failed: list[File] = []
        self.name = f"embeddings-{secrets.token_hex(8)}.npy"

    def __enter__(self) -> _Writer:
        self.stream: IO[bytes] = (self.folder / self.name).open("wb")
        self._write_header()
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        with contextlib.closing(self.stream):
            if kind is not None and not issubclass(kind, KeyboardInterrupt):
                (self.folder / self.name).unlink()
                return
            self.stream.seek(0)
            self._write_header()
            self.stream.flush()
            os.fsync(self.stream.fileno())
        if kind is not None:
            _LOG.warning("Interrupted: the next search continues with %s files embedded.", f"{len(self.files):,}")
        listing = {
            "format": FORMAT,
            "model": self.model,
            "units": self.units,
            "embeddings": self.name,
            "files": self.files,
            "failed": self.failed,
            "approximate": None,
        }
        if kind is None and len(self.files) > EXACT_ITEMS:
            vectors = _map(self.folder / self.name, len(self.files), self.units)
            listing["approximate"] = approximate_search.build(self.folder, vectors)
        with atomic_write(self.folder / LISTING) as temporary, temporary.open("w", encoding="utf-8") as stream:
            json.dump(listing, stream)
            stream.flush()
            os.fsync(stream.fileno())
        _remove_strays(self.folder)

    def _write_header(self) -> None:
        # NumPy pads headers for later growth: its size stays the same.
        shape = (len(self.files), self.units)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.stream, header)

    def add_result(self, file: File, result: np.ndarray | UserError) -> None:
        """Adds a file's embedding, or notes that it cannot be read."""
        if isinstance(result, UserError):
            _LOG.warning("%s", result)
            self.failed.append(file)
            return
        vector = np.asarray(result, "float32")
        if vector.shape != (self.units,) or not np.isfinite(vector).all():
            raise UserError(
                f"The model gives no embedding of {self.units:,} finite numbers for {paths.shown(file.path)}: train it"
                " again."
            )
        self.add(file, vector)

    def add(self, file: File, vector: np.ndarray) -> None:
        """Appends a row."""
        self.stream.write(np.ascontiguousarray(vector, "<f4").tobytes())
        self.files.append(file)


def _current(files: Sequence[str]) -> list[File]:
    """The files as they are now, each once, sorted by path; without those that are gone."""
    found = []
    for path in sorted(set(map(os.path.abspath, files))):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found.append(File(path, status.st_size, status.st_mtime_ns))
    return found


def _usable_listing(folder: pathlib.Path, units: int, model: str) -> dict[str, Any] | None:
    """What `index.json` holds; None where there is nothing yet, and for an index of another model."""
    if not (folder / LISTING).exists():
        if any(not _OWN_FILES.fullmatch(name) for name in os.listdir(folder)):
            raise UserError(f"{folder} is not an index of embeddings, and is not empty: name another folder.")
        return None
    listing = _read_listing(folder)
    return listing if (listing["model"], listing["units"]) == (model, units) else None


def _read_listing(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / LISTING
    try:
        listing = json_files.load(path, max_bytes=2_000_000_000)
    except FileNotFoundError:
        raise UserError(f"{folder} holds no index of embeddings: name the folder of one.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {_DELETE}") from error
    if not _is_listing(listing):
        raise UserError(f"{path} is damaged, or of another version: {_DELETE}")
    return listing


def _is_listing(value: Any) -> bool:
    keys = {"format", "model", "units", "embeddings", "files", "failed", "approximate"}
    if not isinstance(value, dict) or set(value) != keys or value["format"] != FORMAT:
        return False
    if not isinstance(value["embeddings"], str) or not _EMBEDDINGS.fullmatch(value["embeddings"]):
        return False
    if type(value["units"]) is not int or value["units"] < 1 or not isinstance(value["model"], str):
        return False
    if value["approximate"] is not None and not isinstance(value["approximate"], dict):
        return False
    rows = [value["files"], value["failed"]]
    return all(isinstance(part, list) and all(map(_is_file, part)) for part in rows)


def _is_file(row: Any) -> bool:
    return isinstance(row, list) and list(map(type, row)) == [str, int, int]


def _map(path: pathlib.Path, files: int, units: int) -> np.ndarray:
    """The embeddings of a NumPy file, mapped; UserError for a file of another size or kind."""
    if not files:
        return np.zeros((0, units), "float32")
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged or missing: {_DELETE}") from error
    if not isinstance(vectors, np.ndarray) or vectors.shape != (files, units) or vectors.dtype != np.float32:
        raise UserError(f"{path} does not fit {LISTING}: {_DELETE}")
    return vectors


def _require_space(folder: pathlib.Path, items: int, units: int) -> None:
    """Reports what an index takes; UserError where the disk has too little."""
    on_disk, for_search = memory_needed(items, units)
    free = shutil.disk_usage(folder).free
    if free < on_disk:
        raise UserError(
            f"An index of {items:,} files needs {_size(on_disk)} in {folder}, which has {_size(free)} free: name a"
            " folder on another disk."
        )
    _LOG.info(
        "The index of %s files takes %s on disk, and as much memory for fast searches; a search allocates %s.",
        f"{items:,}",
        _size(on_disk),
        _size(for_search),
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _remove_strays(folder: pathlib.Path) -> None:
    """Deletes what earlier processes have left, and the files of the index before."""
    listing = _read_listing(folder)
    used = {LISTING, listing["embeddings"], (listing["approximate"] or {}).get("file")}
    for name in os.listdir(folder):
        if name not in used and _OWN_FILES.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
