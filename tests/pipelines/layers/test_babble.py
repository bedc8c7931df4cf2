import functools

import numpy as np
import pytest

from pipelines.layers.babble import Babble
from pipelines.layers.sequences import zero_padding
from pipelines.layers.speech_level import active_level, mean_level
from tests.pipelines.layers import checks, speech

make = functools.partial(Babble, seed=5)


def tones(count, samples=4000):
    """Clip i is a tone of i + 5 periods per 400 samples, each clip at its own level."""
    phases = 2 * np.pi * np.arange(samples) / 400
    return np.stack([0.1 * (i + 1) * np.sin((i + 5) * phases) for i in range(count)]).astype("float32")


def test_babble_is_made_of_the_others_at_one_level():
    waveform = tones(6)
    seen = set()
    layer = make(3, (0, 0))
    for _ in range(20):
        added = checks.call(layer, (waveform,), training=True) - waveform
        share = np.abs(np.fft.rfft(added))[:, [(i + 5) * 10 for i in range(6)]]
        for i in range(6):
            loud = share[i] > 1e-2 * share[i].max()
            assert not loud[i]  # never the clip itself
            assert 1 <= loud.sum() <= 3
            seen.add((i, tuple(np.flatnonzero(loud))))
            np.testing.assert_allclose(np.mean(added[i] ** 2), np.mean(waveform[i] ** 2), rtol=1e-3)
            if loud.sum() == 3:
                np.testing.assert_allclose(share[i][loud], share[i][loud].mean(), rtol=1e-2)
    assert len({others for i, others in seen if i == 0 and len(others) == 3}) > 3
    assert {other for _, others in seen for other in others} == set(range(6))


def test_short_clips_are_repeated_from_any_start():
    waveform = np.zeros((2, 50), "float32")
    waveform[0] = 1
    waveform[1, :7] = np.arange(1, 8)
    lengths = np.array([50, 7], "int32")
    starts = set()
    layer = make(1, (0, 0))
    for _ in range(60):
        added = (checks.call(layer, (waveform, lengths), training=True) - waveform)[0]
        added *= np.sqrt(np.mean(np.tile(np.arange(1, 8), 30)[:7] ** 2)) / np.sqrt(np.mean(added**2))
        start = int(np.abs(added[:7, None] - added[:7].min()).argmin())
        np.testing.assert_allclose(np.diff(added[start : start + 7]), added[start + 1] - added[start], rtol=1e-3)
        np.testing.assert_allclose(added[7:], added[:-7], rtol=1e-4)
        starts.add(start)
    assert starts == set(range(7))


@pytest.mark.parametrize("rate_hz", [None, 16000])
def test_ratio(rate_hz):
    clips = np.stack(speech.clips(*[8000] * 4))
    lengths = np.array([8000, 5000, 8000, 3000], "int32")
    added = checks.call(make(2, (7, 7), 1.0, rate_hz), (clips, lengths), training=True) - zero_padding(clips, lengths)
    if rate_hz is None:
        signal, noise = (np.sum(np.asarray(zero_padding(x, lengths)) ** 2, axis=1) for x in (clips, added))
        ratios_db = 10 * np.log10(signal / noise)
    else:
        ratios_db = 20 * np.log10(active_level(clips, lengths, rate_hz) / mean_level(added, lengths, rate_hz))
    np.testing.assert_allclose(ratios_db, 7, atol=0.02)


def test_nothing_to_mix_changes_nothing():
    clip = speech.clips(500)[0]
    for jit in (False, True):
        np.testing.assert_array_equal(checks.call(make(), (clip[None],), training=True, jit=jit), clip[None])
    silent = np.stack([clip, np.zeros_like(clip)])
    np.testing.assert_array_equal(checks.call(make(), (silent,), training=True), silent)
    empty = checks.call(make(), (silent, np.array([500, 0])), training=True)
    np.testing.assert_array_equal(empty, silent)
    none = checks.call(make(probability=0.0), (np.stack([clip, clip]),), training=True)
    np.testing.assert_array_equal(none, np.stack([clip, clip]))


def test_probability():
    clips = np.tile(speech.clips(200)[0], (1000, 1))
    changed = (checks.call(make(probability=0.3), (clips,), training=True) != clips).any(axis=1)
    assert 0.25 < changed.mean() < 0.35


def test_padding_does_not_matter():
    waveform, lengths = speech.batch()
    expected = checks.call(make(), (waveform, lengths), training=True)
    padded = np.pad(waveform, ((0, 0), (0, 500)))
    padded[np.arange(4500) >= lengths[:, None]] = np.nan
    result = checks.call(make(), (padded, lengths), training=True)
    np.testing.assert_allclose(result, np.pad(expected, ((0, 0), (0, 500))), atol=1e-6)


def test_random_layer_rules():
    checks.assert_same_everywhere(functools.partial(make, 2), speech.batch(), training=True)
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(Babble(2, (1, 2), 0.5, 8000, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 1), (3, 700)])


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"speakers": 0}, "0"),
        ({"snr_db": (5, 1)}, "\\(5, 1\\)"),
        ({"probability": 1.5}, "1.5"),
        ({"sample_rate_hz": 999}, "999"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: {quoted}"):
        Babble(**options)
