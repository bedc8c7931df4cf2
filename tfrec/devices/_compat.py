"""Private functions of TensorFlow."""

from typing import Any


def frozen(function: Any) -> Any:
    """A concrete function whose variables are constants; its loops stay functions of their own."""
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
