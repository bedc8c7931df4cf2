"""Words while they are said: what `tfrec listen` recognizes, for one page at a time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines.errors import UserError
from pipelines.resampling import Resampler
from tfrec.decoding.words import Word
from tfrec.inference.listening import Listener

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer

MAX_PAUSE_S = 5.0  # without sound, after which a recording has ended


class Recognized(NamedTuple):
    """What is known of a recording so far: words that no later sound changes, and text that may continue."""

    words: tuple[Word, ...]
    rest: str = ""


class Live:
    """Sound in pieces, of any rate, to words.

    Args:
        model: A classifier of clips, or a run that transcribes with a causal network.

    Raises:
        UserError: The model needs later sound, or is of another kind.
    """

    def __init__(self, model: Recognizer | ExportedRecognizer) -> None:
        self._lock = threading.Lock()
        self._transcribes = model.task.label_kind == "texts"
        self._recognizer: Any = model.task.stream(model) if self._transcribes else Listener(model)  # type: ignore[call-arg, arg-type]
        self._session: str | None = None
        self._last_s = 0.0

    def feed(self, session: str, rate: int, samples: np.ndarray) -> Recognized:
        """Takes the next samples of a recording; the first ones begin it.

        Args:
            session: Whose recording it is.
            rate: Samples per second.
            samples: int16 or float (samples,) or (samples, channels).

        Raises:
            UserError: Another session is recording.
        """
        with self._lock:
            now = time.monotonic()
            is_over = self._session is None or now - self._last_s > MAX_PAUSE_S
            if not is_over and session != self._session:
                raise UserError("Another page is listening: wait until it stops.")
            if is_over:
                self._begin(session, rate)
            self._last_s = now
            return self._take(self._resampler.feed(_mono(samples)))

    def end(self, session: str) -> Recognized | None:
        """Ends a recording; None where this session has none."""
        with self._lock:
            if session != self._session:
                return None
            self._take(self._resampler.end())
            self._words += _words(self._recognizer.end())
            self._session = None
            return self._recognized()

    def warm_up(self) -> None:
        """Recognizes two seconds of silence, since the first call of a model takes the time of many."""
        for _ in range(4):
            self.feed("", 48_000, np.zeros(24_000, "float32"))
        self.end("")

    def _begin(self, session: str, rate: int) -> None:
        self._recognizer.start()
        self._resampler = Resampler(rate, self._recognizer.sample_rate_hz)
        self._words: list[Word] = []
        self._session = session

    def _take(self, samples: np.ndarray) -> Recognized:
        self._words += _words(self._recognizer.feed(samples))
        return self._recognized()

    def _recognized(self) -> Recognized:
        if not self._transcribes:
            return Recognized(tuple(self._words))
        words = tuple(self._recognizer.words)
        return Recognized(words, " ".join(self._recognizer.text.split()[len(words) :]))


def _words(events: Any) -> list[Word]:
    """The events of a Listener as words; a Stream's logits have none."""
    if isinstance(events, np.ndarray):
        return []
    return [Word(event.word, event.start_s, event.end_s, event.probability) for event in events]


def _mono(samples: np.ndarray) -> np.ndarray:
    """The mean of the channels, float32 (samples,) in [-1, 1]."""
    scale = np.iinfo(samples.dtype).max + 1 if np.issubdtype(samples.dtype, np.integer) else 1
    values = samples.astype("float32") / np.float32(scale)
    return values.mean(axis=1) if values.ndim == 2 else values
