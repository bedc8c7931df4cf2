import numpy as np
import pytest

from pipelines.layers.dynamic_range import DynamicRange
from tests.pipelines.layers import checks


def batch():
    features = np.random.default_rng(0).normal(-8.0, 4.0, (3, 11, 5)).astype("float32")
    lengths = np.array([11, 4, 1], "int32")
    return np.where(np.arange(11)[None, :, None] < lengths[:, None, None], features, 0), lengths


def test_a_floor_is_added_to_the_energies():
    features, lengths = batch()
    result = checks.call(DynamicRange(20.0), (features, lengths))
    for clip, given, length in zip(result, features.astype("float64"), lengths, strict=True):
        energies = np.exp(given[:length])
        np.testing.assert_allclose(np.exp(clip[:length]), energies + energies.max() / 100, rtol=1e-4)
        np.testing.assert_array_equal(clip[length:], 0)


def test_padding_and_neighbors_do_not_matter():
    features, lengths = batch()
    for i, length in enumerate(lengths):
        alone = checks.call(DynamicRange(), (features[i : i + 1, :length],))
        garbage = features[i : i + 1].copy()
        garbage[:, length:] = np.nan
        padded = checks.call(DynamicRange(), (garbage, lengths[i : i + 1]))
        np.testing.assert_allclose(padded[:, :length], alone, atol=1e-6)


def test_rules_of_every_layer():
    checks.assert_same_everywhere(DynamicRange, batch())
    checks.assert_config_round_trips(DynamicRange(30.0), batch())
    checks.assert_declared_shape_is_real(DynamicRange(), [(2, 1, 5), (3, 20, 4)])
    checks.assert_stays_float32(DynamicRange, batch())


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"Received: -1"):
        DynamicRange(-1)
