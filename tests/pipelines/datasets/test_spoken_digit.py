"""The Free Spoken Digit Dataset, where it is available."""

import numpy as np
import pytest

from pipelines.datasets import builders, spoken_digit
from pipelines.errors import UserError


@pytest.fixture
def prepared(data_dir):
    return str(data_dir / "tfds")


def test_by_index(prepared):
    corpus = spoken_digit.load(spoken_digit.Config(data_dir=prepared))
    assert (corpus.modality, corpus.sample_rate_hz, len(corpus.class_names)) == ("audio", 8000, 10)
    assert {name: split.size for name, split in corpus.splits.items()} == {
        "train": 2025,
        "validation": 225,
        "test": 250,
    }
    test = corpus.splits["test"]
    assert {int(name.removesuffix(".wav").split("_")[2]) for name in test.sources} == {0, 1, 2, 3, 4}
    assert len({name for split in corpus.splits.values() for name in split.sources}) == 2500
    for split in corpus.splits.values():
        assert [int(name[0]) for name in split.sources] == split.labels.tolist()
    assert np.ptp(np.bincount(corpus.splits["validation"].labels)) <= 1
    examples = list(test.examples.as_numpy_iterator())
    assert [example["label"] for example in examples] == test.labels.tolist()
    assert all(example["audio"].dtype == np.float32 and np.abs(example["audio"]).max() <= 1 for example in examples)
    assert len({len(example["audio"]) for example in examples}) > 100


def test_clips_agree_with_tfds_and_are_resampled(prepared):
    builder = builders.find_builder("spoken_digit", prepared)
    clips = {
        example["audio/filename"].decode(): example["audio"]
        for example in builders.read(builder, "train", ("audio", "audio/filename")).take(300).as_numpy_iterator()
    }
    test = spoken_digit.load(spoken_digit.Config(data_dir=prepared)).splits["test"]
    seen = 0
    for source, example in zip(test.sources, test.examples.as_numpy_iterator(), strict=True):
        if source in clips:
            np.testing.assert_array_equal(example["audio"] * 32768, clips[source])
            seen += 1
    assert seen > 10
    faster = spoken_digit.load(spoken_digit.Config(data_dir=prepared), 16000)
    assert faster.sample_rate_hz == 16000
    once, twice = (next(iter(corpus.examples))["audio"].shape[0] for corpus in (test, faster.splits["test"]))
    assert twice == 2 * once


def test_by_speaker(prepared):
    config = spoken_digit.Config(data_dir=prepared, split="speaker", test_speakers=("jackson",))
    splits = spoken_digit.load(config).splits
    assert {name: split.size for name, split in splits.items()} == {"train": 1800, "validation": 200, "test": 500}
    assert {source.split("_")[1] for source in splits["test"].sources} == {"jackson"}
    assert "jackson" not in {speaker for name in ("train", "validation") for speaker in splits[name].speakers}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "speaker", "test_speakers": ("jakson",)}, "'jackson'.*received 'jakson'"),
        ({"split": "speaker"}, "received none"),
        ({"test_speakers": ("jackson",)}, "needs data.split to be 'speaker'"),
    ],
)
def test_wrong_settings(prepared, fields, message):
    with pytest.raises(UserError, match=message):
        spoken_digit.load(spoken_digit.Config(data_dir=prepared, **fields))


def test_speakers_of_the_validation_split(prepared):
    config = spoken_digit.Config(
        data_dir=prepared, split="speaker", test_speakers=("jackson",), validation_speakers=("theo",)
    )
    splits = spoken_digit.load(config).splits
    speakers = {name: {source.split("_")[1] for source in split.sources} for name, split in splits.items()}
    assert speakers == {"train": {"george", "nicolas", "yweweler"}, "validation": {"theo"}, "test": {"jackson"}}


@pytest.mark.parametrize("speakers", [("jackson",), ("nobody",), ("george", "nicolas", "theo", "yweweler")])
def test_speakers_that_cannot_be_the_validation_split(prepared, speakers):
    config = spoken_digit.Config(
        data_dir=prepared, split="speaker", test_speakers=("jackson",), validation_speakers=speakers
    )
    with pytest.raises(UserError, match=r"data\.validation_speakers takes some, not all, of 'george', 'nicolas'"):
        spoken_digit.load(config)


def test_a_rare_speaker(prepared):
    usual = spoken_digit.load(spoken_digit.Config(data_dir=prepared)).splits
    splits = spoken_digit.load(spoken_digit.Config(data_dir=prepared, rare_speaker="theo")).splits
    share = splits["train"].speakers.count("theo") / splits["train"].size
    assert share == pytest.approx(0.1, abs=0.001)
    assert set(splits["train"].sources) < set(usual["train"].sources)
    for name in ("validation", "test"):
        assert splits[name].sources == usual[name].sources
    with pytest.raises(UserError, match=r"data\.rare_speaker takes some"):
        spoken_digit.load(spoken_digit.Config(data_dir=prepared, rare_speaker="teho"))
