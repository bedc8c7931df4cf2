"""The configs of architectures: the fields that all have, those of networks for images, and checks of values."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from tfrec.architectures.types import Shape

AnyConfig = TypeVar("AnyConfig", bound="ModelConfig")

SMALL_IMAGE_PIXELS = 64  # up to this height or width, the stem "auto" is the small one


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """An architecture; each adds fields of its own."""

    name: str = ""  # architecture, see `python -m tfrec list architectures`
    weights: str | None = None  # initial weights: imagenet, a run folder, or a .weights.h5 file; None is random

    @property
    def is_pretrained(self) -> bool:
        """Whether some of the initial weights are pretrained."""
        return self.weights is not None


@dataclasses.dataclass(frozen=True)
class ImageModelConfig(ModelConfig):
    """The fields that the published image architectures share."""

    stem: Literal["auto", "large", "small"] = "auto"  # small downsamples less; auto is small for up to 64 pixels
    width_multiplier: float = 1.0  # multiplies the channels of every layer
    depth_multiplier: float = 1.0  # multiplies the number of blocks of every stage
    dropout: float = 0.0  # fraction, before the logits
    stochastic_depth: float = 0.0  # probability of dropping the last residual branch; rises linearly with depth

    def __post_init__(self) -> None:
        for field in ("width_multiplier", "depth_multiplier"):
            check(getattr(self, field) > 0, f"model.{field} must be above 0", getattr(self, field))
        for field in ("dropout", "stochastic_depth"):
            check(0 <= getattr(self, field) < 1, f"model.{field} must be at least 0 and below 1", getattr(self, field))

    def small_stem(self, input_shape: Shape) -> bool:
        """Whether images of shape (height, width, ...) get the stem for small images."""
        if self.stem != "auto":
            return self.stem == "small"
        return min(side for side in input_shape[:2] if side is not None) <= SMALL_IMAGE_PIXELS

    def channels(self, number: int) -> int:
        """Channels of a layer that has `number` in the paper; a multiple of 8 when scaled."""
        if self.width_multiplier == 1:
            return number
        return max(8, int(number * self.width_multiplier / 8 + 0.5) * 8)

    def repeats(self, number: int) -> int:
        """Blocks of a stage that has `number` in the paper; at least one."""
        return max(1, round(number * self.depth_multiplier))


def check(condition: object, rule: str, received: object) -> None:
    """Checks an argument.

    Args:
        condition: whether the argument is valid.
        rule: what a valid argument must be.
        received: the argument.

    Raises:
        ValueError: with the rule and the argument, unless the condition is true.
    """
    if not condition:
        raise ValueError(f"{rule}. Received: {received}")


def check_image(name: str, input_shape: Shape) -> None:
    """Checks the input shape of an architecture for images.

    Args:
        name: of the architecture.
        input_shape: to check.

    Raises:
        ValueError: unless the shape is (height, width, channels), all known.
    """
    check(
        len(input_shape) == 3 and None not in input_shape, f"{name} takes (height, width, channels)", tuple(input_shape)
    )


def check_no_branches(name: str, config: ImageModelConfig) -> None:
    """Checks the config of a network without residual branches.

    Args:
        name: of the architecture.
        config: to check.

    Raises:
        ValueError: for stochastic depth.
    """
    rate = config.stochastic_depth
    check(rate == 0, f"{name} has no residual branches for stochastic_depth", rate)


def replace_settings(config: AnyConfig, settings: Mapping[str, Any]) -> AnyConfig:
    """Replaces fields of a config, after a check of their types.

    >>> replace_settings(ImageModelConfig(), {"stem": "small"}).stem
    'small'

    Args:
        config: the config to start from.
        settings: {field: value}; a list stands for a tuple.

    Returns:
        A new config.

    Raises:
        ValueError: for a value of another type than its field, or one that the config rejects.
    """
    hints = typing.get_type_hints(type(config))
    values: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value for field, value in settings.items()
    }
    for field, value in values.items():
        check(_is_instance(value, hints[field]), f"model.{field} must be {_describe(hints[field])}", repr(value))
    return dataclasses.replace(config, **values)


def _is_instance(value: object, annotation: Any) -> bool:
    """Whether a value belongs to the type of a config's field."""
    if isinstance(annotation, TypeVar):
        annotation = annotation.__bound__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return any(_is_instance(value, member) for member in arguments)
    if origin is Literal:
        return any(type(value) is type(member) and value == member for member in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_instance(item, arguments[0]) for item in value)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _describe(annotation: Any) -> str:
    """The type of a config's field in words, such as "'basic' or 'bottleneck'" or "float or None"."""
    if isinstance(annotation, TypeVar):
        annotation = annotation.__bound__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(_describe, arguments))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return f"a tuple of {_describe(arguments[0])}"
    return "None" if annotation is types.NoneType else annotation.__name__
