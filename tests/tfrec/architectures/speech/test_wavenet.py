"""WaveNet's receptive field, and its own layers."""

import dataclasses

import keras
import numpy as np
import pytest

from tfrec.architectures.speech import wavenet
from tfrec.architectures.speech.wavenet import BlockMean, Config, GatedDilation, describe, receptive_field

SMALL = Config(hop=4, channels=6, skip_channels=6, layers=3, stacks=2, block=3)
RANDOM = np.random.default_rng(0)


def frames_of(config):
    """The network up to the frames before the mean over the clip, with large weights, so that every path counts."""
    keras.utils.set_random_seed(2)
    net = wavenet.build((None, 1), 3, config)
    last = f"final_relu{config.convolutions - 1}" if config.convolutions else "frames_mean"
    inside = keras.Model(net.input, net.get_layer(last).output)
    for weight in inside.weights:
        if weight.name == "kernel":
            weight.assign(np.abs(weight) + 0.1)  # of one sign, so that no path cancels another
    return lambda waveform: np.asarray(
        inside({"features": waveform[None, :, None], "frames": np.array([len(waveform)])})
    )[0]


@pytest.mark.parametrize("changes", [{}, {"hop": 1}, {"convolutions": 0}, {"stacks": 1, "block": 1, "layers": 2}])
def test_receptive_field(changes):
    config = dataclasses.replace(SMALL, **changes)
    field, stride = receptive_field(config), config.hop * config.block
    frames = frames_of(config)
    silence = np.zeros(field // stride * stride + 4 * stride, "float32")
    before = frames(silence)
    for frame in (len(before) - 1, len(before) - 3):
        last = (frame * config.block + config.block - 1) * config.hop  # the latest sample of its last step
        for back, visible in ((field, False), (field - 1, True), (0, True), (-1, False)):
            waveform = silence.copy()
            if last - back >= len(waveform):
                continue
            waveform[last - back] = 1.0
            assert (np.abs(frames(waveform)[frame] - before[frame]).max() > 0) == visible, back


def test_receptive_field_is_described():
    assert receptive_field(Config()) == 16 * (2 + 2 * 63 + 4 + 4 * 5)
    assert describe(Config()) == "receptive field 2,432 samples"


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dilation", [1, 3, 9])
def test_gated_dilation(dilation, causal):
    layer = GatedDilation(4, dilation, causal)
    x = RANDOM.normal(size=(2, 7, 3)).astype("float32")
    result = np.asarray(layer(x))
    kernel, bias = np.asarray(layer.project.kernel), np.asarray(layer.project.bias)
    for t in range(7):
        past = x[:, t - dilation] if t >= dilation else np.zeros((2, 3))
        y = past @ kernel[:3] + x[:, t] @ kernel[3:6] + bias
        if not causal and t + dilation < 7:
            y += x[:, t + dilation] @ kernel[6:]
        np.testing.assert_allclose(result[:, t], np.tanh(y[:, :4]) / (1 + np.exp(-y[:, 4:])), atol=1e-5)
    assert layer.compute_output_shape(x.shape) == result.shape
    assert GatedDilation.from_config(layer.get_config()).dilation == dilation


@pytest.mark.parametrize("steps", [1, 4, 5, 12])
def test_means_of_blocks(steps):
    x = RANDOM.normal(size=(3, steps, 2)).astype("float32")
    counts = [steps, max(1, steps - 2), 1]
    keep = np.arange(steps) < np.array(counts)[:, None]
    x[~keep] = np.nan
    layer = BlockMean(4)
    result = np.asarray(layer(x, keep))
    assert result.shape == layer.compute_output_shape(x.shape) == (3, -(-steps // 4), 2)
    for clip, count, frames in zip(x, counts, result, strict=True):
        for i, frame in enumerate(frames):
            inside = clip[4 * i : min(4 * i + 4, count)]
            np.testing.assert_allclose(frame, inside.mean(axis=0) if len(inside) else 0.0, atol=1e-6)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"takes \(samples, 1\). Received: \(None, 2\)"):
        wavenet.build((None, 2), 3, SMALL)
    with pytest.raises(ValueError, match=r"must be positive. Received: .*'hop': 0"):
        wavenet.build((None, 1), 3, dataclasses.replace(SMALL, hop=0))
    with pytest.raises(ValueError, match=r"at least 0. Received: -1"):
        wavenet.build((None, 1), 3, dataclasses.replace(SMALL, convolutions=-1))
    with pytest.raises(ValueError, match=r"must be positive. Received: \(4, 0\)"):
        GatedDilation(4, 0)
    with pytest.raises(ValueError, match=r"must be positive. Received: 0"):
        BlockMean(0)
