"""Files that have become unreadable while a training reads them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipelines import audio, images
from pipelines.datasets import files, fingerprints
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError


def find(corpus: Corpus) -> UserError | None:
    """Reads the files of a corpus until one cannot be read.

    Args:
        corpus: Any corpus.

    Returns:
        An error that names the file; None where all can be read, or the corpus is not in files.
    """
    rows = [row for split in corpus.splits.values() for row in split.rows or () if row.path]
    with ThreadPoolExecutor() as pool:
        for error in pool.map(lambda row: _error(row, corpus.modality), _first_of_each_file(rows)):
            if error is not None:
                pool.shutdown(wait=False, cancel_futures=True)
                return error
    return None


def _error(row: files.Row, modality: str) -> UserError | None:
    try:
        if modality == "image":
            images.read(row.path, 3)
        else:
            audio.read(row.path)
    except UserError as error:
        has_changed = row.fingerprint not in ("", fingerprints.of_files([row.path])[row.path])
        return UserError(f"{error} It has changed since the data was loaded.") if has_changed else error
    return None


def _first_of_each_file(rows: Sequence[files.Row]) -> list[files.Row]:
    return list({row.path: row for row in reversed(rows)}.values())[::-1]
