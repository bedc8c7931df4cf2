"""Search among files by a picture or a recording, with a recognizer or an export of pairs."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipelines.errors import UserError
from tfrec.inference import embedding_index
from tfrec.inference.embedding_index import EmbeddingIndex, Match
from tfrec.inference.file_embedding import FileEmbedder

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer
    from tfrec.tasks.embedding import Embedding


class FileSearch:
    """Ranks files by their similarity to another.

    Args:
        model: a recognizer or an export.
        path: its folder.

    Raises:
        UserError: for a model that does not embed pictures and clips.
    """

    def __init__(self, model: Recognizer | ExportedRecognizer, path: str) -> None:
        if model.task.output_kind != "pair":
            raise UserError(f"{path} does not embed pictures and speech: give a model of the task retrieve.")
        self.model: Any = model
        self.path = path
        self._answer = cast("Callable[[str], Embedding]", model.predictor())

    def embed(self, file: str) -> np.ndarray:
        """The embedding of a picture or a clip (units,); UserError for a file that cannot be read."""
        return np.asarray(self._answer(file).vector, "float32")

    def index(self, files: Sequence[str], units: int, folder: str | os.PathLike[str]) -> EmbeddingIndex:
        """The index of files, see `embedding_index.update`."""
        return embedding_index.update(
            folder, files, FileEmbedder(self.model), units, _fingerprint(getattr(self.model, "path", self.path))
        )

    def rank(self, query: str, files: Sequence[str], folder: str | os.PathLike[str], count: int) -> list[Match]:
        """The files that are most similar to a query, from the most similar on.

        Args:
            query: a picture or a clip.
            files: to rank.
            folder: of their index, which is built or brought up to date.
            count: of matches.

        Raises:
            UserError: for a query that cannot be read, and for an index that cannot be used.
        """
        vector = self.embed(query)
        return self.index(files, len(vector), folder).search(vector[None], count)[0]


def default_folder(model: str, roots: Sequence[str]) -> pathlib.Path:
    """Where the index of folders is kept for a model: in the user's cache.

    Args:
        model: folder of the model.
        roots: files and folders that are searched.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    names = "\0".join(map(os.path.realpath, (model, *roots)))
    key = hashlib.sha256(os.fsencode(names)).hexdigest()[:16]
    return pathlib.Path(cache) / "tfrec" / "search" / key


def _fingerprint(path: str | os.PathLike[str]) -> str:
    """What identifies a run or an export: the contents of its weights and its description."""
    root, digest = pathlib.Path(path), hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.name in ("config.json", "best.weights.h5", "saved_model.pb") or file.parent.name == "variables":
            digest.update(os.fsencode(file.relative_to(root)))
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
