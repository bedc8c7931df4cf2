"""Words in a continuous sound: a classifier of clips on a sliding window, and one event for each word.

The window moves on a grid of steps that starts with the sound, so that the events do not depend on the pieces in which
the sound arrives. The probabilities of three neighboring windows are averaged (Chen et al. 2014, "Small-footprint
keyword spotting using deep neural networks"). Of the accepted windows whose sound overlaps, the one with the highest
score is the event; its time is that of the sound inside the window, by an energy gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.errors import UserError
from tfrec.evaluation.metrics import detection

WINDOW_SECONDS = 0.8
STEP_SECONDS = 0.08
NEIGHBORS = 1  # windows on either side whose probabilities are averaged
MIN_WINDOWS = 2  # accepted windows that make an event
BATCH_WINDOWS = 16  # windows that are recognized at once where the sound is already there
GATE_DB = 25.0  # below the loudest block of a window; what is softer does not belong to the word
BLOCK_SECONDS = 0.01
MAX_PAUSE_SECONDS = 0.12  # inside a word
MAX_OVERLAP = 0.3  # fraction of the shorter of two events' sounds


@dataclasses.dataclass(frozen=True)
class Event:
    """A word and where it is, in seconds from the beginning of the sound."""

    word: str
    start_s: float
    end_s: float
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON lines have it."""
        return {
            "word": self.word,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "probability": round(self.probability, 4),
        }

    def overlaps(self, other: Event) -> bool:
        """Whether the sounds of two events are the same for a good part."""
        common = min(self.end_s, other.end_s) - max(self.start_s, other.start_s)
        return common > MAX_OVERLAP * min(self.end_s - self.start_s, other.end_s - other.start_s)


class Listener:
    """Sound in pieces in, events out.

    Args:
        model: a run or an export that classifies clips, as `tfrec.load` returns it.
        threshold: lowest averaged score of an event; None is that of the model.

    Attributes:
        sample_rate_hz: rate of the samples that `feed` takes.
        seconds: sound so far.

    Raises:
        UserError: the model does not classify clips.
    """

    def __init__(self, model: Any, threshold: float | None = None) -> None:
        description = model.description
        if description["modality"] != "audio" or "labels" not in description:
            raise UserError("Listening for words needs a run or an export that classifies clips of audio.")
        self.sample_rate_hz = int(description["sample_rate_hz"])
        self._names = list(description["labels"])
        self._rejected = detection.rejected_classes(self._names)
        self._threshold = description.get("threshold", 0.0) if threshold is None else threshold
        self._answers = model.answer_function()
        self._window = round(WINDOW_SECONDS * self.sample_rate_hz)
        self._step = round(STEP_SECONDS * self.sample_rate_hz)
        self.start()

    def start(self) -> None:
        """Begins another sound."""
        # Silence before the sound, so that a word at its beginning is in the middle of a window, too.
        self._buffer = np.zeros(self._window - self._step, "float32")
        self._first = -(self._window - self._step)  # the buffer's first sample
        self._samples = 0
        self._spans: list[tuple[float, float]] = []  # of windows whose neighbors are not all known
        self._probabilities: list[np.ndarray] = []  # of these and of NEIGHBORS before them
        self._pending: list[tuple[Event, int]] = []  # with the number of windows that agree

    @property
    def seconds(self) -> float:
        """Sound so far."""
        return self._samples / self.sample_rate_hz

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Takes samples.

        Args:
            samples: `(n,)` in [-1, 1] at `sample_rate_hz`, any number.

        Returns:
            The events that have become certain, in the order of their time.
        """
        self._samples += len(samples)
        self._buffer = np.concatenate([self._buffer, np.asarray(samples, "float32")])
        return list(self._advance())

    def end(self) -> list[Event]:
        """Returns the events that the end of the sound makes certain."""
        silence = np.zeros(self._window + NEIGHBORS * self._step, "float32")
        self._buffer = np.concatenate([self._buffer, silence])
        events = list(self._advance())
        return events + list(self._certain(np.inf))

    def _advance(self) -> Iterator[Event]:
        count = (len(self._buffer) - self._window) // self._step + 1
        for start in range(0, count, BATCH_WINDOWS):
            numbers = range(start, min(count, start + BATCH_WINDOWS))
            windows = np.stack([self._buffer[i * self._step :][: self._window] for i in numbers])
            for i, probabilities in zip(numbers, self._recognize(windows), strict=True):
                self._add((self._first + i * self._step) / self.sample_rate_hz, windows[i - start], probabilities)
            yield from self._certain((self._first + (numbers[-1] - NEIGHBORS) * self._step) / self.sample_rate_hz)
        if count > 0:
            self._buffer = self._buffer[count * self._step :]
            self._first += count * self._step

    def _recognize(self, windows: np.ndarray) -> np.ndarray:
        lengths = np.full(len(windows), self._window, "int32")
        return self._answers({"audio": windows, "length": lengths})["probabilities"]

    def _add(self, start_s: float, window: np.ndarray, probabilities: np.ndarray) -> None:
        """Adds a window; the one NEIGHBORS before it may become a candidate."""
        first, last = sound_span(window, self.sample_rate_hz)
        self._spans.append((start_s + first, start_s + last))
        self._probabilities.append(probabilities)
        if len(self._spans) <= NEIGHBORS:
            return
        start, end = self._spans.pop(0)
        mean = np.mean(self._probabilities[-2 * NEIGHBORS - 1 :], axis=0)
        self._probabilities = self._probabilities[-2 * NEIGHBORS - 1 :]
        if end > start and detection.accepted(mean[None], self._rejected, self._threshold)[0]:
            best = int(mean.argmax())
            self._pending.append((Event(self._names[best], start, end, float(mean[best])), 1))

    def _certain(self, start_s: float) -> Iterator[Event]:
        """Removes the pending events that no window from `start_s` on can overlap; yields the best of each word."""
        while self._pending and self._pending[0][0].end_s <= start_s:
            event, windows = self._pending.pop(0)
            same = [i for i, (other, _) in enumerate(self._pending) if other.overlaps(event)]
            better = [i for i in same if self._pending[i][0].probability > event.probability]
            if better:
                other, count = self._pending[better[0]]
                self._pending[better[0]] = (other, count + windows)
                continue
            windows += sum(self._pending[i][1] for i in same)
            self._pending = [pair for i, pair in enumerate(self._pending) if i not in same]
            if windows >= MIN_WINDOWS:
                yield event


def sound_span(window: np.ndarray, sample_rate_hz: int) -> tuple[float, float]:
    """Finds the sound around the loudest moment of a window.

    Args:
        window: `(samples,)`.
        sample_rate_hz: their rate.

    Returns:
        Its start and end in seconds: the blocks of 10 ms at most 25 dB softer than the loudest, with pauses of up to
        120 ms. Both are 0 where there is no sound.
    """
    block = round(BLOCK_SECONDS * sample_rate_hz)
    count = len(window) // block
    power = np.mean(np.square(window[: count * block].reshape(count, block)), axis=1)
    loud = np.flatnonzero(power > max(power.max() * 10 ** (-GATE_DB / 10), 1e-12))
    if not len(loud):
        return 0.0, 0.0
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > MAX_PAUSE_SECONDS / BLOCK_SECONDS) + 1)
    part = max(parts, key=lambda blocks: power[blocks].sum())
    return float(part[0] * BLOCK_SECONDS), float((part[-1] + 1) * BLOCK_SECONDS)
