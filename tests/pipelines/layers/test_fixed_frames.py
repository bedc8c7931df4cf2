import numpy as np
import pytest

from pipelines.layers.fixed_frames import FixedFrames
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("frames", [2, 7, 40, 64])
def test_golden(frames):
    features, lengths = speech.feature_batch()
    features[np.arange(40) >= lengths[:, None]] = np.nan  # must have no influence
    values = checks.call(FixedFrames(frames), (features, lengths))
    for value, clip, length in zip(values, features, lengths, strict=True):
        positions = np.linspace(0, length - 1, frames)
        expected = np.stack([np.interp(positions, np.arange(length), clip[:length, i]) for i in range(10)], axis=1)
        np.testing.assert_allclose(value, expected, atol=1e-4)


def test_a_clip_of_one_frame_is_repeated():
    features = speech.feature_batch()[0]
    for length in (0, 1):
        values = checks.call(FixedFrames(5), (features, np.full(3, length)))
        np.testing.assert_array_equal(values, np.repeat(features[:, :1], 5, axis=1))


def test_same_everywhere():
    checks.assert_same_everywhere(FixedFrames, speech.feature_batch())


def test_neighbors_and_padding_do_not_matter():
    clips = [clip.reshape(-1, 5) for clip in speech.clips(5, 10, 25, 2000)]
    layer = FixedFrames(16)
    checks.assert_neighbors_and_padding_do_not_matter(layer, clips, lambda length: 16)


def test_layer_rules():
    checks.assert_declared_shape_is_real(FixedFrames(9), [(2, n, 7) for n in (1, 2, 50)])
    checks.assert_config_round_trips(FixedFrames(9), speech.feature_batch())
    checks.assert_stays_float32(FixedFrames, speech.feature_batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 1"):
        FixedFrames(1)


def test_jitter_moves_the_ends():
    ramp = np.tile(np.arange(101, dtype="float32")[None, :, None], (500, 1, 2))
    layer = FixedFrames(11, jitter=0.1, seed=1)
    moved = checks.call(layer, (ramp,), training=True)
    np.testing.assert_array_equal(moved[..., 0], moved[..., 1])
    first, middle, last = moved[:, 0, 0], moved[:, 5, 0], moved[:, -1, 0]
    assert first.min() == 0  # outwards the first frame repeats
    assert 9 < first.max() <= 10
    assert 90 <= last.min() < 91
    assert last.max() == 100
    assert 40 <= middle.min() < 42 < 58 < middle.max() <= 60
    assert np.abs(np.corrcoef(first, last)[0, 1]) < 0.2  # each end independently
    still = checks.call(layer, (ramp,), training=False)[0, :, 0]
    np.testing.assert_allclose(still, np.linspace(0, 100, 11), atol=1e-4)


def test_random_layer_rules():
    def make(seed=3):
        return FixedFrames(9, jitter=0.2, seed=seed)

    checks.assert_same_everywhere(make, speech.feature_batch(), training=True)
    checks.assert_random_per_example(make, speech.feature_batch()[0][0], np.int32(30))
    checks.assert_seed_reproduces(make, speech.feature_batch())


@pytest.mark.parametrize("jitter", [-0.1, 0.5])
def test_bad_jitter(jitter):
    with pytest.raises(ValueError, match=f"Received: {jitter}"):
        FixedFrames(9, jitter=jitter)
