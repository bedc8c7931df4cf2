import numpy as np
import pytest

from pipelines.layers.log_mel import LogMel
from pipelines.layers.pcen import PCEN
from tests.pipelines.layers import checks, speech


def make(**options):
    return PCEN(speech.RATE_HZ, **{"mels": 40, "low_hz": 20, "high_hz": 7600, **options})


@pytest.mark.parametrize("name", ["wang", "other"])
def test_golden(name):
    options = {} if name == "wang" else {"smoothing": 0.2, "gain": 0.8, "bias": 10.0, "power": 0.25, "epsilon": 1e-3}
    values = checks.call(make(**options), (speech.waveform()[None],))[0]
    np.testing.assert_allclose(values, speech.golden(f"pcen_{name}"), rtol=2e-4, atol=1e-5)


def test_without_memory_nothing_depends_on_loudness():
    """With a gain of 1 and a negligible epsilon, a louder clip has the same features; without a gain it has not."""
    waveform = speech.waveform()[None]
    for gain, same in ((1.0, True), (0.0, False)):
        soft, loud = (checks.call(make(gain=gain, epsilon=1e-20, floor=1e-20), (x,)) for x in (waveform, 8 * waveform))
        assert np.allclose(soft, loud, rtol=1e-3) == same


def test_mel_energies_are_log_mels():
    """smoothing 1 makes the average the energy itself; without a gain only the root is left."""
    options = {"mels": 40, "low_hz": 20, "high_hz": 7600}
    logs = checks.call(LogMel(speech.RATE_HZ, **options), (speech.waveform()[None],))
    values = checks.call(make(gain=0.0, bias=0.0, power=1.0, smoothing=1.0), (speech.waveform()[None],))
    np.testing.assert_allclose(np.log(values), logs, atol=1e-4)


def test_layer_rules():
    checks.assert_same_everywhere(make, speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, n) for n in (0, 1, 399, 400, 559, 560, 9000, 10000, 11000)])
    options = {"smoothing": 0.1, "gain": 0.9, "bias": 1.0, "power": 0.3, "epsilon": 1e-4, "mel_scale": "slaney"}
    checks.assert_config_round_trips(make(**options), speech.batch())
    checks.assert_stays_float32(make, speech.batch())


def test_neighbors_and_padding_do_not_matter():
    layer = make()
    clips = speech.clips(0, 1, 399, 400, 560, 1234, 15000)
    checks.assert_neighbors_and_padding_do_not_matter(layer, clips, layer.num_frames, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"smoothing": 0}, "0"),
        ({"gain": 1.1}, "1.1"),
        ({"bias": -1}, "-1"),
        ({"power": 0}, "0"),
        ({"epsilon": 0}, "0"),
        ({"mels": 0}, "0"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: {quoted}"):
        make(**options)
