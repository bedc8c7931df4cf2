"""Data that a run was not trained on, such as a new speaker: read with the run's classes and settings."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines import audio, images, paths
from pipelines.counts import counted
from pipelines.datasets import files, folder, manifest, media_files, paired, pairing, shards
from pipelines.datasets.base import Corpus, FilesConfig, Split
from pipelines.errors import UserError, unknown
from pipelines.shards import places
from tfrec.runs import splits

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.runs.run import Run

logger = logging.getLogger(__name__)

_MODULES: dict[str, Any] = {"folder": folder, "manifest": manifest, "shards": shards}
NEEDED = {"classes": ("label", "labels"), "texts": ("text", "transcripts"), "numbers": ("number", "numbers")}


def load(recognizer: Recognizer, path: str, split: str = "test") -> Corpus:
    """Loads a folder with a sub-folder per class, a manifest, or shards.

    Args:
        recognizer: a trained recognizer, whose classes and settings apply.
        path: the folder, the manifest or the shards.
        split: the split that is measured where the data names splits; without such names, everything is.

    Returns:
        A Corpus with the one split; of a task without labels with all splits, by the settings of the run.

    Raises:
        UserError: the data cannot be read, has other classes than the run, or is not labeled as the task needs it.
    """
    if len(recognizer.frontend.parts()) > 1:
        return _pairs(recognizer, paths.absolute(path), split)
    config: Any = _config(recognizer, paths.absolute(path))
    if recognizer.task.label_kind is None:
        return _with_reference(recognizer, config)
    rows = _MODULES[config.name].list_files(config)
    if any(row.split for row in rows):
        rows = [row for row in rows if row.split == split]
        if not rows:
            raise UserError(f"{path} names splits, but none of its files is in {split}: give another --split.")
    _require_labels(recognizer, path, rows)
    frontend = recognizer.config.frontend
    corpus = files.build_corpus(
        config,
        rows,
        {split: np.arange(len(rows))},
        class_names=recognizer.task.class_names if recognizer.task.label_kind == "classes" else (),
        sample_rate_hz=getattr(frontend, "sample_rate_hz", None),
        **config.reading() | {"channels": getattr(frontend, "channels", 3)},
    )
    _require_modality(recognizer, path, corpus)
    return corpus


def _with_reference(recognizer: Recognizer, config: Any) -> Corpus:
    """Data with or without labels, split as for a training, whose training split the task compares with."""
    frontend = recognizer.config.frontend
    config = dataclasses.replace(config, unlabeled=True, channels=getattr(frontend, "channels", 3))
    corpus = _MODULES[config.name].load(config, getattr(frontend, "sample_rate_hz", None))
    _require_modality(recognizer, config.path, corpus)
    recognizer.task.use_reference(recognizer, corpus.splits["train"])
    return corpus


def _require_modality(recognizer: Recognizer, path: str, corpus: Corpus) -> None:
    """Raises UserError for pictures where the run takes audio, and the reverse."""
    if corpus.modality != recognizer.frontend.modality:
        kinds = {"image": "pictures", "audio": "audio"}
        raise UserError(
            f"{path} holds {kinds[corpus.modality]}, but the run was trained on {kinds[recognizer.frontend.modality]}."
        )


def load_unlabeled(recognizer: Recognizer, path: str) -> Split:
    """Loads the pictures, or the clips, at any depth below a folder, whatever they show.

    Args:
        recognizer: a trained recognizer, whose settings apply.
        path: the folder.

    Returns:
        The examples, whose labels are 0.

    Raises:
        UserError: there is no such folder, it holds none of these files, or one cannot be read.
    """
    root, kind = paths.local(path), recognizer.modality
    if not os.path.isdir(root):
        raise UserError(f"--ood {paths.shown(path)} is not a folder: name one with pictures or clips of no class.")
    suffixes = images.SUFFIXES if kind == "image" else audio.SUFFIXES
    left_out, kinds = media_files.LeftOut(), {"image": "pictures", "audio": "clips"}
    media = media_files.below(root, left_out)
    left_out.check()
    found = [name for name in media if name.lower().endswith(suffixes)]
    if not found:
        raise UserError(f"--ood {paths.shown(path)} holds no {kinds[kind]}, which the run takes: name another folder.")
    notes = [*left_out.notes()]
    if others := len(media) - len(found):
        notes.append(f"Left out, since the run takes {kinds[kind]}: {counted(others, 'other media file')}.")
    rows = [files.Row(name, number=0.0, where="" if paths.is_plain(name) else paths.shown(name)) for name in found]
    config: Any = _config(recognizer, root)
    reading = config.reading() | {"channels": getattr(recognizer.config.frontend, "channels", 3)}
    rate = getattr(recognizer.config.frontend, "sample_rate_hz", None)
    parts = {"test": np.arange(len(rows))}
    corpus = files.build_corpus(config, rows, parts, sample_rate_hz=rate, notes=notes, **reading)
    for note in corpus.notes:
        logger.warning(note)
    return corpus.splits["test"]


def _pairs(recognizer: Recognizer, path: str, split: str) -> Corpus:
    """A list of pairs; or a folder of clips, or of pictures, with a sub-folder per class, and what the run has.

    The pictures, or the clips, of the run's own split are then the candidates.
    """
    rate = recognizer.frontend.parts()["audio"].config.sample_rate_hz
    pictures = next(part for name, part in recognizer.frontend.parts().items() if name != "audio")
    reading: dict[str, Any] = {"channels": pictures.config.channels}
    if recognizer.modality == "video_audio":
        reading |= {"moving": True, "frames_per_second": recognizer.config.frontend.frames_per_second}
    if not os.path.exists(path):
        raise UserError(f"data.path {path} does not exist.")
    if os.path.isfile(path):
        pairs = paired.read(paired.Config(path=path))
        chosen = [pair for pair in pairs if pair.split == split] if pairs[0].split else pairs
        if not chosen:
            raise UserError(f"{path} names splits, but none of its pairs is in {split}: give another --split.")
        has_texts = recognizer.task.label_kind == "texts"
        if has_texts and not all(pair.text for pair in chosen):
            raise UserError(f"{path} has no transcripts, which the run needs: fill in the column text.")
        classes = () if has_texts else recognizer.task.class_names
        for pair in chosen if classes else ():
            if not pair.label:
                raise UserError(f"{path} has no labels, which the run needs: add a column label.")
            if pair.label not in classes:
                raise unknown(f"class for this run in {pair.where}", pair.label, classes)
        return paired.build_corpus(paired.Config(path=path, **reading), chosen, rate, only=split, class_names=classes)
    class_names = recognizer.task.labels
    if not isinstance(class_names, list) or not class_names or recognizer.run is None:
        raise UserError(f"{path} is a folder, but the run has no classes: give a list of pairs, a .csv file.")
    rows = folder.list_files(folder.Config(path=path))
    for row in rows:
        if row.label not in class_names:
            raise unknown(f"class for this run in {row.path}", row.label, class_names)
    indices = {split: np.arange(len(rows))}
    config = folder.Config(name=os.path.basename(path), path=path)
    other = files.build_corpus(
        config, rows, indices, class_names=class_names, sample_rate_hz=rate, verify=True, **reading
    )
    own = splits.load(recognizer.run, recognizer.config, class_names, (split,))
    return pairing.pair_with(own, other, split)


def name(run: Run, path: str, kind: str = "data") -> str:
    """Returns the name under which metrics.json holds the scores of other data, which begins with its kind.

    The same data has the same name; other data of the same file name has another.
    """
    stored = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    path = paths.absolute(path)
    base = f"{kind}_" + (re.sub(r"[^\w.-]+", "_", os.path.basename(path)) or "root")
    number = 1
    while True:
        candidate = base if number == 1 else f"{base}-{number}"
        if stored.get(candidate, {}).get("data_path", path) == path:
            return candidate
        number += 1


def _config(recognizer: Recognizer, path: str) -> folder.Config | manifest.Config | shards.Config:
    """The settings of the data; those of the run where it was trained on files, which are read in the same way."""
    is_shards = places.is_shards(path)
    if not is_shards and not os.path.exists(path):
        raise UserError(f"data.path {path} does not exist.")
    kind: Any = shards.Config if is_shards else manifest.Config if os.path.isfile(path) else folder.Config
    data = recognizer.config.data
    if type(data) is not kind:
        return kind(path=path, **data.reading() if isinstance(data, FilesConfig) else {})
    changes = {"classes": (), "split_by": "random"} if issubclass(kind, manifest.Config) else {}
    return dataclasses.replace(data, path=path, **changes)


def _require_labels(recognizer: Recognizer, path: str, rows: list[files.Row]) -> None:
    field, needed = NEEDED[recognizer.task.label_kind or "classes"]
    for row in rows:
        if getattr(row, field) in ("", None):
            remedy = "" if os.path.isfile(path) else ": give a manifest with them, a .csv file"
            raise UserError(f"{path} has no {needed}, which the run needs{remedy}.")
        if field == "label" and row.label not in recognizer.task.class_names:
            raise unknown(f"class for this run in {row.where or path}", row.label, recognizer.task.class_names)
