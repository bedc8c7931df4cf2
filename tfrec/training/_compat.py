"""Private members of Keras that training needs; tests/tfrec/training/test_compat.py fails when they change."""

from typing import Any

import keras


def variable_index(optimizer: keras.Optimizer, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for.

    `update_step` is called with the backend's variable, for which Keras has no public lookup.
    """
    return optimizer._get_variable_index(variable)
