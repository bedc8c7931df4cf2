"""Embeddings of files in batches, with a recognizer or an export of pairs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
import tensorflow as tf

from pipelines import paths
from pipelines.errors import UserError

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

BATCH_FILES = 32
BATCH_SECONDS = 120.0  # of the clips of a batch, padding included; a longer clip is a batch by itself
WINDOW_FILES = 4 * BATCH_FILES  # that are read before they are cut into batches, so that clips of one length meet
WINDOW_BYTES = 2**28  # likewise: of their pixels and samples

Result = np.ndarray | UserError  # an embedding (units,), or the error of a file


class _Item(NamedTuple):
    """A file that has been read."""

    place: int  # in its window
    file: str
    kind: str  # "image" or "audio"
    values: np.ndarray  # pixels or samples


class _Embedder(Protocol):
    """How a model embeds batches, and how large they may be."""

    rows: int
    sizes: dict[str, float]  # by the kind: pixels, or samples with padding, of all rows together

    def prepared(self, kind: str, values: np.ndarray) -> np.ndarray:
        """Pixels or samples as they go into a batch."""

    def embed(self, kind: str, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, Sequence[str]]:
        """A batch -> embeddings (batch, units), and for each row what is wrong with it, or ""."""


class FileEmbedder:
    """Embeds files: pictures of one size together, and clips of about the same length.

    Args:
        model: a recognizer or an export of pairs.
    """

    def __init__(self, model: Recognizer | ExportedRecognizer) -> None:
        self._model = cast(Any, model)
        self._embedder: _Embedder = _OfRun(self._model) if hasattr(model, "network") else _OfExport(self._model)

    def __call__(self, files: Iterable[str]) -> Iterator[Result]:
        """Yields for each file, in order, its embedding, or the error of one that cannot be read."""
        remaining = iter(files)
        while True:
            items, results = self._read(remaining)
            if not items and not results:
                return
            for batch in self._cut(items):
                results.update(self._embed(batch))
            yield from (results[place] for place in sorted(results))

    def _read(self, files: Iterator[str]) -> tuple[list[_Item], dict[int, Result]]:
        """The next files, up to the limits of a window, and the errors of those that cannot be read."""
        items: list[_Item] = []
        errors: dict[int, Result] = {}
        size = 0
        for place, file in enumerate(itertools.islice(files, WINDOW_FILES)):
            try:
                ((kind, values),) = self._model.read(file).items()
            except UserError as error:
                errors[place] = error
                continue
            items.append(_Item(place, file, kind, self._embedder.prepared(kind, values)))
            size += items[-1].values.nbytes
            if size > WINDOW_BYTES:
                break
        return items, errors

    def _cut(self, items: Sequence[_Item]) -> Iterator[list[_Item]]:
        """Batches of pictures of one size, and of clips whose lengths are neighbors."""
        ordered = sorted(items, key=lambda item: (item.kind, item.values.shape, item.values.dtype.name))
        batch: list[_Item] = []
        for item in ordered:
            rows, kind = len(batch) + 1, item.kind
            is_alike = not batch or (batch[-1].kind == kind and (kind == "audio" or _is_same(batch[-1], item)))
            size = rows * math.prod(item.values.shape[:2])  # of clips, this one is the longest
            if batch and (not is_alike or rows > self._embedder.rows or size > self._embedder.sizes[kind]):
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def _embed(self, batch: Sequence[_Item]) -> Iterator[tuple[int, Result]]:
        """The results of a batch; one that the model refuses is halved, down to the file that is at fault."""
        try:
            vectors, faults = self._embedder.embed(batch[0].kind, _inputs(batch))
        except UserError as error:
            if len(batch) == 1:
                yield batch[0].place, UserError(f"{paths.shown(batch[0].file)}: {error}")
                return
            half = len(batch) // 2
            yield from self._embed(batch[:half])
            yield from self._embed(batch[half:])
            return
        for item, vector, fault in zip(batch, vectors, faults, strict=True):
            yield item.place, UserError(f"{paths.shown(item.file)}: {fault}") if fault else vector


def _is_same(one: _Item, other: _Item) -> bool:
    """Whether two pictures have the same size and type."""
    return (one.values.shape, one.values.dtype) == (other.values.shape, other.values.dtype)


def _inputs(batch: Sequence[_Item]) -> dict[str, np.ndarray]:
    """Pictures (batch, height, width, channels), or clips (batch, samples) with their lengths."""
    if batch[0].kind == "image":
        return {"image": np.stack([item.values for item in batch])}
    lengths = np.array([len(item.values) for item in batch], "int32")
    audio = np.zeros((len(batch), lengths.max()), "float32")
    for row, item in zip(audio, batch, strict=True):
        row[: len(item.values)] = item.values
    return {"audio": audio, "length": lengths}


class _OfRun:
    """Batches of a recognizer, by a function that is compiled once for all sizes of batches."""

    rows = BATCH_FILES

    def __init__(self, recognizer: Recognizer) -> None:
        parts = recognizer.frontend.parts()
        self._resize = tf.function(
            parts["image"].resize, input_signature=[tf.TensorSpec([None, None, None, parts["image"].config.channels])]
        )
        self.sizes = {"image": math.inf, "audio": BATCH_SECONDS * parts["audio"].config.sample_rate_hz}
        embedders = recognizer.task.embedders(recognizer.inference_network)
        by_kind = {kind: recognizer.replace(inference_network=embedders[kind]) for kind in parts}

        def of_images(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            features = {"image": parts["image"].normalize(inputs["image"])}
            return by_kind["image"](recognizer.as_features(features))["image_embedding"]

        def of_clips(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            return by_kind["audio"](inputs)["audio_embedding"]

        image = {"image": tf.TensorSpec([None, *parts["image"].feature_shape])}
        audio = {"audio": tf.TensorSpec([None, None]), "length": tf.TensorSpec([None], tf.int32)}
        self._functions = {
            "image": tf.function(of_images, input_signature=[image]),
            "audio": tf.function(of_clips, input_signature=[audio]),
        }

    def prepared(self, kind: str, values: np.ndarray) -> np.ndarray:
        """Pictures in the size of the network."""
        return self._resize(values[None].astype("float32")).numpy()[0] if kind == "image" else values

    def embed(self, kind: str, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, Sequence[str]]:
        """Embeddings; no row is bad."""
        vectors = self._functions[kind](inputs).numpy()
        return vectors, [""] * len(vectors)


class _OfExport:
    """Batches of an export, within its limits."""

    def __init__(self, exported: ExportedRecognizer) -> None:
        self._exported = exported
        limits = exported.description.get("limits", {})
        self.rows = min(BATCH_FILES, limits.get("rows", 1))
        seconds = min(BATCH_SECONDS, limits.get("total_seconds", 0.0))
        self.sizes = {
            "image": limits.get("pixels", 0),
            "audio": seconds * exported.description["sample_rate_hz"],
        }

    def prepared(self, kind: str, values: np.ndarray) -> np.ndarray:
        """The values as they are: the export resizes."""
        return values

    def embed(self, kind: str, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, Sequence[str]]:
        """Embeddings, and the "status" of exports that fill bad rows."""
        outputs = self._exported.answers(inputs, signature=f"embed_{kind}_tensor")
        vectors = outputs[f"{kind}_embedding"]
        status = outputs.get("status", [b""] * len(vectors))
        return vectors, [bytes(text).decode() for text in status]
