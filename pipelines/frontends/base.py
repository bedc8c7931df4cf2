"""The base class of all frontends."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import keras
import numpy as np

from pipelines.layers.base import Shape

Placement = Literal["device", "host"]


class Frontend(keras.layers.Layer):
    """Raw inputs -> features: augmentation first, only with `training=True`, features after it.

    A `keras.Model` that contains a frontend saves and loads as usual after `import pipelines.frontends`. With `augment`
    and a noise folder, loading reads the folder again.

    Args:
        config: The resolved config, see `pipelines.frontends.resolve`.
        augment: Creates the config's augmentation layers.
        seed: Seed of the augmentation; None takes seeds from Keras's global one.
        raw_shape: Shape of one raw image, with None for open axes; None for any shape.
        **kwargs: Arguments of `keras.layers.Layer`. A frontend computes in float32 under every dtype policy.

    Attributes:
        config (ImageConfig | SpeechConfig | PairedConfig): The resolved config.
        modality (str): Kind of raw input, "image", "audio", "image_audio" for both, or "video_audio" of moving
            pictures.
        feature_kind (str): "image", "sequence", "waveform", "pair" or "audio_visual": what a network after the
            frontend must take.
    """

    config_class: ClassVar[type[Any]]
    modality: ClassVar[str]
    feature_kind: str
    fills_in: ClassVar[bool] = False  # whether `call` fills in a raw input that is missing

    def __init__(
        self,
        config: Any,
        augment: bool = True,
        seed: int | None = None,
        raw_shape: Shape | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"name": "frontend", **kwargs, "dtype": "float32"})
        self.config = config
        self._arguments = {
            "augment": augment,
            "seed": seed,
            "raw_shape": None if raw_shape is None else list(raw_shape),
        }

    @property
    def feature_shape(self) -> Any:
        """Shape of one example's features, without the batch; None for open axes. A dict of shapes for pairs."""
        raise NotImplementedError

    @property
    def sequence_feature(self) -> str | None:
        """Name of the feature over time, whose length is open; None for features without one."""
        return None

    # No property: Keras follows those that hold layers when it loads weights, here without end.
    def parts(self) -> "dict[str, Any]":
        """Returns the frontend of each raw input: {"image": ImageFrontend}, {"audio": SpeechFrontend}, or both."""
        return {self.modality: self}

    @property
    def is_augmented(self) -> bool:
        """Whether two calls with `training=True` differ."""
        return any(part.is_augmented for part in self.parts().values())

    @classmethod
    def raw(cls, example: Mapping[str, Any]) -> Any:
        """What of a split's example is its raw input: pixels, samples, or a dict of both.

        Args:
            example: Of a Split, as arrays.

        Returns:
            The array, or a dict of arrays.
        """
        return example[cls.modality]

    def batch_of_one(self, raw: Any) -> Any:
        """Makes a batch of one raw input, as `call` takes it.

        Args:
            raw: As `raw` returns it.

        Returns:
            The batch.
        """
        raise NotImplementedError

    def noise(self, random: np.random.Generator, number: int = 0) -> Any:
        """Draws noise as a raw input, such as for a trial of an export.

        Args:
            random: Source of random numbers.
            number: Clips of different numbers have different lengths.

        Returns:
            A raw input, as `raw` returns it.
        """
        raise NotImplementedError

    def inputs(self) -> Any:
        """Creates the symbolic raw inputs: a `keras.KerasTensor`, or a dict of them."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the frontend's config as a plain dict of JSON values."""
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, "config": _plain(self.config), **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the frontend that `get_config` describes.

        Args:
            config: The result of `get_config`.

        Returns:
            A frontend with the same arguments.
        """
        return cls(**{**config, "config": _config(cls.config_class, config["config"])})


def _plain(value: Any) -> Any:
    """A config, and those in it, as a dict of JSON values."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _config(kind: type[Any], settings: Mapping[str, Any]) -> Any:
    """The config of a class that `_plain` has made a dict."""
    hints, values = typing.get_type_hints(kind), {}
    for name, value in settings.items():
        if dataclasses.is_dataclass(hints[name]):
            value = _config(hints[name], value)
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def derive_seed(seed: int | None, number: int) -> int | None:
    """Derives a different seed for each layer, so that no two layers draw the same numbers.

    Args:
        seed: The frontend's seed, or None.
        number: The layer's number, below 1000.

    Returns:
        The layer's seed; None if the frontend has none.
    """
    return None if seed is None else seed * 1000 + number
