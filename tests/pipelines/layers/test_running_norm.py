import numpy as np
import pytest

from pipelines.layers.running_norm import RunningNorm
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("variance", [True, False])
@pytest.mark.parametrize("per_bin", [True, False])
def test_golden(variance, per_bin):
    features, lengths = speech.feature_batch()
    prior = np.concatenate([np.full((5, 10), -7.0 + 3.0 * sign) for sign in (-1, 1)])  # mean -7, deviation 3
    values = checks.call(RunningNorm(variance, per_bin, -7, 3, 10), (features, lengths))
    for value, clip, length in zip(values, features.astype("float64"), lengths, strict=True):
        for t in range(length):
            so_far = np.concatenate([prior, clip[: t + 1]])
            axis = 0 if per_bin else None
            expected = (clip[t] - so_far.mean(axis=axis)) / (so_far.std(axis=axis) if variance else 1)
            np.testing.assert_allclose(value[t], expected, atol=1e-4)


def test_is_causal():
    features = speech.feature_batch()[0]
    changed = features.copy()
    changed[:, 20:] += 50
    before, after = (checks.call(RunningNorm(), (x,)) for x in (features, changed))
    np.testing.assert_array_equal(before[:, :20], after[:, :20])
    assert (before[:, 20:] != after[:, 20:]).all()


def test_stays_exact_in_long_recordings():
    features = np.random.default_rng(1).normal(-9, 2, (1, 30000, 2)).astype("float32")
    values = checks.call(RunningNorm(prior_frames=1), (features,))[0]
    expected = (features[0, -1] - features[0].mean(axis=0, dtype="float64")) / features[0].std(axis=0, dtype="float64")
    np.testing.assert_allclose(values[-1], expected, atol=1e-2)


def test_layer_rules():
    checks.assert_same_everywhere(RunningNorm, speech.feature_batch())
    checks.assert_declared_shape_is_real(RunningNorm(), [(2, n, 7) for n in (1, 2, 50)])
    checks.assert_config_round_trips(RunningNorm(False, False, 1, 2, 3), speech.feature_batch())
    checks.assert_stays_float32(RunningNorm, speech.feature_batch())


@pytest.mark.parametrize("per_bin", [True, False])
def test_neighbors_and_padding_do_not_matter(per_bin):
    clips = [clip.reshape(-1, 5) for clip in speech.clips(5, 10, 25, 2000)]
    checks.assert_neighbors_and_padding_do_not_matter(RunningNorm(per_bin=per_bin), clips)


@pytest.mark.parametrize("options", [{"prior_frames": 0}, {"prior_deviation": 0}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=f"Received: .*{next(iter(options))}=0"):
        RunningNorm(**options)
