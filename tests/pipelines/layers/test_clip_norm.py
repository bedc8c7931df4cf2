import numpy as np
import pytest

from pipelines.layers.clip_norm import ClipNorm
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("variance", [True, False])
@pytest.mark.parametrize("per_bin", [True, False])
def test_golden(variance, per_bin):
    features, lengths = speech.feature_batch()
    values = checks.call(ClipNorm(variance=variance, per_bin=per_bin), (features, lengths))
    axis = 0 if per_bin else None
    for value, clip, length in zip(values, features.astype("float64"), lengths, strict=True):
        clip = clip[:length]
        expected = clip - clip.mean(axis=axis)
        if variance:
            expected /= np.sqrt(clip.var(axis=axis) + 1e-5)
        np.testing.assert_allclose(value[:length], expected, atol=1e-5)


def test_constant_bins_become_zero():
    np.testing.assert_allclose(checks.call(ClipNorm(), (np.full((1, 9, 2), -23.0, "float32"),)), 0, atol=1e-3)


def test_same_everywhere():
    checks.assert_same_everywhere(ClipNorm, speech.feature_batch())
    checks.assert_same_everywhere(ClipNorm, speech.feature_batch()[:1])


@pytest.mark.parametrize("variance", [True, False])
@pytest.mark.parametrize("per_bin", [True, False])
def test_neighbors_and_padding_do_not_matter(variance, per_bin):
    clips = [clip.reshape(-1, 5) for clip in speech.clips(5, 10, 25, 2000)]
    checks.assert_neighbors_and_padding_do_not_matter(ClipNorm(variance=variance, per_bin=per_bin), clips)


def test_declared_shape_is_real():
    checks.assert_declared_shape_is_real(ClipNorm(), [(2, n, 7) for n in (1, 2, 50)])


def test_config_round_trips():
    checks.assert_config_round_trips(ClipNorm(variance=False, per_bin=False, epsilon=0.1), speech.feature_batch())


def test_stays_float32():
    checks.assert_stays_float32(ClipNorm, speech.feature_batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 0"):
        ClipNorm(epsilon=0)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_share_of_the_bins_own_means(share):
    features, lengths = speech.feature_batch()
    values = checks.call(ClipNorm(per_bin=False, bin_share=share), (features, lengths))
    for value, clip, length in zip(values, features.astype("float64"), lengths, strict=True):
        clip = clip[:length]
        expected = clip - (1 - share) * clip.mean() - share * clip.mean(axis=0)
        np.testing.assert_allclose(value[:length], expected / np.sqrt(expected.var() + 1e-5), atol=1e-5)
        assert not np.any(value[length:])


@pytest.mark.parametrize("options", [{"bin_share": 0.5}, {"per_bin": False, "bin_share": 1.5}])
def test_bad_share(options):
    with pytest.raises(ValueError, match=f"Received: bin_share={options['bin_share']}"):
        ClipNorm(**options)
