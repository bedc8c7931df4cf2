"""Scores of a recognizer on corrupted pictures: a split with every corruption at every severity."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines.counts import counted
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from pipelines.frontends import PairedConfig
from tfrec.evaluation.corruptions import registry
from tfrec.evaluation.corruptions.base import SEVERITIES, SMALL_SIDE, apply
from tfrec.evaluation.metrics.per_example import PerExampleScores, average_conditions, score_condition

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

logger = logging.getLogger(__name__)

Condition = tuple[str, int]  # corruption and severity


@dataclasses.dataclass(frozen=True)
class Settings:
    """What determines the corrupted pictures of a split; the same for every recognizer of the same picture size."""

    split: str = "test"
    corruptions: tuple[str, ...] = tuple(registry.CORRUPTIONS)
    severities: tuple[int, ...] = SEVERITIES  # of the corruptions of the benchmark; the others have one
    limit: int | None = None  # number of pictures, drawn at random
    seed: int = 0


def measure(recognizer: Recognizer, corpus: Corpus, settings: Settings, batch_size: int = 64) -> dict[str, Any]:
    """Scores of a split with all corruptions, as plain dicts, lists and numbers.

    Pictures are corrupted at the size that the network sees, with 8 bits per value.

    Args:
        recognizer: what is measured; its usual score is the accuracy.
        corpus: its data.
        settings: split, corruptions and severities.
        batch_size: maximum number of pictures in a batch; does not change the scores.

    Returns:
        The settings, and:

        - "clean": the accuracy with a 95 % interval, see `per_example.score_condition`.
        - "corruptions": for each of the benchmark its "family", the score at each "severity" and their "average".
        - "families": the averages of noise, blur, weather and digital.
        - "mean": the average over these corruptions at all severities, and "corruption_error", 1 - accuracy, which
          is not divided by the errors of another network. The 95 % intervals of averages are a percentile bootstrap
          over the pictures, each of which is drawn with all its corruptions.
        - "worst": name and average of the worst of them.
        - "extra": scores of the corruptions beyond the benchmark, which are in no average.
        - "left_out": corruptions of color, for gray pictures.
        - "parameters": "cifar10_c" or "imagenet_c", by the size of the pictures.

    Raises:
        UserError: all corruptions change colors, and the pictures have none.
    """
    frontend = recognizer.config.frontend
    conditions, left_out = _conditions(settings, frontend.channels)
    split, numbers = _select(corpus.splits[settings.split], settings)
    clean = recognizer.task.per_example(recognizer, split, batch_size)
    logger.info("%s, each with %s.", counted(split.size, "picture"), counted(len(conditions), "corruption"))
    corrupted = corrupt_split(recognizer, split, numbers, conditions, settings.seed)
    scores = recognizer.task.per_example(without_crop(recognizer), corrupted, batch_size)
    counts = dict(zip(conditions, scores.counts.reshape(split.size, len(conditions)).T[:, None], strict=True))
    return {
        **dataclasses.asdict(settings),
        "left_out": left_out,
        "parameters": "imagenet_c" if min(frontend.height, frontend.width) > SMALL_SIDE else "cifar10_c",
        "size": [frontend.height, frontend.width],
        "examples": split.size,
        "measure": clean.name,
        **_summarize(clean, counts),
    }


def corrupt_split(
    recognizer: Recognizer, split: Split, numbers: Sequence[int], conditions: Sequence[Condition], seed: int
) -> Split:
    """All corruptions of a split as one split, so that one compiled program serves all; corrupted while it is read.

    Args:
        recognizer: whose frontend resizes the pictures before they are corrupted.
        split: pictures.
        numbers: the number of each picture, on which its random numbers depend.
        conditions: corruptions and severities.
        seed: of the random numbers.

    Returns:
        A split with all conditions of the first picture, then of the second, and so on.
    """
    resized = _resized(recognizer, split)

    def blocks() -> Iterator[dict[str, Any]]:
        for number, (image, label) in zip(numbers, resized.as_numpy_iterator(), strict=True):
            versions = [
                apply(name, registry.CORRUPTIONS[name], image, severity, (seed, number))
                for name, severity in conditions
            ]
            yield {"image": np.stack(versions), "label": np.repeat(label, len(conditions))}

    size = recognizer.frontend.feature_shape
    signature = {
        "image": tf.TensorSpec((len(conditions), *size), "uint8"),
        "label": tf.TensorSpec((len(conditions),), split.examples.element_spec["label"].dtype),
    }
    examples = tf.data.Dataset.from_generator(blocks, output_signature=signature).unbatch()
    return Split(examples, split.size * len(conditions))


def pictures(recognizer: Recognizer, split: Split, count: int) -> list[np.ndarray]:
    """The first pictures of a split before they are corrupted, uint8 (height, width, channels)."""
    return [image for image, _ in _resized(recognizer, split).take(count).as_numpy_iterator()]


def _resized(recognizer: Recognizer, split: Split) -> tf.data.Dataset:
    """(picture, label) of a split, uint8 of the network's size."""
    frontend = recognizer.on_split(split).frontend.parts()["image"]

    def convert(example: Mapping[str, Any]) -> tuple[Any, Any]:
        image = tf.clip_by_value(tf.round(frontend.resize(example["image"][None])[0]), 0, 255)
        return tf.ensure_shape(tf.cast(image, "uint8"), frontend.feature_shape), example["label"]

    return split.examples.map(convert, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _conditions(settings: Settings, channels: int) -> tuple[list[Condition], list[str]]:
    """The corruptions and severities that apply to pictures of these channels, and the corruptions that do not."""
    chosen = registry.select(settings.corruptions)
    left_out = [name for name, corruption in chosen.items() if corruption.needs_color and channels == 1]
    conditions = [
        (name, severity)
        for name, corruption in chosen.items()
        for severity in (settings.severities if name in registry.BENCHMARK else corruption.severities)
        if name not in left_out
    ]
    if not conditions:
        raise UserError(f"Gray pictures have no color for {' and '.join(left_out)}: name other --corruptions.")
    return conditions, left_out


def _select(split: Split, settings: Settings) -> tuple[Split, Sequence[int]]:
    """The pictures that are measured, and their numbers in the split."""
    if settings.limit is None or settings.limit >= split.size:
        return split, range(split.size)
    random = np.random.default_rng(settings.seed)
    numbers = np.sort(random.choice(split.size, settings.limit, replace=False))
    is_chosen = tf.constant(np.isin(np.arange(split.size), numbers))
    examples = split.examples.enumerate().filter(lambda number, _: is_chosen[number]).map(lambda _, example: example)
    return Split(examples.apply(tf.data.experimental.assert_cardinality(len(numbers))), len(numbers)), numbers.tolist()


def without_crop(recognizer: Recognizer) -> Recognizer:
    """The same recognizer for pictures that are resized and cropped already."""
    frontend = recognizer.config.frontend
    if isinstance(frontend, PairedConfig):
        frontend = dataclasses.replace(frontend, image=dataclasses.replace(frontend.image, crop_fraction=1.0))
    else:
        frontend = dataclasses.replace(frontend, crop_fraction=1.0)
    return recognizer.replace(config=dataclasses.replace(recognizer.config, frontend=frontend))


def _summarize(clean: PerExampleScores, counts: Mapping[Condition, np.ndarray]) -> dict[str, Any]:
    """The scores of all conditions and their averages, as `measure` returns them."""
    sizes = clean.sizes
    cells = {condition: score_condition(clean.name, row, sizes) for condition, row in counts.items()}
    names = list(dict.fromkeys(name for name, _ in counts))
    benchmark = [name for name in names if name in registry.BENCHMARK]

    def average(chosen: Sequence[str]) -> dict[str, Any]:
        return average_conditions(clean.name, [([counts[key] for key in counts if key[0] in chosen], sizes)])

    corruptions: dict[str, dict[str, Any]] = {
        name: {
            "family": registry.BENCHMARK[name].family,
            "severity": {str(severity): cells[key, severity] for key, severity in counts if key == name},
            "average": average([name]),
        }
        for name in benchmark
    }
    families: dict[str, list[str]] = {}
    for name in benchmark:
        families.setdefault(corruptions[name]["family"], []).append(name)
    worst = min(benchmark, key=lambda name: corruptions[name]["average"][clean.name], default=None)
    return {
        "clean": score_condition(clean.name, clean.counts[None], sizes),
        "corruptions": corruptions,
        "families": {family: average(members) for family, members in families.items()},
        "mean": _with_error(clean.name, average(benchmark)) if benchmark else None,
        "worst": worst and {"name": worst, **corruptions[worst]["average"]},
        "extra": {name: cells[name, severity] for name, severity in counts if name in registry.EXTRA},
    }


def _with_error(name: str, cell: dict[str, Any]) -> dict[str, Any]:
    """An average accuracy with the error, whose interval is the accuracy's, mirrored."""
    low, high = cell["interval"]
    return {**cell, "corruption_error": 1 - cell[name], "corruption_error_interval": [1 - high, 1 - low]}
