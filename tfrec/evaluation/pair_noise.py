"""Scores of a classifier of pairs in noise and on degraded pictures: with both inputs, and with one of them missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.evaluation import noise, noise_mixing
from tfrec.evaluation.corruptions import base, measure, registry
from tfrec.evaluation.metrics import per_example
from tfrec.evaluation.metrics.transcription import BOOTSTRAP_SAMPLES
from tfrec.evaluation.noise_conditions import Conditions, ratio_name
from tfrec.evaluation.noise_mixing import Places

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

UNCHANGED = "clean"
PICTURES = ("gaussian_noise:5", "defocus_blur:5", "occlusion_25", "occlusion_50")

Picture = tuple[str, int]  # corruption and severity; `UNCHANGED` and 0


def parse_pictures(names: Sequence[str]) -> dict[str, Picture]:
    """Reads names of corruptions with severities.

    >>> parse_pictures(["gaussian_noise:3", "gray"])
    {'clean': ('clean', 0), 'gaussian_noise:3': ('gaussian_noise', 3), 'gray': ('gray', 1)}

    Args:
        names: such as "gaussian_noise:3"; without a severity, the highest.

    Returns:
        Corruption and severity by name, after the unchanged picture.

    Raises:
        UserError: for an unknown corruption.
        ValueError: for a severity that it does not have.
    """
    pictures = {UNCHANGED: (UNCHANGED, 0)}
    for name in names:
        corruption, _, severity = name.partition(":")
        (found,) = registry.select([corruption]).values()
        if severity not in ("", *map(str, found.severities)):
            highest = found.severities[-1]
            raise ValueError(f"pictures must be CORRUPTION:SEVERITY, of {corruption} 1 to {highest}. Received: {name}")
        pictures[name] = (corruption, int(severity or found.severities[-1]))
    return pictures


def measure_pairs(
    recognizer: Recognizer, corpus: Corpus, conditions: Conditions, pictures: Sequence[str], batch_size: int = 64
) -> dict[str, Any]:
    """Accuracy of a fused classifier at each ratio of speech to noise with each degradation of the picture.

    Args:
        recognizer: a classifier of pairs, trained with modality dropout.
        corpus: its data.
        conditions: noises, ratios and split.
        pictures: see `parse_pictures`.
        batch_size: maximum number of pairs in a batch; does not change the scores.

    Returns:
        The fields of the conditions, and:

        - "audio" at each ratio, over all noises, and "image" of each picture: the accuracy with a 95 % interval, with
          the other input missing, see `per_example.score_condition`. "fused" of both at each ratio and picture.
        - In "fused" also "best", the better of the two inputs alone; "error_ratio", the errors of both over those of
          that one, with "error_ratio_interval", 95 %, a percentile bootstrap over the pairs, each of which is drawn for
          all; both are None where that one makes no errors. And "image_gate", the mean trust in the picture.
        - "matched": at each ratio the picture whose accuracy alone is nearest to that of the clip.

    Raises:
        UserError: for noises that cannot be read or are all silent, and for a network that needs both inputs.
    """
    versions = parse_pictures(pictures)
    rate = recognizer.config.frontend.sample_rate_hz
    alone = {name: recognizer.of_inputs([name]) for name in ("image", "audio")}
    split = corpus.splits[conditions.split]
    loaded, silent = noise.audible(conditions.load(rate), conditions.noise)
    mixed, places = noise_mixing.mix_split(split, loaded, conditions, rate)
    images = _corrupted(recognizer, split, list(versions.values()), conditions.seed)
    clips = np.zeros(mixed.size, int)
    for indices in places.values():
        clips[indices] = np.arange(split.size)
    only_audio = _correct(alone["audio"], mixed, batch_size)[0]
    only_image = _correct(measure.without_crop(alone["image"]), _with(split, images, range(split.size)), batch_size)[0]
    both, gates = _correct(_with_gate(measure.without_crop(recognizer)), _with(mixed, images, clips), batch_size)
    counts = {
        "audio": _by_ratio(only_audio, places),
        "image": dict(zip(versions, only_image.reshape(split.size, -1).T[:, None], strict=True)),
        "fused": _by_ratio(both.reshape(mixed.size, -1), places),
        "gate": _by_ratio(gates.reshape(mixed.size, -1), places),
    }
    noises = {"seen": list(conditions.seen), "silent": silent, "noises": list(loaded), "examples": split.size}
    return {**dataclasses.asdict(conditions), **noises, **_summarize(counts, list(versions), conditions.seed)}


def _summarize(counts: dict[str, Any], versions: Sequence[str], seed: int) -> dict[str, Any]:
    """The cells of `measure_pairs` from 1 for each correct answer."""
    image = {name: _cell(rows) for name, rows in counts["image"].items()}
    audio, fused, matched = {}, {}, {}
    for ratio, rows in counts["audio"].items():
        audio[ratio] = _cell(rows)
        fused[ratio] = {
            name: {
                **_cell(counts["fused"][ratio][..., i]),
                **_compare(counts["fused"][ratio][..., i], rows, counts["image"][name], seed),
                "image_gate": float(counts["gate"][ratio][..., i].mean()),
            }
            for i, name in enumerate(versions)
        }
        matched[ratio] = min(image, key=lambda name: abs(image[name]["accuracy"] - audio[ratio]["accuracy"]))
    return {"audio": audio, "image": image, "fused": fused, "matched": matched}


def _cell(correct: np.ndarray) -> dict[str, Any]:
    """Accuracy and interval of (repetitions, examples)."""
    return per_example.score_condition("accuracy", correct, np.ones(correct.shape[1], int))


def _compare(fused: np.ndarray, audio: np.ndarray, image: np.ndarray, seed: int) -> dict[str, Any]:
    """The errors of both inputs over those of the better one; arguments are (repetitions, examples)."""
    alone = {"audio": 1 - audio.mean(axis=0), "image": 1 - image.mean(axis=0)}
    best = min(alone, key=lambda name: alone[name].mean())
    errors = np.stack([1 - fused.mean(axis=0), alone[best]])
    if not errors[1].any():
        return {"best": best, "error_ratio": None, "error_ratio_interval": None}
    random, examples = np.random.default_rng(seed), errors.shape[1]
    ratios = []
    for _ in range(BOOTSTRAP_SAMPLES):
        ours, theirs = errors @ np.bincount(random.integers(examples, size=examples), minlength=examples)
        ratios.append(ours / theirs if theirs else np.inf if ours else 1.0)
    low, high = np.quantile(ratios, [0.025, 0.975], method="nearest")
    interval = [float(low), float(high) if np.isfinite(high) else None]
    return {"best": best, "error_ratio": float(errors[0].sum() / errors[1].sum()), "error_ratio_interval": interval}


def _by_ratio(values: np.ndarray, places: Places) -> dict[str, np.ndarray]:
    """Values (mixes, ...) -> at each ratio those of all noises, (repetitions, examples, ...)."""
    ratios = sorted({ratio for _, ratio in places}, reverse=True)
    return {
        ratio_name(ratio): np.concatenate([values[indices] for (_, other), indices in places.items() if other == ratio])
        for ratio in ratios
    }


def _corrupted(recognizer: Recognizer, split: Split, versions: Sequence[Picture], seed: int) -> list[list[np.ndarray]]:
    """Each picture of a split in each version, at the size that the network sees."""

    def version(image: np.ndarray, name: str, severity: int, number: int) -> np.ndarray:
        if name == UNCHANGED:
            return image
        return base.apply(name, registry.CORRUPTIONS[name], image, severity, (seed, number))

    images = measure.pictures(recognizer, split, split.size)
    return [[version(image, *each, number) for each in versions] for number, image in enumerate(images)]


def _with(split: Split, images: Sequence[Sequence[np.ndarray]], numbers: Sequence[int] | np.ndarray) -> Split:
    """A split with each example once for each version of the picture that its number stands for."""
    first = images[0][0]
    signature = {**split.examples.element_spec, "image": tf.TensorSpec(first.shape, first.dtype)}

    def examples() -> Iterator[dict[str, Any]]:
        for number, example in zip(numbers, split.examples.as_numpy_iterator(), strict=True):
            for image in images[number]:
                yield {**example, "image": image}

    versions = len(images[0])
    seconds = None if split.seconds is None else np.repeat(split.seconds, versions)
    return Split(
        tf.data.Dataset.from_generator(examples, output_signature=signature), split.size * versions, seconds=seconds
    )


def _with_gate(recognizer: Recognizer) -> Recognizer:
    """The recognizer with the outputs "logits" and "gate"; UserError for a network without a gate."""
    network = recognizer.network
    if not any(layer.name == "gate" for layer in network.layers):
        raise UserError(f"model.name {recognizer.config.model.name!r} has no gate: give a run of av_fusion.")
    outputs = {"logits": network.output, "gate": network.get_layer("gate").output}
    return recognizer.replace(inference_network=keras.Model(network.input, outputs))


def _correct(recognizer: Recognizer, split: Split, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether each answer is correct, (examples,), and the trust in the picture where the network has that output."""
    outputs, labels = recognizer.outputs(split, batch_size)
    logits, gate = (outputs["logits"], outputs["gate"]) if isinstance(outputs, dict) else (outputs, np.zeros((1, 2)))
    return per_example.from_logits("accuracy", logits, labels).counts.astype(float), gate[:, 0]
