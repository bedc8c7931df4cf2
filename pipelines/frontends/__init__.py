"""From raw examples to features: which layers, in which order.

A frontend is one layer with three homes: inside the training graph (`placement="device"`), inside `tf.data.map`
(`placement="host"`), and inside the export, there without augmentation. The same raw input gives the same features in
all three.
"""

import dataclasses

import tensorflow as tf

from pipelines.errors import UserError, unknown
from pipelines.frontends.base import next_seed
from pipelines.frontends.image import ImageConfig, ImageFrontend
from pipelines.frontends.speech import SpeechFrontend
from pipelines.frontends.speech_config import SpeechConfig
from pipelines.layers import Mix

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


def resolve(config, corpus, normalize=None, takes=("image", "sequence")):
    """Fills in what the config leaves to the corpus and to the network: sizes, channels, sample rate, form.

    `normalize` is what `auto` stands for, None where no weights want anything; `takes` are the kinds of features that
    the network accepts. UserError when the frontend is not for this kind of data.
    """
    if OF_MODALITY[corpus.modality] != config.name:
        raise UserError(
            f"frontend.name {config.name!r} does not go with {corpus.name}, which holds {corpus.modality} examples:"
            f" choose {OF_MODALITY[corpus.modality]!r}."
        )
    if config.name == "speech":
        return config.resolved(corpus.sample_rate_hz, normalize, takes)
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
        normalize=config.normalize if config.normalize != "auto" else normalize or "per_image",
    )


def mixing(config, seed):
    """The layer that mixes each example's features with those of the one before it, see `Mix`, or None."""
    mixup, cutmix = getattr(config, "mixup", 0.0), getattr(config, "cutmix", 0.0)
    return Mix(mixup_alpha=mixup, cutmix_alpha=cutmix, seed=next_seed(seed, 8)) if mixup or cutmix else None
