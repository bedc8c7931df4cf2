import keras
import numpy as np
import pytest

from pipelines.layers.log_mel import LogMel
from tests.pipelines.layers import checks, speech


def make(**options):
    return LogMel(speech.RATE_HZ, **options)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_golden(scale, norm):
    layer = make(mels=40, low_hz=20, high_hz=7600, mel_scale=scale, mel_norm=norm)
    logs = checks.call(layer, (speech.waveform()[None],))[0]
    # of energies: near 1 the logarithm is near 0, where a relative error means nothing
    np.testing.assert_allclose(np.exp(logs), np.exp(speech.golden(f"mel_{scale}_{norm}")), rtol=1e-4)


def test_golden_defaults():
    logs = checks.call(make(), (speech.waveform()[None],))[0]
    np.testing.assert_allclose(np.exp(logs), np.exp(speech.golden("mel_80")), rtol=1e-4)


@pytest.mark.parametrize("with_lengths", [True, False])
def test_same_everywhere(with_lengths):
    checks.assert_same_everywhere(make, speech.batch() if with_lengths else speech.batch()[:1])


@pytest.mark.parametrize("window_ms", [10.0, 25.0, 30.0])  # 1, 2.5 and 3 hops
def test_neighbors_and_padding_do_not_matter(window_ms):
    layer = make(window_ms=window_ms, fft_length=512)
    clips = speech.clips(0, 1, 159, 399, 400, 401, 559, 560, 1234, 5000)
    checks.assert_neighbors_and_padding_do_not_matter(layer, clips, layer.num_frames)


def test_short_clips_are_filled_with_zeros():
    clip = speech.clips(300)[0]
    filled = np.pad(clip, (0, 100))
    np.testing.assert_allclose(checks.call(make(), (clip[None],)), checks.call(make(), (filled[None],)), atol=1e-5)


@pytest.mark.parametrize(("window_ms", "hop_ms"), [(25, 10), (10, 10), (32, 8), (0.0625, 0.0625)])
def test_declared_shape_is_real(window_ms, hop_ms):
    layer = make(window_ms=window_ms, hop_ms=hop_ms, fft_length=512)
    checks.assert_declared_shape_is_real(layer, [(2, n) for n in [*range(0, 1000, 37), 399, 400, 401, 560, 561]])


def test_num_frames_of_ints_and_tensors():
    layer = make()
    lengths = np.array([0, 399, 400, 559, 560, 16000])
    expected = [1, 1, 1, 1, 2, 98]
    assert [layer.num_frames(int(n)) for n in lengths] == expected
    assert np.asarray(layer.num_frames(lengths)).tolist() == expected


def test_silence_is_the_floor():
    np.testing.assert_allclose(checks.call(make(floor=1e-6), (np.zeros((1, 800), "float32"),)), np.log(1e-6), rtol=1e-6)


def test_config_round_trips():
    layer = make(mels=20, mel_scale="slaney", mel_norm="slaney", low_hz=50, high_hz=4000, window_ms=20, hop_ms=5)
    checks.assert_config_round_trips(layer, speech.batch())


def test_stays_float32():
    checks.assert_stays_float32(make, speech.batch())


def test_unknown_time_in_a_model():
    layer = make()
    assert layer(keras.Input((None,))).shape == (None, None, 80)
    assert layer(keras.Input((16000,))).shape == (None, 98, 80)


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"window_ms": 5, "hop_ms": 10}, "window_ms=5, hop_ms=10"),
        ({"high_hz": 8001}, "high_hz=8001"),
        ({"low_hz": 4000, "high_hz": 3000}, "low_hz=4000"),
        ({"low_hz": -1}, "low_hz=-1"),
        ({"mel_scale": "bark"}, "'bark'"),
        ({"mel_norm": 2}, "2"),
        ({"mels": 0}, "0"),
        ({"mels": 200}, "200 filters"),
        ({"fft_length": 256}, "256"),
        ({"floor": 0}, "0"),
        ({"hop_ms": 0}, "0"),
        ({"sample_rate_hz": 0}, "0"),
        ({"dtype": "float16"}, "float16"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        LogMel(**{"sample_rate_hz": speech.RATE_HZ, **options})
