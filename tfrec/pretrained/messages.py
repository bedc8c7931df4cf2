"""What a user reads about pretrained weights: what was loaded, what differs, and why they do not fit."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from pipelines.errors import UserError
from tfrec.config.schema import Config
from tfrec.pretrained.pretrained_weights import PretrainedWeights

# Settings of the frontend that may decide the shapes of weights, and those that decide the meaning of features.
_SIZES = ("height", "width", "channels", "form", "features", "mels", "coefficients", "deltas")
_MEANING = (
    "normalize",
    "form",
    "picture_normalize",
    "features",
    "window_ms",
    "hop_ms",
    "mels",
    "low_hz",
    "high_hz",
    "mel_scale",
    "deltas",
)
_NOT_STRUCTURE = ("name", "weights", "dropout", "stochastic_depth")  # settings of a model that change no shape


def summary(weights: PretrainedWeights, layers: int, random: list[keras.Layer], reason: str) -> str:
    """Says how many of a network's layers were loaded, which stay random, and why."""
    if not random:
        return f"Weights of {weights.name}: loaded all {layers} layers."
    names = ", ".join(repr(layer.name) for layer in random)
    return (
        f"Weights of {weights.name}: loaded {layers - len(random)} of {layers} layers; randomly initialized: {names},"
        f" because {reason}."
    )


def adapted(layer: keras.Layer, stored: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Says how an array of shape `stored` was adapted to the shape `wanted`."""
    if hasattr(layer, "resize_weight"):
        return f"{layer.name!r} was resized from {stored} to {wanted}."
    return (
        f"{layer.name!r} was averaged over its {stored[2]} input channels and scaled for {wanted[2]}, which does not"
        " change its output for gray images."
    )


def differences(weights: PretrainedWeights, config: Config) -> Iterator[str]:
    """Yields a sentence for each setting that decides the meaning of features and differs, or is unknown."""
    if weights.frontend is weights.image_frontend is None and hasattr(config.frontend, "normalize"):
        yield (
            f"The features that {weights.name} was trained on are unknown; frontend.normalize is"
            f" {config.frontend.normalize}."
        )
    for flag, (trained, now) in _differences(weights, config, _MEANING).items():
        yield f"{weights.name} was trained with {flag} {trained}; now it is {now}."


def refusal(weights: PretrainedWeights, config: Config, problem: str) -> UserError:
    """Returns the error for weights that do not fit, with the flags that would make them fit where these are known."""
    trained = {name: value for name, (value, _) in _differences(weights, config, _SIZES).items()}
    # Where settings of the model differ, the size of the features is rarely the cause.
    causes = [name for name in trained if name.startswith("model.")] or list(trained)
    wanted = " ".join(_as_flags(name, trained[name]) for name in causes)
    advice = f"set {wanted}" if wanted else "use the settings that they were trained with"
    return UserError(f"model.weights {weights.name} does not fit: {problem}; {advice}, or leave --model.weights out.")


def _differences(weights: PretrainedWeights, config: Config, names: tuple[str, ...]) -> dict[str, tuple[Any, Any]]:
    """{setting of the model, or one of `names` of the frontend: (of the weights, of the config)} where they differ."""
    trained, now = (_settings(part.model, part.frontend, names) for part in (weights, config))
    return {name: (trained[name], now[name]) for name in trained if name in now and trained[name] != now[name]}


def _settings(model: Any, frontend: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if model is None:
        return {}
    fields = [field.name for field in dataclasses.fields(model) if field.name not in _NOT_STRUCTURE]
    result = {f"model.{name}": getattr(model, name) for name in fields}
    if "model.stem" in result:
        size = getattr(frontend, "height", None), getattr(frontend, "width", None)
        result["model.stem"] = model.stem if None in size else ("small" if model.small_stem(size) else "large")
    return {**result, **{f"frontend.{name}": getattr(frontend, name) for name in names if hasattr(frontend, name)}}


def _as_flags(name: str, value: Any) -> str:
    part, field = name.split(".")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--{part}.no_{field}"
    return " ".join([f"--{name}", *map(str, value if isinstance(value, tuple | list) else [value])])
