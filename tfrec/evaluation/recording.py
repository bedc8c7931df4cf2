"""Scores of a recognizer on recordings unlike its corpus: places, levels, bands, rooms, tempo, clipping, hum.

Each change is made to every clip of a split, from its number and the change alone, so that it is the same for every
recognizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from scipy import signal

from pipelines.datasets.base import Split
from pipelines.layers.band_limit import mu_law
from pipelines.resampling import resample_array
from tfrec.evaluation.metrics.per_example import score_condition

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

HISS = 1e-3  # standard deviation of the noise around a clip
HUM_HZ = {50.0: 1.0, 150.0: 0.5, 250.0: 0.3}  # mains hum and two harmonics, with their amplitudes
HUM_OF_PEAK = 0.25
T60_S, DIRECT_DB = 0.25, 3.0  # of the room

Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]  # waveform, its rate, randomness -> waveform


def _around(seconds: float, hiss: float) -> Change:
    def change(clip: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
        longer = np.pad(clip, round(seconds * rate))
        return longer + hiss * random.standard_normal(len(longer)) if hiss else longer

    return change


def _gain(decibels: float) -> Change:
    """Softer, with the steps of 16 bits."""
    return lambda clip, rate, random: np.round(clip * 10 ** (decibels / 20) * 32768) / 32768


def _band(clip: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """A telephone: a Butterworth filter of order 6, from 300 to 3,400 Hz."""
    high = min(3400.0, 0.45 * rate)
    return signal.sosfilt(signal.butter(6, [300.0, high], "band", fs=rate, output="sos"), clip)


def _clipped(clip: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    limit = 0.1 * np.abs(clip).max(initial=0.0)
    return np.clip(clip, -limit, limit)


def _room(clip: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """The direct sound and a tail that decays by 60 dB in a quarter of a second."""
    seconds = np.arange(round(0.3 * rate)) / rate
    tail = random.standard_normal(len(seconds)) * 10 ** (-3 * seconds / T60_S)
    tail[: round(0.002 * rate)] = 0
    response = tail / np.sqrt(np.sum(tail**2)) * 10 ** (-DIRECT_DB / 20)
    response[0] = 1
    return np.convolve(clip, response)[: len(clip) + round(0.1 * rate)]


def _hum(clip: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    seconds = np.arange(len(clip)) / rate
    hum = sum(amplitude * np.sin(2 * np.pi * hz * seconds) for hz, amplitude in HUM_HZ.items())
    return clip + HUM_OF_PEAK * np.abs(clip).max(initial=0.0) * hum


def _speed(factor: float) -> Change:
    """Tempo and pitch."""
    return lambda clip, rate, random: resample_array(clip.astype("float32"), round(1000 * factor), 1000)


CHANGES: dict[str, Change] = {
    "half a second of silence around": _around(0.5, 0.0),
    "half a second of hiss around": _around(0.5, HISS),
    "2 s of silence around": _around(2.0, 0.0),
    "5 s of silence before": lambda clip, rate, random: np.pad(clip, (5 * rate, 0)),
    "20 dB softer": _gain(-20.0),
    "30 dB softer": _gain(-30.0),
    "40 dB softer": _gain(-40.0),
    "offset of 0.1": lambda clip, rate, random: clip + 0.1,
    "telephone band": _band,
    "mu-law": lambda clip, rate, random: np.asarray(mu_law(clip)),
    "mains hum": _hum,
    "clipped by 20 dB": _clipped,
    "small room": _room,
    "15 % faster": _speed(1.15),
    "15 % slower": _speed(1 / 1.15),
}


def measure(recognizer: Recognizer, split: Split, batch_size: int = 64, seed: int = 0) -> dict[str, Any]:
    """Scores of a split as it is and with every change of CHANGES.

    Args:
        recognizer: what is measured.
        split: clips.
        batch_size: maximum number of clips in a batch.
        seed: of the changes.

    Returns:
        {"measure": the task's usual score, "examples": number of clips, "conditions": {change: a cell as
        `score_condition` returns it}}; the first condition is "as it is".
    """
    rate = recognizer.config.frontend.sample_rate_hz
    conditions = {}
    for name, change in {"as it is": None, **CHANGES}.items():
        changed = split if change is None else _changed(split, change, rate, seed)
        scores = recognizer.task.per_example(recognizer, changed, batch_size)
        conditions[name] = score_condition(scores.name, scores.counts[None], scores.sizes)
    return {"measure": scores.name, "examples": split.size, "conditions": conditions}


def _changed(split: Split, change: Change, rate: int, seed: int) -> Split:
    """A split with a change, one clip in memory at a time."""

    def examples() -> Iterator[dict[str, Any]]:
        for number, example in enumerate(split.examples.as_numpy_iterator()):
            random = np.random.default_rng((seed, number))
            yield {**example, "audio": change(example["audio"], rate, random).astype("float32")}

    lengths = [len(example["audio"]) for example in examples()]
    return Split(
        tf.data.Dataset.from_generator(examples, output_signature=split.examples.element_spec),
        split.size,
        labels=split.labels,
        texts=split.texts,
        seconds=np.array(lengths) / rate,
    )
