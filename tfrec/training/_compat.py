"""Private members of Keras that training needs; tests/tfrec/training/test_compat.py fails when they change."""

from typing import Any

import keras


class SummedGradients:
    """Mixed into a Keras optimizer: `apply` takes gradients that the devices of a strategy have added up already.

    Keras adds them up itself, after it has clipped those of each device by themselves.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[Any]:
        return list(grads_and_vars)


def variable_index(optimizer: keras.Optimizer, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for.

    `update_step` is called with the backend's variable, for which Keras has no public lookup.
    """
    return optimizer._get_variable_index(variable)
