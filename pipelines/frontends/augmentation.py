"""The augmentation layers of a config."""

from typing import TYPE_CHECKING, Any, cast

from pipelines import noises
from pipelines.frontends.base import derive_seed
from pipelines.frontends.speech_config import NEUTRAL
from pipelines.layers import (
    AugMix,
    Babble,
    BandLimit,
    Clipping,
    Gain,
    ImageAffine,
    ImageColor,
    ImageSourceReverb,
    MeasuredReverb,
    NoiseMix,
    RandAugment,
    RandomErase,
    Reverb,
    SpecAugment,
    SpectrogramWarp,
    SyntheticNoise,
    TimeShift,
)
from pipelines.layers.base import RandomLayer

if TYPE_CHECKING:
    from pipelines.frontends.image import ImageConfig
    from pipelines.frontends.speech_config import SpeechConfig

SILENCE_DBFS = (-60.0, -10.0)  # assumed level of the speech in examples of silence, which become noise


def image_augmentations(config: "ImageConfig", seed: int | None) -> list[RandomLayer]:
    """Builds the layers that augment images, in the order in which they apply.

    Args:
        config: The resolved config.
        seed: The frontend's seed.

    Returns:
        The layers.
    """
    layers: list[RandomLayer] = []
    if _changes_geometry(config):
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
                seed=derive_seed(seed, 1),
            )
        )
    if config.brightness or config.contrast or config.saturation or config.hue:
        layers.append(
            ImageColor(
                brightness=config.brightness,
                contrast=config.contrast,
                saturation=config.saturation,
                hue=config.hue,
                seed=derive_seed(seed, 2),
            )
        )
    layers += _policies(config, seed)
    if config.erase_probability:
        layers.append(
            RandomErase(
                probability=config.erase_probability,
                area=config.erase_area,
                fill=config.erase_fill,
                seed=derive_seed(seed, 3),
            )
        )
    return layers


def _policies(config: "ImageConfig", seed: int | None) -> list[RandomLayer]:
    """The layers that draw from a list of operations."""
    layers: list[RandomLayer] = []
    if config.rand_augment_operations:
        layers.append(
            RandAugment(
                operations=config.rand_augment_operations,
                magnitude=config.rand_augment_magnitude,
                fill=config.fill,
                seed=derive_seed(seed, 7),
            )
        )
    if config.aug_mix_probability:
        layers.append(
            AugMix(
                probability=config.aug_mix_probability,
                severity=config.aug_mix_severity,
                width=config.aug_mix_width,
                fill=config.fill,
                seed=derive_seed(seed, 15),
            )
        )
    return layers


def _changes_geometry(config: "ImageConfig") -> bool:
    """Whether the config sets anything that ImageAffine does."""
    return bool(
        config.horizontal_flip
        or config.vertical_flip
        or config.rotation_degrees
        or config.scale != (1.0, 1.0)
        or config.shift_fraction
        or config.shift_pixels
        or config.shear_degrees
        or config.min_area < 1
    )


def waveform_augmentations(config: "SpeechConfig", seed: int | None) -> list[RandomLayer]:
    """Builds the layers that augment waveforms, in the order of the physical world.

    A speaker, a room, other speakers, noise, a recorder. The gain comes last, so that it does not change the
    signal-to-noise ratio.

    Args:
        config: The resolved config.
        seed: The frontend's seed.

    Returns:
        The layers; `Speed` and `Placement`, which change lengths, are not among them.

    Raises:
        ValueError: The config mixes babble on the host, where there are no batches.
        UserError: The noise folder cannot be read.
    """
    rate = cast(int, config.sample_rate_hz)  # set in a resolved config
    layers: list[RandomLayer] = []
    if config.shift_ms:
        layers.append(TimeShift(config.shift_ms, rate, seed=derive_seed(seed, 4)))
    if config.reverb_probability:
        layers.append(_reverb(config, rate, derive_seed(seed, 12)))
    if config.babble_probability:
        if config.placement == "host":
            raise ValueError(
                "frontend.babble_probability mixes clips of a batch, and the host augments clip by clip: set"
                " frontend.placement device"
            )
        layers.append(
            Babble(
                speakers=config.babble_speakers,
                snr_db=config.snr_db,
                probability=config.babble_probability,
                sample_rate_hz=rate,
                silence_dbfs=SILENCE_DBFS,
                seed=derive_seed(seed, 13),
            )
        )
    if config.noise_path:
        layers.append(_noise_mix(config, config.noise_path, rate, seed))
    return layers + _recorder(config, rate, seed)


def _reverb(config: "SpeechConfig", rate: int, seed: int | None) -> Reverb:
    """The layer that adds rooms."""
    options: dict[str, Any] = {"probability": config.reverb_probability, "sample_rate_hz": rate, "seed": seed}
    if config.reverb_path:
        return MeasuredReverb.from_responses(noises.flat(noises.load(config.reverb_path, rate)), **options)
    return (ImageSourceReverb if config.reverb == "images" else Reverb)(**options)


def _recorder(config: "SpeechConfig", rate: int, seed: int | None) -> list[RandomLayer]:
    """The layers of what a recorder adds: its own noise, clipping, its band, its level."""
    layers: list[RandomLayer] = []
    if config.synthetic_probability:
        layers.append(
            SyntheticNoise(
                snr_db=config.synthetic_snr_db,
                probability=config.synthetic_probability,
                sample_rate_hz=rate,
                silence_dbfs=SILENCE_DBFS,
                seed=derive_seed(seed, 17),
            )
        )
    if config.clipping_probability:
        layers.append(Clipping(config.clipping_db, config.clipping_probability, seed=derive_seed(seed, 18)))
    if config.band_probability:
        layers.append(BandLimit(probability=config.band_probability, sample_rate_hz=rate, seed=derive_seed(seed, 19)))
    if config.gain_db or config.attenuation_db:
        layers.append(Gain(-config.gain_db - config.attenuation_db, config.gain_db, seed=derive_seed(seed, 6)))
    return layers


def _noise_mix(config: "SpeechConfig", folder: str, sample_rate_hz: int, seed: int | None) -> NoiseMix:
    """The layer that mixes in the training part of the noises in a folder."""
    layer = NoiseMix.from_noises(
        noises.waveforms(folder, sample_rate_hz, config.noise_types, "train", config.noise_fraction),
        snr_db=config.snr_db,
        probability=config.noise_probability,
        sample_rate_hz=sample_rate_hz,
        silence_dbfs=SILENCE_DBFS,
        seed=derive_seed(seed, 5),
    )
    layer.saves_noises = False  # of a checkpoint they would be the largest part
    return layer


def spectrogram_warp(config: "SpeechConfig", seed: int | None) -> SpectrogramWarp | None:
    """Builds the layer that changes tempo and vocal-tract length.

    Args:
        config: The resolved config.
        seed: The frontend's seed.

    Returns:
        The layer, or None if both are off.

    Raises:
        ValueError: The config changes the vocal tract of features without mel bins.
    """
    if config.tempo == config.tract == NEUTRAL:
        return None
    if config.tract != NEUTRAL and config.features not in ("log_mel", "pcen"):
        raise ValueError(
            f"frontend.tract warps mel bins, which features {config.features} are not: use log_mel or pcen"
        )
    return SpectrogramWarp(
        tempo=config.tempo,
        tract=config.tract,
        low_hz=config.low_hz,
        high_hz=config.high_hz or cast(int, config.sample_rate_hz) / 2,
        mel_scale=config.mel_scale,
        seed=derive_seed(seed, 14),
    )


def spectrogram_masks(config: "SpeechConfig", seed: int | None) -> SpecAugment | None:
    """Builds the SpecAugment layer.

    Args:
        config: The resolved config.
        seed: The frontend's seed.

    Returns:
        The layer, with the variable `strength` if the masks grow over epochs, or None if there are no masks.

    Raises:
        ValueError: The masks grow over epochs on the host, which prepares batches ahead of training.
    """
    if not config.frequency_masks and not config.time_masks:
        return None
    masks = SpecAugment(
        frequency_masks=config.frequency_masks,
        frequency_width=config.frequency_width,
        time_masks=config.time_masks,
        time_width=config.time_width,
        max_time_fraction=config.time_fraction,
        seed=derive_seed(seed, 9),
    )
    if config.mask_epochs:
        if config.placement == "host":
            raise ValueError(
                "frontend.mask_epochs widens masks from epoch to epoch, and the host prepares batches ahead of"
                " training: set frontend.placement device"
            )
        masks.make_scalable()
    return masks
