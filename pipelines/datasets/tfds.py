"""Any set of TensorFlow Datasets that classifies images or audio, or transcribes speech, by its name."""

import contextlib
import dataclasses
import os
import re
import socket
import urllib.parse
import urllib.request

import numpy as np
import tensorflow as tf

from pipelines import audio
from pipelines.datasets import transcripts
from pipelines.datasets.base import Corpus, DataConfig, Split
from pipelines.errors import UserError, unknown

# TFDS itself does not say the rate of these.
SAMPLE_RATES_HZ = {"spoken_digit": 8000, "speech_commands": 16000, "librispeech": 16000, "ljspeech": 22050}
SPEAKERS = ("speaker_id", "speaker", "client_id")  # what features with speakers are called


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """A set of TensorFlow Datasets; `name` may carry a builder's config and version, as in `cmaterdb/bangla:1.*.*`."""

    data_dir: str | None = None  # folder of prepared sets; none = TFDS_DATA_DIR, or else ~/tensorflow_datasets
    train_split: str = "train"  # the set's split to train on, slices such as `train[:10%]` too
    validation_split: str | None = None  # the set's split to validate on; none = validation, or else a fraction
    test_split: str | None = None  # the set's split to test on; none = test, or else validation, or else a fraction
    sample_rate_hz: int | None = None  # of the corpus's audio, where neither TFDS nor this program knows it


def modality(config):
    """Says "image" or "audio", without a download. Raises UserError as `load` does."""
    return _features(find_builder(config.name, config.data_dir))[0]


def load(config, sample_rate_hz=None):
    """The Corpus `config.name`, downloaded and prepared first where it is not under the data folder.

    Audio comes at `sample_rate_hz` (None = the corpus's own). Audio with texts and without labels is transcribed: it
    has no classes, and its texts and speakers are read at once. Raises UserError for an unknown name, a set that is
    neither that nor a classification of images or audio, an unknown sample rate or split, and where the download
    cannot be had.
    """
    builder = find_builder(config.name, config.data_dir)
    kind, feature, label = _features(builder)
    is_text = _is_text(builder, label)
    from_hz = _sample_rate(config, builder, feature) if kind == "audio" else None
    prepare(builder)
    classes = builder.info.features[label]
    decode = _decoder(builder, kind, feature, None if is_text else label, from_hz, sample_rate_hz)

    def split(name, mask=None):
        raw = read(builder, name, (feature,) if is_text else (feature, label))
        size = builder.info.splits[name].num_examples
        if mask is not None:
            keep = tf.data.Dataset.from_tensor_slices(mask)
            # A filter that only returns a component runs without calling a function: five times faster.
            raw = tf.data.Dataset.zip((keep, raw)).filter(lambda kept, _: kept).map(lambda _, example: example)
            size = int(np.count_nonzero(mask))
        examples = raw.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        told = _told(builder, name, mask, label) if is_text else {}
        return Split(examples.apply(tf.data.experimental.assert_cardinality(size)), size, **told)

    return Corpus(
        name=config.name,
        modality=kind,
        class_names=() if is_text else tuple(classes.names or map(str, range(classes.num_classes))),
        splits={name: split(*part) for name, part in _parts(config, builder, label).items()},
        sample_rate_hz=(sample_rate_hz or from_hz) if kind == "audio" else None,
    )


def find_builder(name, data_dir):
    """TFDS's builder of a set; nothing is downloaded. Raises UserError for names TFDS cannot resolve."""
    import tensorflow_datasets as tfds  # slow to import

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR")
    try:
        return tfds.builder(name, data_dir=os.path.expanduser(data_dir) if data_dir else None)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise unknown("dataset", re.split("[/:]", name)[0], tfds.list_builders()) from error
    except Exception as error:  # a wrong config or version raises whatever the builder chose
        raise UserError(f"TensorFlow Datasets cannot open {name!r}: {_sentence(error)}") from error


def prepare(builder):
    """Downloads and prepares a set unless its data folder holds it; raises UserError at once where that cannot work.

    TFDS retries an unreachable host for minutes, hence the look at its name first.
    """
    with _quiet():
        if builder.is_prepared():
            return
    where = f"{builder.info.full_name!r} is not under {str(builder.data_dir)!r}"
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        manual = os.path.join(builder._data_dir_root, "downloads", "manual")
        if not os.path.isdir(manual) or not os.listdir(manual):
            how = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
            raise UserError(f"{where} and TFDS may not download it for you: put its files into {manual!r} ({how})")
    host = _unreachable_host(builder)
    if host:
        raise UserError(
            f"{where} and the download host {host} cannot be reached: connect to the network, "
            "or point data.data_dir or TFDS_DATA_DIR to a folder where the set is prepared."
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksums, missing encoders: TFDS has no common base for them
        raise UserError(f"{where} and TFDS cannot prepare it: {_sentence(error)}") from error


def read(builder, split, features):
    """The named features of a prepared set's split, images still encoded, always in the same order."""
    import tensorflow_datasets as tfds

    skip = {
        name: tfds.decode.SkipDecoding()
        for name in features
        if isinstance(builder.info.features[name], tfds.features.Image)
    }
    with _quiet():
        return builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding(dict.fromkeys(features, True), decoders=skip),
        )


def _features(builder):
    """(modality, input feature, label or text feature), the pair TFDS itself supervises with first."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    supervised = [key for key in builder.info.supervised_keys or () if isinstance(key, str)]
    names = [*supervised, *(name for name in features if name not in supervised)]

    def first(kind):
        return next((name for name in names if isinstance(features[name], kind)), None)

    image, sound, label = first(tfds.features.Image), first(tfds.features.Audio), first(tfds.features.ClassLabel)
    text = next((name for name in (*supervised, "text") if _is_text(builder, name)), None)
    if sound is not None and text is not None and (label is None or text in supervised):
        return "audio", sound, text
    if label is None or (image is None and sound is None):
        has = ", ".join(f"{name} ({type(features[name]).__name__})" for name in features)
        raise UserError(
            f"{builder.name!r} is not a classification of images or audio, nor speech with texts: it has {has}."
        )
    return ("image", image, label) if image is not None else ("audio", sound, label)


def _is_text(builder, name):
    import tensorflow_datasets as tfds

    return name in builder.info.features and isinstance(builder.info.features[name], tfds.features.Text)


def _told(builder, split, mask, text):
    """Texts, speakers and sources of a split, by a pass that reads no audio."""
    speaker = next((name for name in SPEAKERS if name in builder.info.features), None)
    texts, speakers, sources = [], [], []
    for i, example in enumerate(read(builder, split, tuple(filter(None, (text, speaker)))).as_numpy_iterator()):
        if mask is None or mask[i]:
            sources.append(f"{builder.name} {split} {i}")
            texts.append(transcripts.checked(sources[-1], example[text].decode()))
            if speaker:
                speakers.append(
                    example[speaker].decode() if isinstance(example[speaker], bytes) else str(example[speaker])
                )
    return {"texts": texts, "speakers": speakers or None, "sources": sources}


def _sample_rate(config, builder, feature):
    rate = config.sample_rate_hz or builder.info.features[feature].sample_rate or SAMPLE_RATES_HZ.get(builder.name)
    if rate is None:
        raise UserError(f"TFDS does not say the sample rate of {builder.name!r}: give data.sample_rate_hz.")
    return rate


def _parts(config, builder, label):
    """Split name -> (TFDS split, mask or None)."""
    named = builder.info.splits
    for wanted in (config.train_split, config.validation_split, config.test_split):
        if wanted is not None and re.split(r"[\[+]", wanted)[0] not in named:
            raise unknown(f"split of {builder.name!r}", wanted, named)
        try:
            empty = wanted is not None and named[wanted].num_examples == 0
        except Exception as error:  # brackets that make no sense to TFDS
            raise UserError(f"The split {wanted!r} of {builder.name!r} cannot be read: {_sentence(error)}") from error
        if empty:
            raise UserError(f"The split {wanted!r} of {builder.name!r} holds no examples.")
    train, test, size = config.train_split, config.test_split, named[config.train_split].num_examples
    for name, other in (("test", test), ("validation", config.validation_split)):
        if train == other:
            raise UserError(f"data.train_split and data.{name}_split must differ; both are {train!r}.")
    if test is None:
        test = next((name for name in ("test", "validation") if _labeled(builder, name, label)), None)
    own_validation = config.validation_split or (
        "validation" if "validation" in named and test != "validation" else None
    )
    left, parts = np.random.default_rng(config.split_seed).permutation(size), {}
    for name, own, fraction in (
        ("test", test, config.test_fraction),
        ("validation", own_validation, config.validation_fraction),
    ):
        if own is not None:
            parts[name] = (own, None)
            continue
        count = max(1, round(len(left) * fraction))
        if count >= len(left):
            raise UserError(f"{train!r} of {builder.name!r} has {size} examples: too few to take {name} from it.")
        parts[name] = (train, _mask(size, left[:count]))
        left = left[count:]
    return {"train": (train, None if len(left) == size else _mask(size, left)), **parts}


def _labeled(builder, split, label):
    """Whether the split is there and was not published without its labels, which TFDS writes as -1."""
    if split not in builder.info.splits or builder.info.splits[split].num_examples == 0:
        return False
    if _is_text(builder, label):
        return True
    return all(int(example[label]) >= 0 for example in read(builder, split, (label,)).take(1))


def _mask(size, indices):
    mask = np.zeros(size, bool)
    mask[indices] = True
    return mask


def _decoder(builder, kind, feature, label, from_hz, to_hz):
    connector = builder.info.features[feature]
    classes = label and builder.info.features[label].num_classes

    def labeled(example):
        rule = f"labels of {builder.name} must be 0 to {classes - 1}. Received:"
        with tf.control_dependencies(
            [tf.debugging.Assert((example[label] >= 0) & (example[label] < classes), [rule, example[label]])]
        ):
            return {"label": tf.identity(example[label])}

    def decode(example):
        answer = {} if label is None else labeled(example)
        if kind == "image":
            channels = connector.shape[-1] or 3
            image = tf.io.decode_image(example[feature], channels=channels, expand_animations=False)
            image.set_shape((*connector.shape[:2], channels))
            return {"image": image, **answer}
        waveform = example[feature]
        if waveform.dtype.is_integer:
            waveform = tf.cast(waveform, tf.float32) / 32768  # TFDS widens 16-bit samples
        if waveform.shape.rank == 2:
            waveform = tf.reduce_mean(waveform, axis=-1)
        return {"audio": audio.resample(waveform, from_hz, to_hz or from_hz), **answer}

    return decode


def _unreachable_host(builder):
    """The first download host whose name does not resolve, or None; a proxy resolves names itself."""
    if urllib.request.getproxies():
        return None
    url = next(iter(builder.url_infos or ()), None)
    host = urllib.parse.urlsplit(url).hostname if url else None
    if host is None:
        return None
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return host
    return None


@contextlib.contextmanager
def _quiet():
    """Holds back what TFDS logs of its own workings (deprecations, folders it looked into)."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _sentence(error):
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
