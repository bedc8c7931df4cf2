"""A check of a search space at its boundary, before the first trial, for configurations that cannot be trained."""

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.studies import model_costs
from tuning.search_space.parameters import Parameter, Values, to_flags

MAX_COMBINATIONS = 64  # a space with more of them is covered pair by pair
NETWORK_PARTS = ("data", "frontend", "model", "task")  # parts of a configuration that decide whether a network builds

Row = dict[int, Any]  # {index of a parameter: value}
Gain = Callable[[Row, int, Any], int]  # of a value for the parameter at an index, next to those of a row


def check(parameters: Sequence[Parameter], words: Sequence[str], on_count: Callable[[int], None]) -> None:
    """Parses the configuration of every combination on the boundary and builds its network, as `tfrec fit` would.

    Args:
        parameters: The search space.
        words: The command line of `tfrec fit` that the sweep starts from.
        on_count: Is called with the number of different networks before they are built.

    Raises:
        UserError: If a combination, or the configuration that the sweep starts from, cannot be trained; such as for
            lack of its data.
    """
    networks: dict[str, tuple[str, Any]] = {}
    for values in [{}, *boundary_configs(parameters)]:
        label = ", ".join(f"{name} {value}" for name, value in values.items())
        try:
            config = flags.to_config(flags.parse_fit([*words, *to_flags(values)])[1]).to_dict()
        except UserError as error:
            raise UserError(_message(label, error)) from error
        network = {part: config[part] for part in NETWORK_PARTS} | {"precision": config["fit"]["precision"]}
        networks.setdefault(json.dumps(network, sort_keys=True), (label, config))
    on_count(len(networks))
    for label, cost in model_costs.try_build(dict(networks.values()), latency=False).items():
        if reason := cost.get("user_error") or cost.get("error"):
            raise UserError(_message(label, reason))


def _message(label: str, reason: object) -> str:
    return f"The space holds a configuration that cannot be trained, {label}: {reason}" if label else str(reason)


def boundary_configs(parameters: Sequence[Parameter]) -> list[Values]:
    """Combines the bounds of the parameters; integers add the number after their lowest, often an odd width.

    Returns:
        {name: value} of the active parameters, for each combination; of spaces with more than `MAX_COMBINATIONS`, for
        so few that each pair of values is in one.
    """
    bounds = [_bounds(parameter) for parameter in parameters]
    if math.prod(map(len, bounds)) <= MAX_COMBINATIONS:
        products = (dict(enumerate(row)) for row in itertools.product(*bounds))
        rows = [_fill(parameters, bounds, product, lambda *_: 0) for product in products]
    else:
        rows = _pairwise(parameters, bounds)
    named = [{parameters[i].name: value for i, value in row.items()} for row in rows]
    return list({json.dumps(row, sort_keys=True): row for row in named}.values())


def _bounds(parameter: Parameter) -> tuple[Any, ...]:
    if parameter.low is None or not parameter.is_integer:
        return parameter.bounds
    second = parameter.low + 1 if parameter.step is None else parameter.low
    return tuple(dict.fromkeys((*parameter.bounds, int(second))))


def _pairwise(parameters: Sequence[Parameter], bounds: Sequence[tuple[Any, ...]]) -> list[Row]:
    """Rows that hold each pair of values that can be active together (Cohen et al. 1997, AETG)."""
    values = [(i, value) for i, own in enumerate(bounds) for value in own]
    uncovered = dict.fromkeys(pair for pair in itertools.combinations(values, 2) if pair[0][0] != pair[1][0])
    rows = []

    def newly_covered(row: Row, i: int, value: Any) -> int:
        return sum(((j, other), (i, value)) in uncovered for j, other in row.items())

    while uncovered:
        pair = next(iter(uncovered))
        required = dict(pair)
        row = _fill(parameters, bounds, required, newly_covered, _parent_values(parameters, required))
        if set(required) <= set(row):
            rows.append(row)
            for covered in itertools.combinations(sorted(row.items()), 2):
                uncovered.pop(covered, None)
        uncovered.pop(pair, None)  # also where the two are never active together
    return rows


def _parent_values(parameters: Sequence[Parameter], indices: Iterable[int]) -> dict[str, set[str]]:
    """The values of parents, over all generations, for which the parameters at some indices are active."""
    result: dict[str, set[str]] = {}
    queue = [parameters[i] for i in indices]
    while queue:
        for parent, allowed in queue.pop().conditions:
            result[parent] = set(allowed) & result.get(parent, set(allowed))
            queue += [parameter for parameter in parameters if parameter.name == parent]
    return result


def _fill(
    parameters: Sequence[Parameter],
    bounds: Sequence[tuple[Any, ...]],
    required: Row,
    gain: Gain,
    parent_values: Mapping[str, set[str]] | None = None,
) -> Row:
    """Builds a row of the active parameters: the `required` values, and of all others those with the highest gain.

    With `parent_values`, parents take only those; a required value whose parents have none left is not in the row.
    """
    row: Row = {}
    named: Values = {}
    for i, parameter in enumerate(parameters):
        if not parameter.is_active(named):
            continue
        options = [required[i]] if i in required else list(bounds[i])
        if parent_values and parameter.name in parent_values:
            options = [value for value in options if value in parent_values[parameter.name]]
        if not options:
            return {}
        value = max(options, key=functools.partial(gain, row, i))
        row[i] = named[parameter.name] = value
    return row
