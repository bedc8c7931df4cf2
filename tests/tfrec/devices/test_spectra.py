"""Features without an FFT, for runtimes that have none."""

import numpy as np

from pipelines.layers import LogMel


def test_spectra_by_matrix_products_give_the_same_features():
    random = np.random.default_rng(0)
    clips = random.normal(scale=0.1, size=(2, 4000)).astype("float32")
    lengths = np.array([4000, 2500], "int32")
    layer, other = LogMel(8000, mels=40), LogMel(8000, mels=40)
    other.fourier_by_matrix = True
    np.testing.assert_allclose(other(clips, lengths), layer(clips, lengths), atol=1e-4)
