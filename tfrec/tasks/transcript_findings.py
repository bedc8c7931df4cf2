"""What is wrong or strange about the transcripts of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Split
from tfrec.decoding import ctc
from tfrec.tasks.base import Finding, finding

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription

SHOWN_EXAMPLES = 3
SHOWN_SYMBOLS = 8


def find(task: Transcription, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
    """Texts too long for their clips, and symbols that the vocabulary of a Transcription task lacks."""
    return _too_long(task, recognizer, name, split) + _not_covered(task, name, split)


def _too_long(task: Transcription, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
    """Texts that need more steps than their clips have (Graves et al. 2006: tokens and repeats)."""
    seconds, targets = split.seconds, task.targets(split).examples.map(lambda example: example["label"])
    if seconds is None:
        sizes = split.examples.map(lambda example: tf.size(example["audio"]))
        seconds = np.array(list(sizes.as_numpy_iterator())) / recognizer.config.frontend.sample_rate_hz
    needed = np.array([int(ctc.steps_needed(target[None])[0]) for target in targets])
    return finding(
        name,
        split,
        f"texts need more than the {recognizer.config.model.name}'s steps, and are left out of every batch",
        np.flatnonzero(needed > _count_steps(recognizer, np.asarray(seconds))),
        name == "train",
    )


def _count_steps(recognizer: Recognizer, seconds: np.ndarray) -> np.ndarray:
    """How many steps the network makes of clips of these lengths."""
    frontend, network = recognizer.frontend, recognizer.network
    samples = np.round(seconds * frontend.config.sample_rate_hz).astype("int32")
    frames = samples if frontend.features is None else np.array(frontend.features.num_frames(samples))
    inputs = {key: tensor for key, tensor in network.input.items() if key != "tokens"}
    count = keras.Model(inputs, network.get_layer("steps").output)
    lengths, places = np.unique(frames, return_inverse=True)
    shape = (1, max(1, int(lengths.max())), network.input["features"].shape[2])
    silence = np.zeros(shape, "float32")
    steps = [int(count({"features": silence[:, : max(1, n)], "frames": np.array([n], "int32")})[0]) for n in lengths]
    return np.array(steps)[places]


def _not_covered(task: Transcription, name: str, split: Split) -> list[Finding]:
    coverage = task.vocabulary.coverage(split.texts or ())
    if not coverage.missing:
        return []
    symbols = ", ".join(f"{symbol!r} {count}" for symbol, count in list(coverage.missing.items())[:SHOWN_SYMBOLS])
    what = f"{task.config.unit} are not in the vocabulary: {symbols}"
    texts = tuple(next(iter(coverage.examples.values()))[:SHOWN_EXAMPLES])
    return [Finding(name, what, sum(coverage.missing.values()), coverage.symbols, texts, False)]
