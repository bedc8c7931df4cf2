"""Clips of which only what mattered is left."""

import numpy as np
import pytest

from pipelines import frontends
from pipelines.errors import UserError
from tfrec.explain import audible

RATE = 8000
TIMES = np.arange(RATE) / RATE
LOW, HIGH = (0.2 * np.sin(2 * np.pi * hertz * TIMES) for hertz in (500, 2500))


def frontend(**settings):
    return frontends.build(frontends.SpeechConfig(sample_rate_hz=RATE, **settings), augment=False)


def test_the_parts_of_a_clip_are_the_clip():
    where = audible.Axes(np.linspace(0, 1, 11), np.linspace(100, 3900, 20))
    relevance = np.where(where.hertz < 1000, 1.0, 0.0) * np.ones((11, 1))
    parts = audible.split((LOW + HIGH).astype("float32"), RATE, relevance, where, 0.9)
    np.testing.assert_allclose(parts.kept + parts.removed, LOW + HIGH, atol=1e-6)
    np.testing.assert_allclose(parts.kept[200:-200], LOW[200:-200], atol=0.02)
    assert parts.share == pytest.approx(0.5, abs=0.02)


def test_no_more_than_the_share_is_kept():
    where = audible.Axes(np.linspace(0, 1, 11), None)
    relevance = np.random.default_rng(0).random((11, 13))
    assert 0.25 < audible.split(LOW, RATE, relevance, where, 0.3).share <= 0.3
    assert audible.split(LOW, RATE, -relevance, where, 0.3).share == 0
    assert not audible.split(np.zeros(100), RATE, relevance, where, 0.3).kept.any()


def test_frames_have_their_times():
    layer = frontend().features
    where = audible.axes(frontend(), RATE, (98, 40))
    np.testing.assert_allclose(where.seconds[:2], [layer.window / 2 / RATE, (layer.window / 2 + layer.hop) / RATE])
    assert (np.diff(where.hertz) > 0).all()
    assert where.hertz[-1] < RATE / 2
    shifted = audible.axes(frontend(margin_ms=150.0), RATE, (128, 40))
    np.testing.assert_allclose(shifted.seconds, np.arange(128) * 0.01 + where.seconds[0] - 0.15)
    stretched = audible.axes(frontend(fixed_frames=50), RATE, (50, 40))
    np.testing.assert_allclose(stretched.seconds[[0, -1]], where.seconds[[0, -1]])


def test_features_without_frequencies():
    assert audible.axes(frontend(features="mfcc"), RATE, (98, 13)).hertz is None
    where = audible.axes(frontend(form="waveform"), RATE, (RATE, 1))
    assert where.hertz is None
    np.testing.assert_allclose(where.seconds, TIMES)
    np.testing.assert_array_equal(audible.per_bin(np.ones((2, 6)), 2), np.full((2, 2), 3))
    np.testing.assert_array_equal(audible.per_bin(np.ones((2, 6)), None), np.full((2, 1), 6))


def test_a_clip_that_the_frontend_cuts():
    with pytest.raises(UserError, match=r"frontend\.trim cuts the clip"):
        audible.axes(frontend(trim=True), RATE, (98, 40))
