"""Private members of Keras that training needs; a failure here means that Keras has changed them."""

import keras
import numpy as np
import pytest

from tfrec.training import _compat


@pytest.mark.parametrize("kind", [keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.RMSprop])
def test_the_index_of_a_variable(kind):
    """Of Keras's variable and of the backend's."""
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in ((2,), (3, 4), ())]
    optimizer = kind()
    optimizer.build(variables)
    assert [_compat.variable_index(optimizer, variable) for variable in variables] == [0, 1, 2]
    assert [_compat.variable_index(optimizer, variable.value) for variable in variables] == [0, 1, 2]


def test_update_step_receives_the_variables_in_their_order():
    class Recording(keras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            indices.append(_compat.variable_index(self, variable))
            super().update_step(gradient, variable, learning_rate)

    variables, indices = [keras.Variable(np.zeros(shape, "float32")) for shape in ((2,), (3, 4))], []
    optimizer = Recording()
    optimizer.build(variables)
    optimizer.apply([np.ones(variable.shape, "float32") for variable in variables], variables)
    assert indices == [0, 1]


@pytest.mark.parametrize("is_masked", [False, True])
def test_synchronized_statistics_of_one_device_are_those_of_keras(is_masked):
    random = np.random.default_rng(0)
    values = random.normal(3.0, 2.0, (4, 6, 5)).astype("float32")
    mask = random.uniform(size=(4, 6)) < 0.6 if is_masked else None
    layers = [keras.layers.BatchNormalization() for _ in range(2)]
    for layer in layers:
        layer.build(values.shape)
    _compat.synchronize(layers[1], lambda sums: sums)
    one, other = (layer(values, training=True, mask=mask) for layer in layers)
    np.testing.assert_allclose(one, other, atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(*(np.array(getattr(layer, name)) for layer in layers), rtol=1e-5)


def test_batch_norms_inside_other_layers_are_found():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.BatchNormalization()])
    assert len(_compat.batch_norms(outer)) == 2


def test_gradients_that_are_added_up_already_stay():
    class Optimizer(_compat.SummedGradients, keras.optimizers.SGD):
        pass

    assert hasattr(keras.optimizers.SGD, "_all_reduce_sum_gradients")
    pairs = [(np.ones(2, "float32"), keras.Variable(np.zeros(2, "float32")))]
    assert Optimizer()._all_reduce_sum_gradients(pairs) == pairs
