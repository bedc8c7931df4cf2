"""Numbers in JSON as short as they are."""

import json

import numpy as np

from tfrec.utils import short_numbers


def test_numbers_have_the_digits_that_they_have():
    values = {
        "sum": 0.7 * 2 + 2e-16,
        "float32": float(np.float32(0.1)),
        "numpy": np.float64(1.1 * 3),
        "count": 3,
        "x": None,
    }
    text = short_numbers.dumps(values, indent=None)
    assert text == '{"sum": 1.4, "float32": 0.1, "numpy": 3.3, "count": 3, "x": null}'


def test_extreme_numbers_stay():
    values = [0.0, -0.0, 1e300, 1e-300, 5e-324, float("inf"), 1 / 3, True, "0.30000000000000004"]
    assert short_numbers.shorten(values) == [*values[:6], 0.333333333333333, True, values[-1]]
    assert json.loads(short_numbers.dumps([2**53])) == [2**53]
