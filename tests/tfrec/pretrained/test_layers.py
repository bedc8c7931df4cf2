"""Copying weights between two networks of the same structure."""

import re

import keras
import numpy as np
import pytest

from tests.tfrec.architectures.keras_applications import randomize
from tfrec.pretrained.layers import copy_weights, layers_with_weights


def dense(inputs, units, name):
    x = keras.Input((inputs,))
    y = keras.layers.Dense(units, name=f"{name}_1")(keras.layers.Normalization(axis=-1)(x))
    return keras.Model(x, keras.layers.BatchNormalization(name=f"{name}_2")(y), name=name)


def test_layers_pair_up_by_order():
    one, other = dense(3, 4, "one"), dense(3, 4, "other")
    assert [layer.name for layer in layers_with_weights(one)] == ["one_1", "one_2"]
    x = np.random.default_rng(0).normal(size=(5, 3))
    randomize(one, np.random.default_rng(1), x)
    copy_weights(one, other)
    np.testing.assert_array_equal(other(x), one(x))


def test_the_first_misfit_is_named_and_nothing_is_copied():
    one = dense(3, 4, "one")
    longer = keras.Sequential([*dense(3, 4, "other").layers, keras.layers.Dense(2, name="last")], name="longer")
    longer.build((None, 3))
    kind = keras.Sequential(
        [keras.Input((3,)), keras.layers.EinsumDense("bi,io->bo", 4, bias_axes="o", name="product")], name="kind"
    )
    for source, message in (
        (dense(3, 5, "wide"), "Dense 'wide_1' [(3, 5), (5,)] of wide for Dense 'one_1' [(3, 4), (4,)] of one"),
        (longer, "Dense 'last' [(4, 2), (2,)] of longer for no layer of one"),
        (kind, "EinsumDense 'product' [(3, 4), (4,)] of kind for Dense 'one_1' [(3, 4), (4,)] of one"),
    ):
        before = one.get_weights()
        with pytest.raises(ValueError, match=re.escape(message)):
            copy_weights(source, one)
        for old, new in zip(before, one.get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)
