"""What a sweep may choose: parameters, their values, and when they count; `grammar` reads how they are written."""

import collections
import contextlib
import dataclasses
import math

import keras_tuner


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A flag and its values: those of `choices`, or from `low` to `high`.

    `conditions` are pairs of another parameter's name and the values at which this one counts. `default` is the value
    of the configuration that the sweep starts from; it need not be one of those searched, and is None where that
    configuration does not have the flag.
    """

    name: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    whole: bool = False  # only whole numbers
    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    default: object = None

    def declare(self, hyperparameters, key):
        """Adds it to Keras Tuner's HyperParameters under that name; its parents are there already."""
        with contextlib.ExitStack() as scopes:
            for name, values in self.conditions:
                scopes.enter_context(hyperparameters.conditional_scope(name, list(values)))
            if self.choices:
                hyperparameters.Choice(key, list(self.choices), ordered=False)
                return
            number, kind = (hyperparameters.Int, int) if self.whole else (hyperparameters.Float, float)
            step = None if self.step is None else kind(self.step)
            sampling = "log" if self.log else "linear"
            # Keras Tuner counts steps without regard to rounding: to it there are only two of 0.1 from 0 to 0.3.
            high = self.high if self.step is None or self.log or self.whole else self.ends[-1] + self.step / 2
            number(key, kind(self.low), kind(high), step=step, sampling=sampling)

    def counts(self, values):
        """Whether it counts beside these values, {name: value}."""
        return all(values.get(name) in wanted for name, wanted in self.conditions)

    @property
    def ends(self):
        """Where it can break: every choice, or the lowest and highest number."""
        if self.choices:
            return self.choices
        high = self.high
        if self.step is not None and self.log:
            high = self.low * self.step ** math.floor(math.log(self.high / self.low, self.step) + 1e-8)
        elif self.step is not None:
            high = self.low + math.floor((self.high - self.low) / self.step + 1e-9) * self.step
        return tuple(dict.fromkeys(int(end) if self.whole else end for end in (self.low, high)))


def words(values):
    """{name: value} -> the flags of `tfrec.fit` that say the same."""
    result = []
    for name, value in values.items():
        if value in ("true", "false"):
            section, _, field = name.rpartition(".")
            result.append(f"--{name}" if value == "true" else f"--{section}.no_{field}")
        elif isinstance(value, str) and " " in value:
            result += [f"--{name}", *value.split()]
        else:
            result.append(f"--{name}={value}")
    return result


def hyperparameters(parameters):
    """Keras Tuner's HyperParameters of a space; `chosen` reads what is drawn from them."""
    result = keras_tuner.HyperParameters()
    for key, parameter in _keyed(parameters):
        parameter.declare(result, key)
    return result


def chosen(parameters, values):
    """Keras Tuner's values -> {name: value} of the parameters that count, and what tuners add, named tuner/...

    Its messages between machines bring along the first choices of parameters that do not count.
    """
    result = {key: value for key, value in values.items() if key.startswith("tuner/")}
    for key, parameter in _keyed(parameters):
        if key in values and parameter.counts(result):
            result[parameter.name] = values[key]
    return result


def start(parameters):
    """Keras Tuner's values of the configuration that a sweep starts from; None where the space does not hold it."""
    found = {}
    for key, parameter in counting(parameters):
        value = written(parameter.default) if parameter.choices else parameter.default
        if value not in parameter.choices and not (parameter.low is not None and _within(parameter, value)):
            return None
        found[key] = value
    return found


def counting(parameters):
    """(Keras Tuner's name, Parameter) of those that count in the configuration that a sweep starts from."""
    values = {}
    for key, parameter in _keyed(parameters):
        if parameter.counts(values):
            values[parameter.name] = written(parameter.default)
            yield key, parameter


def written(value):
    """A value of a configuration as a space has it.

    >>> [written(value) for value in (True, (0.9, 1.1), 32, None)]
    ['true', '0.9 1.1', '32', 'None']
    """
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(f"{part:g}" for part in value) if isinstance(value, (list, tuple)) else str(value)


def _within(parameter, value):
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high


def _keyed(parameters):
    """Parameters, each behind a name of its own: of two of one name Keras Tuner loses the value that counts."""
    seen = collections.Counter()
    for parameter in parameters:
        seen[parameter.name] += 1
        yield parameter.name + (f"#{seen[parameter.name]}" if seen[parameter.name] > 1 else ""), parameter
