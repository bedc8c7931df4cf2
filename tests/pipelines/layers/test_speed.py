import functools
import math

import keras
import numpy as np
import pytest

from pipelines.layers.sequences import zero_padding
from pipelines.layers.speed import Speed
from tests.pipelines.layers import checks, speech

Waveform, Lengths = speech.split_outputs(Speed)


def played(waveforms, lengths=None, low=0.9, high=1.1, seed=5):
    return [np.asarray(x) for x in Speed(low, high, seed=seed)(waveforms, lengths, training=True)]


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.07, 1.5])
def test_a_tone_changes_pitch_and_length(factor):
    samples = np.arange(4000)
    lengths = np.array([4000, 2999, 1], "int32")
    faster, new = played(np.tile(np.sin(0.2 * samples), (3, 1)).astype("float32"), lengths, factor, factor)
    assert faster.shape == (3, math.ceil(4000 / factor))
    assert new.dtype == np.int32
    assert new.tolist() == [1 + int((n - 1) * 1000 // round(factor * 1000)) for n in lengths]
    expected = np.sin(0.2 * factor * np.arange(faster.shape[1]))
    for row, length in zip(faster, new, strict=True):
        # cubic between neighbors, but not beyond the clip's ends
        middle = slice(2, max(2, length - 4))
        np.testing.assert_allclose(row[middle], expected[middle], atol=5e-4)
        np.testing.assert_array_equal(row[length:], 0)
    assert played(np.ones((1, 4000), "float32"), None, factor, factor)[0].max() == 1


def test_factor_one_changes_nothing():
    waveform, lengths = speech.batch()
    faster, new = played(waveform, lengths, 1, 1)
    np.testing.assert_array_equal(faster, waveform)
    np.testing.assert_array_equal(new, lengths)


@pytest.mark.parametrize("jit", [False, True])
def test_factors_fill_the_range(jit):
    new = checks.call(Lengths(0.9, 1.1, seed=1), (np.zeros((3000, 1001), "float32"),), training=True, jit=jit)
    factors = 1000 / (new - 1)
    assert 0.899 < factors.min() < 0.905
    assert 1.095 < factors.max() < 1.102
    assert abs(np.mean(factors < 1) - 0.5) < 0.05


def test_positions_stay_exact_in_long_clips():
    ramps = (np.arange(2**22) % 128).astype("float32")[None]
    faster, new = played(ramps, None, 1.024, 1.024)
    assert new[0] == 1 + (2**22 - 1) * 1000 // 1024
    np.testing.assert_array_equal(faster[0, : new[0] : 125], 0)  # at these steps the position is a whole sample again


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(functools.partial(Waveform, seed=5), speech.batch(), training=training)


@pytest.mark.parametrize("part", [Waveform, Lengths])
def test_fixed_speed_same_everywhere(part):
    checks.assert_same_everywhere(lambda: part(1.07, 1.07), speech.batch(), training=True, random=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0]
    alone, length = played(clip[None], seed=seed)
    padded = np.pad(clip, (0, 300), constant_values=np.nan)[None]
    faster, same = played(padded, np.array([900], "int32"), seed=seed)
    np.testing.assert_array_equal(same, length)
    np.testing.assert_array_equal(faster[0, : length[0]], alone[0, : length[0]])
    np.testing.assert_array_equal(faster[0, length[0] :], 0)


def test_random_layer_rules():
    waveform, lengths = speech.batch()
    checks.assert_identity_without_training(functools.partial(Waveform, seed=5), (waveform, lengths))
    np.testing.assert_array_equal(checks.call(Lengths(), (waveform, lengths)), lengths)
    np.testing.assert_array_equal(checks.call(Lengths(), (waveform,)), [4000] * 3)
    checks.assert_random_per_example(functools.partial(Waveform, seed=5), speech.clips(3000)[0], np.int32(2000))
    checks.assert_seed_reproduces(lambda seed: Waveform(seed=seed), (waveform, lengths))
    checks.assert_stays_float32(functools.partial(Waveform, seed=5), (waveform, lengths), training=True)
    checks.assert_config_round_trips(Waveform(0.8, 1.3, seed=9), (waveform, lengths))
    checks.assert_declared_shape_is_real(Waveform(), [(2, 0), (2, 1), (3, 700)])


@pytest.mark.parametrize("low", [0.9, 0.1, 1.0, 1.3, 0.777])
def test_declared_shape_with_training_is_real(low):
    layer = Speed(low, 2.0)
    for samples in (0, 1, 2, 9, 777, 1000, 1001):
        faster, new = layer(np.zeros((2, samples), "float32"), training=True)
        declared = layer.compute_output_shape((2, samples), training=True)
        assert declared == (tuple(faster.shape), tuple(new.shape))
        assert declared[0][1] == math.ceil(samples * 1000 / round(low * 1000))
        assert layer.compute_output_shape((None, None), training=True) == ((None, None), (None,))
        symbol, lengths = layer(keras.Input((samples,)), training=True)
        assert (symbol.shape[1], lengths.dtype) == (declared[0][1], "int32")


def test_no_clip_outgrows_its_batch():
    lengths = np.arange(200, dtype="int32")
    for seed in range(5):
        faster, new = played(np.ones((200, 199), "float32"), lengths, 0.83, 0.85, seed)
        assert new.max() <= faster.shape[1]
        np.testing.assert_array_equal(faster, zero_padding(np.ones_like(faster), new))
        assert new[0] == 0
        assert new[1] == 1


@pytest.mark.parametrize("factors", [(1.1, 0.9), (0.0, 1.0), (0.9, 11), (1.0001, 1.0009)])
def test_bad_arguments(factors):
    with pytest.raises(ValueError, match=f"Received: {factors[0]}, {factors[1]}"):
        Speed(*factors)
