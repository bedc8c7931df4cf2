import keras
import numpy as np
import pytest
import scipy.signal

from pipelines.layers import speech_level
from pipelines.layers.sequences import zero_padding
from tests.pipelines.layers import checks, speech


@keras.saving.register_keras_serializable("tests")
class Levels(keras.layers.Layer):
    """Active and mean level as a layer, for the checks."""

    def call(self, waveform, lengths=None):
        levels = [f(waveform, lengths, 16000) for f in (speech_level.active_level, speech_level.mean_level)]
        return keras.ops.stack(levels, axis=1)


def decibels(level):
    return 20 * np.log10(np.asarray(level))


def levels_db(clip, rate_hz):
    """Active and mean level of one clip."""
    return [
        float(decibels(f(clip[None], None, rate_hz))[0]) for f in (speech_level.active_level, speech_level.mean_level)
    ]


def in_band(clip, rate_hz):
    """The clip through the telephone band in one piece, with its own tail after it."""
    length = 4 * len(clip)
    hz = np.fft.rfftfreq(length, 1 / rate_hz)
    inside = np.clip(np.minimum((hz - 200) / 100, (4000 - hz) / 600), 0, 1)
    return np.fft.irfft(np.fft.rfft(clip, length) * np.sqrt(0.5 - 0.5 * np.cos(np.pi * inside)), length)


def p56_db(clip, rate_hz):
    """Method B as the standard writes it: sample by sample, thresholds in powers of two."""
    filtered = in_band(clip.astype("float64"), rate_hz)
    energy, samples = np.sum(filtered**2), np.arange(len(clip))
    decay = np.exp(-1 / (0.03 * rate_hz))
    envelope = np.abs(filtered[: len(clip)])
    for _ in range(2):
        envelope = scipy.signal.lfilter([1 - decay], [1, -decay], envelope)
    levels = []
    for threshold in 2.0 ** np.arange(-18, 1):
        last = np.maximum.accumulate(np.where(envelope >= threshold, samples, -len(clip) - rate_hz))
        active = np.sum(samples - last <= 0.2 * rate_hz)
        level, threshold_db = 10 * np.log10(energy / active), 20 * np.log10(threshold)
        levels.append((level, level - threshold_db - 15.9))
        if levels[-1][1] <= 0:
            (before, over), (after, under) = levels[-2:]
            return before + over / (over - under) * (after - before)
    raise AssertionError("no threshold")


def spoken(seed, rate_hz):
    """Up to four bursts of a buzzing resonance, in faint noise."""
    generator = np.random.default_rng(seed)
    seconds = np.arange(int(rate_hz * generator.uniform(0.4, 4))) / rate_hz
    loudness = np.full(len(seconds), 1e-3)
    for _ in range(generator.integers(1, 5)):
        middle, width = generator.uniform(0, seconds[-1]), generator.uniform(0.03, 0.2)
        loudness += generator.uniform(0.2, 1) * np.exp(-(((seconds - middle) / width) ** 2))
    pulses = np.sin(2 * np.pi * generator.uniform(90, 250) * seconds) > 0.95
    buzz = scipy.signal.lfilter([1], [1, -1.3, 0.8], pulses + 0.1 * generator.standard_normal(len(seconds)))
    return (0.1 * loudness * buzz).astype("float32")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_active_level_is_that_of_the_standard(rate_hz):
    pauses = []
    for seed in range(12):
        clip = spoken(seed, rate_hz)
        active, mean = levels_db(clip, rate_hz)
        assert abs(active - p56_db(clip, rate_hz)) < 0.4
        pauses.append(active - mean)
    assert min(pauses) >= 0
    assert max(pauses) > 4  # in these clips the active level differs from the mean one


def test_pauses_do_not_count():
    burst = speech.clips(16000)[0]
    alone = levels_db(burst, 16000)[0]
    for silence in (16000, 80000, 400000):
        active, mean = levels_db(np.pad(burst, (8000, silence)), 16000)
        assert abs(active - alone) < 1.3  # the hangover
        assert abs(mean - alone + 10 * np.log10((24000 + silence) / 16000)) < 0.3


@pytest.mark.parametrize(("hz", "gain_db"), [(50, -40), (250, -3), (300, 0), (1000, 0), (3400, 0), (3700, -3)])
def test_band(hz, gain_db):
    tone = np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype("float32")
    level = levels_db(tone, 16000)[1] - 20 * np.log10(np.sqrt(0.5))
    assert level < -40 if gain_db == -40 else abs(level - gain_db) < 0.6


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100])
@pytest.mark.parametrize("samples", [1, 50, 777, 10000])
def test_mean_level_is_that_of_the_filtered_clip(rate_hz, samples):
    clip = speech.clips(samples)[0]
    filtered = in_band(np.pad(clip.astype("float64"), (2 * rate_hz, 2 * rate_hz)), rate_hz)
    assert abs(levels_db(clip, rate_hz)[1] - 10 * np.log10(np.sum(filtered**2) / samples)) < 0.5


@pytest.mark.parametrize("gain", [1e-4, 0.3, 1000])
def test_gain_moves_both_levels(gain):
    clip = spoken(1, 16000)
    shift = 20 * np.log10(gain)
    np.testing.assert_allclose(
        levels_db(clip * np.float32(gain), 16000), np.add(levels_db(clip, 16000), shift), atol=1e-3
    )


def test_silence_and_clicks():
    clips = np.zeros((4, 8000), "float32")
    clips[1, 4000] = 1
    clips[2, -1] = 1
    active, mean = checks.call(Levels(), (clips, np.array([8000, 8000, 8000, 0]))).T
    np.testing.assert_array_equal(active[[0, 3]], 0)
    np.testing.assert_array_equal(mean[[0, 3]], 0)
    assert (active[1:3] >= mean[1:3] * 0.999).all()
    assert np.isfinite(active).all()
    assert checks.call(Levels(), (np.zeros((2, 0), "float32"),)).tolist() == [[0, 0], [0, 0]]


def test_a_clip_too_short_to_become_active_has_the_mean_level():
    clip = np.zeros(300, "float32")
    clip[-20:] = 1
    active, mean = levels_db(clip * speech.clips(300)[0], 16000)
    assert active == mean


def test_same_everywhere():
    waveform, lengths = speech.batch()
    waveform[0] = spoken(3, 16000)[:4000]
    checks.assert_same_everywhere(Levels, (waveform, lengths))


def test_neighbors_and_padding_do_not_matter():
    clips = [spoken(1, 16000), spoken(2, 16000), *speech.clips(1, 127, 128, 129, 5000)]
    lengths = np.array([len(clip) for clip in clips])
    alone = np.concatenate([checks.call(Levels(), (clip[None],)) for clip in clips])
    for extra in (0, 1, 777):
        together = np.full((len(clips), lengths.max() + extra), np.nan, "float32")
        for row, clip in zip(together, clips, strict=True):
            row[: len(clip)] = clip
        np.testing.assert_allclose(checks.call(Levels(), (together, lengths)), alone, rtol=1e-4)
        np.testing.assert_array_equal(np.isnan(zero_padding(together, lengths)), False)


def test_bad_rate():
    with pytest.raises(ValueError, match="Received: 999"):
        speech_level.active_level(np.zeros((1, 9), "float32"), None, 999)
