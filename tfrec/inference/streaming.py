"""Transcription while the sound arrives, by a causal network: the answer is that of the whole recording.

What a piece of sound costs does not depend on the recording's length so far. The states of recurrent layers are carried
from piece to piece; the layers below them, or a network without any, have a finite memory, which is measured once and
fed again with each piece. For features with a running normalization the sums are carried.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf
from keras import ops

from pipelines import frontends
from pipelines.errors import UserError
from tfrec.decoding.words import GreedyPath, Word
from tfrec.inference import reader
from tfrec.inference.chunking import timing
from tfrec.inference.delay import output_delay
from tfrec.inference.streaming_network import StreamingNetwork

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription

PIECE_SECONDS = 0.25
NEGLIGIBLE = 1e-15  # weight of PCEN's average beyond the frames that are fed again


class Stream:
    """Sound in pieces in, text out.

    `feed` and `end` return the logits of the steps that became known; `text` is the greedy text so far, which later
    pieces only lengthen, and after `end` that of the whole recording; `words` and `confidence` belong to it. `start`
    begins another recording.

    Raises:
        UserError: where the network or its features depend on the future, or on more than can be carried.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self.sample_rate_hz, self.audio_channel = recognizer.config.frontend.sample_rate_hz, recognizer.audio_channel
        task = cast("Transcription", recognizer.task)
        self._vocabulary, self._confidence = task.vocabulary, task.word_confidence
        self._features = StreamingFeatures(recognizer)
        self._network = StreamingNetwork(recognizer)
        self._seconds_per_step, self._delay_s = timing(recognizer).seconds_per_step, output_delay(recognizer)
        self.start()

    def start(self) -> None:
        """Begins a recording."""
        self._features.start()
        self._network.start()
        self._path = GreedyPath(self._vocabulary, self._seconds_per_step, self._delay_s, self._confidence)

    @property
    def text(self) -> str:
        """The text so far."""
        return self._path.text

    @property
    def words(self) -> list[Word]:
        """The words so far that no later sound changes."""
        return self._path.builder.words()[: self._path.builder.complete()]

    @property
    def confidence(self) -> float:
        """The confidence of the text so far."""
        return self._path.confidence

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Samples `(n,)` in [-1, 1] at `sample_rate_hz`, any number -> logits `(steps, outputs)` of those now known."""
        return self._advance(samples, last=False)

    def end(self) -> np.ndarray:
        """The logits `(steps, outputs)` that the end of the recording makes known."""
        return self._advance(np.zeros(0, "float32"), last=True)

    def _advance(self, samples: np.ndarray, last: bool) -> np.ndarray:
        logits = self._network.feed(self._features.feed(samples, last), last)
        self._path.feed(logits)
        if last:
            self._path.end()
            self._path.builder.separate()
        return logits


def transcribe(stream: Stream, file: str) -> Iterator[tuple[float, str, bool]]:
    """Yields `(seconds read, text so far, whether that was all)` after each piece of a file.

    The file "-" is standard input: 16-bit samples of one channel at the stream's rate, little-endian, without a header.
    """
    stream.start()
    piece, read = round(PIECE_SECONDS * stream.sample_rate_hz), 0
    for samples in _from_standard_input(piece) if file == "-" else _from_file(file, piece, stream):
        stream.feed(samples)
        read += len(samples)
        yield read / stream.sample_rate_hz, stream.text, False
    stream.end()
    yield read / stream.sample_rate_hz, stream.text, True


def _from_standard_input(piece: int) -> Iterator[np.ndarray]:
    while contents := sys.stdin.buffer.read(2 * piece):
        yield np.frombuffer(contents[: len(contents) // 2 * 2], "<i2").astype("float32") / 32768


def _from_file(file: str, piece: int, stream: Stream) -> Iterator[np.ndarray]:
    for samples in reader.audio_blocks(file, stream.sample_rate_hz, stream.audio_channel):
        for start in range(0, len(samples), piece):
            yield samples[start : start + piece]


class StreamingFeatures:
    """Samples in pieces -> features `(frames, bins)`, each frame as soon as its last sample is known."""

    def __init__(self, recognizer: Recognizer) -> None:
        frontend, config = recognizer.frontend, recognizer.config.frontend
        require_causal(config)
        self._timing = timing(recognizer)
        self._bins = recognizer.feature_size
        self._running = frontend.norm  # None, or a RunningNorm
        # The first sample of a frame that is computed again lacks the one before it, which pre-emphasis needs.
        self._context = 1 if config.pre_emphasis else 0
        if config.features == "pcen" and frontend.features is not None:
            self._context += math.ceil(math.log(NEGLIGIBLE) / math.log1p(-frontend.features.smoothing))
        local = frontends.build(dataclasses.replace(config, normalize="none"))

        def compute(samples: Any) -> Any:
            return local({"audio": samples[None], "length": tf.size(samples)[None]}, training=False)["features"][0]

        self._compute = tf.function(compute, input_signature=[tf.TensorSpec([None], tf.float32)])

    def start(self) -> None:
        """Begins a recording."""
        self._buffer, self._known, self._any = np.zeros(0, "float32"), 0, False
        if self._running is not None:
            self._norm = type(self._running).from_config(self._running.get_config())

    def feed(self, samples: np.ndarray, last: bool) -> np.ndarray:
        """The frames that became known, `(frames, bins)`; with `last` a clip shorter than a window has one."""
        hop, window = self._timing.hop, self._timing.window
        self._buffer = np.concatenate([self._buffer, np.asarray(samples, "float32")])
        frames = max(0, 1 + (len(self._buffer) - window) // hop)
        if last and not self._any and not frames and window > 1:
            frames = 1
        if frames <= self._known:
            return np.zeros((0, self._bins), "float32")
        self._any = True
        features = self._compute(self._buffer).numpy()[self._known : frames]
        self._known = min(self._context, frames)
        self._buffer = self._buffer[(frames - self._known) * hop :]
        return features if self._running is None else self._normalized(features)

    def _normalized(self, features: np.ndarray) -> np.ndarray:
        """Frames normalized after the earlier ones, which are the prior of the RunningNorm, one for each bin."""
        norm, count = self._norm, len(features)
        answer = ops.convert_to_numpy(norm(features[None]))[0]
        features = features.astype("float64")
        before, total = norm.prior_frames, norm.prior_frames + count
        mean = (before * norm.prior_mean + features.sum(axis=0)) / total
        squares = before * (norm.prior_deviation**2 + (norm.prior_mean - mean) ** 2)
        squares += ((features - mean) ** 2).sum(axis=0)
        norm.prior_mean, norm.prior_deviation = mean.astype("float32"), np.sqrt(squares / total).astype("float32")
        norm.prior_frames = total
        return answer


def require_causal(config: Any) -> None:
    """Raises UserError for a frontend whose features depend on later samples."""
    causes = {
        f"frontend.normalize {config.normalize}": config.normalize not in ("none", "running"),
        "frontend.range_db": config.range_db is not None,
        "frontend.deltas": config.deltas,
    }
    if names := [name for name, present in causes.items() if present]:
        raise UserError(
            f"--stream needs features that depend only on past samples, which {' and '.join(names)} do not: train"
            " with --frontend.normalize running, without frontend.range_db and frontend.deltas."
        )
