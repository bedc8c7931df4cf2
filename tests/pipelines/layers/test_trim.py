import keras
import numpy as np
import pytest

from pipelines.layers.trim import Trim
from tests.pipelines.layers import checks, speech


def trimmed(waveforms, lengths=None, **options):
    return [np.asarray(x) for x in Trim(8000, **options)(np.asarray(waveforms, "float32"), lengths)]


def test_silence_around_is_cut_off():
    clip = np.zeros(8000)
    clip[2000:5000] = 0.1 * np.random.default_rng(1).standard_normal(3000)
    samples, lengths = trimmed(np.stack([clip, clip + 1e-4]), margin_ms=50.0)
    assert lengths.tolist() == [3840, 3840]  # whole blocks of 80 samples, and 400 on either side
    np.testing.assert_allclose(samples[0, :3840], clip[1600:5440], atol=1e-7)
    np.testing.assert_array_equal(samples[:, 3840:], 0)


def test_a_clip_without_sound_stays_whole():
    samples, lengths = trimmed(np.zeros((2, 500)), np.array([500, 200], "int32"))
    assert lengths.tolist() == [500, 200]
    assert not samples.any()


def test_padding_does_not_matter():
    clip = speech.clips(900)[0]
    padded = np.pad(clip, (0, 3000), constant_values=np.nan)[None]
    samples, lengths = trimmed(padded, np.array([900], "int32"))
    assert lengths.tolist() == [900]
    np.testing.assert_array_equal(samples[0, :900], clip)


@keras.saving.register_keras_serializable("tests")
class Samples(Trim):
    def call(self, waveform, lengths=None):
        return super().call(waveform, lengths)[0]

    def compute_output_shape(self, waveform_shape):
        return tuple(waveform_shape)

    def compute_output_spec(self, waveform, lengths=None):
        return keras.KerasTensor(waveform.shape, "float32")


def test_rules_of_every_layer():
    checks.assert_same_everywhere(Samples, speech.batch())
    checks.assert_config_round_trips(Samples(8000, 20.0, 10.0), speech.batch())
    checks.assert_stays_float32(Samples, speech.batch())


@pytest.mark.parametrize("arguments", [(999,), (8000, 0), (8000, 3, -1)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        Trim(*arguments)
