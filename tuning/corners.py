"""Where a space can break: tried before the first trial, so that no sweep stops at what could have been known."""

import itertools
import json
import math

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import as_json
from tfrec.studies import model_costs
from tuning import spaces

ALL = 64  # so many combinations are all tried; of more, enough that every pair of values stands in one
BUILT = ("data", "frontend", "model", "task")  # what decides whether a network can be built


def check(parameters, words, tell):
    """Reads every corner's configuration and builds its network, as `tfrec.fit` with `words` would.

    UserError for one that is impossible, or where what the sweep starts from is, such as for want of its data. Calls
    `tell(count)` before building so many networks.
    """
    networks = {}
    for values in [{}, *corners(parameters)]:
        label = ", ".join(f"{name} {value}" for name, value in values.items())
        try:
            config = as_json(flags.plain(flags.parse_fit([*words, *spaces.words(values)])[1]))
        except UserError as error:
            raise UserError(_impossible(label, error)) from error
        built = {part: config[part] for part in BUILT} | {"precision": config["fit"]["precision"]}
        networks.setdefault(json.dumps(built, sort_keys=True), (label, config))
    tell(len(networks))
    for label, cost in model_costs.try_build(dict(networks.values()), latency=False).items():
        if reason := cost.get("user_error") or cost.get("error"):
            raise UserError(_impossible(label, reason))


def _impossible(label, reason):
    return f"The space holds what is impossible, {label}: {reason}" if label else str(reason)


def corners(parameters):
    """Combinations of the parameters' ends: a list of {name: value}, each with those that count in it.

    Whole numbers also bring the one above their lowest, which not every network can have as its width.
    """
    ends = [_ends(parameter) for parameter in parameters]
    if math.prod(map(len, ends)) <= ALL:
        rows = [dict(enumerate(row)) for row in itertools.product(*ends)]
        found = [_filled(parameters, ends, row, lambda *_: 0) for row in rows]
    else:
        found = _pairs(parameters, ends)
    rows = [{parameters[i].name: value for i, value in row.items()} for row in found]
    return list({json.dumps(row, sort_keys=True): row for row in rows}.values())


def _ends(parameter):
    if parameter.choices or not parameter.whole:
        return parameter.ends
    second = parameter.low + 1 if parameter.step is None else parameter.low
    return tuple(dict.fromkeys((*parameter.ends, int(second))))


def _pairs(parameters, ends):
    """Rows {place of a parameter: value} in which each pair of values stands that can (Cohen et al. 1997, AETG)."""
    values = [(i, value) for i, own in enumerate(ends) for value in own]
    waiting = dict.fromkeys(pair for pair in itertools.combinations(values, 2) if pair[0][0] != pair[1][0])
    rows = []
    while waiting:
        pair = next(iter(waiting))

        def gain(row, i, value):
            return sum(((j, other), (i, value)) in waiting for j, other in row.items())

        row = _filled(parameters, ends, dict(pair), gain, required=True)
        if row is not None:
            rows.append(row)
            for covered in itertools.combinations(sorted(row.items()), 2):
                waiting.pop(covered, None)
        waiting.pop(pair, None)  # also where the two can never count together
    return rows


def _filled(parameters, ends, wanted, gain, required=False):
    """A row with the `wanted` values {place: value} where they count, and of all others those of the highest gain.

    With `required`, None where one of the wanted does not count.
    """
    asked = {}
    if required:
        queue = [parameters[i] for i in wanted]
        while queue:
            for parent, allowed in queue.pop().conditions:
                asked[parent] = set(allowed) & asked.get(parent, set(allowed))
                queue += [one for one in parameters if one.name == parent]
    row, named = {}, {}
    for i, parameter in enumerate(parameters):
        if not parameter.counts(named):
            continue
        options = [wanted[i]] if i in wanted else ends[i]
        options = [value for value in options if value in asked.get(parameter.name, options)]
        if not options:
            return None
        value = max(options, key=lambda value, i=i: gain(row, i, value))
        row[i] = named[parameter.name] = value
    return None if required and not set(wanted) <= set(row) else row
