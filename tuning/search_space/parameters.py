"""The parameters of a search space: their values, and when they are active; `grammar` parses how they are written."""

import collections
import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras_tuner

Values = dict[str, Any]  # {name of a parameter: value}, a number or the text of a choice


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A flag of `tfrec fit` and its values: those of `choices`, or from `low` to `high`.

    `conditions` are pairs of another parameter's name and the values of it for which this parameter is active.
    `default` is the value in the configuration that the sweep starts from; it need not be one of those searched, and is
    None where that configuration does not have the flag.
    """

    name: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None  # added, or with `log` multiplied
    log: bool = False
    is_integer: bool = False
    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    default: object = None

    def declare(self, hyperparameters: keras_tuner.HyperParameters, key: str) -> None:
        """Adds the parameter to Keras Tuner's HyperParameters, which hold its parents already.

        Args:
            hyperparameters: The space so far.
            key: Its name there.
        """
        with contextlib.ExitStack() as scopes:
            for name, values in self.conditions:
                scopes.enter_context(hyperparameters.conditional_scope(name, list(values)))
            if self.choices:
                hyperparameters.Choice(key, list(self.choices), ordered=False)
                return
            add, kind = (hyperparameters.Int, int) if self.is_integer else (hyperparameters.Float, float)
            low, high = self._range
            step = None if self.step is None else kind(self.step)
            sampling = "log" if self.log else "linear"
            # Keras Tuner ignores rounding when it counts steps: it finds only two of 0.1 from 0 to 0.3.
            if self.step is not None and not self.log and not self.is_integer:
                high = low + self._num_steps * self.step + self.step / 2
            add(key, kind(low), kind(high), step=step, sampling=sampling)

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the conditions hold for the values {name: value} of the other parameters."""
        return all(values.get(name) in allowed for name, allowed in self.conditions)

    def contains(self, value: object) -> bool:
        """Returns whether a number lies in the range of the parameter."""
        return self.low is not None and isinstance(value, int | float) and self._range[0] <= value <= self._range[1]

    @property
    def bounds(self) -> tuple[Any, ...]:
        """Every choice, or the lowest and the highest number that a search can draw."""
        if self.choices:
            return self.choices
        low, high = self._range
        if self.step is not None and self.log:
            high = low * self.step ** math.floor(math.log(high / low, self.step) + 1e-8)
        elif self.step is not None:
            high = low + self._num_steps * self.step
        return tuple(dict.fromkeys(int(bound) if self.is_integer else bound for bound in (low, high)))

    @property
    def _range(self) -> tuple[float, float]:
        if self.low is None or self.high is None:
            raise ValueError(f"A parameter without choices must have low and high. Received: {self}")
        return self.low, self.high

    @property
    def _num_steps(self) -> int:
        """Additive steps between the lowest and the highest number."""
        low, high = self._range
        return math.floor((high - low) / (self.step or 1) + 1e-9)


def to_flags(values: Mapping[str, Any]) -> list[str]:
    """Converts values {name: value} to flags of `tfrec fit`.

    >>> to_flags({"fit.optimizer": "sgd", "frontend.horizontal_flip": "false", "frontend.scale": "0.9 1.1"})
    ['--fit.optimizer=sgd', '--frontend.no_horizontal_flip', '--frontend.scale', '0.9', '1.1']
    """
    flags = []
    for name, value in values.items():
        if value in ("true", "false"):
            section, _, field = name.rpartition(".")
            flags.append(f"--{name}" if value == "true" else f"--{section}.no_{field}")
        elif isinstance(value, str) and " " in value:
            flags += [f"--{name}", *value.split()]
        else:
            flags.append(f"--{name}={value}")
    return flags


def to_hyperparameters(parameters: Iterable[Parameter]) -> keras_tuner.HyperParameters:
    """Converts a space to Keras Tuner's HyperParameters; `active_values` converts what is drawn from them."""
    result = keras_tuner.HyperParameters()
    for key, parameter in _with_keys(parameters):
        parameter.declare(result, key)
    return result


def active_values(parameters: Iterable[Parameter], values: Mapping[str, Any]) -> Values:
    """Converts Keras Tuner's values to those of the active parameters.

    Keras Tuner's messages between machines add the first choice of each inactive parameter.

    Args:
        parameters: The space, parents first.
        values: As an oracle draws them from `to_hyperparameters(parameters)`.

    Returns:
        {name: value} of the active parameters, and of what tuners add, whose names begin with "tuner/".
    """
    result = {key: value for key, value in values.items() if key.startswith("tuner/")}
    for key, parameter in _with_keys(parameters):
        if key in values and parameter.is_active(result):
            result[parameter.name] = values[key]
    return result


def default_values(parameters: Iterable[Parameter]) -> Values | None:
    """Returns Keras Tuner's values of the configuration that a sweep starts from; None where the space lacks them."""
    result: Values = {}
    for key, parameter in active_by_default(parameters):
        value = to_choice(parameter.default) if parameter.choices else parameter.default
        if value not in parameter.choices and not parameter.contains(value):
            return None
        result[key] = value
    return result


def active_by_default(parameters: Iterable[Parameter]) -> Iterator[tuple[str, Parameter]]:
    """Yields (Keras Tuner's name, Parameter) of those active in the configuration that a sweep starts from."""
    values: Values = {}
    for key, parameter in _with_keys(parameters):
        if parameter.is_active(values):
            values[parameter.name] = to_choice(parameter.default)
            yield key, parameter


def to_choice(value: object) -> str:
    """Formats a value of a configuration as a choice of a space.

    >>> [to_choice(value) for value in (True, (0.9, 1.1), 32, None)]
    ['true', '0.9 1.1', '32', 'None']
    """
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(f"{part:g}" for part in value) if isinstance(value, list | tuple) else str(value)


def merge_by_name(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Merges the parameters that share a name, because they are never active together, into one with all their values.

    Where one of them has choices and another a range, the result has neither `choices` nor `low`.
    """
    groups: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(parameter.name, []).append(parameter)
    return [_merged(group) if len(group) > 1 else group[0] for group in groups.values()]


def _merged(group: Sequence[Parameter]) -> Parameter:
    choices: tuple[str, ...] = ()
    lows = [parameter.low for parameter in group if parameter.low is not None]
    highs = [parameter.high for parameter in group if parameter.high is not None]
    if all(parameter.choices for parameter in group):
        choices = tuple(dict.fromkeys(choice for parameter in group for choice in parameter.choices))
    is_range = not any(parameter.choices for parameter in group)
    return dataclasses.replace(
        group[0],
        choices=choices,
        low=min(lows) if is_range else None,
        high=max(highs) if is_range else None,
        step=None,
        log=all(parameter.log for parameter in group),
        is_integer=all(parameter.is_integer for parameter in group),
        conditions=tuple(condition for parameter in group for condition in parameter.conditions),
    )


def _with_keys(parameters: Iterable[Parameter]) -> Iterator[tuple[str, Parameter]]:
    """Yields each parameter with a unique key: of two with one name, Keras Tuner loses the active value."""
    seen: collections.Counter[str] = collections.Counter()
    for parameter in parameters:
        seen[parameter.name] += 1
        yield parameter.name + (f"#{seen[parameter.name]}" if seen[parameter.name] > 1 else ""), parameter
