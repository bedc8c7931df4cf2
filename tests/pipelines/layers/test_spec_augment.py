import functools

import numpy as np
import pytest

from pipelines.layers.spec_augment import SpecAugment
from tests.pipelines.layers import checks, speech

make = functools.partial(SpecAugment, 2, 4, 2, 8, seed=5)


def masked(layer, lengths, jit=False, frames=50, bins=12):
    """Where values changed, (clips, frames, bins)."""
    features = np.random.default_rng(1).normal(5, 1, (len(lengths), frames, bins)).astype("float32")
    features[np.arange(frames) >= lengths[:, None]] = 0
    values = checks.call(layer, (features, lengths), training=True, jit=jit)
    for value, clip, length in zip(values, features, lengths, strict=True):
        changed = value != clip
        np.testing.assert_allclose(value[changed], clip[:length].mean(), rtol=1e-5)
    return values != features


def runs(flags):
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return list(edges[1::2] - edges[::2])


def test_frequency_masks():
    masks = masked(SpecAugment(1, 4, 0, 0, seed=1), np.full(600, 50, "int32"))
    assert all((mask.all(axis=0) == mask.any(axis=0)).all() for mask in masks)
    bands = masks.any(axis=1)
    assert {tuple(runs(band)) for band in bands} == {(), (1,), (2,), (3,), (4,)}
    assert bands.any(axis=0).all()


@pytest.mark.parametrize("jit", [False, True])
def test_time_masks_stay_inside_the_clip(jit):
    lengths = np.repeat(np.array([3, 20, 50], "int32"), 400)
    masks = masked(SpecAugment(0, 0, 1, 10, max_time_fraction=0.4, seed=1), lengths, jit)
    assert all((mask.all(axis=1) == mask.any(axis=1)).all() for mask in masks)
    stretches = masks.any(axis=2)
    for length, longest in ((3, 1), (20, 8), (50, 10)):
        chosen = stretches[lengths == length]
        assert {sum(runs(flags)) for flags in chosen} == set(range(longest + 1))
        assert all(len(runs(flags)) <= 1 for flags in chosen)
        np.testing.assert_array_equal(chosen.any(axis=0), np.arange(50) < length)


def test_several_masks():
    masks = masked(SpecAugment(0, 0, 3, 5, seed=1), np.full(300, 50, "int32"))
    assert max(len(runs(mask.any(axis=1))) for mask in masks) == 3


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(make, speech.feature_batch(), training=training)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0].reshape(90, 10)
    alone = checks.call(make(seed=seed), (clip[None],), training=True)[0]
    padded = np.pad(clip, ((0, 30), (0, 0)), constant_values=np.nan)[None]
    result = checks.call(make(seed=seed), (padded, np.array([90], "int32")), training=True)[0]
    np.testing.assert_allclose(result, np.pad(alone, ((0, 30), (0, 0))), atol=1e-6)


def test_random_layer_rules():
    inputs = speech.feature_batch()
    checks.assert_identity_without_training(make, inputs)
    checks.assert_random_per_example(functools.partial(SpecAugment, 2, 5, 2, 10, seed=5), inputs[0][0], np.int32(40))
    checks.assert_seed_reproduces(lambda seed: make(seed=seed), inputs)
    checks.assert_stays_float32(make, inputs, training=True)
    checks.assert_config_round_trips(SpecAugment(1, 2, 3, 4, 0.5, seed=9), inputs)
    checks.assert_declared_shape_is_real(make(), [(2, 1, 5), (3, 70, 8)])


def test_masks_grow_with_their_strength():
    layer = SpecAugment(2, 4, 2, 20, seed=3)
    layer.make_scalable()
    features = np.ones((64, 50, 20), "float32") * np.arange(50, dtype="float32")[:, None]
    masked = []
    for strength in (0.0, 0.5, 1.0):
        layer.strength.assign(strength)
        masked.append((np.array(layer(features, training=True)) != features).mean())
    assert masked[0] == 0
    assert 0.05 < masked[1] < 0.75 * masked[2]


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"frequency_masks": -1}, "-1"),
        ({"frequency_width": -2}, "-2"),
        ({"time_masks": -3}, "-3"),
        ({"time_width": -4}, "-4"),
        ({"max_time_fraction": 1.1}, "1.1"),
    ],
)
def test_bad_arguments(options, quoted):
    with pytest.raises(ValueError, match=f"Received: {quoted}"):
        SpecAugment(**options)


def test_frequency_width_above_the_number_of_bins():
    with pytest.raises(ValueError, match=r"13 bins\. Received: 27"):
        SpecAugment()(np.zeros((1, 9, 13), "float32"))
