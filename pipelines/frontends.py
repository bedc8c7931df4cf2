"""From raw examples to features: which layers, in which order.

A frontend is one layer with three homes: inside the training graph (`placement="device"`), inside `tf.data.map`
(`placement="host"`), and inside the export, there without augmentation. The same raw input gives the same features in
all three.
"""

import dataclasses
from typing import Literal

import keras
import tensorflow as tf
from keras import ops

from pipelines import noises
from pipelines.errors import UserError, unknown
from pipelines.layers import (
    MFCC,
    ClipNorm,
    Deltas,
    FilterBank,
    Gain,
    ImageAffine,
    ImageColour,
    ImageNormalise,
    ImageResize,
    LogMel,
    Mix,
    NoiseMix,
    RandAugment,
    RandomErase,
    SpecAugment,
    TimeShift,
)

Placement = Literal["device", "host"]


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """Pixels to normalised images; augmentation is off unless asked for."""

    name: Literal["image"] = "image"  # kind of frontend
    placement: Placement = "device"  # inside the training graph, or in tf.data on the CPU
    height: int | None = None  # pixels; None is the corpus's own size, or 128 where it has many
    width: int | None = None  # pixels, likewise
    channels: int | None = None  # None is the corpus's own
    crop_fraction: float = 1.0  # the central part that is kept
    normalise: Literal["auto", "unit", "symmetric", "imagenet", "caffe", "per_image"] = (
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
    hue: float = 0.0  # augmentation: at most, as a part of the colour circle
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


@dataclasses.dataclass(frozen=True)
class SpeechConfig:
    """Waveform to features over time; augmentation is off unless asked for."""

    name: Literal["speech"] = "speech"  # kind of frontend
    placement: Placement = "device"  # inside the training graph, or in tf.data on the CPU
    sample_rate_hz: int | None = None  # None is the corpus's own; other files are resampled
    features: Literal["log_mel", "mfcc", "filter_bank"] = "log_mel"  # what is computed
    window_ms: float = 25.0  # length of the Hann window
    hop_ms: float = 10.0  # from one window to the next
    mels: int = 40  # filters of the bank, mel or linear
    low_hz: float = 20.0  # lower edge of the first filter
    high_hz: float | None = None  # upper edge of the last filter; None is half the sample rate
    mel_scale: Literal["htk", "slaney"] = "htk"  # formula of the mel scale
    coefficients: int = 13  # of the MFCC
    lifter: float = 22.0  # of the MFCC; 0 is none
    deltas: bool = False  # append first and second derivatives
    normalise: Literal["none", "clip", "mean", "mean_variance"] = "clip"  # clip: loudness; mean, mean_variance: per bin
    gain_db: float = 0.0  # augmentation: louder or softer by at most
    shift_ms: float = 0.0  # augmentation: earlier or later by at most
    noise_path: str | None = None  # augmentation: folder of noises to mix in
    noise_probability: float = 0.8  # augmentation: how often
    snr_db: tuple[float, float] = (0.0, 20.0)  # augmentation: lowest and highest signal-to-noise ratio
    frequency_masks: int = 0  # augmentation: SpecAugment, how many
    frequency_width: int = 8  # augmentation: bins, at most
    time_masks: int = 0  # augmentation: SpecAugment, how many
    time_width: int = 20  # augmentation: frames, at most

    def __post_init__(self):
        if self.sample_rate_hz is not None and not 1000 <= self.sample_rate_hz <= 384_000:
            raise ValueError(
                f"frontend.sample_rate_hz must be between 1,000 and 384,000. Received: {self.sample_rate_hz}"
            )


class ImageFrontend(keras.layers.Layer):
    """Images (batch, height, width, channels) in 0..255 -> normalised images of the configured size, float32.

    `raw_shape` is the shape of the images that come, None for any. Images that differ in size cannot stand in one
    batch, so there `resized_before` is true and whoever makes the batch applies `resize` to each.
    """

    takes = "image"

    def __init__(self, config, augment=True, seed=None, raw_shape=None):
        super().__init__(dtype="float32", name="frontend")
        self.config = config
        self.resized_before = raw_shape is not None and None in raw_shape
        self.raw_shape = self.feature_shape if self.resized_before else raw_shape or (None, None, config.channels)
        self.resize = ImageResize(config.height, config.width, crop_fraction=config.crop_fraction)
        self.normalise = ImageNormalise("per_image" if config.normalise == "auto" else config.normalise)
        self.augmentations = _image_augmentations(config, seed) if augment else []
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
        return self.normalise(x)


class SpeechFrontend(keras.layers.Layer):
    """Waveforms and their lengths -> features (batch, frames, bins) and how many frames each clip has.

    Input: {"audio": (batch, samples) in [-1, 1], "length": (batch,) samples}.
    Output: {"features": float32, zero past a clip's end, "frames": int32 (batch,)}.
    """

    takes = "sequence"

    def __init__(self, config, augment=True, seed=None, raw_shape=None):
        super().__init__(dtype="float32", name="frontend")
        self.config = config
        self.features = _speech_features(config)
        self.deltas = Deltas() if config.deltas else None
        self.norm = None
        if config.normalise != "none":
            self.norm = ClipNorm(variance=config.normalise != "mean", per_bin=config.normalise != "clip")
        self.wave_augmentations = _wave_augmentations(config, seed) if augment else []
        self.spec_augment = None
        if augment and (config.frequency_masks or config.time_masks):
            self.spec_augment = SpecAugment(
                frequency_masks=config.frequency_masks,
                frequency_width=config.frequency_width,
                time_masks=config.time_masks,
                time_width=config.time_width,
                seed=_next(seed, 9),
            )

    @property
    def feature_shape(self):
        """Shape of one example's features; the number of frames is open."""
        bins = self.config.coefficients if self.config.features == "mfcc" else self.config.mels
        return (None, 3 * bins if self.config.deltas else bins)

    def inputs(self):
        """Symbolic raw inputs."""
        return {
            "audio": keras.Input((None,), name="audio"),
            "length": keras.Input((), name="length", dtype="int32"),
        }

    def call(self, inputs, training=None):
        """Augmentation of the waveform, features, augmentation of the spectrogram."""
        waveform, lengths = inputs["audio"], inputs.get("length")
        for layer in self.wave_augmentations:
            waveform = layer(waveform, lengths, training=training)
        x = self.features(waveform, lengths)
        frames = None if lengths is None else self.features.num_frames(lengths)
        if self.deltas is not None:
            x = self.deltas(x, frames)
        if self.norm is not None:
            x = self.norm(x, frames)
        if self.spec_augment is not None:
            x = self.spec_augment(x, frames, training=training)
        if frames is None:
            frames = ops.full(ops.shape(x)[:1], ops.shape(x)[1])
        return {"features": x, "frames": ops.cast(frames, "int32")}


FRONTENDS = {"image": (ImageConfig, ImageFrontend), "speech": (SpeechConfig, SpeechFrontend)}
OF_MODALITY = {"image": "image", "audio": "speech"}


def default_config(name):
    """The defaults of a kind of frontend; UserError for an unknown name."""
    if name not in FRONTENDS:
        raise unknown("frontend", name, FRONTENDS)
    return FRONTENDS[name][0]()


def build(config, augment=False, seed=None, split=None):
    """The frontend of a resolved config for the examples of a split, or, without one, for raw input of any size.

    Without `augment` it holds no random layer and no noise. Raises UserError for settings that do not go together and
    for a noise folder that cannot be read.
    """
    raw_shape = split and tuple(split.examples.element_spec.get("image", tf.TensorSpec(())).shape)
    try:
        return FRONTENDS[config.name][1](config, augment=augment, seed=seed, raw_shape=raw_shape)
    except ValueError as error:
        raise UserError(f"Cannot build frontend.name {config.name!r} as configured: {error}") from error


def resolve(config, corpus, normalise=None):
    """Fills in what the config leaves to the corpus: sizes, channels, sample rate.

    `normalise` is what `auto` stands for, None where no weights want anything. UserError when the frontend is not for
    this kind of data.
    """
    if OF_MODALITY[corpus.modality] != config.name:
        raise UserError(
            f"frontend.name {config.name!r} does not go with {corpus.name}, which holds {corpus.modality} examples:"
            f" choose {OF_MODALITY[corpus.modality]!r}."
        )
    if config.name == "speech":
        return dataclasses.replace(config, sample_rate_hz=config.sample_rate_hz or corpus.sample_rate_hz)
    height, width, channels = corpus.splits["train"].examples.element_spec["image"].shape
    if config.channels not in (None, channels):
        raise UserError(
            f"frontend.channels is {config.channels}, but the images of {corpus.name} have {channels}: leave it out,"
            " and set data.channels where the dataset has that flag."
        )
    return dataclasses.replace(
        config,
        height=config.height or height or 128,
        width=config.width or width or 128,
        channels=channels,
        normalise=config.normalise if config.normalise != "auto" else normalise or "per_image",
    )


def mixing(config, seed):
    """The layer that mixes each example's features with those of the one before it, see `Mix`, or None."""
    mixup, cutmix = getattr(config, "mixup", 0.0), getattr(config, "cutmix", 0.0)
    return Mix(mixup_alpha=mixup, cutmix_alpha=cutmix, seed=_next(seed, 8)) if mixup or cutmix else None


def _image_augmentations(config, seed):
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
                seed=_next(seed, 1),
            )
        )
    if config.brightness or config.contrast or config.saturation or config.hue:
        layers.append(
            ImageColour(
                brightness=config.brightness,
                contrast=config.contrast,
                saturation=config.saturation,
                hue=config.hue,
                seed=_next(seed, 2),
            )
        )
    if config.rand_augment_operations:
        layers.append(
            RandAugment(
                operations=config.rand_augment_operations,
                magnitude=config.rand_augment_magnitude,
                fill=config.fill,
                seed=_next(seed, 7),
            )
        )
    if config.erase_probability:
        layers.append(RandomErase(probability=config.erase_probability, seed=_next(seed, 3)))
    return layers


def _speech_features(config):
    common = {
        "sample_rate_hz": config.sample_rate_hz,
        "window_ms": config.window_ms,
        "hop_ms": config.hop_ms,
        "low_hz": config.low_hz,
        "high_hz": config.high_hz,
    }
    if config.features == "filter_bank":
        return FilterBank(filters=config.mels, **common)
    mel = {"mels": config.mels, "mel_scale": config.mel_scale, **common}
    if config.features == "mfcc":
        return MFCC(coefficients=config.coefficients, lifter=config.lifter, **mel)
    return LogMel(**mel)


def _wave_augmentations(config, seed):
    # The gain comes last, so that it leaves the signal-to-noise ratio alone.
    layers = []
    if config.shift_ms:
        layers.append(TimeShift(config.shift_ms, config.sample_rate_hz, seed=_next(seed, 4)))
    if config.noise_path:
        bank = noises.load(config.noise_path, config.sample_rate_hz)
        mix = NoiseMix(
            len(bank),
            max(map(len, bank)),
            snr_db=config.snr_db,
            probability=config.noise_probability,
            seed=_next(seed, 5),
        )
        mix.fill(bank)
        layers.append(mix)
    if config.gain_db:
        layers.append(Gain(-config.gain_db, config.gain_db, seed=_next(seed, 6)))
    return layers


def _next(seed, number):
    """A seed of its own for each layer, so that no two draw the same numbers."""
    return None if seed is None else seed * 1000 + number
