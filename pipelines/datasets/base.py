"""What a dataset offers: its module's protocol, its configuration, and the Corpus that it loads."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import tensorflow as tf

from pipelines.storage import graph

if TYPE_CHECKING:
    from pipelines.datasets.files import Row

Modality = Literal["image", "audio", "image_audio", "video_audio"]
LabelKind = Literal["classes", "texts", "numbers", "pairs"]
INPUTS: dict[Modality, tuple[str, ...]] = {
    "image": ("image",),
    "audio": ("audio",),
    "image_audio": ("image", "audio"),
    "video_audio": ("video", "audio"),
}

SILENCE, UNKNOWN = "silence", "unknown"  # classes of what is to be rejected
# Values of data.unknown that name no folder: the classes that data.only_classes leaves out; words made for the purpose.
OTHERS, SYNTHETIC = "others", "synthetic"


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """A corpus and how it is split; the fractions apply where the corpus has no split of its own."""

    name: str = ""  # dataset, see `python -m tfrec list`
    validation_fraction: float = 0.1  # of the training part, where the corpus names no validation split
    test_fraction: float = 0.2  # of everything, where the corpus names no test split
    split_seed: int = 0  # seed of the fractions, of examples_per_class and of train_fraction
    only_classes: tuple[str, ...] = ()  # use these classes, in this order; empty is all
    examples_per_class: int | None = None  # maximum number of training examples per class
    # Fraction of the training examples that is used, of each class alike; smaller ones are parts of larger ones
    train_fraction: float = 1.0
    # Of clips: number of examples of the class "silence", made of synthetic backgrounds, as a fraction of each split
    silence_fraction: float = 0.0
    # Of clips: the class "unknown": a folder of other words; "others", the classes that only_classes leaves out; or
    # "synthetic", speech of espeak-ng and pieces of the corpus's own clips
    unknown: str | None = None
    unknown_fraction: float = 0.3  # of "synthetic": number of its examples as a fraction of each split
    # Of clips: further training examples of each class, whose name is spoken by the voices of espeak-ng
    synthetic_examples: int = 0
    train_on_validation: bool = False  # train on the validation examples too: their scores are then meaningless

    def __post_init__(self) -> None:
        for field in ("validation_fraction", "test_fraction"):
            value = getattr(self, field)
            if not 0 < value < 1:
                raise ValueError(f"data.{field} must be above 0 and below 1. Received: {value}")
        for field in ("silence_fraction", "unknown_fraction"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"data.{field} must be from 0 to 1. Received: {getattr(self, field)}")
        if not 0 < self.train_fraction <= 1:
            raise ValueError(f"data.train_fraction must be above 0 and at most 1. Received: {self.train_fraction}")
        if not 0 <= self.synthetic_examples <= 10_000:
            raise ValueError(f"data.synthetic_examples must be 0 to 10,000. Received: {self.synthetic_examples}")
        if self.unknown == OTHERS and not self.only_classes:
            raise ValueError("data.unknown others needs the classes to keep in data.only_classes. Received: none")
        if self.examples_per_class is not None and self.examples_per_class < 1:
            raise ValueError(f"data.examples_per_class must be 1 or more. Received: {self.examples_per_class}")
        if len(self.only_classes) == 1 or len(set(self.only_classes)) < len(self.only_classes):
            raise ValueError(f"data.only_classes must name at least two, each once. Received: {self.only_classes}")


@dataclasses.dataclass(frozen=True, eq=False)
class Undecoded:
    """Examples before they are decoded: small, so that they are shuffled in place of the examples.

    Attributes:
        rows: What identifies each example, such as its path.
        decode: From an element of `rows` to the example.
        examples: `rows`, decoded.
        block: Number of rows whose files are read at once, see `storage.graph.with_bytes`.
    """

    rows: tf.data.Dataset
    decode: Callable[[Any], Any]
    examples: tf.data.Dataset
    block: int = 1


@dataclasses.dataclass(frozen=True)
class SkippingConfig(DataConfig):
    """A corpus in files, some of which may be damaged or missing."""

    skip_broken: bool = False  # leave out files that cannot be used; a note counts them
    broken_list: str | None = None  # CSV file that gets the names of all files that cannot be used


@dataclasses.dataclass(frozen=True)
class FilesConfig(SkippingConfig):
    """A corpus of people's own files; files are split by their content, so that exact copies are in one split."""

    near_duplicates: bool = False  # keep near copies in one split too, such as the same picture saved again

    # Where the files of a resumed run are now; they are checked against the run's record.
    moved_to: str | None = None

    channels: int = 3  # of pictures: 3 color, 1 gray, 4 color and alpha
    background: str = "white"  # color below transparent pictures: a CSS name or #rrggbb
    # Take files without labels too: a folder without class folders, a list of paths alone. Tasks that learn without
    # labels set it
    unlabeled: bool = False
    verify: bool = True  # decode every file once before training, to find damaged ones
    audio_channel: str = "average"  # of audio with several channels: average, left, right, or a number from 0

    def reading(self) -> dict[str, Any]:
        """Returns how the files are read, as `files.build_corpus` takes it: the same in training and in evaluation."""
        names = ("channels", "background", "verify", "skip_broken", "broken_list", "audio_channel")
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Split:
    """One part of a corpus: raw examples in a fixed order.

    Every field but `examples` and `size` has one entry per example, in the same order. It is None where the corpus does
    not have it, or where only a pass over the data would find it.

    Attributes:
        examples: Yields dicts with "image" (uint8 `(height, width, channels)`, or float32 in [0, 255] where files have
            more than 8 bits per value) or "audio" (float32 `(samples,)` in [-1, 1]), or both; moving pictures are
            "video" (uint8 `(frames, height, width, channels)`). Where the corpus has classes, "label" is the index of
            the example's class (int64 scalar); where it has numbers, "label" is the number (float32 scalar); where it
            has pairs, those of the same "label" (int64 scalar) match each other.
        size: Number of examples.
        labels: int64 `(examples,)`, indices of classes.
        sources: A file's path or a clip's name.
        image_sources: Of pairs: the path or name of each picture, which several pairs may have.
        audio_sources: Of pairs: likewise of each clip.
        conditions: Of a corpus that comes with noises: (noise, signal-to-noise ratio in decibels); infinite for clean
            speech.
        texts: Transcripts, as the corpus has them.
        speakers: Names of the speakers.
        groups: Groups that scores are broken down by, such as languages.
        seconds: float `(examples,)`, durations.
        numbers: float32 `(examples,)`, targets of a regression.
        rows: Of a corpus in files: each example's file and what is known of it.
        undecoded: The same examples before they are decoded; valid only while it belongs to `examples`, see `late`.
    """

    examples: tf.data.Dataset
    size: int
    labels: np.ndarray | None = None
    sources: Sequence[str] | None = None
    image_sources: Sequence[str] | None = None
    audio_sources: Sequence[str] | None = None
    conditions: Sequence[tuple[str | None, float]] | None = None
    texts: Sequence[str] | None = None
    speakers: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    seconds: np.ndarray | None = None
    numbers: np.ndarray | None = None
    rows: "Sequence[Row] | None" = None
    undecoded: Undecoded | None = None

    @classmethod
    def from_rows(
        cls, source: tf.data.Dataset, decode: Callable[[Any], Any], size: int, block: int = 1, **fields: Any
    ) -> "Split":
        """Builds a split whose examples are decoded as late as possible.

        Args:
            source: What identifies each example, such as a dict with its path.
            decode: From an element of `source` to the example, in a graph.
            size: Number of examples.
            block: Number of rows whose files are read at once; above 1, `decode` takes rows with "bytes" too.
            **fields: Further fields of the Split.

        Returns:
            The Split.
        """
        source = source.apply(tf.data.experimental.assert_cardinality(size))
        examples = decoded(source, decode, block)
        return cls(examples, size, undecoded=Undecoded(source, decode, examples, block), **fields)

    def late(self) -> Undecoded | None:
        """`undecoded` where it is that of `examples`; None where these have been replaced since, or are in memory."""
        return self.undecoded if self.undecoded and self.undecoded.examples is self.examples else None

    def read_labels(self) -> np.ndarray:
        """The label of each example, `(examples,)`; goes through the examples where the split does not know them."""
        if self.labels is not None:
            return np.asarray(self.labels)
        return np.array([label.numpy() for label in self.examples.map(lambda example: example["label"])])

    def combined(
        self,
        others: tf.data.Dataset,
        combine: Callable[[Any, Any], Any],
        keep: Callable[[Any], Any] | None = None,
        **changes: Any,
    ) -> "Split":
        """Combines each example with an element of another dataset.

        Args:
            others: One element per example.
            combine: From (example, other element) to the new example.
            keep: From the other element to whether the example stays; None keeps all. `size` must change accordingly.
            **changes: New values of other fields.

        Returns:
            The new Split, which is decoded as late as this one.
        """
        late = self.late()
        pairs = tf.data.Dataset.zip((late.rows if late else self.examples, others))
        if keep is not None:
            pairs = pairs.filter(lambda row, other: keep(other))
        size = changes.get("size", self.size)
        if late is None:
            examples = pairs.map(combine).apply(tf.data.experimental.assert_cardinality(size))
            return dataclasses.replace(self, examples=examples, undecoded=None, **changes)
        decode = late.decode
        split = Split.from_rows(pairs, lambda pair: combine(decode(pair[0]), pair[1]), size)
        return dataclasses.replace(self, examples=split.examples, undecoded=split.undecoded, **changes)


def decoded(rows: tf.data.Dataset, decode: Callable[[Any], Any], block: int = 1) -> tf.data.Dataset:
    """Decodes rows in parallel, in their order.

    Args:
        rows: A dataset.
        decode: From one of its elements to an example.
        block: Number of rows whose files are read at once.

    Returns:
        The examples.
    """

    def example(*row: Any) -> Any:
        return decode(row[0] if len(row) == 1 else row)

    rows = rows if block == 1 else graph.with_bytes(rows, block)
    return rows.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Everything the rest of the program knows about a dataset.

    Attributes:
        name: The dataset.
        modality: "image", "audio", or for pairs of a picture and a clip "image_audio", or "video_audio" where the
            pictures move.
        class_names: Empty where the corpus has transcripts or numbers instead of classes.
        splits: The keys are "train", "validation" and "test".
        sample_rate_hz: The rate of every waveform; None for images.
        notes: Sentences that a reader of the scores must know.
        frames_per_second: The rate of moving pictures; None without them.
        inputs: Names of the raw inputs: "image", "audio", or both; or "video" and "audio".
    """

    name: str
    modality: Modality
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    sample_rate_hz: int | None = None
    notes: tuple[str, ...] = ()
    frames_per_second: int | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the raw inputs of its examples."""
        return INPUTS[self.modality]


class Dataset(Protocol):
    """What a dataset module offers.

    It may also have a constant `LABELS`, a LabelKind: what its examples are labeled with, where the data can be of
    several kinds the usual one. Without it they have classes; `pipelines.datasets.label_kind` reads it.
    """

    @property
    def Config(self) -> type[DataConfig]:  # noqa: N802
        """The dataclass of the dataset's settings."""

    def modality(self, config: Any) -> Modality:
        """Finds the kind of examples, from as little of the data as possible.

        Args:
            config: A `Config` of this module.

        Returns:
            A Modality.

        Raises:
            UserError: As `load` raises it.
        """

    def load(self, config: Any, sample_rate_hz: int | None = None) -> Corpus:
        """Loads the corpus.

        Args:
            config: A `Config` of this module.
            sample_rate_hz: The rate that waveforms are converted to; None keeps the corpus's own. Images ignore it.

        Returns:
            The Corpus. The same config gives the same examples in the same splits.

        Raises:
            UserError: The data is missing, damaged or contradicts the config; it names the file, and the line of a
                list.
        """
