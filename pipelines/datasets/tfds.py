"""Any set of TensorFlow Datasets that classifies images or audio, or transcribes speech, by its name."""

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines import audio
from pipelines.counts import counted
from pipelines.datasets import builders, transcripts
from pipelines.datasets.base import Corpus, DataConfig, Modality, Split
from pipelines.errors import UserError, unknown

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

# TFDS itself does not know the rate of these.
SAMPLE_RATES_HZ = {"spoken_digit": 8000, "speech_commands": 16000, "librispeech": 16000, "ljspeech": 22050}
SPEAKERS = ("speaker_id", "speaker", "client_id")  # names of features with speakers

Example = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """A set of TensorFlow Datasets; `name` may carry a builder's config and version, as in `cmaterdb/bangla:1.*.*`."""

    data_dir: str | None = None  # folder of prepared sets; none = TFDS_DATA_DIR, or else ~/tensorflow_datasets
    train_split: str = "train"  # the set's split to train on, slices such as `train[:10%]` too
    validation_split: str | None = None  # the set's split to validate on; none = validation, or else a fraction
    test_split: str | None = None  # the set's split to test on; none = test, or else validation, or else a fraction
    sample_rate_hz: int | None = None  # of the corpus's audio, where neither TFDS nor this program knows it


class _Features(NamedTuple):
    """The features of a set that are used."""

    modality: Modality
    source: str  # name of the image or audio feature
    target: str  # name of the class or text feature
    is_text: bool


def modality(config: Config) -> Modality:
    """Returns "image" or "audio", without a download.

    Raises:
        UserError: As `load` raises it.
    """
    return _features(builders.find_builder(config.name, config.data_dir)).modality


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Loads a set; it is downloaded and prepared first where it is not in the data folder.

    Audio with texts and without labels has no classes; its texts and speakers are read at once.

    Args:
        config: Name, folder and splits.
        sample_rate_hz: The rate that audio is converted to; None is the corpus's own.

    Returns:
        The Corpus.

    Raises:
        UserError: The name, a split or the sample rate is unknown, the set is neither a classification of images or
            audio nor speech with texts, or it cannot be downloaded.
    """
    builder = builders.find_builder(config.name, config.data_dir)
    features = _features(builder)
    from_hz = _sample_rate(config, builder, features.source) if features.modality == "audio" else None
    builders.prepare(builder)
    decode = _decoder(builder, features, from_hz, sample_rate_hz)

    def split(name: str, mask: np.ndarray | None) -> Split:
        raw = builders.read(builder, name, (features.source,) if features.is_text else features[1:3])
        size = builder.info.splits[name].num_examples
        if mask is not None:
            keep = tf.data.Dataset.from_tensor_slices(mask)
            # A filter that only returns a component runs without calling a function: five times faster.
            raw = tf.data.Dataset.zip((keep, raw)).filter(lambda kept, _: kept).map(lambda _, example: example)
            size = int(np.count_nonzero(mask))
        examples = raw.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        fields = _metadata(builder, name, mask, features.target) if features.is_text else {}
        return Split(examples.apply(tf.data.experimental.assert_cardinality(size)), size, **fields)

    return Corpus(
        name=config.name,
        modality=features.modality,
        class_names=() if features.is_text else _class_names(builder, features.target),
        splits={name: split(*part) for name, part in _parts(config, builder, features).items()},
        sample_rate_hz=(sample_rate_hz or from_hz) if features.modality == "audio" else None,
    )


def _features(builder: "DatasetBuilder") -> _Features:
    """The features that are used: the pair that TFDS itself supervises with takes precedence."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    supervised = [key for key in builder.info.supervised_keys or () if isinstance(key, str)]
    names = [*supervised, *(name for name in features if name not in supervised)]

    def first(kind: type) -> str | None:
        return next((name for name in names if isinstance(features[name], kind)), None)

    image, sound, label = first(tfds.features.Image), first(tfds.features.Audio), first(tfds.features.ClassLabel)
    text = next((name for name in (*supervised, "text") if _is_text(builder, name)), None)
    if sound is not None and text is not None and (label is None or text in supervised):
        return _Features("audio", sound, text, is_text=True)
    if label is not None and image is not None:
        return _Features("image", image, label, is_text=False)
    if label is not None and sound is not None:
        return _Features("audio", sound, label, is_text=False)
    present = ", ".join(f"{name} ({type(features[name]).__name__})" for name in features)
    raise UserError(
        f"{builder.name!r} is not a classification of images or audio, nor speech with texts: it has {present}."
    )


def _is_text(builder: "DatasetBuilder", name: str) -> bool:
    import tensorflow_datasets as tfds

    return name in builder.info.features and isinstance(builder.info.features[name], tfds.features.Text)


def _class_names(builder: "DatasetBuilder", label: str) -> tuple[str, ...]:
    classes = builder.info.features[label]
    return tuple(classes.names or map(str, range(classes.num_classes)))


def _metadata(builder: "DatasetBuilder", split: str, mask: np.ndarray | None, text: str) -> dict[str, Any]:
    """Texts, speakers and sources of a split, by a pass that reads no audio."""
    speaker = next((name for name in SPEAKERS if name in builder.info.features), None)
    texts, speakers, sources = [], [], []
    features = (text, speaker) if speaker else (text,)
    for i, example in enumerate(builders.read(builder, split, features).as_numpy_iterator()):
        if mask is None or mask[i]:
            sources.append(f"{builder.name} {split} {i}")
            texts.append(transcripts.clean(sources[-1], example[text].decode()))
            if speaker:
                name = example[speaker]
                speakers.append(name.decode() if isinstance(name, bytes) else str(name))
    return {"texts": texts, "speakers": speakers or None, "sources": sources}


def _sample_rate(config: Config, builder: "DatasetBuilder", feature: str) -> int:
    rate = config.sample_rate_hz or builder.info.features[feature].sample_rate or SAMPLE_RATES_HZ.get(builder.name)
    if rate is None:
        raise UserError(f"TFDS does not know the sample rate of {builder.name!r}: set data.sample_rate_hz.")
    return rate


def _parts(config: Config, builder: "DatasetBuilder", features: _Features) -> dict[str, tuple[str, np.ndarray | None]]:
    """Split name -> (TFDS split, bool mask of its examples or None for all)."""
    named = builder.info.splits
    for split in (config.train_split, config.validation_split, config.test_split):
        if split is not None:
            _require_split(builder, split)
    train, test, size = config.train_split, config.test_split, named[config.train_split].num_examples
    for name, other in (("test", test), ("validation", config.validation_split)):
        if train == other:
            raise UserError(f"data.train_split and data.{name}_split must differ; both are {train!r}.")
    if test is None:
        test = next((name for name in ("test", "validation") if _is_labeled(builder, name, features)), None)
    own_validation = config.validation_split or (
        "validation" if "validation" in named and test != "validation" else None
    )
    remaining = np.random.default_rng(config.split_seed).permutation(size)
    parts: dict[str, tuple[str, np.ndarray | None]] = {}
    for name, own, fraction in (
        ("test", test, config.test_fraction),
        ("validation", own_validation, config.validation_fraction),
    ):
        if own is not None:
            parts[name] = (own, None)
            continue
        count = max(1, round(len(remaining) * fraction))
        if count >= len(remaining):
            raise UserError(
                f"{train!r} of {builder.name!r} has {counted(size, 'example')}: too few to take {name} from it."
            )
        parts[name] = (train, _mask(size, remaining[:count]))
        remaining = remaining[count:]
    return {"train": (train, None if len(remaining) == size else _mask(size, remaining)), **parts}


def _require_split(builder: "DatasetBuilder", split: str) -> None:
    """UserError unless the set has the split, or a slice of it, with examples."""
    named = builder.info.splits
    if re.split(r"[\[+]", split)[0] not in named:
        raise unknown(f"split of {builder.name!r}", split, named)
    try:
        is_empty = named[split].num_examples == 0
    except Exception as error:  # brackets that TFDS cannot parse
        raise UserError(
            f"The split {split!r} of {builder.name!r} cannot be read: {builders.first_line(error)}"
        ) from error
    if is_empty:
        raise UserError(f"The split {split!r} of {builder.name!r} holds no examples.")


def _is_labeled(builder: "DatasetBuilder", split: str, features: _Features) -> bool:
    """Whether the split is there and was published with its labels: TFDS writes -1 for one that is missing."""
    if split not in builder.info.splits or builder.info.splits[split].num_examples == 0:
        return False
    if features.is_text:
        return True
    first = builders.read(builder, split, (features.target,)).take(1)
    return all(int(example[features.target]) >= 0 for example in first)


def _mask(size: int, indices: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[indices] = True
    return mask


def _decoder(
    builder: "DatasetBuilder", features: _Features, from_hz: int | None, to_hz: int | None
) -> Callable[[Example], Example]:
    """The function from an example as TFDS reads it to one of a Split."""
    source, target = features.source, features.target
    connector = builder.info.features[source]
    classes = None if features.is_text else builder.info.features[target].num_classes

    def label(example: Example) -> Example:
        if classes is None:
            return {}
        rule = f"labels of {builder.name} must be 0 to {classes - 1}. Received:"
        is_valid = (example[target] >= 0) & (example[target] < classes)
        with tf.control_dependencies([tf.debugging.Assert(is_valid, [rule, example[target]])]):
            return {"label": tf.identity(example[target])}

    def decode_image(example: Example) -> Example:
        channels = connector.shape[-1] or 3
        image = tf.io.decode_image(example[source], channels=channels, expand_animations=False)
        image.set_shape((*connector.shape[:2], channels))
        return {"image": image, **label(example)}

    def decode_audio(example: Example) -> Example:
        waveform = example[source]
        if waveform.dtype.is_integer:
            waveform = tf.cast(waveform, tf.float32) / 32768  # TFDS widens 16-bit samples
        if waveform.shape.rank == 2:
            waveform = tf.reduce_mean(waveform, axis=-1)
        return {"audio": audio.resample(waveform, from_hz, to_hz or from_hz), **label(example)}

    return decode_image if features.modality == "image" else decode_audio
