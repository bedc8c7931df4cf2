import numpy as np
import pytest

from pipelines.layers.placement import Placement
from tests.pipelines.layers import checks, speech

Waveform, Lengths = speech.split_outputs(Placement)


def placed(waveforms, lengths=None, seed=5, max_seconds=0.1):
    layer = Placement(max_seconds, 8000, seed=seed)
    return [np.asarray(x) for x in layer(waveforms, lengths, training=True)]


def test_clips_are_whole_and_anywhere():
    clips = np.tile(1 + np.arange(50, dtype="float32"), (3000, 1))
    longer, lengths = placed(clips, np.full(3000, 40, "int32"))
    assert longer.shape == (3000, 850)
    silence, before = lengths - 40, np.argmax(longer > 0, axis=1)
    for row, start, length in zip(longer, before, lengths, strict=True):
        np.testing.assert_array_equal(row[start : start + 40], clips[0, :40])
        np.testing.assert_array_equal(np.delete(row, np.arange(start, start + 40)), 0)
        assert start + 40 <= length
    assert 0.2 < np.mean(silence == 0) < 0.3
    assert silence.max() > 790
    some = silence > 100
    assert abs(np.mean(before[some] / silence[some]) - 0.5) < 0.05


def test_rules_of_random_layers():
    for part in (Waveform, Lengths):
        checks.assert_same_everywhere(lambda part=part: part(0.1, 8000, seed=5), speech.batch(), training=True)
    checks.assert_identity_without_training(lambda: Waveform(0.1, 8000, seed=5), (np.ones((2, 9), "float32"),))
    checks.assert_seed_reproduces(lambda seed: Waveform(0.1, 8000, seed=seed), speech.batch())
    checks.assert_config_round_trips(Waveform(0.3, 8000, seed=9), speech.batch())
    assert Placement(0.1, 8000).compute_output_shape((2, 50), training=True) == ((2, 850), (2,))


@pytest.mark.parametrize("arguments", [(0, 8000), (1, 0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        Placement(*arguments)
