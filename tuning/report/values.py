"""Values of parameters and scores as numbers and as text."""

import math
from typing import Any


def finite_number(value: Any) -> float | None:
    """Converts a value to a finite float, or to None where it is not one.

    >>> finite_number("1e-3"), finite_number(True), finite_number("nan"), finite_number("cnn")
    (0.001, None, None, None)
    """
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def format_value(value: Any) -> str:
    """Formats a value: the same text for a configuration's own value and for a choice of a space.

    >>> [format_value(value) for value in (True, "true", (3, 5), 0.000123456, 16, None)]
    ['true', 'true', '3 5', '0.0001235', '16', 'none']
    """
    if isinstance(value, list | tuple):
        return " ".join(map(format_value, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
