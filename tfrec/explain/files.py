"""Explanations of files, as pictures and WAV files in a folder."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import soundfile

from pipelines import paths
from pipelines.errors import UserError, unknown
from tfrec.explain import METHODS, audible, checks, drawing, matchmap, of_words
from tfrec.explain.example import of_class
from tfrec.explain.grad_cam import grad_cam
from tfrec.predictions.sources import Source
from tfrec.recognizer import Recognizer
from tfrec.reports import explanations as drawings

DEFAULT = "integrated_gradients"  # method of classifiers


@dataclasses.dataclass(frozen=True)
class Options:
    """How a file is explained.

    Attributes:
        method: A key of METHODS, or matchmap.METHOD; None is the usual one of the recognizer.
        layer: Of grad_cam: the layer whose map is shown; None is the last one before the pooling.
        target: Name of the class; None is the one that is recognized.
        keep: Share of a clip's energy that may be kept.
        check: Whether the map is tested.
    """

    method: str | None = None
    layer: str | None = None
    target: str | None = None
    keep: float = 0.3
    check: bool = False


class FileExplainer:
    """From a file to its explanation.

    Args:
        recognizer: A classifier of pictures or of clips, a transcriber, or one that compares pictures with clips.
        folder: Where files are written; it exists when the first file is explained.
        options: How files are explained.

    Raises:
        UserError: The recognizer is of another kind, or the options are not for it.
    """

    def __init__(self, recognizer: Recognizer, folder: pathlib.Path, options: Options) -> None:
        self._recognizer, self._folder, self._options = recognizer, folder, options
        task, self._index, self._untrained = recognizer.task, None, None
        self._has_words = task.label_kind == "texts" and recognizer.modality == "audio"
        self.takes_pairs = task.label_kind == "pairs"
        if self._has_words:
            self._require_unused("of a transcriber the words are explained", "method", "target", "check")
            return
        if self.takes_pairs and options.method in (None, matchmap.METHOD):
            self._require_unused("a matchmap compares a picture with a clip", "target", "check", "keep")
            self._matchmaps = matchmap.network_of(recognizer)
            return
        if options.method == matchmap.METHOD:
            raise UserError(f"--method {matchmap.METHOD} compares pictures with clips: explain a run of davenet.")
        if task.label_kind != "classes" or len(recognizer.frontend.parts()) > 1:
            raise UserError(
                f"task.name {task.name} gives no classes and no text of one file: explain a classifier of pictures or"
                " of clips, a transcriber, or by --method matchmap a run of davenet."
            )
        if options.target is not None:
            if options.target not in task.class_names:
                raise unknown("class", options.target, task.class_names)
            self._index = list(task.class_names).index(options.target)
        if options.check:
            self._untrained = Recognizer(recognizer.config, task.labels).inference_network

    def _require_unused(self, reason: str, *names: str) -> None:
        """Raises UserError where options are set that are not for the recognizer."""
        used = [name for name in names if getattr(self._options, name) != getattr(Options, name)]
        if used:
            raise UserError(f"--{' and --'.join(used)}: {reason}; leave it out.")

    def __call__(self, source: Source, folder: pathlib.Path | None = None) -> dict[str, Any]:
        """Writes the explanation of a file or of a pair, and returns its figures.

        Args:
            source: The file, or the pair.
            folder: Where it is written; None is the usual one.

        Raises:
            UserError: A file cannot be read, or has nothing to explain.
        """
        path = (folder or self._folder) / source.name.with_name(f"{source.name.name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.takes_pairs:
            return self._matchmap(cast("dict[str, str]", source.example), path)
        raw = self._recognizer.read(source.path)
        return self._words(raw, source, path) if self._has_words else self._class(raw, source, path)

    def _class(self, raw: np.ndarray, source: Source, path: pathlib.Path) -> dict[str, Any]:
        recognizer, options = self._recognizer, self._options
        example, probabilities = of_class(recognizer, raw, self._index)
        index = int(np.argmax(probabilities)) if self._index is None else self._index
        name = options.method or DEFAULT
        method = METHODS[name]
        if options.layer is not None:
            method = functools.partial(grad_cam, layer=options.layer)
        relevance, label = method(example), recognizer.task.class_names[index]
        row = {"class": label, "probability": round(float(probabilities[index]), 4), "method": name}
        title = f"{os.path.basename(source.path)}: {label} {probabilities[index]:.1%}, {name}"
        placed = drawing.draw(recognizer, raw, example, relevance, title, path)
        if placed is not None:
            row |= self._write_sounds(raw, *placed, path)
        if self._untrained is not None:
            row |= checks.figures(recognizer, example, method, relevance, index, self._untrained)
        return row

    def _write_sounds(
        self, raw: np.ndarray, where: audible.Axes, relevance: np.ndarray, path: pathlib.Path
    ) -> dict[str, Any]:
        """Writes what mattered of a clip, and the rest, as WAV files."""
        rate = self._recognizer.frontend.parts()["audio"].config.sample_rate_hz
        parts = audible.split(raw, rate, relevance, where, self._options.keep)
        for kind in ("kept", "removed"):
            soundfile.write(path.with_name(f"{path.stem}_{kind}.wav"), np.clip(getattr(parts, kind), -1, 1), rate)
        return {"energy_kept": round(parts.share, 4)}

    def _words(self, raw: np.ndarray, source: Source, path: pathlib.Path) -> dict[str, Any]:
        features, words = of_words.explain_words(self._recognizer, raw)
        if not words:
            raise UserError(f"{paths.shown(source.path)} has an empty transcript: there is no word to explain.")
        seconds = audible.axes(self._recognizer.frontend, len(raw), features.shape).seconds
        text = " ".join(word for word, _ in words)
        drawings.words(features, words, seconds, f"{os.path.basename(source.path)}: {text}", path)
        strongest = [round(float(seconds[np.abs(relevance).argmax()]), 3) for _, relevance in words]
        return {"text": text, "strongest_s": strongest}

    def _matchmap(self, pair: Mapping[str, str], path: pathlib.Path) -> dict[str, Any]:
        found = matchmap.of_pair(self._recognizer, self._matchmaps, pair)
        title = " and ".join(paths.shown(os.path.basename(file)) for file in pair.values())
        drawings.matchmap(*found, title, path)
        return {"similarity": round(float(found.values.mean()), 4), "method": matchmap.METHOD}
