import numpy as np
import pytest

from pipelines.layers.mfcc import MFCC
from tests.pipelines.layers import checks, speech


def make(**options):
    return MFCC(speech.RATE_HZ, **options)


@pytest.mark.parametrize("lifter", [0, 22])
def test_golden(lifter):
    layer = make(lifter=lifter, mels=40, low_hz=20, high_hz=7600)
    coefficients = checks.call(layer, (speech.waveform()[None],))[0]
    np.testing.assert_allclose(coefficients, speech.golden(f"mfcc_{lifter}"), rtol=1e-4)


def test_same_everywhere():
    checks.assert_same_everywhere(make, speech.batch(), atol=1e-4)  # values reach 1e3


def test_neighbors_and_padding_do_not_matter():
    layer = make(lifter=0)
    clips = speech.clips(0, 399, 400, 560, 5000)
    checks.assert_neighbors_and_padding_do_not_matter(layer, clips, layer.num_frames, atol=5e-5)


def test_declared_shape_is_real():
    checks.assert_declared_shape_is_real(make(coefficients=5), [(2, n) for n in (0, 1, 399, 400, 559, 560, 3000)])


def test_config_round_trips():
    layer = make(coefficients=20, lifter=0, mels=30, mel_scale="slaney", mel_norm="slaney", window_ms=32)
    checks.assert_config_round_trips(layer, speech.batch())


def test_stays_float32():
    checks.assert_stays_float32(make, speech.batch())


@pytest.mark.parametrize(
    ("options", "quoted"),
    [({"coefficients": 0}, "0"), ({"coefficients": 41, "mels": 40}, "41"), ({"lifter": -1}, "-1"), ({"mels": 0}, "0")],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        make(**options)
