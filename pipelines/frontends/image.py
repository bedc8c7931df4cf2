"""From pixels to normalized images."""

import dataclasses
from typing import Literal

import keras

from pipelines.frontends.base import Placement, next_seed
from pipelines.layers import ImageAffine, ImageColor, ImageNormalize, ImageResize, RandAugment, RandomErase


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """Pixels to normalized images; augmentation is off unless asked for."""

    name: Literal["image"] = "image"  # kind of frontend
    placement: Placement = "device"  # inside the training graph, or in tf.data on the CPU
    height: int | None = None  # pixels; None is the corpus's own size, or 128 where it has many
    width: int | None = None  # pixels, likewise
    channels: int | None = None  # None is the corpus's own
    crop_fraction: float = 1.0  # the central part that is kept
    normalize: Literal["auto", "unit", "symmetric", "imagenet", "caffe", "per_image"] = (
        "auto"  # range of the features; auto is what the weights that training starts from want, else per_image
    )
    horizontal_flip: bool = False  # augmentation: mirror half of the images
    vertical_flip: bool = False  # augmentation: upside down, half of the images
    rotation_degrees: float = 0.0  # augmentation: at most, to either side
    scale: tuple[float, float] = (1.0, 1.0)  # augmentation: lowest and highest zoom
    shift_fraction: float = 0.0  # augmentation: at most, of the height and of the width
    shift_pixels: int = 0  # augmentation: by whole pixels, at most
    shear_degrees: float = 0.0  # augmentation: at most, to either side
    min_area: float = 1.0  # augmentation: smallest part of the area that a random crop keeps
    fill: Literal["constant", "edge", "reflect"] = "constant"  # what stands outside the image
    brightness: float = 0.0  # augmentation: at most, as a part of the full range
    contrast: float = 0.0  # augmentation: at most, as a factor 1 - c to 1 + c
    saturation: float = 0.0  # augmentation: likewise
    hue: float = 0.0  # augmentation: at most, as a part of the color circle
    rand_augment_operations: int = 0  # augmentation: RandAugment, how many operations on each image
    rand_augment_magnitude: float = 9.0  # augmentation: RandAugment, how strong they are, from 0 to 10
    erase_probability: float = 0.0  # augmentation: how often a random rectangle is erased
    mixup: float = 0.0  # augmentation: MixUp, the alpha of its Beta distribution; 0 is off
    cutmix: float = 0.0  # augmentation: CutMix, likewise; with both on, each example takes one of them

    def __post_init__(self):
        for field in ("height", "width", "channels"):
            if (value := getattr(self, field)) is not None and value < 1:
                raise ValueError(f"frontend.{field} must be 1 or more. Received: {value}")
        highest = {"rand_augment_operations": 100, "rand_augment_magnitude": 10, "mixup": 100, "cutmix": 100}
        for field, most in highest.items():
            if not 0 <= (value := getattr(self, field)) <= most:
                raise ValueError(f"frontend.{field} must be from 0 to {most}. Received: {value}")


class ImageFrontend(keras.layers.Layer):
    """Images (batch, height, width, channels) in 0..255 -> normalized images of the configured size, float32.

    `raw_shape` is the shape of the images that come, None for any. Images that differ in size cannot stand in one
    batch, so there `resized_before` is true and whoever makes the batch applies `resize` to each.
    """

    modality = "image"
    takes = "image"

    def __init__(self, config, augment=True, seed=None, raw_shape=None):
        super().__init__(dtype="float32", name="frontend")
        self.config = config
        self.resized_before = raw_shape is not None and None in raw_shape
        self.raw_shape = self.feature_shape if self.resized_before else raw_shape or (None, None, config.channels)
        self.resize = ImageResize(config.height, config.width, crop_fraction=config.crop_fraction)
        self.normalize = ImageNormalize("per_image" if config.normalize == "auto" else config.normalize)
        self.augmentations = _augmentations(config, seed) if augment else []
        for layer in self.augmentations:
            layer.compute_output_shape((None, *self.feature_shape))  # refuses channels that it cannot take

    @property
    def feature_shape(self):
        """Shape of one example's features."""
        return (self.config.height, self.config.width, self.config.channels)

    def inputs(self):
        """Symbolic raw input."""
        return keras.Input(self.raw_shape, name="image")

    def build(self, image_shape):
        """Nothing: its layers have no weights, and `resize` may be called by others only."""

    def call(self, image, training=None):
        """Augmentation first, features after it."""
        x = image if self.resized_before else self.resize(image)
        for layer in self.augmentations:
            x = layer(x, training=training)
        return self.normalize(x)


def _augmentations(config, seed):
    layers = []
    geometry = (
        config.horizontal_flip
        or config.vertical_flip
        or config.rotation_degrees
        or config.scale != (1.0, 1.0)
        or config.shift_fraction
        or config.shift_pixels
        or config.shear_degrees
        or config.min_area < 1
    )
    if geometry:
        layers.append(
            ImageAffine(
                horizontal_flip=config.horizontal_flip,
                vertical_flip=config.vertical_flip,
                rotation_degrees=config.rotation_degrees,
                scale=config.scale,
                shift_fraction=config.shift_fraction,
                shift_pixels=config.shift_pixels,
                shear_degrees=config.shear_degrees,
                min_area=config.min_area,
                fill=config.fill,
                seed=next_seed(seed, 1),
            )
        )
    if config.brightness or config.contrast or config.saturation or config.hue:
        layers.append(
            ImageColor(
                brightness=config.brightness,
                contrast=config.contrast,
                saturation=config.saturation,
                hue=config.hue,
                seed=next_seed(seed, 2),
            )
        )
    if config.rand_augment_operations:
        layers.append(
            RandAugment(
                operations=config.rand_augment_operations,
                magnitude=config.rand_augment_magnitude,
                fill=config.fill,
                seed=next_seed(seed, 7),
            )
        )
    if config.erase_probability:
        layers.append(RandomErase(probability=config.erase_probability, seed=next_seed(seed, 3)))
    return layers
