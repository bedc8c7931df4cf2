"""The class token: in front of all others, and in their mask."""

import numpy as np

from tfrec.architectures.layers.class_token import ClassToken, FirstToken, KeepClass

X = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")


def test_class_token_comes_first():
    layer = ClassToken()
    result = np.asarray(layer(X))
    np.testing.assert_array_equal(result[:, 1:], X)
    np.testing.assert_array_equal(result[:, 0], np.repeat(np.asarray(layer.token)[None], 2, axis=0))
    np.testing.assert_array_equal(FirstToken()(result), result[:, 0])
    assert layer.compute_output_shape((None, None, 4)) == (None, None, 4)


def test_mask_keeps_the_class_token():
    keep = np.array([[True, False], [False, False]])
    np.testing.assert_array_equal(KeepClass()(keep), [[True, True, False], [True, False, False]])
    assert KeepClass().compute_output_shape((None, 2)) == (None, 3)
    assert KeepClass().compute_output_shape((None, None)) == (None, None)
