import functools

import numpy as np
import pytest

from pipelines.layers.reverb import Reverb, convolve
from tests.pipelines.layers import checks, speech

make = functools.partial(Reverb, probability=1.0, seed=5)


@pytest.mark.parametrize("samples", [0, 1, 63, 64, 65, 128, 1000])
@pytest.mark.parametrize("taps", [1, 2, 33, 64])
def test_convolution(samples, taps):
    generator = np.random.default_rng(1)
    waveform = generator.standard_normal((2, samples)).astype("float32")
    responses = generator.standard_normal((2, taps)).astype("float32")
    result = np.asarray(convolve(waveform, responses))
    assert result.shape == waveform.shape
    for row, clip, response in zip(result, waveform, responses, strict=True):
        if samples:
            np.testing.assert_allclose(row, np.convolve(clip, response)[:samples], atol=1e-4)


def test_convolution_compiled():
    generator = np.random.default_rng(1)
    inputs = [generator.standard_normal((2, n)).astype("float32") for n in (300, 33)]
    compiled = checks.call(convolve, inputs, jit=True)
    np.testing.assert_allclose(compiled, convolve(*inputs), atol=1e-4)


@pytest.mark.parametrize(("t60_ms", "direct_db"), [(100, 0), (300, 10)])
def test_rooms_have_the_given_time_and_ratio(t60_ms, direct_db):
    layer = make((t60_ms, t60_ms), (direct_db, direct_db), sample_rate_hz=8000)
    responses = np.asarray(layer.sample_responses(200), "float64")
    assert responses.shape == (200, t60_ms * 8)
    np.testing.assert_array_equal(responses[:, 0], 1)
    np.testing.assert_allclose(10 * np.log10(np.sum(responses[:, 1:] ** 2, axis=1)), -direct_db, atol=1e-3)
    energy_db = 10 * np.log10(np.mean(responses[:, 1:] ** 2, axis=0))
    slope_db = np.polyfit(np.arange(len(energy_db)) / 8, energy_db, 1)[0]
    assert abs(-60 / slope_db - t60_ms) < 0.03 * t60_ms


def test_rooms_fill_the_ranges():
    responses = np.asarray(make((100, 500), (0, 15), sample_rate_hz=8000).sample_responses(600), "float64")
    direct_db = -10 * np.log10(np.sum(responses[:, 1:] ** 2, axis=1))
    assert -0.01 < direct_db.min() < 0.3
    assert 14.7 < direct_db.max() < 15.01
    middle = np.sum(responses[:, 1:] ** 2 * np.arange(1, 4000), axis=1) / np.sum(responses[:, 1:] ** 2, axis=1) / 8
    t60_ms = middle * 6 * np.log(10)  # of a decay, the mean time
    assert t60_ms.min() < 130
    assert t60_ms.max() > 400


def test_level_and_position_are_kept():
    waveform = np.stack(speech.clips(*[8000] * 4))
    waveform[:, :2000] = 0
    lengths = np.array([8000, 5000, 3000, 1000], "int32")
    wet = checks.call(make(direct_db=(10, 10)), (waveform, lengths), training=True)
    for row, clip, length in zip(wet, waveform, lengths, strict=True):
        np.testing.assert_allclose(np.sum(row[:length] ** 2), np.sum(clip[:length] ** 2), rtol=1e-4)
        np.testing.assert_array_equal(row[length:], 0)
        np.testing.assert_allclose(row[:1999], 0, atol=1e-5)
    assert np.corrcoef(wet[0], waveform[0])[0, 1] > 0.9
    assert not np.array_equal(wet[0], waveform[0])
    silent = np.zeros((2, 500), "float32")
    np.testing.assert_array_equal(checks.call(make(), (silent,), training=True), silent)


def test_probability():
    clips = np.tile(speech.clips(200)[0], (500, 1))
    layer = Reverb((20, 30), probability=0.3, seed=1)
    changed = (checks.call(layer, (clips,), training=True) != clips).any(axis=1)
    assert 0.23 < changed.mean() < 0.37


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0]
    alone = checks.call(make((20, 50), seed=seed), (clip[None],), training=True)[0]
    padded = np.pad(clip, (0, 3000), constant_values=np.nan)[None]
    result = checks.call(make((20, 50), seed=seed), (padded, np.array([900], "int32")), training=True)[0]
    np.testing.assert_allclose(result, np.pad(alone, (0, 3000)), atol=1e-6)


def test_random_layer_rules():
    checks.assert_same_everywhere(make, speech.batch(), training=True)
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(Reverb((20, 30), (1, 2), 0.3, 8000, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 0), (2, 1), (3, 700)])


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"t60_ms": (5, 100)}, "\\(5, 100\\)"),
        ({"t60_ms": (200, 100)}, "\\(200, 100\\)"),
        ({"direct_db": (5, 1)}, "\\(5, 1\\)"),
        ({"probability": 1.5}, "1.5"),
        ({"sample_rate_hz": 999}, "999"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: {quoted}"):
        Reverb(**options)
