"""Recordings of any length through a network with one output per step: in chunks, whose outputs are joined.

Chunks overlap, so that no word is cut: each step of the answer comes from the middle of a chunk, where the network has
the context on both sides. Features that are normalized by the clip are normalized by the chunk.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import UserError

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

CHUNK_SECONDS, OVERLAP_SECONDS = 20.0, 2.0
PROBE_LENGTH = {"sequence": 2**14, "waveform": 2**20}  # frames or samples; far above the square of those of a step


@dataclasses.dataclass(frozen=True)
class Timing:
    """How samples, frames and steps are related: frame t begins at sample t * hop, step k at frame k * frames."""

    sample_rate_hz: int
    hop: int  # samples from one frame to the next
    window: int  # samples that a frame covers
    frames: int  # of a step

    @property
    def stride(self) -> int:
        """Samples from one step to the next."""
        return self.hop * self.frames

    @property
    def seconds_per_step(self) -> float:
        """The time between two outputs of the network."""
        return self.stride / self.sample_rate_hz

    def count_frames(self, samples: int) -> int:
        """Number of frames of a clip of `samples` samples; a clip shorter than a window is padded to one."""
        return 1 + max(samples - self.window, 0) // self.hop

    def count_steps(self, samples: int) -> int:
        """Number of steps of a clip of `samples` samples."""
        return -(-self.count_frames(samples) // self.frames)

    def covered(self, steps: int) -> int:
        """Number of samples that `steps` whole steps cover, the last window included."""
        return (steps * self.frames - 1) * self.hop + self.window


def timing(recognizer: Recognizer) -> Timing:
    """The Timing of a recognizer with one output per step; UserError where its frontend stretches time."""
    config, features = recognizer.config.frontend, recognizer.frontend.features
    if config.fixed_frames:
        raise UserError("frontend.fixed_frames stretches each clip, so that its steps have no times: train without it.")
    hop, window = (1, 1) if features is None else (features.hop, features.window)
    encoder = recognizer.inference_network
    count = keras.Model(encoder.input, encoder.output["steps"])
    probe = PROBE_LENGTH[recognizer.frontend.feature_kind]
    silence = np.zeros((1, probe, recognizer.feature_size), "float32")
    steps = int(count({"features": silence, "frames": np.array([probe], "int32")})[0])
    return Timing(config.sample_rate_hz, hop, window, round(probe / steps))


class ChunkedOutputs:
    """A network's outputs for recordings of any length, in memory that a chunk bounds.

    Args:
        forward: from samples `(samples,)` to outputs `(steps, units)` of one chunk.
        timing: of the network.
        chunk_seconds: longer recordings are cut into chunks of this length.
        overlap_seconds: context of a chunk on either side of the part of it that is kept.

    Raises:
        UserError: where the overlaps leave nothing to keep.
    """

    def __init__(
        self,
        forward: Callable[[np.ndarray], dict[str, np.ndarray]],
        timing: Timing,
        chunk_seconds: float = CHUNK_SECONDS,
        overlap_seconds: float = OVERLAP_SECONDS,
    ) -> None:
        if not (math.isfinite(chunk_seconds) and math.isfinite(overlap_seconds) and overlap_seconds >= 0):
            raise UserError(
                f"chunk_seconds and overlap_seconds must be 0 or more, not {chunk_seconds} and {overlap_seconds}."
            )
        self.timing, self._forward = timing, forward
        self.longest = int(chunk_seconds / self.timing.seconds_per_step)  # steps of a chunk
        self.overlap = math.ceil(overlap_seconds / self.timing.seconds_per_step)
        if self.longest <= 2 * self.overlap:
            raise UserError(
                f"chunk_seconds {chunk_seconds:g} must be more than twice overlap_seconds {overlap_seconds:g}, by at"
                f" least a step of {self.timing.seconds_per_step:g} s: make the chunks longer or the overlap shorter."
            )

    @classmethod
    def from_recognizer(cls, recognizer: Recognizer, *lengths: float) -> ChunkedOutputs:
        """The outputs of a recognizer with one output per step; `lengths` are those of the constructor."""

        def forward(audio: Any) -> dict[str, Any]:
            outputs = recognizer({"audio": audio[None], "length": tf.size(audio)[None]})
            return {name: value[0] for name, value in outputs.items() if name != "steps"}

        # Chunks and clips have many lengths, for which one trace suffices.
        traced = tf.function(forward, input_signature=[tf.TensorSpec([None], tf.float32)])
        return cls(lambda samples: _arrays(traced(samples)), timing(recognizer), *lengths)

    def parts(self, blocks: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """Yields the outputs of a recording, of some steps at a time, in the order of the steps.

        Args:
            blocks: float32 `(samples,)` in [-1, 1] at the recognizer's rate, any number, one after the other.

        Yields:
            "logits" and, of a network with a decoder, "encoded": arrays `(steps, units)`.
        """
        for samples, skipped, steps in self._chunks(blocks):
            yield {name: value[skipped : skipped + steps] for name, value in self._forward(samples).items()}

    def outputs(self, blocks: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """All of `parts`, joined."""
        kept = list(self.parts(blocks))
        return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}

    def _chunks(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int, int]]:
        """Yields `(samples, steps before those that are kept, number of these)` of each chunk."""
        timing, middle = self.timing, self.longest - 2 * self.overlap
        samples, offset, known = np.zeros(0, "float32"), 0, 0  # samples from `offset` on; steps before `known` are done
        for block in blocks:
            samples = np.concatenate([samples, block]) if len(samples) else block
            # A chunk before the last two is known as soon as a step follows it.
            while timing.count_steps(offset + len(samples)) > max(self.longest, known + middle + self.overlap):
                first, start, known, last = next(plan(known + self.longest, middle, self.overlap, known))
                begin = first * timing.stride - offset
                yield samples[begin : begin + timing.covered(last - first)], start - first, known - start
                unneeded = max(0, known - self.overlap) * timing.stride
                samples, offset = samples[unneeded - offset :], unneeded
        steps = timing.count_steps(offset + len(samples))
        if steps <= self.longest:
            yield samples, 0, steps
            return
        for first, start, stop, last in plan(steps, middle, self.overlap, known):
            begin = first * timing.stride - offset
            end = len(samples) if last == steps else begin + timing.covered(last - first)
            yield samples[begin:end], start - first, stop - start


def _arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")) for name, value in tensors.items()}


def plan(steps: int, middle: int, overlap: int, begin: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """Yields `(first, start, stop, last)` for each chunk: it covers steps first to last, and start to stop are kept.

    Of steps from `begin` on, `middle` are kept of each chunk, fewer of the last; `overlap` more are covered on both
    sides, up to the ends.
    """
    for start in range(begin, steps, middle):
        stop = min(start + middle, steps)
        yield max(0, start - overlap), start, stop, min(steps, stop + overlap)


def segments(logits: np.ndarray, pieces: Sequence[str], longest: int) -> list[tuple[int, int, str]]:
    """Cuts the steps of a recording where a word begins.

    Args:
        logits: `(steps, tokens + 1)`.
        pieces: the vocabulary's, a text for each token.
        longest: maximum number of steps of a segment. Where no word begins in the second half of as many, the cut is
            at a blank, or at the end of them, possibly within a word.

    Returns:
        `(first step, one after the last, "" or " " before the segment)` of each.
    """
    path = np.argmax(logits, axis=-1)
    begins = np.array([piece.startswith(" ") for piece in pieces])[path]
    begins[1:] &= path[1:] != path[:-1]
    emitted = np.flatnonzero(path)
    written = ["", *(pieces[token] for token in path[emitted]), ""]
    cuts, first, space = [], 0, ""
    while len(path) - first > longest:
        half = first + longest // 2 + 1
        candidates = [half + np.flatnonzero(mask[half : first + longest + 1]) for mask in (begins, path == 0)]
        cut = next((int(places[-1]) for places in candidates if len(places)), first + longest)
        cuts.append((first, cut, space))
        before, after = written[(number := int(np.searchsorted(emitted, cut))) : number + 2]
        first, space = cut, " " if before.endswith(" ") or after.startswith(" ") else ""
    return [*cuts, (first, len(path), space)]
