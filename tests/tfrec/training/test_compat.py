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
