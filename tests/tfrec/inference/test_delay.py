"""The delay of causal networks: measured on examples, and subtracted from the times of words."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfrec import untrained
from tfrec.inference.delay import is_causal, output_delay, speech_center_s
from tfrec.inference.transcriber import Transcriber

WORDS = ["--frontend.normalize", "none", "--model.subsampling", "1"]


class Shift(keras.layers.Layer):
    """Level `(batch, frames)` of features, some frames later, or earlier where negative."""

    def __init__(self, frames, silence):
        super().__init__(name="shift")
        self.frames, self.silence = frames, silence

    def call(self, x):
        level = ops.mean(x, axis=-1)
        quiet = ops.full_like(level[:, : abs(self.frames)], self.silence)
        if self.frames < 0:
            return ops.concatenate([level[:, -self.frames :], quiet], axis=1)
        return ops.concatenate([quiet, level], axis=1)[:, : ops.shape(level)[1]]

    def compute_output_shape(self, shape):
        return shape[:-1]


def recognizer(frames):
    """Outputs "a" where the sound some frames before is loud; examples are bursts at known places."""
    built = untrained.recognizer("lstm_ctc", *WORDS)
    levels = np.asarray(built.features(built.batch_of_one(burst(0.5, 0.9)))["features"]).mean(axis=-1)
    inputs = {
        "features": keras.Input((None, built.feature_size), name="features"),
        "frames": keras.Input((), dtype="int32", name="frames"),
    }
    shifted = Shift(frames, float(levels.min()))(inputs["features"]) - float(levels.min() + levels.max()) / 2
    (letter,) = built.task.vocabulary.encode("a")
    logits = [ops.zeros_like(shifted) - 50] * built.task.num_outputs
    logits[0], logits[letter] = -shifted, shifted
    outputs = {"logits": ops.stack(logits, axis=-1), "steps": inputs["frames"] * 1}
    late = built.replace(inference_network=keras.Model(inputs, outputs))
    late.examples = lambda: [burst(0.3, 0.8), burst(0.5, 0.9), burst(0.7, 1.3)]
    return late


def burst(start, end, seconds=2.0):
    """Noise from one second to another, with faint noise around it."""
    samples = np.random.default_rng(0).normal(scale=1e-3, size=round(seconds * untrained.RATE_HZ))
    samples[round(start * untrained.RATE_HZ) : round(end * untrained.RATE_HZ)] *= 200
    return samples.astype("float32")


@pytest.mark.parametrize("frames", [7, 28])
def test_the_delay_of_a_causal_network_is_measured_and_subtracted(frames):
    late = recognizer(frames)
    assert is_causal(late)
    assert output_delay(late) == pytest.approx(frames / 100, abs=0.02)
    (word,) = Transcriber.from_recognizer(late)(burst(0.6, 1.4)).words
    assert (word.start_s, word.end_s) == pytest.approx((0.6, 1.4), abs=0.04)


def test_no_delay_where_later_input_is_seen_or_nothing_is_known():
    early = recognizer(-5)
    assert not is_causal(early)
    assert output_delay(early) == 0
    late = recognizer(28)
    late.examples = list
    assert output_delay(late) == 0
    late.examples = lambda: [np.zeros(8000, "float32"), np.zeros(0, "float32")]
    assert output_delay(late) == 0
    assert is_causal(untrained.recognizer("lstm_ctc", *WORDS))
    assert not is_causal(untrained.recognizer("bilstm_ctc", "--frontend.normalize", "none"))


def test_the_middle_of_speech():
    assert speech_center_s(burst(0.5, 1.1), untrained.RATE_HZ) == pytest.approx(0.8, abs=0.01)
    assert speech_center_s(burst(0.0, 2.0), untrained.RATE_HZ) is None  # no silence around it
    assert speech_center_s(np.zeros(10, "float32"), untrained.RATE_HZ) is None
