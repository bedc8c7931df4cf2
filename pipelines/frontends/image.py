"""From pixels to normalized images."""

import dataclasses
from typing import Any, Literal, cast

import keras
import numpy as np

from pipelines.frontends.augmentation import image_augmentations
from pipelines.frontends.base import Frontend, Placement
from pipelines.layers import ImageNormalize, ImageResize
from pipelines.layers.base import Shape, Tensor


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """Pixels to normalized images; augmentation is off by default."""

    name: Literal["image"] = "image"  # kind of frontend
    placement: Placement = "device"  # inside the training graph (device), or in tf.data on the CPU (host)
    height: int | None = None  # pixels; None is the corpus's own size, or 128 where sizes differ
    width: int | None = None  # pixels, likewise
    channels: int | None = None  # None is the corpus's own
    pixels: Literal["uint8", "float32"] | None = None  # type of raw pixels; None is the corpus's own
    crop_fraction: float = 1.0  # fraction of the sides that the central crop keeps
    normalize: Literal["auto", "unit", "symmetric", "imagenet", "caffe", "per_image"] = (
        "auto"  # range of the features; auto is the range of the pretrained weights, else per_image
    )
    horizontal_flip: bool = False  # augmentation: mirrors half of the images
    vertical_flip: bool = False  # augmentation: turns half of the images upside down
    rotation_degrees: float = 0.0  # augmentation: maximum rotation to either side
    scale: tuple[float, float] = (1.0, 1.0)  # augmentation: lowest and highest zoom
    shift_fraction: float = 0.0  # augmentation: maximum shift, as a fraction of the height and of the width
    shift_pixels: int = 0  # augmentation: maximum shift by whole pixels
    shear_degrees: float = 0.0  # augmentation: maximum shear to either side
    min_area: float = 1.0  # augmentation: smallest fraction of the area that a random crop keeps
    fill: Literal["constant", "edge", "reflect"] = "constant"  # content outside the image
    brightness: float = 0.0  # augmentation: maximum change, as a factor 1 - b to 1 + b
    contrast: float = 0.0  # augmentation: maximum change, as a factor 1 - c to 1 + c
    saturation: float = 0.0  # augmentation: maximum change, as a factor 1 - s to 1 + s
    hue: float = 0.0  # augmentation: maximum rotation, as a fraction of the color circle
    rand_augment_operations: int = 0  # augmentation: RandAugment, operations per image
    rand_augment_magnitude: float = 9.0  # augmentation: RandAugment, strength from 0 to 10
    aug_mix_probability: float = 0.0  # augmentation: AugMix, probability that an image is augmented
    aug_mix_severity: float = 3.0  # augmentation: AugMix, highest strength of its operations, from 0 to 10
    aug_mix_width: int = 3  # augmentation: AugMix, chains of operations per image
    erase_probability: float = 0.0  # augmentation: probability that a random rectangle is erased
    erase_area: tuple[float, float] = (0.02, 0.33)  # augmentation: smallest and largest fraction of the area, likewise
    erase_fill: Literal["noise", "color"] = "noise"  # augmentation: content of the rectangle
    mixup: float = 0.0  # augmentation: MixUp, the alpha of its Beta distribution; 0 is off
    cutmix: float = 0.0  # augmentation: CutMix, likewise; with both on, each example takes one of them

    def __post_init__(self) -> None:
        for field in ("height", "width", "channels"):
            if (value := getattr(self, field)) is not None and value < 1:
                raise ValueError(f"frontend.{field} must be 1 or more. Received: {value}")
        maxima = {"rand_augment_operations": 100, "rand_augment_magnitude": 10, "mixup": 100, "cutmix": 100}
        maxima |= {"aug_mix_probability": 1, "aug_mix_severity": 10}
        for field, maximum in maxima.items():
            if not 0 <= (value := getattr(self, field)) <= maximum:
                raise ValueError(f"frontend.{field} must be from 0 to {maximum}. Received: {value}")
        if self.aug_mix_width < 1:
            raise ValueError(f"frontend.aug_mix_width must be 1 or more. Received: {self.aug_mix_width}")


@keras.saving.register_keras_serializable("tfrec")
class ImageFrontend(Frontend):
    """Images -> normalized images of the configured size.

    Images that differ in size do not fit into one batch: if `raw_shape` has open axes, `resized_before` is True, and
    the code that makes the batches applies `resize` to each image.

    Args:
        config: See `Frontend`.
        augment: See `Frontend`.
        seed: See `Frontend`.
        raw_shape: See `Frontend`.
        **kwargs: See `Frontend`.

    Attributes:
        config (ImageConfig): The resolved config.
        modality (str): "image".
        feature_kind (str): "image".
        raw_shape (tuple[int | None, ...]): `(height, width, channels)` of the images that `call` takes.
        resized_before (bool): Whether `call` takes images that have the configured size already.
        resize (ImageResize): The layer that resizes raw images.
        augmentations (list[RandomLayer]): Layers that `call` applies with `training=True`.
        normalize (ImageNormalize): The last layer.

    Raises:
        ValueError: An augmentation does not support the number of channels.
    """

    config_class = ImageConfig
    modality = "image"
    feature_kind = "image"

    def __init__(
        self,
        config: ImageConfig,
        augment: bool = True,
        seed: int | None = None,
        raw_shape: Shape | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(config, augment, seed, raw_shape, **kwargs)
        self.resized_before = raw_shape is not None and None in raw_shape
        self.raw_shape = self.feature_shape if self.resized_before else raw_shape or (None, None, config.channels)
        height, width = cast(int, config.height), cast(int, config.width)  # set in a resolved config
        self.resize = ImageResize(height, width, crop_fraction=config.crop_fraction)
        self.normalize = ImageNormalize("per_image" if config.normalize == "auto" else config.normalize)
        self.augmentations = image_augmentations(config, seed) if augment else []
        for layer in self.augmentations:
            layer.compute_output_shape((None, *self.feature_shape))  # raises for unsupported channels
        self.normalize.compute_output_shape((None, *self.feature_shape))

    @property
    def is_augmented(self) -> bool:
        """Whether two calls with `training=True` differ."""
        return bool(self.augmentations)

    @property
    def feature_shape(self) -> Shape:
        """Shape of one example's features, `(height, width, channels)`."""
        return (self.config.height, self.config.width, self.config.channels)

    def inputs(self) -> Any:
        """Creates the symbolic raw input, a `keras.KerasTensor` `(batch, *raw_shape)`."""
        return keras.Input(self.raw_shape, name="image")

    def batch_of_one(self, raw: np.ndarray) -> np.ndarray:
        """Pixels `(height, width, channels)` -> `(1, height, width, channels)`."""
        return raw[None]

    def noise(self, random: np.random.Generator, number: int = 0) -> np.ndarray:
        """Draws a picture of the configured size."""
        return random.integers(0, 256, cast(Any, self.feature_shape)).astype(self.config.pixels or "uint8")

    def build(self, image_shape: Shape) -> None:
        """Does nothing: the layers have no weights, and `resize` may run outside of `call`."""

    def call(self, image: Tensor, training: bool | None = None, frames: Tensor | None = None) -> Tensor:
        """Resizes, augments and normalizes images.

        Args:
            image: `(batch, *raw_shape)`, any dtype, values in [0, 255].
            training: Augments only if True.
            frames: Number of images in a row that are augmented alike, as those of moving pictures; None for single
                images. RandAugment, AugMix and erasing do not take it.

        Returns:
            `(batch, *feature_shape)`, float32.
        """
        x = image if self.resized_before else self.resize(image)
        together = {} if frames is None else {"frames": frames}
        for layer in self.augmentations:
            x = layer(x, training=training, **together)
        return self.normalize(x)
