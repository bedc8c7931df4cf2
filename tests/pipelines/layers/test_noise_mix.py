import keras
import numpy as np
import pytest

from pipelines.layers.noise_mix import NoiseMix
from pipelines.layers.sequences import zero_padding
from pipelines.layers.speech_level import active_level, mean_level
from tests.pipelines.layers import checks, speech


def filled(noises, **options):
    layer = NoiseMix(len(noises), sum(map(len, noises)) + 5, **options)  # spare room must not be mixed in
    layer.fill(noises)
    return layer


def make(seed=5, **options):
    return filled(speech.clips(50, 3000, 6000), seed=seed, **options)


@pytest.mark.parametrize("snr_db", [-20.0, 0.0, 7.5, 40.0])
@pytest.mark.parametrize("noise_length", [1, 2, 333, 4000, 20000])
def test_ratio_is_snr_db(snr_db, noise_length):
    lengths = np.array([1, 2, 100, 3999, 4000, 8000], "int32")
    clips = np.stack(speech.clips(*[8000] * 6))
    noise = 5 * np.random.default_rng(9).standard_normal(noise_length).astype("float32") + 0.5
    layer = filled([noise], snr_db=(snr_db, snr_db), seed=1)
    mixed = checks.call(layer, (clips, lengths), training=True)
    for mix, clip, length in zip(mixed.astype("float64"), clips, lengths, strict=True):
        added = mix[:length] - clip[:length]
        ratio_db = 10 * np.log10(np.mean(clip[:length].astype("float64") ** 2) / np.mean(added**2))
        assert abs(ratio_db - snr_db) < 0.1
        np.testing.assert_array_equal(mix[length:], 0)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_ratio_over_active_speech(rate_hz):
    lengths = np.array([3999, 4000, 8000], "int32")
    clips = np.stack(speech.clips(*[8000] * 3))
    clips[:, 1000:3000] = 0
    noise = np.random.default_rng(9).standard_normal(20000).astype("float32")
    rumble = 30 * np.sin(np.arange(20000) * 2 * np.pi * 40 / rate_hz).astype("float32")  # outside the telephone band
    layer = filled([noise, noise + rumble], snr_db=(7, 7), sample_rate_hz=rate_hz, seed=1)
    added = checks.call(layer, (clips, lengths), training=True) - zero_padding(clips, lengths)
    ratios = active_level(clips, lengths, rate_hz) / mean_level(added, lengths, rate_hz)
    np.testing.assert_allclose(20 * np.log10(ratios), 7, atol=0.02)
    by_power = filled([noise + rumble], snr_db=(7, 7), seed=1)
    added = checks.call(by_power, (clips, lengths), training=True) - zero_padding(clips, lengths)
    ratios = active_level(clips, lengths, rate_hz) / mean_level(added, lengths, rate_hz)
    assert (abs(20 * np.log10(ratios) - 7) > 0.5).all()


def test_ratios_fill_the_range():
    clips = np.tile(speech.clips(200)[0], (1000, 1))
    added = checks.call(make(snr_db=(3, 9)), (clips,), training=True) - clips
    ratios_db = 10 * np.log10(np.mean(clips**2, axis=1) / np.mean(added**2, axis=1))
    assert 2.99 < ratios_db.min() < 3.1
    assert 8.9 < ratios_db.max() < 9.01


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("noise_length", "clip_length", "starts"), [(30, 10, 21), (10, 10, 1), (7, 10, 7), (1, 5, 1)])
def test_pieces_start_anywhere_and_repeat(noise_length, clip_length, starts, jit):
    noise = np.arange(1, noise_length + 1, dtype="float32")
    clips = np.ones((600, clip_length), "float32")
    added = checks.call(filled([noise], snr_db=(0, 0), seed=2), (clips,), training=True, jit=jit) - 1
    endless = np.tile(noise, 30)
    pieces = np.stack([endless[i : i + clip_length] for i in range(starts)])
    pieces /= np.sqrt(np.mean(pieces**2, axis=1, keepdims=True))
    which = np.abs(added[:, None] - pieces).max(axis=2).argmin(axis=1)
    np.testing.assert_allclose(added, pieces[which], atol=1e-5)
    assert set(which) == set(range(starts))


def test_every_noise_is_chosen():
    layer = filled([np.full(4, v, "float32") for v in (1, -1)] + [np.array([1, -1], "float32")], snr_db=(0, 0), seed=1)
    added = checks.call(layer, (np.ones((300, 4), "float32"),), training=True) - 1
    kinds, counts = np.unique(np.round(added), axis=0, return_counts=True)
    assert len(kinds) == 4  # the last noise starts at either sample
    assert counts.min() > 30


def test_probability():
    clips = np.tile(speech.clips(200)[0], (1000, 1))
    changed = (checks.call(make(probability=0.3), (clips,), training=True) != clips).any(axis=1)
    assert 0.25 < changed.mean() < 0.35
    np.testing.assert_array_equal(checks.call(make(probability=0.0), (clips,), training=True), clips)


def test_silence_changes_nothing():
    clips = np.stack([np.zeros(300, "float32"), speech.clips(300)[0]])
    silent_clip = checks.call(make(snr_db=(-60, -60)), (clips,), training=True)
    np.testing.assert_array_equal(silent_clip[0], 0)
    assert np.isfinite(silent_clip).all()
    assert not np.array_equal(silent_clip[1], clips[1])
    for noise in (np.zeros(20, "float32"), np.full(20, 1e-30, "float32")):
        np.testing.assert_array_equal(checks.call(filled([noise]), (clips,), training=True), clips)
    np.testing.assert_array_equal(checks.call(NoiseMix(2, 10), (clips,), training=True), clips)
    none = checks.call(make(), (clips, np.zeros(2, "int32")), training=True)
    np.testing.assert_array_equal(none, 0)


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(make, speech.batch(), training=training)


@pytest.mark.parametrize("rate_hz", [None, 16000])
def test_fixed_mix_same_everywhere(rate_hz):
    def fixed():
        return filled([np.ones(1, "float32")], snr_db=(3, 3), sample_rate_hz=rate_hz)

    checks.assert_same_everywhere(fixed, speech.batch(), training=True, random=False)


@pytest.mark.parametrize("rate_hz", [None, 16000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed, rate_hz):
    clip = speech.clips(900)[0]
    alone = checks.call(make(seed, sample_rate_hz=rate_hz), (clip[None],), training=True)[0]
    padded = np.pad(clip, (0, 3000), constant_values=np.nan)[None]
    inputs = (padded, np.array([900], "int32"))
    result = checks.call(make(seed, sample_rate_hz=rate_hz), inputs, training=True)[0]
    np.testing.assert_allclose(result, np.pad(alone, (0, 3000)), atol=1e-6)


def test_random_layer_rules():
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(300)[0], np.int32(200))
    checks.assert_seed_reproduces(make, speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(NoiseMix(2, 10, (1, 2), 0.5, 8000, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 0), (2, 1), (3, 700)])


def test_bank_is_a_weight_that_does_not_train():
    layer = make()
    assert not layer.trainable_weights
    assert [tuple(w.shape) for w in layer.weights[:3]] == [(9055,), (3,), (3,)]
    copy = NoiseMix(3, 9055, seed=5)
    copy.set_weights(layer.get_weights())
    one, two = (checks.call(x, speech.batch(), training=True) for x in (layer, copy))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"num_noises": 0}, "num_noises=0"),
        ({"bank_samples": 2**31}, "bank_samples=2147483648"),
        ({"snr_db": (5, 1)}, "\\(5, 1\\)"),
        ({"probability": 1.5}, "1.5"),
        ({"sample_rate_hz": 999}, "999"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        NoiseMix(**{"num_noises": 2, "bank_samples": 10, **options})


@pytest.mark.parametrize(
    ("noises", "quoted"),
    [
        ([np.ones(3)], "1"),
        ([np.ones(3), np.ones(0)], "shape \\(0,\\) at index 1"),
        ([np.ones(8), np.ones(3)], "2 noises of 11 samples"),
        ([np.ones((3, 2)), np.ones(3)], "shape \\(3, 2\\)"),
        ([np.ones(3), np.full(3, np.nan)], "index 1"),
    ],
)
def test_bad_noises(noises, quoted):
    layer = NoiseMix(2, 10)
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        layer.fill(noises)


def test_weights_files_hold_the_noises_or_their_lengths(tmp_path):
    noise = np.linspace(-1, 1, 1000, dtype="float32")

    def model(*noises, saves_noises):
        layer = NoiseMix.from_noises(noises)
        layer.saves_noises = saves_noises
        inputs = keras.Input((None,))
        return keras.Model(inputs, layer(inputs, training=True)), layer

    path = tmp_path / "a.weights.h5"
    model(noise, saves_noises=True)[0].save_weights(path)
    whole = path.stat().st_size
    other, layer = model(0 * noise, saves_noises=True)
    other.load_weights(path)
    np.testing.assert_array_equal(layer.noises, noise)
    model(noise, saves_noises=False)[0].save_weights(path)
    assert path.stat().st_size < whole - 3000
    other, layer = model(noise, saves_noises=False)
    other.load_weights(path)
    np.testing.assert_array_equal(layer.noises, noise)
    with pytest.raises(ValueError, match="The noises have changed since these weights were saved"):
        model(noise, noise, saves_noises=False)[0].load_weights(path)
