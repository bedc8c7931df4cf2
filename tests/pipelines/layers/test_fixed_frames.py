import numpy as np
import pytest

from pipelines.layers.fixed_frames import FixedFrames
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("frames", [2, 7, 40, 64])
def test_golden(frames):
    features, lengths = speech.feature_batch()
    features[np.arange(40) >= lengths[:, None]] = np.nan  # never looked at
    values = checks.call(FixedFrames(frames), (features, lengths))
    for value, clip, length in zip(values, features, lengths, strict=True):
        places = np.linspace(0, length - 1, frames)
        expected = np.stack([np.interp(places, np.arange(length), clip[:length, i]) for i in range(10)], axis=1)
        np.testing.assert_allclose(value, expected, atol=1e-4)


def test_a_clip_of_one_frame_is_repeated():
    features = speech.feature_batch()[0]
    for length in (0, 1):
        values = checks.call(FixedFrames(5), (features, np.full(3, length)))
        np.testing.assert_array_equal(values, np.repeat(features[:, :1], 5, axis=1))


def test_same_everywhere():
    checks.assert_same_everywhere(FixedFrames, speech.feature_batch())


def test_neighbours_and_padding_do_not_matter():
    clips = [clip.reshape(-1, 5) for clip in speech.clips(5, 10, 25, 2000)]
    layer = FixedFrames(16)
    checks.assert_neighbours_and_padding_do_not_matter(layer, clips, lambda length: 16)


def test_layer_rules():
    checks.assert_declared_shape_is_real(FixedFrames(9), [(2, n, 7) for n in (1, 2, 50)])
    checks.assert_config_round_trips(FixedFrames(9), speech.feature_batch())
    checks.assert_stays_float32(FixedFrames, speech.feature_batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 1"):
        FixedFrames(1)
