import numpy as np
import pytest

from pipelines.layers.background import mix_at_snr
from tests.pipelines.layers import speech


@pytest.mark.parametrize("rate_hz", [None, 16000])
def test_mix_at_snr_takes_a_ratio_per_clip_and_keeps_silence(rate_hz):
    clips, noise = np.stack(speech.clips(*[4000] * 4)), 3 * np.stack(speech.clips(*[4001] * 4))[:, 1:]
    clips[2], noise[3] = 0, 0
    snr_db = np.array([0, 20, 0, 0], "float32")
    added = np.asarray(mix_at_snr(clips, noise, snr_db, sample_rate_hz=rate_hz)) - clips
    np.testing.assert_array_equal(added[2:], 0)
    ratios_db = 10 * np.log10(np.mean(clips[:2] ** 2, axis=1) / np.mean(added[:2] ** 2, axis=1))
    np.testing.assert_allclose(ratios_db, snr_db[:2], atol=0.01 if rate_hz is None else 1)
    single = mix_at_snr(clips, noise, 20.0, sample_rate_hz=rate_hz)
    np.testing.assert_allclose(single[1], clips[1] + added[1], atol=1e-6)
