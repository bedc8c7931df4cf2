import numpy as np
import pytest

from pipelines.layers.deltas import Deltas
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_golden(radius):
    features = speech.golden("mel_htk_None")
    values = checks.call(Deltas(radius), (features[None],))[0]
    expected = [features, speech.golden(f"delta_{radius}"), speech.golden(f"delta_delta_{radius}")]
    np.testing.assert_allclose(values, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


def test_edges_are_the_clips_own():
    ramp = np.array([1.0, 2.0, 3.0, 50.0], "float32")[None, :, None]
    deltas = checks.call(Deltas(1), (ramp, np.array([3], "int32")))[0]
    np.testing.assert_allclose(deltas[:, 1], [0.5, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(deltas[:, 2], [0.25, 0.0, -0.25, 0.0])


def test_same_everywhere():
    checks.assert_same_everywhere(Deltas, speech.feature_batch())
    checks.assert_same_everywhere(Deltas, speech.feature_batch()[:1])


def test_neighbors_and_padding_do_not_matter():
    clips = [clip.reshape(-1, 5) for clip in speech.clips(5, 10, 25, 200)]
    checks.assert_neighbors_and_padding_do_not_matter(Deltas(), clips)


def test_declared_shape_is_real():
    checks.assert_declared_shape_is_real(Deltas(), [(2, n, 7) for n in (1, 2, 3, 50)])


def test_config_round_trips():
    checks.assert_config_round_trips(Deltas(radius_frames=3), speech.feature_batch())


def test_stays_float32():
    checks.assert_stays_float32(Deltas, speech.feature_batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 0"):
        Deltas(0)
