"""The regions of a picture that the stretches of a clip point to: the matchmap of a network of both."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines import paths
from pipelines.errors import UserError
from tfrec.architectures.layers.matchmap import matchmap_network
from tfrec.inference import reader
from tfrec.predictions import sources
from tfrec.predictions.sources import Source

if TYPE_CHECKING:
    import keras

    from tfrec.recognizer import Recognizer

METHOD = "matchmap"


class Matchmap(NamedTuple):
    """Which cells of a picture each step of a clip is similar to."""

    values: np.ndarray  # (height, width, steps)
    pixels: np.ndarray  # of the picture, (height, width, channels)
    features: np.ndarray  # of the clip, (frames, bins)


def network_of(recognizer: Recognizer) -> keras.Model:
    """The network that computes matchmaps; UserError for a recognizer without maps."""
    try:
        return matchmap_network(recognizer.network)
    except ValueError:
        raise UserError(
            f"model.name {recognizer.config.model.name} has no maps of pictures and clips: explain a run of davenet or"
            " resdavenet."
        ) from None


def of_pair(recognizer: Recognizer, network: keras.Model, pair: Mapping[str, Any]) -> Matchmap:
    """Compares the cells of a picture with the steps of a clip.

    Args:
        recognizer: Of pairs.
        network: What `network_of` returned for it.
        pair: {"image": source, "audio": source}, as `Recognizer.read` takes it.

    Raises:
        UserError: A file cannot be read.
    """
    raw = recognizer.read(pair)
    features = recognizer.features(recognizer.batch_of_one(raw))
    outputs = network({name: features[name] for name in network.input})
    steps, frames = int(outputs["steps"][0]), int(features["frames"][0])
    values = outputs["matchmap"].numpy()[0, :, :, :steps]
    return Matchmap(values, raw["image"], np.asarray(features["audio"])[0, :frames])


def pair_up(found: Sequence[Source]) -> list[Source]:
    """Joins files that are no pairs yet, each with the next one.

    Raises:
        UserError: Two that follow each other are not a picture and a clip.
    """
    single = [source for source in found if source.pair is None]
    pairs = []
    for source in single:
        if source.error is not None:
            raise source.error
    for one, other in zip(single[::2], [*single[1::2], *single[-1:]], strict=False):
        files = {reader.kind(each.path, ("image", "audio")): each.path for each in (one, other)}
        if len(files) < 2:
            name = paths.shown(os.path.basename(one.path))
            raise UserError(f"{name} needs its clip or its picture after it: name pictures and clips in turn.")
        pairs.append((files["image"], files["audio"]))
    return [*sources.of_pairs(pairs), *(source for source in found if source.pair is not None)]
