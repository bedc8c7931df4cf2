import numpy as np
import pytest

from pipelines.layers.pre_emphasis import PreEmphasis
from tests.pipelines.layers import checks, speech


@pytest.mark.parametrize("coefficient", [0.0, 0.97, 1.0])
def test_golden(coefficient):
    waveform, lengths = speech.batch()
    values = checks.call(PreEmphasis(coefficient), (waveform, lengths))
    for value, clip, length in zip(values, waveform, lengths, strict=True):
        expected = [clip[0], *(clip[t] - coefficient * clip[t - 1] for t in range(1, length))]
        np.testing.assert_allclose(value[:length], expected, atol=1e-7)


def test_layer_rules():
    checks.assert_same_everywhere(PreEmphasis, speech.batch())
    checks.assert_neighbors_and_padding_do_not_matter(PreEmphasis(), speech.clips(0, 1, 2, 900))
    checks.assert_declared_shape_is_real(PreEmphasis(), [(2, 0), (2, 1), (3, 700)])
    checks.assert_config_round_trips(PreEmphasis(0.9), speech.batch())
    checks.assert_stays_float32(PreEmphasis, speech.batch())


@pytest.mark.parametrize("coefficient", [-0.1, 1.1])
def test_bad_arguments(coefficient):
    with pytest.raises(ValueError, match=f"Received: {coefficient}"):
        PreEmphasis(coefficient)
