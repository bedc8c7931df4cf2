import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from pipelines.layers.mix import Mix
from tests.pipelines.layers import checks
from tests.pipelines.layers.images import UNKNOWN_SIZE, assert_config_is_complete, random_images


@keras.saving.register_keras_serializable("tests")
class Mixed(Mix):
    """The mixed features alone, for checks of layers with one output."""

    def call(self, features, training=None):
        return super().call(features, training=training)[0]

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(input_shape)[0]


@keras.saving.register_keras_serializable("tests")
class Weights(Mix):
    """The weights alone."""

    def call(self, features, training=None):
        return super().call(features, training=training)[1]

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(input_shape)[1]


KINDS = {"mixup": {"cutmix_alpha": 0.0}, "cutmix": {"mixup_alpha": 0.0}, "both": {}}


def mix(images, training=True, **options):
    return [np.asarray(output) for output in Mix(**{"seed": 1, **options})(images, training=training)]


def numbered(batch=500, height=12, width=20):
    """Image i is i everywhere: the result shows the share of each image in it."""
    return np.broadcast_to(np.arange(batch, dtype="float32")[:, None, None, None], (batch, height, width, 2)).copy()


def partner_share(mixed):
    """The share of the example before in every value."""
    own = np.arange(len(mixed))[:, None, None, None]
    partner = np.roll(np.arange(len(mixed)), 1)[:, None, None, None]
    return (mixed - own) / (partner - own)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_mixup_blends_with_the_example_before(alpha):
    mixed, weight = mix(numbered(), mixup_alpha=alpha, cutmix_alpha=0.0)
    share = partner_share(mixed)
    np.testing.assert_allclose(share, np.broadcast_to(1 - weight[:, None, None, None], share.shape), atol=1e-3)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 5.0])
def test_weights_follow_the_beta_distribution(alpha):
    images = np.zeros((20_000, 1, 1, 1), "float32")
    _, weight = mix(images, mixup_alpha=alpha, cutmix_alpha=0.0)
    assert 0 <= weight.min() <= weight.max() <= 1
    # Not at the very ends: as float32 many draws of a small alpha are exactly 1.
    grid = np.linspace(0.001, 0.999, 500)
    share_below = np.searchsorted(np.sort(weight), grid) / len(weight)

    def distance(alpha):
        return np.abs(share_below - scipy.stats.beta(alpha, alpha).cdf(grid)).max()

    assert distance(alpha) < 0.0115  # what Kolmogorov and Smirnov allow 99 of 100 such samples
    assert distance(1.4 * alpha) > 0.02


def test_cutmix_puts_one_rectangle_of_the_example_before():
    mixed, weight = mix(numbered(), mixup_alpha=0.0)
    share = partner_share(mixed)
    assert set(np.unique(share)) == {0, 1}
    centers = []
    for image, own in zip(share, weight, strict=True):
        mask = image[..., 0].astype(bool)
        np.testing.assert_array_equal(image[..., 1], mask)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert own == pytest.approx(1 - mask.mean(), abs=1e-6)
        if mask.any():
            assert mask.sum() == np.prod([axis[-1] - axis[0] + 1 for axis in (rows, columns)])
            inside = rows[0] > 0 and rows[-1] < 11 and columns[0] > 0 and columns[-1] < 19
            if inside:  # not clipped, so of the image's aspect
                assert abs(len(columns) - len(rows) * 20 / 12) < 2
            centers.append((rows.mean(), columns.mean()))
    assert len(centers) > 450
    np.testing.assert_allclose(np.mean(centers, axis=0), [5.5, 9.5], atol=0.6)
    assert abs(np.corrcoef(np.transpose(centers))[0, 1]) < 0.15


def test_the_weight_of_cutmix_is_what_is_left_after_clipping():
    """Its mean is that of an integral over all areas, uniform for alpha 1, and all centers."""

    def inside(area, center):  # of a stretch in [0, 1]
        half = np.sqrt(area) / 2
        return min(center + half, 1) - max(center - half, 0)

    def lost(area):
        return scipy.integrate.quad(lambda center: inside(area, center), 0, 1)[0] ** 2

    _, weight = mix(np.zeros((3000, 50, 60, 1), "float32"), mixup_alpha=0.0)
    assert weight.mean() == pytest.approx(1 - scipy.integrate.quad(lost, 0, 1)[0], abs=0.015)


def test_both_take_turns():
    mixed, weight = mix(numbered(2000), mixup_alpha=1.0, cutmix_alpha=1.0)
    blended = [len(np.unique(image)) == 1 and 0.01 < own < 0.99 for image, own in zip(mixed, weight, strict=True)]
    assert np.mean(blended) == pytest.approx(0.49, abs=0.04)
    np.testing.assert_allclose(1 - partner_share(mixed).mean((1, 2, 3)), weight, atol=1e-3)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_probability(options):
    images = numbered(height=100, width=100)
    for probability in (0.0, 0.3, 1.0):
        mixed, _ = mix(images, probability=probability, **{"mixup_alpha": 1.0, **options})
        untouched = (mixed == images).all((1, 2, 3))
        assert np.mean(untouched) == pytest.approx(1 - probability, abs=0.07)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_without_training(options):
    for training in (None, False):
        features, weight = mix(random_images(), training=training, **options)
        np.testing.assert_array_equal(features, random_images())
        np.testing.assert_array_equal(weight, np.ones(4))
        assert weight.dtype == features.dtype == np.float32


@pytest.mark.parametrize("kind", [Mixed, Weights])
def test_same_everywhere(kind):
    make = lambda: kind(mixup_alpha=0.5, seed=5)  # noqa: E731
    checks.assert_same_everywhere(make, (random_images(),), training=True, shapes=UNKNOWN_SIZE, atol=1e-4)
    checks.assert_same_everywhere(make, (random_images(dtype="float32"),), shapes=UNKNOWN_SIZE)


def test_a_batch_of_one_is_its_own_partner():
    features, weight = mix(random_images(batch=1))
    np.testing.assert_allclose(features, random_images(batch=1), rtol=1e-6)
    assert weight.shape == (1,)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_randomness_config_dtype_shape(options):
    make = lambda seed=5: Mixed(**options, seed=seed)  # noqa: E731
    checks.assert_identity_without_training(make, (random_images(),))
    checks.assert_seed_reproduces(make, (random_images(),))
    checks.assert_config_round_trips(make(), (random_images(),))
    assert_config_is_complete(Mix(**options, seed=5))
    checks.assert_stays_float32(make, (random_images(),), training=True)
    checks.assert_declared_shape_is_real(make(), [(2, 5, 7, 3), (1, 1, 1, 1)])
    assert Mix(**options).compute_output_shape((None, 5, 7, 3)) == ((None, 5, 7, 3), (None,))
    checks.assert_random_per_example(lambda: Weights(mixup_alpha=1.0, cutmix_alpha=0.0, seed=5), random_images()[0])


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"mixup_alpha": -0.1}, "-0.1"),
        ({"cutmix_alpha": 101.0}, "101.0"),
        ({"mixup_alpha": 0.0, "cutmix_alpha": 0}, "0 and 0"),
        ({"probability": 1.5}, "1.5"),
    ],
)
def test_bad_arguments(options, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        Mix(**options)


def test_bad_rank():
    with pytest.raises(ValueError, match=r"Received: shape=\(13, 18, 3\)"):
        Mix()(random_images()[0])
