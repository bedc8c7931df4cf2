import functools
import math

import numpy as np
import pytest

from pipelines.layers.spectrogram_warp import SpectrogramWarp, warp_frequency
from pipelines.layers.spectrum import hz_to_mel, mel_to_hz
from tests.pipelines.layers import checks, speech

Features, Lengths = speech.split_outputs(SpectrogramWarp)


def warped(features, lengths=None, **options):
    return [np.asarray(x) for x in SpectrogramWarp(**{"seed": 5, **options})(features, lengths, training=True)]


@pytest.mark.parametrize("tempo", [0.5, 0.85, 1.0, 1.2])
def test_tempo(tempo):
    ramp = np.arange(40, dtype="float32")[None, :, None] + np.zeros((3, 1, 5), "float32")
    lengths = np.array([40, 17, 1], "int32")
    features, new = warped(ramp, lengths, tempo=(tempo, tempo), tract=(1, 1))
    assert features.shape == (3, math.ceil(40 / tempo), 5)
    assert new.tolist() == [1 + int((n - 1) * 1000 // round(1000 * tempo)) for n in lengths]
    for clip, length in zip(features, new, strict=True):
        expected = tempo * np.arange(length)[:, None] + np.zeros(5)
        np.testing.assert_allclose(clip[:length], expected, atol=1e-5)
        np.testing.assert_array_equal(clip[length:], 0)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(("tract", "peak_hz"), [(0.8, 1250), (0.9, 1000 / 0.9), (1.0, 1000), (1.25, 800)])
def test_formants_fall_as_the_tract_grows(scale, tract, peak_hz):
    options = {"low_hz": 50, "high_hz": 7000, "mel_scale": scale}
    low, high = hz_to_mel([50, 7000], scale)
    centers_hz = mel_to_hz(np.linspace(low, high, 82)[1:-1], scale)
    formant = -(((centers_hz - 1000) / 300) ** 2).astype("float32")
    features, new = warped(formant[None, None], tempo=(1, 1), tract=(tract, tract), **options)
    assert new.tolist() == [1]
    curve = features[0, 0]
    assert abs(centers_hz[curve.argmax()] - peak_hz) < 40
    expected = -(((warp_frequency(centers_hz, tract, 4200, 7000) - 1000) / 300) ** 2)
    near = np.abs(centers_hz - peak_hz) < 600
    np.testing.assert_allclose(curve[near], expected[near], atol=0.05)


@pytest.mark.parametrize("tract", [0.8, 1.0, 1.25])
def test_warp_follows_the_paper(tract):
    hz = np.linspace(0, 8000, 801)
    positions = warp_frequency(hz, tract, 4800, 8000)
    end = 4800 * min(tract, 1)
    expected = [tract * f if f <= end / tract else 8000 - (8000 - end) / (8000 - end / tract) * (8000 - f) for f in hz]
    np.testing.assert_allclose(positions, expected)
    assert positions[0] == 0
    assert positions[-1] == 8000
    assert (np.diff(positions) > 0).all()
    assert np.abs(np.diff(positions)).max() < 10 * 1.7  # no jump at the boundary


def test_without_factors_nothing_changes():
    features, lengths = speech.feature_batch()
    same, new = warped(features, lengths, tempo=(1, 1), tract=(1, 1))
    np.testing.assert_array_equal(same, features)
    np.testing.assert_array_equal(new, lengths)
    matrix = SpectrogramWarp(tract=(0.9, 1.1))._warp_matrices(40)
    np.testing.assert_allclose(matrix[100], np.eye(40), atol=1e-5)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)  # every bin is a mean of two


@pytest.mark.parametrize("jit", [False, True])
def test_factors_fill_the_range(jit):
    features = np.tile(np.arange(40, dtype="float32"), (2000, 501, 1))
    new = checks.call(Lengths(seed=1), (features[:, :, :1],), training=True, jit=jit)
    tempos = 500 / (new - 1)
    assert 0.849 < tempos.min() < 0.86
    assert 1.14 < tempos.max() < 1.153
    values = checks.call(Features((1, 1), seed=1), (features[:, :2],), training=True, jit=jit)[:, 0]
    matrix = SpectrogramWarp()._warp_matrices(40)
    ends = np.arange(40) @ matrix[[0, -1]]
    for bin_ in (10, 20):
        assert values[:, bin_].min() < ends[0, bin_] + 0.1
        assert values[:, bin_].max() > ends[1, bin_] - 0.1


def test_tempo_and_tract_are_independent():
    features = np.tile(np.arange(40, dtype="float32"), (500, 501, 1))
    values, new = warped(features)
    assert abs(np.corrcoef(values[:, 0, 15], new)[0, 1]) < 0.2


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(functools.partial(Features, seed=5), speech.feature_batch(), training=training)


@pytest.mark.parametrize("part", [Features, Lengths])
def test_fixed_warp_same_everywhere(part):
    make = functools.partial(part, (0.9, 0.9), (1.07, 1.07))
    checks.assert_same_everywhere(make, speech.feature_batch(), training=True, random=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0].reshape(90, 10)
    alone, length = warped(clip[None], seed=seed)
    padded = np.pad(clip, ((0, 30), (0, 0)), constant_values=np.nan)[None]
    features, same = warped(padded, np.array([90], "int32"), seed=seed)
    np.testing.assert_array_equal(same, length)
    np.testing.assert_allclose(features[0, : length[0]], alone[0, : length[0]], atol=1e-6)
    np.testing.assert_array_equal(features[0, length[0] :], 0)


def test_random_layer_rules():
    inputs = speech.feature_batch()
    checks.assert_identity_without_training(functools.partial(Features, seed=5), inputs)
    np.testing.assert_array_equal(checks.call(Lengths(), inputs), inputs[1])
    checks.assert_random_per_example(functools.partial(Features, seed=5), inputs[0][0], np.int32(40))
    checks.assert_seed_reproduces(lambda seed: Features(seed=seed), inputs)
    checks.assert_stays_float32(functools.partial(Features, seed=5), inputs, training=True)
    checks.assert_config_round_trips(Features((0.9, 1), (1, 1.2), 50, 4000, "slaney", 2000, seed=9), inputs)
    checks.assert_declared_shape_is_real(Features(), [(2, 0, 4), (2, 1, 4), (3, 70, 8)])
    for frames in (0, 1, 33, 40):
        features, new = SpectrogramWarp()(np.zeros((2, frames, 5), "float32"), training=True)
        declared = SpectrogramWarp().compute_output_shape((2, frames, 5), training=True)
        assert declared == (tuple(features.shape), tuple(new.shape))


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"tempo": (1.1, 0.9)}, "1.1, 0.9"),
        ({"tract": (0, 1)}, "0, 1"),
        ({"low_hz": 8000}, "low_hz=8000"),
        ({"mel_scale": "bark"}, "'bark'"),
        ({"boundary_hz": 8000}, "boundary_hz=8000"),
        ({"boundary_hz": 100, "low_hz": 95}, "boundary_hz=100"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        SpectrogramWarp(**options)
