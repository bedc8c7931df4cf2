"""Handwritten digits of MNIST with clips of the Free Spoken Digit Dataset: which sounds go with which pictures."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.datasets import builders, memory, pairing, spoken_digit
from pipelines.datasets.base import Corpus, LabelKind, Modality, Split
from pipelines.datasets.splitting import split_indices
from pipelines.errors import UserError

LABELS: LabelKind = "pairs"


@dataclasses.dataclass(frozen=True)
class Config(spoken_digit.Config):
    """The clips are divided as those of `spoken_digit`; the test pictures are some of MNIST's own test split."""

    name: str = "digit_pairs"  # dataset, see `python -m tfrec list`
    train_images: int | None = None  # pictures of the training split; None is all that the validation split leaves
    validation_images: int = 1000  # pictures of the validation split, of MNIST's training images
    test_images: int = 1000  # pictures of the test split, of MNIST's test images

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("train_images", "validation_images", "test_images"):
            if (value := getattr(self, field)) is not None and value < 10:
                raise ValueError(f"data.{field} must be 10 or more. Received: {value}")


def modality(config: Config) -> Modality:
    """Returns "image_audio"."""
    return "image_audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus into memory.

    No picture and no clip is in two splits. In a split, each picture and each clip is in a pair; whichever are fewer of
    a digit are in several.

    Args:
        config: The folder, the split of the clips, and the numbers of pictures; `split_seed` decides the pairs.
        sample_rate_hz: The rate that clips are converted to; None is 8000.

    Returns:
        The Corpus; a pair's label is its digit.

    Raises:
        UserError: As `spoken_digit.load` and `builders.prepare` raise it, and for more pictures than MNIST has.
    """
    clips = spoken_digit.read(config, sample_rate_hz)
    builder = builders.find_builder("mnist", config.data_dir)
    builders.prepare(builder)
    trained, tested = (_read_images(builder, name) for name in ("train", "test"))
    rest, validation = _choose(trained[1], config.validation_images, config.split_seed, "data.validation_images")
    train = rest
    if config.train_images is not None:
        train = rest[_choose(trained[1][rest], config.train_images, config.split_seed, "data.train_images")[1]]
    test = _choose(tested[1], config.test_images, config.split_seed, "data.test_images")[1]
    parts = {"train": (trained, train), "validation": (trained, validation), "test": (tested, test)}

    def split(number: int, name: str) -> Split:
        (pixels, labels), chosen = parts[name]
        spoken = clips.splits[name]
        pairs = pairing.pair(labels[chosen], clips.labels[spoken], np.random.default_rng((config.split_seed, number)))
        return memory.pairs(
            pixels[chosen],
            [clips.waveforms[i] for i in spoken],
            pairs,
            labels[chosen][pairs[:, 0]],
            [f"mnist/{'test' if name == 'test' else 'train'}/{i}" for i in chosen],
            [clips.sources[i] for i in spoken],
        )

    return Corpus(
        name="digit_pairs",
        modality="image_audio",
        class_names=clips.class_names,
        splits={name: split(number, name) for number, name in enumerate(parts)},
        sample_rate_hz=clips.sample_rate_hz,
    )


def _read_images(builder: object, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 `(images, 28, 28, 1)` and labels int64 `(images,)` of MNIST."""
    raw = builders.read(builder, split, ("image", "label"))
    examples = raw.map(
        lambda example: (tf.io.decode_png(example["image"], channels=1), example["label"]),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    pixels, labels = next(examples.batch(len(raw)).as_numpy_iterator())
    return pixels, labels.astype(np.int64)


def _choose(labels: np.ndarray, count: int, seed: int, setting: str) -> tuple[np.ndarray, np.ndarray]:
    """The other indices, and `count` of all, with every class in proportion; sorted."""
    if count > len(labels) - 10:
        raise UserError(f"{setting} must be at most {len(labels) - 10:,}. Received: {count:,}")
    return split_indices(labels, count / len(labels), seed)
