"""scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, which come with the install (Alpaydin and Kaynak 1998)."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.datasets.splitting import split_indices


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """The corpus names no splits, so both fractions apply; it has no settings of its own."""

    name: str = "digits"  # dataset, see `python -m tfrec list`


def modality(config: Config) -> Modality:
    """Returns "image"."""
    return "image"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads the corpus, with every class in proportion in every split.

    Args:
        config: Its fractions and seed apply.
        sample_rate_hz: Ignored.

    Returns:
        The Corpus, images `(8, 8, 1)`.
    """
    from sklearn.datasets import load_digits  # 1 s to import

    bunch = load_digits()
    # The corpus counts 0 to 16 dark pixels in a 4 x 4 block; 16 becomes 255.
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    rest, test = split_indices(labels, config.test_fraction, config.split_seed)
    train, validation = (rest[i] for i in split_indices(labels[rest], config.validation_fraction, config.split_seed))

    def split(indices: np.ndarray) -> Split:
        examples = tf.data.Dataset.from_tensor_slices({"image": images[indices], "label": labels[indices]})
        return Split(examples, len(indices), labels[indices], [f"digits/{i}" for i in indices])

    return Corpus(
        name="digits",
        modality="image",
        class_names=tuple(str(name) for name in bunch.target_names),
        splits={"train": split(train), "validation": split(validation), "test": split(test)},
    )
