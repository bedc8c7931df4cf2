"""How much later than a sound a causal network outputs it.

A network that sees no later input outputs a symbol when it is sure of it. The least delay follows from the
architecture: causal convolutions before the recurrent layers are centered on earlier frames (30 ms for two of three
frames with stride 2). Most of the delay is learned, since under CTC a network may wait: several steps for an LSTM. So
it is measured, on the examples of the run: in each, the middle of what is output, from the first symbol to the last,
is compared with the middle of the speech. At the start of the first word and at the end of the last, a network without
delay is off by half a symbol, but in opposite directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf
from keras import ops

from tfrec.decoding.words import GreedyPath, center_s
from tfrec.inference.chunking import ChunkedOutputs, timing

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription

PROBE_STEPS = 64
MAX_DELAY_S = 1.0
FRAME_S = 0.01  # of the level of a recording
SPEECH_DB = 30.0  # speech is at most this far below its loudest parts


def output_delay(recognizer: Recognizer, chunks: ChunkedOutputs | None = None) -> float:
    """The delay in seconds of a recognizer; 0 where it sees later input and where its run has no examples.

    Args:
        recognizer: has one output per step.
        chunks: its outputs, where they are known already.
    """
    examples = recognizer.examples()
    if not examples or not is_causal(recognizer):
        return 0.0
    chunks = chunks or ChunkedOutputs.from_recognizer(recognizer)
    delays = []
    for samples in examples:
        path = GreedyPath(cast("Transcription", recognizer.task).vocabulary, chunks.timing.seconds_per_step)
        for outputs in chunks.parts([samples]):
            path.feed(outputs["logits"])
        path.end()
        spoken, written = speech_center_s(samples, chunks.timing.sample_rate_hz), center_s(path.builder.words())
        if spoken is not None and written is not None:
            delays.append(written - spoken)
    return float(np.clip(np.median(delays), 0.0, MAX_DELAY_S)) if delays else 0.0


def is_causal(recognizer: Recognizer) -> bool:
    """Whether no step of the network depends on later frames; measured with frames that are NaN."""
    encoder, frames = recognizer.inference_network, timing(recognizer).frames
    features = np.zeros((1, PROBE_STEPS * frames, recognizer.feature_size), "float32")
    features[:, PROBE_STEPS // 2 * frames :] = np.nan
    inputs: dict[str, Any] = {"features": features, "frames": np.array([PROBE_STEPS * frames], "int32")}
    with tf.device("CPU:0"):  # a GPU's convolutions may mix what does not belong together
        logits = ops.convert_to_numpy(encoder(inputs, training=False)["logits"])
    return bool(np.isfinite(logits[:, : PROBE_STEPS // 2]).all())


def speech_center_s(samples: np.ndarray, sample_rate_hz: int) -> float | None:
    """The time halfway from the first to the last loud part of a recording; None where all is about equally loud.

    >>> tone = np.sin(np.arange(8000))
    >>> round(speech_center_s(np.concatenate([np.zeros(4000), tone, np.zeros(8000)]), 8000), 2)
    1.0
    """
    size = round(FRAME_S * sample_rate_hz)
    count = len(samples) // size
    if count < 2:
        return None
    frames = np.asarray(samples[: count * size], "float64").reshape(count, size)
    level_db = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    loud, quiet = np.percentile(level_db, 95), np.percentile(level_db, 5)
    if loud - quiet < SPEECH_DB / 3:
        return None
    speech = np.flatnonzero(level_db > max(loud - SPEECH_DB, (loud + quiet) / 2))
    return float(speech[0] + speech[-1] + 1) / 2 * FRAME_S
