"""Conditions of the parameters of a search space: which exclude each other, and which depend on which."""

from collections.abc import Sequence

from pipelines.errors import UserError, unknown
from tuning.search_space.parameters import Parameter

Conditions = tuple[tuple[str, tuple[str, ...]], ...]  # pairs of a parent's name and the values of it that are required


def require_exclusive(parameters: Sequence[Parameter]) -> None:
    """Raises a UserError where two parameters have the same name and could be active together."""
    for i, parameter in enumerate(parameters):
        for other in parameters[:i]:
            if parameter.name == other.name and not _exclude_each_other(parameter, other):
                raise UserError(
                    f"{parameter.name} is given twice: add conditions with `if` so that only one of them is ever"
                    " active, or drop one."
                )


def sort_parents_first(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Sorts parameters so that each comes after those that it depends on.

    Raises:
        UserError: If a parent is unknown, is a range, is given twice, or depends on its own child.
    """
    names = {parameter.name for parameter in parameters}
    for parameter in parameters:
        for parent, allowed in parameter.conditions:
            if parent not in names:
                raise UserError(f"{parameter.name} has a condition on {parent}, which is not a parameter: set it too.")
            _require_choices(parameter, parent, allowed, parameters)
    ordered: list[Parameter] = []
    waiting = list(parameters)
    while waiting:
        unsorted = {parameter.name for parameter in waiting}
        ready = [child for child in waiting if not {parent for parent, _ in child.conditions} & unsorted]
        if not ready:
            raise UserError(f"{waiting[0].name} depends on itself through its conditions: drop one of them.")
        ordered += ready
        waiting = [child for child in waiting if child not in ready]
    return tuple(ordered)


def _exclude_each_other(parameter: Parameter, other: Parameter) -> bool:
    theirs = dict(other.conditions)
    return any(name in theirs and not set(values) & set(theirs[name]) for name, values in parameter.conditions)


def _require_choices(
    parameter: Parameter, parent: str, allowed: tuple[str, ...], parameters: Sequence[Parameter]
) -> None:
    """Raises a UserError unless the parent of `parameter` is on one line, and has the choices `allowed`."""
    parents = [candidate for candidate in parameters if candidate.name == parent]
    if len(parents) > 1 or not parents[0].choices:
        raise UserError(
            f"{parameter.name} cannot depend on {parent}, which is a range or given twice: name all its values"
            " on one line, with commas."
        )
    for value in allowed:
        if value not in parents[0].choices:
            raise unknown(f"{parent} in the condition of {parameter.name}", value, parents[0].choices)
