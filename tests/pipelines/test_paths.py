"""What of a name reaches a spreadsheet."""

import pytest

from pipelines import paths


@pytest.mark.parametrize("text", ["=1+1", "+a", "-", "- 3", "@SUM(A1)", "-1-1"])
def test_a_cell_is_no_formula(text):
    assert paths.cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-3.5", "+2", "-1e-3", "-.5", "a=b", "", None, -2, 0.5])
def test_other_cells_stay(value):
    assert paths.cell(value) == value


def test_a_cell_has_no_control_characters():
    assert paths.cell("a\x1b[2J\nb") == r"a\x1b[2J\nb"
