import numpy as np
import pytest

from pipelines.layers.spectrogram_picture import SpectrogramPicture
from tests.pipelines.layers import checks


def make(**options):
    return SpectrogramPicture(**{"frames": 9, **options})


def batch():
    features = np.random.default_rng(0).normal(3.0, 2.0, (3, 17, 6)).astype("float32")
    lengths = np.array([17, 5, 1], "int32")
    return np.where(np.arange(17)[None, :, None] < lengths[:, None, None], features, 0), lengths


@pytest.mark.parametrize("normalize", [None, "symmetric", "imagenet", "per_image"])
def test_same_everywhere(normalize):
    checks.assert_same_everywhere(lambda: make(normalize=normalize, channels=3), batch())


def test_padding_and_neighbors_do_not_matter():
    features, lengths = batch()
    for i, length in enumerate(lengths):
        alone = checks.call(make(normalize="imagenet", channels=3), (features[i : i + 1, :length],))
        garbage = features[i : i + 1].copy()
        garbage[:, length:] = np.nan
        padded = checks.call(make(normalize="imagenet", channels=3), (garbage, lengths[i : i + 1]))
        np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_without_normalize_values_are_the_features():
    features, lengths = batch()
    picture = checks.call(make(frames=17, channels=2), (features, lengths))
    np.testing.assert_array_equal(picture[0, :, :, 0], features[0])
    np.testing.assert_array_equal(picture[..., 0], picture[..., 1])


def test_the_mean_is_gray_and_deviations_are_spread_over_the_range():
    features = np.zeros((1, 4, 2), "float32") + np.array([-1.0, 1.0], "float32")  # mean 0, deviation 1
    picture = checks.call(make(frames=4, normalize="symmetric"), (features,))
    np.testing.assert_allclose(picture[0, :, :, 0], np.tile([-0.4, 0.4], (4, 1)), atol=1e-4)
    outlier = np.zeros((1, 100, 1), "float32")
    outlier[0, 50] = 1.0
    assert checks.call(make(frames=100, normalize="symmetric"), (outlier,)).max() > 0.9999


def test_rules_of_every_layer():
    checks.assert_config_round_trips(make(normalize="caffe", channels=3), batch())
    checks.assert_declared_shape_is_real(make(channels=2), [(2, 1, 5), (3, 20, 4)])
    checks.assert_stays_float32(make, batch())


@pytest.mark.parametrize(
    ("options", "quoted"), [({"channels": 0}, "0"), ({"frames": 1}, "1"), ({"normalize": "loud"}, "loud")]
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: .*{quoted}"):
        make(**options)
