"""Recordings of any length through a network that gives tokens: in chunks, whose outputs are joined.

What is cut with an overlap loses no word: each step of the answer comes from the middle of a chunk, where the network
has heard what was before and after. Where features are normalized by the clip, they are so by the chunk.
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import UserError

CHUNK_SECONDS, OVERLAP_SECONDS = 20.0, 2.0
PROBE = {"sequence": 2**14, "waveform": 2**20}  # frames or samples; far more than the square of those of a step


@dataclasses.dataclass(frozen=True)
class Timing:
    """How samples, frames and steps belong together: frame t begins at sample t * hop, step k at frame k * frames."""

    sample_rate_hz: int
    hop: int  # samples from one frame to the next
    window: int  # samples that a frame covers
    frames: int  # of a step

    @property
    def stride(self):
        """Samples from one step to the next."""
        return self.hop * self.frames

    @property
    def seconds_per_step(self):
        """The time between two outputs of the network."""
        return self.stride / self.sample_rate_hz

    def count_frames(self, samples):
        """Frames of a clip of so many samples; a clip shorter than a window is filled up to one."""
        return 1 + max(samples - self.window, 0) // self.hop

    def count_steps(self, samples):
        """Steps of a clip of so many samples."""
        return -(-self.count_frames(samples) // self.frames)

    def covered(self, steps):
        """Samples that so many whole steps cover, the last window included."""
        return (steps * self.frames - 1) * self.hop + self.window


def timing(recognizer):
    """The Timing of a Recognizer that transcribes; UserError where its frontend stretches time."""
    config, features = recognizer.config.frontend, recognizer.frontend.features
    if config.fixed_frames:
        raise UserError("frontend.fixed_frames stretches each clip, so that its steps have no times: train without it.")
    hop, window = (1, 1) if features is None else (features.hop, features.window)
    encoder = recognizer.classifier
    count = keras.Model(encoder.input, encoder.output["steps"])
    probe = PROBE[recognizer.frontend.takes]
    features = np.zeros((1, probe, recognizer.frontend.feature_shape[-1]), "float32")
    steps = int(count({"features": features, "frames": np.array([probe], "int32")})[0])
    return Timing(config.sample_rate_hz, hop, window, round(probe / steps))


class Chunks:
    """The outputs of a Recognizer that transcribes for recordings of any length, in memory that a chunk bounds.

    Recordings of more than `chunk_seconds` are cut into chunks of that length, each of which overlaps its neighbors
    by `overlap_seconds` on either side of what is kept of it. UserError where the overlaps leave nothing to keep.
    """

    def __init__(self, recognizer, chunk_seconds=CHUNK_SECONDS, overlap_seconds=OVERLAP_SECONDS):
        if not (math.isfinite(chunk_seconds) and math.isfinite(overlap_seconds) and overlap_seconds >= 0):
            raise UserError(
                f"chunk_seconds and overlap_seconds must be 0 or more, not {chunk_seconds} and {overlap_seconds}."
            )
        self.timing = timing(recognizer)
        self.longest = int(chunk_seconds / self.timing.seconds_per_step)  # steps of a chunk
        self.overlap = math.ceil(overlap_seconds / self.timing.seconds_per_step)
        if self.longest <= 2 * self.overlap:
            raise UserError(
                f"chunk_seconds {chunk_seconds:g} must be more than twice overlap_seconds {overlap_seconds:g}, by at"
                f" least a step of {self.timing.seconds_per_step:g} s: make the chunks longer or the overlap shorter."
            )

        def forward(audio):
            given = {"audio": audio[None], "length": tf.size(audio)[None]}
            outputs = recognizer.classifier(recognizer.frontend(given, training=False), training=False)
            return {name: value[0] for name, value in outputs.items() if name != "steps"}

        # Chunks and clips come in many lengths, for which one trace does.
        self._forward = tf.function(forward, input_signature=[tf.TensorSpec([None], tf.float32)])

    def outputs(self, samples):
        """Samples (n,) in [-1, 1] at the recognizer's rate -> numpy arrays (steps, units) of the encoder's outputs.

        These are "logits" and, of a network with a decoder, "encoded".
        """
        steps = self.timing.count_steps(len(samples))
        if steps <= self.longest:
            return _arrays(self._forward(samples))
        kept = []
        for first, start, stop, last in plan(steps, self.longest - 2 * self.overlap, self.overlap):
            begin = first * self.timing.stride
            end = len(samples) if last == steps else begin + self.timing.covered(last - first)
            outputs = _arrays(self._forward(samples[begin:end]))
            kept.append({name: value[start - first : stop - first] for name, value in outputs.items()})
        return {name: np.concatenate([each[name] for each in kept]) for name in kept[0]}


def _arrays(tensors):
    return {name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")) for name, value in tensors.items()}


def plan(steps, middle, overlap):
    """(first, start, stop, last) for each chunk: it hears steps first to last, of which start to stop are kept.

    `middle` steps are kept of each chunk, fewer of the last; `overlap` more are heard on both sides where there are.
    """
    for start in range(0, steps, middle):
        stop = min(start + middle, steps)
        yield max(0, start - overlap), start, stop, min(steps, stop + overlap)


def segments(logits, pieces, longest):
    """Cuts logits (steps, n + 1) where a word begins: [(first step, one after the last, "" or " " before it)].

    No segment has more than `longest` steps. Where no word begins in the second half of so many, the cut is at a blank,
    or at the end of them, perhaps within a word. `pieces` are the vocabulary's.
    """
    path = np.argmax(logits, axis=-1)
    begins = np.array([piece.startswith(" ") for piece in pieces])[path]
    begins[1:] &= path[1:] != path[:-1]
    heard = np.flatnonzero(path)
    written = ["", *(pieces[symbol] for symbol in path[heard]), ""]
    found, first, space = [], 0, ""
    while len(path) - first > longest:
        half = first + longest // 2 + 1
        ways = [half + np.flatnonzero(where[half : first + longest + 1]) for where in (begins, path == 0)]
        cut = next((int(places[-1]) for places in ways if len(places)), first + longest)
        found.append((first, cut, space))
        before, after = written[(number := np.searchsorted(heard, cut)) : number + 2]
        first, space = cut, " " if before.endswith(" ") or after.startswith(" ") else ""
    return [*found, (first, len(path), space)]
