import functools

import numpy as np
import pytest

from pipelines.layers.time_shift import TimeShift
from tests.pipelines.layers import checks, speech

make = functools.partial(TimeShift, 50, speech.RATE_HZ, seed=5)


@pytest.mark.parametrize("jit", [False, True])
def test_shifts_fill_the_range_inside_the_clip(jit):
    lengths = np.repeat(np.array([1, 5, 40], "int32"), 400)
    ramp = np.tile(np.arange(1, 61, dtype="float32"), (1200, 1))
    shifted = checks.call(TimeShift(10, 1000, seed=3), (ramp, lengths), training=True, jit=jit)
    seen = {1: set(), 5: set(), 40: set()}
    for row, length in zip(shifted, lengths, strict=True):
        first = np.flatnonzero(row)[0]
        shift = int(first + 1 - row[first])
        expected = np.zeros(60)
        for t in range(length):
            if 0 <= t - shift < length:
                expected[t] = t - shift + 1
        np.testing.assert_array_equal(row, expected)
        seen[int(length)].add(shift)
    assert seen == {1: {0}, 5: set(range(-4, 5)), 40: set(range(-10, 11))}


@pytest.mark.parametrize("training", [True, False])
def test_same_everywhere(training):
    checks.assert_same_everywhere(make, speech.batch(), training=training)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_padding_does_not_matter(seed):
    clip = speech.clips(900)[0]
    alone = checks.call(TimeShift(20, 16000, seed=seed), (clip[None],), training=True)[0]
    padded = np.pad(clip, (0, 300), constant_values=np.nan)[None]
    result = checks.call(TimeShift(20, 16000, seed=seed), (padded, np.array([900], "int32")), training=True)[0]
    np.testing.assert_array_equal(result, np.pad(alone, (0, 300)))
    assert np.count_nonzero(alone) < 900


def test_random_layer_rules():
    checks.assert_identity_without_training(make, speech.batch())
    checks.assert_random_per_example(make, speech.clips(3000)[0], np.int32(2000))
    checks.assert_seed_reproduces(lambda seed: TimeShift(seed=seed), speech.batch())
    checks.assert_stays_float32(make, speech.batch(), training=True)
    checks.assert_config_round_trips(TimeShift(12.5, 8000, seed=9), speech.batch())
    checks.assert_declared_shape_is_real(make(), [(2, 0), (2, 1), (3, 700)])


def test_no_samples():
    empty = np.zeros((2, 0), "float32")
    assert checks.call(make(), (empty, np.zeros(2, "int32")), training=True).shape == (2, 0)


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: -1"):
        TimeShift(-1)
    with pytest.raises(ValueError, match="Received: 0"):
        TimeShift(10, 0)
