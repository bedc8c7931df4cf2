import numpy as np
import pytest

from pipelines.layers import LevelNorm, LogMel
from tests.pipelines.layers import checks, speech

HOP, WINDOW = 80, 200


def normalized(waveform, **arguments):
    log_mel = LogMel(8000, mels=40, low_hz=60.0, floor=1e-12)
    return np.asarray(LevelNorm(**arguments)(log_mel(waveform[None].astype("float32"))))[0]


def word():
    generator = np.random.default_rng(3)
    return generator.standard_normal(4000) * 0.1 * np.hanning(4000) ** 0.2


@pytest.mark.parametrize("around", ["zeros", "hiss", "hum"])
def test_what_is_around_a_word_does_not_matter(around):
    alone = normalized(word())
    before, after = 50 * HOP, 4000
    bed = {
        "zeros": np.zeros(before + 4000 + after),
        "hiss": 1e-3 * np.random.default_rng(4).standard_normal(before + 4000 + after),
        "hum": 1e-3 * np.sin(np.arange(before + 4000 + after) * 2 * np.pi * 50 / 8000),
    }[around]
    bed[before : before + 4000] = word()
    placed = normalized(bed)[50 : 50 + len(alone)]
    np.testing.assert_allclose(placed, alone, atol=1e-3)


def test_standardized_over_the_frames_with_sound():
    alone = normalized(word(), standardize=True)
    np.testing.assert_allclose(alone.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(alone.std(axis=0), 1, atol=0.05)
    placed = np.concatenate([np.zeros(50 * HOP), word(), 1e-3 * np.random.default_rng(4).standard_normal(16_000)])
    placed = normalized(placed, standardize=True)
    # Only the windows that reach over the edges of the word are further frames with sound.
    np.testing.assert_allclose(placed[50 : 50 + len(alone)].mean(axis=0), 0, atol=0.2)
    np.testing.assert_allclose(placed[50 : 50 + len(alone)].std(axis=0), 1, atol=0.5)
    assert np.abs(placed).max() < 20
    assert np.abs(normalized(np.zeros(4000), standardize=True)).max() < 0.1


@pytest.mark.parametrize("gain_db", [-40, -20, 20])
def test_a_gain_changes_nothing(gain_db):
    for arguments in ({}, {"standardize": True}):
        softer = normalized(word() * 10 ** (gain_db / 20), **arguments)
        np.testing.assert_allclose(softer, normalized(word(), **arguments), atol=1e-2)


def test_silence_is_zero_and_is_not_amplified():
    assert normalized(np.zeros(4000)).max() < 0.1
    faint = 1e-6 * np.random.default_rng(4).standard_normal(4000)
    assert normalized(faint).max() < 0.4 * normalized(word()).max()
    assert normalized(word()).max() > 8


@pytest.mark.parametrize("standardize", [False, True])
def test_padding_and_neighbors_do_not_matter(standardize):
    features, lengths = speech.feature_batch()
    for i, length in enumerate(lengths):
        alone = checks.call(LevelNorm(standardize=standardize), (features[i : i + 1, :length],))
        garbage = features[i : i + 1].copy()
        garbage[:, length:] = np.nan
        padded = checks.call(LevelNorm(standardize=standardize), (garbage, lengths[i : i + 1]))
        np.testing.assert_allclose(padded[:, :length], alone, atol=1e-5)
        np.testing.assert_array_equal(padded[:, length:], 0)


def test_rules_of_every_layer():
    checks.assert_same_everywhere(LevelNorm, speech.feature_batch())
    checks.assert_config_round_trips(LevelNorm(30.0, 3, -10.0, True), speech.feature_batch())
    checks.assert_declared_shape_is_real(LevelNorm(), [(2, 1, 5), (3, 20, 4)])
    checks.assert_stays_float32(LevelNorm, speech.feature_batch())


@pytest.mark.parametrize("arguments", [(0,), (3, 0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        LevelNorm(*arguments)
