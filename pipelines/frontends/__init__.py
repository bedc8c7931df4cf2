"""From raw examples to features: the frontends, their configs and how they are built.

A frontend is one layer that runs in three places: inside the training graph (`placement="device"`), inside
`tf.data.map` (`placement="host"`), and inside the export, without augmentation. The same raw input gives the same
features in all three.
"""

import dataclasses
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from pipelines.errors import UserError, unknown
from pipelines.frontends.audio_visual import AudioVisualConfig, AudioVisualFrontend
from pipelines.frontends.base import Frontend, derive_seed
from pipelines.frontends.image import ImageConfig, ImageFrontend
from pipelines.frontends.paired import PairedConfig, PairedFrontend
from pipelines.frontends.speech import SpeechFrontend
from pipelines.frontends.speech_config import SpeechConfig
from pipelines.layers import Mix

if TYPE_CHECKING:
    from pipelines.datasets.base import Corpus, Split

FrontendConfig = ImageConfig | SpeechConfig | PairedConfig | AudioVisualConfig

DEFAULT_SIDE = 128  # pixels, of pictures whose sizes differ

FRONTENDS: dict[str, type[Frontend]] = {
    "image": ImageFrontend,
    "speech": SpeechFrontend,
    "paired": PairedFrontend,
    "audio_visual": AudioVisualFrontend,
}
FRONTEND_OF_MODALITY = {frontend.modality: name for name, frontend in FRONTENDS.items()}


def default_config(name: str) -> FrontendConfig:
    """Returns the default config of a kind of frontend.

    Args:
        name: A key of FRONTENDS.

    Returns:
        The config.

    Raises:
        UserError: The name is unknown.
    """
    if name not in FRONTENDS:
        raise unknown("frontend", name, FRONTENDS)
    return FRONTENDS[name].config_class()


def build(
    config: FrontendConfig, augment: bool = False, seed: int | None = None, split: "Split | None" = None
) -> Frontend:
    """Builds the frontend of a resolved config.

    Args:
        config: A resolved config, see `resolve`.
        augment: Creates the augmentation layers; otherwise the frontend holds no random layer and no noise.
        seed: Seed of the augmentation.
        split: The split whose examples the frontend takes; None is raw input of any size.

    Returns:
        The frontend.

    Raises:
        UserError: Settings do not go together, or the noise folder cannot be read.
    """
    picture = None if split is None else _picture(split)
    raw_shape = None if picture is None else picture[0]
    try:
        return FRONTENDS[config.name](config, augment=augment, seed=seed, raw_shape=raw_shape)
    except ValueError as error:
        raise UserError(f"Cannot build frontend.name {config.name!r} as configured: {error}") from error


def resolve(
    config: FrontendConfig,
    corpus: "Corpus",
    normalize: str | None = None,
    input_kinds: Collection[str] = ("image", "sequence"),
    speech_normalize: str | None = None,
) -> FrontendConfig:
    """Fills in what the config leaves to the corpus and to the network: sizes, channels, sample rate, form, range.

    Args:
        config: The config as the user gave it.
        corpus: The corpus.
        normalize: The range that pretrained weights expect, for `auto`; None without them.
        input_kinds: Kinds of input of the network: "image", "sequence", "waveform"; of pairs those of the part that
            takes the clips.
        speech_normalize: Of pairs, the range that the pretrained weights of that part expect of pictures of clips.

    Returns:
        The resolved config.

    Raises:
        UserError: The frontend is not for this kind of data.
    """
    if FRONTEND_OF_MODALITY[corpus.modality] != config.name:
        raise UserError(
            f"frontend.name {config.name!r} does not go with {corpus.name}, which holds {corpus.modality} examples:"
            f" choose {FRONTEND_OF_MODALITY[corpus.modality]!r}."
        )
    if isinstance(config, SpeechConfig):
        return config.resolved(corpus.sample_rate_hz, normalize, input_kinds)
    if isinstance(config, ImageConfig):
        return _of_images(config, corpus, normalize)
    speech = config.speech.resolved(corpus.sample_rate_hz, speech_normalize, input_kinds)
    if isinstance(config, AudioVisualConfig):
        rate = corpus.frames_per_second
        if config.frames_per_second not in (None, rate):
            raise UserError(
                f"frontend.frames_per_second is {config.frames_per_second}, but {corpus.name} is read at {rate}: leave"
                " it out, and set data.frames_per_second."
            )
        config = dataclasses.replace(config, frames_per_second=rate)
    return config.with_parts(_of_images(config.image, corpus, normalize), speech)


def with_picture_size(data: Any, config: FrontendConfig) -> Any:
    """Says to which size JPEG files may be reduced while they are decoded: that which is cropped to the network's.

    Args:
        data: The configuration of a dataset.
        config: The config of the frontend.

    Returns:
        The configuration with that size as `reduced_to`, where it has this setting and it is not 0 0.
    """
    image = config if isinstance(config, ImageConfig) else getattr(config, "image", None)
    if image is None or not hasattr(data, "reduced_to") or data.reduced_to == (0, 0):
        return data
    height, width = (math.ceil((side or DEFAULT_SIDE) / image.crop_fraction) for side in (image.height, image.width))
    return dataclasses.replace(data, reduced_to=(height, width))


def _of_images(config: ImageConfig, corpus: "Corpus", normalize: str | None) -> ImageConfig:
    """The config with what the corpus and the pretrained weights decide."""
    (height, width, channels), dtype = cast(Any, _picture(corpus.splits["train"]))
    if config.channels not in (None, channels):
        raise UserError(
            f"frontend.channels is {config.channels}, but the images of {corpus.name} have {channels}: leave it out,"
            " and set data.channels where the dataset has that flag."
        )
    return dataclasses.replace(
        config,
        height=config.height or height or DEFAULT_SIDE,
        width=config.width or width or DEFAULT_SIDE,
        channels=channels,
        pixels=config.pixels or _pixel_type(config, dtype),
        normalize=cast(Any, normalize or "per_image") if config.normalize == "auto" else config.normalize,
    )


def _picture(split: "Split") -> tuple[Any, str] | None:
    """Shape and type of a picture, or of each of moving ones; None for clips alone."""
    spec = split.examples.element_spec
    if "video" in spec:
        return tuple(spec["video"].shape[1:]), spec["video"].dtype.name
    return (tuple(spec["image"].shape), spec["image"].dtype.name) if "image" in spec else None


def _pixel_type(config: ImageConfig, name: str) -> Any:
    """The type of a corpus's pixels; UserError where an augmentation would drop what 8 bits do not hold."""
    if name == "uint8":
        return "uint8"
    for field in ("rand_augment_operations", "aug_mix_probability"):
        if getattr(config, field):
            raise UserError(
                f"frontend.{field} works on 256 levels, and these pictures have more than 8 bits per value: leave it"
                " out, or save the pictures with 8 bits."
            )
    return "float32"


def build_mix(config: FrontendConfig, seed: int | None) -> Mix | None:
    """Builds the layer that mixes the features of pairs of examples.

    Args:
        config: The config.
        seed: The frontend's seed.

    Returns:
        The layer, or None if MixUp and CutMix are off.
    """
    mixup, cutmix = getattr(config, "mixup", 0.0), getattr(config, "cutmix", 0.0)
    return Mix(mixup_alpha=mixup, cutmix_alpha=cutmix, seed=derive_seed(seed, 8)) if mixup or cutmix else None
