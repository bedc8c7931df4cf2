"""The base class of both frontends."""

import dataclasses
from typing import Any, ClassVar, Literal, Self

import keras

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
        config (ImageConfig | SpeechConfig): The resolved config.
        modality (str): Kind of raw input, "image" or "audio".
        feature_kind (str): "image", "sequence" or "waveform": what a network after the frontend must take.
    """

    config_class: ClassVar[type[Any]]
    modality: ClassVar[str]
    feature_kind: str

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
    def feature_shape(self) -> Shape:
        """Shape of one example's features, without the batch; None for open axes."""
        raise NotImplementedError

    def inputs(self) -> Any:
        """Creates the symbolic raw inputs: a `keras.KerasTensor`, or a dict of them."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the frontend's config as a plain dict of JSON values."""
        settings = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self.config).items()
        }
        layer = {name: value for name, value in super().get_config().items() if name != "dtype"}
        return {**layer, "config": settings, **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the frontend that `get_config` describes.

        Args:
            config: The result of `get_config`.

        Returns:
            A frontend with the same arguments.
        """
        settings = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config["config"].items()
        }
        return cls(**{**config, "config": cls.config_class(**settings)})


def derive_seed(seed: int | None, number: int) -> int | None:
    """Derives a different seed for each layer, so that no two layers draw the same numbers.

    Args:
        seed: The frontend's seed, or None.
        number: The layer's number, below 1000.

    Returns:
        The layer's seed; None if the frontend has none.
    """
    return None if seed is None else seed * 1000 + number
