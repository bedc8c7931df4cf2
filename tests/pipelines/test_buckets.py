import itertools

import numpy as np
import pytest

from pipelines import buckets


def test_the_cuts_leave_the_least_padding():
    """Compared with every other way to cut."""
    random = np.random.default_rng(0)
    for _ in range(5):
        seconds = random.integers(1, 12, size=20) / 10
        planned = buckets.plan(seconds, 1000, batch_size=64, count=3)
        edges = np.unique(seconds)
        best = min(
            np.array([min(limit for limit in limits if limit >= length - 1e-9) for length in seconds]).sum()
            for chosen in itertools.combinations(edges[:-1], min(2, len(edges) - 1))
            for limits in [(*chosen, edges[-1])]
        )
        assert planned.padding == pytest.approx(1 - seconds.sum() / best)


def test_no_batch_is_longer_than_batch_seconds_and_every_clip_is_in_one():
    seconds = np.random.default_rng(1).gamma(4.0, 1.0, size=300)
    planned = buckets.plan(seconds, 16000, batch_size=24, batch_seconds=40, count=6)
    assert len(planned.limits) == 6
    assert list(planned.limits) == sorted(planned.limits)
    assert planned.limits[-1] >= seconds.max() * 16000
    place = np.searchsorted(planned.limits, seconds * 16000)
    for i, (limit, size) in enumerate(zip(planned.limits, planned.sizes, strict=True)):
        assert size == 1 or size * limit / 16000 <= 40
        assert size <= min(24, np.count_nonzero(place == i))
    assert planned.batches == sum(-(-np.count_nonzero(place == i) // size) for i, size in enumerate(planned.sizes))


def test_a_clip_longer_than_batch_seconds_is_a_batch_by_itself():
    planned = buckets.plan([1.0, 1.0, 50.0], 8000, batch_size=8, batch_seconds=10)
    assert planned.limits == (8000, 400000)
    assert planned.sizes == (2, 1)
    assert "2 x 1.0 s, 1 x 50.0 s" in planned.describe()
    assert "0.0% of them is padding" in planned.describe()


def test_clips_of_one_length_make_one_bucket():
    assert buckets.plan([0.25] * 5, 8000, batch_size=2).limits == (2400,)


def test_limits_hold_whole_samples():
    """A tenth of a second of 11,025 a second is 1,102.5 samples: a clip of 1,103 belongs to the next bucket."""
    planned = buckets.plan(np.array([1102, 1103]) / 11025, 11025, batch_size=2)
    assert planned.limits == (1102, 2205)


def test_without_clips_there_are_no_buckets():
    with pytest.raises(ValueError, match="at least one clip"):
        buckets.plan([], 8000, 4)
