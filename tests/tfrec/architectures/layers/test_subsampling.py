"""Subsampling of frames: fewer steps, which padding never changes."""

import keras
import numpy as np
import pytest

from tfrec.architectures.layers.masking import MaskFrames
from tfrec.architectures.layers.subsampling import subsample


@pytest.mark.parametrize(("factor", "frames"), [(1, 5), (2, 3), (4, 2)])
def test_subsampling(factor, frames):
    features, keep = keras.Input((None, 20)), keras.Input((None,), dtype="bool")
    net = keras.Model([features, keep], subsample(MaskFrames()(features, keep), keep, 6, 4, factor))
    x = np.random.default_rng(0).normal(size=(1, 5, 20)).astype("float32")
    result, mask = net([x, np.ones((1, 5), bool)])
    assert result.shape == (1, frames, 6)
    assert np.asarray(mask).all()
    padded = np.concatenate([x, np.full((1, 4, 20), 9.0, "float32")], axis=1)
    longer, mask = net([padded, np.arange(9)[None] < 5])
    assert np.asarray(mask).sum() == frames
    np.testing.assert_allclose(longer[:, :frames], result, atol=1e-5)
