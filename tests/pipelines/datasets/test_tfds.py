"""Sets of TensorFlow Datasets: real ones where they are available, some written here, and user errors."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.datasets import builders, tfds
from pipelines.errors import UserError


@pytest.fixture
def prepared(data_dir):
    return str(data_dir / "tfds")


def made(folder, splits, classes=2, feature="image", rate=None):
    """A set prepared under `folder`, as TFDS writes it: split name -> labels; example i shows the number i."""
    import tensorflow_datasets as datasets

    kind = datasets.features.Image(shape=(2, 2, 1)) if feature == "image" else datasets.features.Audio(sample_rate=rate)
    features = datasets.features.FeaturesDict(
        {feature: kind, "label": datasets.features.ClassLabel(num_classes=classes)}
        if classes
        else {feature: kind, "label": np.int64}
    )
    examples = {
        name: [
            {
                feature: np.full((2, 2, 1), i, np.uint8) if feature == "image" else np.full(100 + i, 16384, np.int64),
                "label": label,
            }
            for i, label in enumerate(labels)
        ]
        for name, labels in splits.items()
    }
    with builders.quiet():
        datasets.dataset_builders.store_as_tfds_dataset(
            name="made",
            version="1.0.0",
            features=features,
            split_datasets={
                name: tf.data.Dataset.from_generator(
                    lambda rows=rows: iter(rows),
                    output_signature={
                        feature: tf.TensorSpec(
                            [2, 2, 1] if feature == "image" else [None], tf.uint8 if feature == "image" else tf.int64
                        ),
                        "label": tf.TensorSpec([], tf.int64),
                    },
                )
                for name, rows in examples.items()
            },
            data_dir=str(folder),
            disable_shuffling=True,
        )
    return tfds.Config(name="made", data_dir=str(folder))


def shown(split):
    return [int(example["image"][0, 0, 0]) for example in split.examples.as_numpy_iterator()]


def test_mnist(prepared):
    corpus = tfds.load(tfds.Config(name="mnist", data_dir=prepared))
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("image", tuple("0123456789"), None)
    assert {name: split.size for name, split in corpus.splits.items()} == {
        "train": 54000,
        "validation": 6000,
        "test": 10000,
    }
    split = corpus.splits["validation"]
    assert sum(1 for _ in split.examples.batch(1000)) == 6
    example = next(iter(split.examples))
    assert (example["image"].dtype, example["image"].shape) == (tf.uint8, (28, 28, 1))
    assert example["label"].dtype == tf.int64


def test_data_dir_from_the_environment(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", prepared)
    assert tfds.load(tfds.Config(name="cifar10")).splits["test"].size == 10000


def test_splits_of_train_are_disjoint_exact_and_seeded(tmp_path):
    config = made(tmp_path, {"train": [0, 1] * 50})
    corpus = tfds.load(config)
    parts = {name: shown(split) for name, split in corpus.splits.items()}
    assert {name: len(part) for name, part in parts.items()} == {"test": 20, "validation": 8, "train": 72}
    assert all(len(parts[name]) == corpus.splits[name].size for name in parts)
    assert sorted(number for part in parts.values() for number in part) == list(range(100))
    assert {name: shown(split) for name, split in tfds.load(config).splits.items()} == parts
    other = tfds.load(tfds.Config(name="made", data_dir=str(tmp_path), split_seed=1))
    assert shown(other.splits["test"]) != parts["test"]


@pytest.mark.parametrize(
    ("splits", "sizes"),
    [
        ({"train": 40, "test": 10}, {"train": 36, "validation": 4, "test": 10}),
        ({"train": 40, "validation": 10}, {"train": 36, "validation": 4, "test": 10}),
        ({"train": 40, "validation": 7, "test": 10}, {"train": 40, "validation": 7, "test": 10}),
    ],
)
def test_the_set_s_own_splits_take_precedence(tmp_path, splits, sizes):
    corpus = tfds.load(
        made(tmp_path, {name: [0, 1] * (count // 2) + [0] * (count % 2) for name, count in splits.items()})
    )
    assert {name: split.size for name, split in corpus.splits.items()} == sizes
    assert {name: len(shown(split)) for name, split in corpus.splits.items()} == sizes


def test_a_test_split_without_labels_is_not_used(tmp_path):
    corpus = tfds.load(made(tmp_path, {"train": [0, 1] * 20, "validation": [0, 1] * 5, "test": [-1] * 8}))
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 36, "validation": 4, "test": 10}


def test_named_splits(tmp_path):
    made(tmp_path, {"train": [0, 1] * 20, "extra": [0, 1] * 5})
    corpus = tfds.load(tfds.Config(name="made", data_dir=str(tmp_path), train_split="train[:50%]", test_split="extra"))
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 18, "validation": 2, "test": 10}
    for wrong in ({"train_split": "trian"}, {"test_split": "extras"}):
        with pytest.raises(UserError, match="did you mean"):
            tfds.load(tfds.Config(name="made", data_dir=str(tmp_path), **wrong))
    with pytest.raises(UserError, match="must differ"):
        tfds.load(tfds.Config(name="made", data_dir=str(tmp_path), test_split="train"))


def test_a_label_out_of_range_is_an_error(tmp_path):
    corpus = tfds.load(made(tmp_path, {"train": [0, 1] * 10 + [-1], "test": [0, 1]}))
    both = corpus.splits["train"].examples.concatenate(corpus.splits["validation"].examples)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels of made must be 0 to 1"):
        list(both)


@pytest.mark.parametrize(("to_hz", "samples"), [(None, 100), (8000, 100), (16000, 200)])
def test_audio_is_scaled_and_resampled(tmp_path, to_hz, samples):
    corpus = tfds.load(made(tmp_path, {"train": [0, 1] * 10, "test": [1]}, feature="audio", rate=8000), to_hz)
    assert corpus.sample_rate_hz == (to_hz or 8000)
    clip = next(iter(corpus.splits["test"].examples))["audio"].numpy()
    assert (clip.dtype, clip.shape) == (np.float32, (samples,))
    np.testing.assert_allclose(clip[samples // 2], 0.5, atol=0.01)


def test_an_unknown_sample_rate_is_an_error(tmp_path):
    made(tmp_path, {"train": [0, 1] * 10}, feature="audio")
    with pytest.raises(UserError, match=r"set data\.sample_rate_hz"):
        tfds.load(tfds.Config(name="made", data_dir=str(tmp_path)))
    corpus = tfds.load(tfds.Config(name="made", data_dir=str(tmp_path), sample_rate_hz=11025))
    assert corpus.sample_rate_hz == 11025


def test_not_a_classification(tmp_path):
    with pytest.raises(UserError, match="not a classification of images or audio"):
        tfds.modality(made(tmp_path, {"train": [0, 1]}, classes=None))
    with pytest.raises(UserError, match="not a classification"):
        tfds.modality(tfds.Config(name="glue", data_dir=str(tmp_path)))


def spoken(folder, **splits):
    """A set of speech with texts: split name -> texts; utterance i has 100 + i samples and speaker i % 4."""
    import tensorflow_datasets as datasets

    features = {
        "speech": datasets.features.Audio(sample_rate=8000),
        "text": datasets.features.Text(),
        "speaker_id": np.int64,
    }
    signature = {
        "speech": tf.TensorSpec([None], tf.int64),
        "text": tf.TensorSpec([], tf.string),
        "speaker_id": tf.TensorSpec([], tf.int64),
    }

    def rows(texts):
        return [
            {"speech": np.full(100 + i, 16384, np.int64), "text": spoken_text, "speaker_id": i % 4}
            for i, spoken_text in enumerate(texts)
        ]

    with builders.quiet():
        datasets.dataset_builders.store_as_tfds_dataset(
            name="spoken",
            version="1.0.0",
            features=datasets.features.FeaturesDict(features),
            split_datasets={
                name: tf.data.Dataset.from_generator(lambda texts=texts: iter(rows(texts)), output_signature=signature)
                for name, texts in splits.items()
            },
            data_dir=str(folder),
            disable_shuffling=True,
        )


def test_speech_with_texts(tmp_path):
    texts = [f"GRÜSSE {i}" for i in range(20)]
    spoken(tmp_path, train_clean=texts, test_clean=["EINS", "ZWEI"], dev_clean=["DREI"])
    fields = {"name": "spoken", "data_dir": str(tmp_path), "train_split": "train_clean", "test_split": "test_clean"}
    assert tfds.modality(tfds.Config(**fields)) == "audio"
    corpus = tfds.load(tfds.Config(**fields))
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("audio", (), 8000)
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 18, "validation": 2, "test": 2}
    seen = []
    for name in ("train", "validation"):
        split = corpus.splits[name]
        for example, text, speaker in zip(split.examples.as_numpy_iterator(), split.texts, split.speakers, strict=True):
            i = len(example["audio"]) - 100
            assert set(example) == {"audio"}
            assert (text, speaker) == (texts[i], str(i % 4))
            seen.append(i)
    assert sorted(seen) == list(range(20))
    assert corpus.splits["test"].texts == ["EINS", "ZWEI"]
    own = tfds.load(tfds.Config(**fields, validation_split="dev_clean"), 16000)
    assert {name: split.size for name, split in own.splits.items()} == {"train": 20, "validation": 1, "test": 2}
    assert len(next(iter(own.splits["validation"].examples))["audio"]) == 200
    with pytest.raises(UserError, match=r"data\.train_split and data\.validation_split must differ"):
        tfds.load(tfds.Config(**fields, validation_split="train_clean"))


def test_an_empty_text_is_an_error(tmp_path):
    spoken(tmp_path, train=["A"] * 10, test=["A", " "])
    with pytest.raises(UserError, match="spoken test 1: the transcript is empty"):
        tfds.load(tfds.Config(name="spoken", data_dir=str(tmp_path)))
