import numpy as np
import pytest

from pipelines.layers.filter_bank import FilterBank
from tests.pipelines.layers import checks, speech


def make(**options):
    return FilterBank(speech.RATE_HZ, **options)


def test_golden():
    """Against a slow float64 DFT and filters by interpolation."""
    layer = make(filters=7, low_hz=500, high_hz=6500, window_ms=20, hop_ms=10, fft_length=400)
    clip = speech.waveform()[:2000].astype("float64")
    hann = np.hanning(321)[:-1]
    frames = np.stack([np.pad(clip[i * 160 : i * 160 + 320] * hann, (0, 80)) for i in range(11)])
    step = np.arange(400)
    power = np.abs(frames @ np.exp(-2j * np.pi * np.outer(step, np.arange(201)) / 400)) ** 2
    peaks_hz = 500 + 750 * np.arange(1, 8)
    filters = [np.interp(np.arange(201) * 40.0, [p - 750, p, p + 750], [0, 1, 0]) for p in peaks_hz]
    expected = power @ np.stack(filters, axis=1)
    logs = checks.call(layer, (clip[None].astype("float32"),))[0]
    np.testing.assert_allclose(np.exp(logs), expected, rtol=1e-4)


def test_same_everywhere():
    checks.assert_same_everywhere(make, speech.batch())


def test_neighbors_and_padding_do_not_matter():
    layer = make()
    clips = speech.clips(0, 399, 400, 560, 5000)
    checks.assert_neighbors_and_padding_do_not_matter(layer, clips, layer.num_frames)


def test_declared_shape_is_real():
    checks.assert_declared_shape_is_real(make(filters=5), [(2, n) for n in (0, 1, 399, 400, 559, 560, 3000)])


def test_config_round_trips():
    checks.assert_config_round_trips(make(filters=12, low_hz=100, high_hz=7000), speech.batch())


def test_stays_float32():
    checks.assert_stays_float32(make, speech.batch())


@pytest.mark.parametrize(
    ("options", "quoted"),
    [({"filters": 0}, "0"), ({"filters": 600}, "600 filters"), ({"high_hz": 9000}, "9000"), ({"window_ms": 5}, "5")],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        make(**options)
