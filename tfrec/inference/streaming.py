"""Transcribing while somebody still speaks, by a causal network: the answer is that of the whole recording.

What a piece of sound costs does not depend on how much was heard before. The states of recurrent layers are carried
from piece to piece; the layers below them, or a network without any, have a finite memory, which is measured once and
heard again with each piece. Of features with a running normalization the sums are carried.
"""

import dataclasses
import math
import sys

import numpy as np
import tensorflow as tf
from keras import ops

from pipelines import audio, frontends
from pipelines.errors import UserError
from tfrec.inference.chunking import timing
from tfrec.inference.streaming_network import Network

PIECE_SECONDS = 0.25
FORGOTTEN = 1e-15  # what is left of PCEN's average after the frames that are heard again


class Stream:
    """Sound in pieces in, text out, by a Recognizer that transcribes.

    `feed` and `end` give the logits of the steps that became known; `text` is the greedy text so far, which later
    pieces only lengthen, and after `end` that of the whole recording. `start` begins another recording.
    UserError where the network or its features see the future, or more than it can keep in mind.
    """

    def __init__(self, recognizer):
        self.sample_rate_hz = recognizer.config.frontend.sample_rate_hz
        self._vocabulary = recognizer.task.vocabulary
        self._features = _Features(recognizer)
        self._network = Network(recognizer)
        self.start()

    def start(self):
        """Forgets all that was heard."""
        self._features.start()
        self._network.start()
        self._ids, self._last = [], 0

    @property
    def text(self):
        """What was said so far, as far as the network is through with it."""
        return self._vocabulary.decode(self._ids)

    def feed(self, samples):
        """Samples (n,) in [-1, 1] at `sample_rate_hz`, any number -> logits (steps, outputs) of those now known."""
        return self._hear(samples, last=False)

    def end(self):
        """The logits (steps, outputs) of what the last samples leave open."""
        return self._hear(np.zeros(0, "float32"), last=True)

    def _hear(self, samples, last):
        logits = self._network.feed(self._features.feed(samples, last), last)
        for symbol in logits.argmax(axis=-1).tolist():
            if symbol not in (0, self._last):
                self._ids.append(symbol)
            self._last = symbol
        return logits


def listen(stream, file):
    """Yields (seconds heard, text so far, whether that was all) after each piece of a file.

    The file "-" is standard input: 16-bit samples of one channel at the stream's rate, little-endian, without a header.
    """
    stream.start()
    piece, heard = round(PIECE_SECONDS * stream.sample_rate_hz), 0
    for samples in _from_standard_input(piece) if file == "-" else _from_file(file, piece, stream.sample_rate_hz):
        stream.feed(samples)
        heard += len(samples)
        yield heard / stream.sample_rate_hz, stream.text, False
    stream.end()
    yield heard / stream.sample_rate_hz, stream.text, True


def _from_standard_input(piece):
    while contents := sys.stdin.buffer.read(2 * piece):
        yield np.frombuffer(contents[: len(contents) // 2 * 2], "<i2").astype("float32") / 32768


def _from_file(file, piece, sample_rate_hz):
    samples, _ = audio.read(file, sample_rate_hz)
    for start in range(0, len(samples), piece):
        yield samples[start : start + piece]


class _Features:
    """Samples in pieces -> features (frames, bins), each frame as soon as all of it is heard."""

    def __init__(self, recognizer):
        frontend, config = recognizer.frontend, recognizer.config.frontend
        require_causal(config)
        self._timing = timing(recognizer)
        self._bins = frontend.feature_shape[-1]
        self._running = frontend.norm  # None, or a RunningNorm
        # The first sample of a frame that is heard again does not know the one before it, which pre-emphasis takes.
        self._context = 1 if config.pre_emphasis else 0
        if config.features == "pcen" and frontend.features is not None:
            self._context += math.ceil(math.log(FORGOTTEN) / math.log1p(-frontend.features.smoothing))
        local = frontends.build(dataclasses.replace(config, normalize="none"))

        def compute(samples):
            return local({"audio": samples[None], "length": tf.size(samples)[None]}, training=False)["features"][0]

        self._compute = tf.function(compute, input_signature=[tf.TensorSpec([None], tf.float32)])

    def start(self):
        """Forgets all that was heard."""
        self._buffer, self._known, self._any = np.zeros(0, "float32"), 0, False
        if self._running is not None:
            self._norm = type(self._running).from_config(self._running.get_config())

    def feed(self, samples, last):
        """The frames that became known, (frames, bins); with `last` a clip shorter than a window gets its one."""
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

    def _normalized(self, features):
        """Frames normalized after those before: what was heard is to a RunningNorm a prior, here one for each bin."""
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


def require_causal(config):
    """UserError for a frontend that looks at more than what was heard."""
    causes = {
        f"frontend.normalize {config.normalize}": config.normalize not in ("none", "running"),
        "frontend.range_db": config.range_db is not None,
        "frontend.deltas": config.deltas,
    }
    if found := [name for name, seen in causes.items() if seen]:
        raise UserError(
            f"--stream needs features of what was heard alone, and {' and '.join(found)} look further: train with"
            " --frontend.normalize running, without frontend.range_db and frontend.deltas."
        )
