"""LibriSpeech: four real utterances where they are available, and small trees with errors."""

import shutil

import numpy as np
import pytest
import soundfile

from pipelines import datasets
from pipelines.datasets import librispeech
from pipelines.errors import UserError
from tests.pipelines.datasets.speech_files import assert_transcribed, sizes, text

SUBSETS = {"train-clean-100": (11, 12, 13), "dev-clean": (21,), "test-clean": (31, 32)}


def chapter(folder, speaker, number=7, utterances=2):
    """The path of a chapter with `utterances` files of a tenth of a second."""
    below = folder / str(speaker) / str(number)
    names = [f"{speaker}-{number}-{n:04}" for n in range(utterances)]
    text(below / f"{speaker}-{number}.trans.txt", *(f"{name} SPEAKER {speaker} SAYS {name[-1]}" for name in names))
    for name in names:
        soundfile.write(below / f"{name}.flac", np.linspace(0, 0.5, 1600), 16000, subtype="PCM_16")
    return below


@pytest.fixture
def folder(tmp_path):
    for subset, speakers in SUBSETS.items():
        for speaker in speakers:
            chapter(tmp_path / subset, speaker)
    return tmp_path


def load(folder, rate=None, **fields):
    return librispeech.load(librispeech.Config(path=str(folder), **fields), rate)


def test_four_real_utterances(data_dir):
    config = librispeech.Config(
        path=str(data_dir / "LibriSpeech"), only="test-clean", split_by="utterance", verify=True
    )
    corpus = datasets.load(config)
    assert_transcribed(corpus, 16000)
    assert sizes(corpus) == {"train": 2, "validation": 1, "test": 1}
    texts = {text for split in corpus.splits.values() for text in split.texts}
    assert "STUFF IT INTO YOU HIS BELLY COUNSELLED HIM" in texts
    assert {speaker for split in corpus.splits.values() for speaker in split.speakers} == {"1089"}
    with pytest.raises(UserError, match="1 of 1 groups"):
        load(data_dir / "LibriSpeech", only="test-clean")
    with pytest.raises(
        UserError, match=r"no subset 'train-clean-100' \(data\.train\), it has test-clean: .*data\.only"
    ):
        load(data_dir / "LibriSpeech")


def test_subsets(folder):
    corpus = load(folder)
    assert_transcribed(corpus, 16000)
    assert sizes(corpus) == {"train": 6, "validation": 2, "test": 4}
    assert corpus.splits["test"].speakers == ["31", "31", "32", "32"]
    assert corpus.splits["test"].texts[3] == "SPEAKER 32 SAYS 1"
    assert corpus.splits["test"].sources[3].endswith("test-clean/32/7/32-7-0001.flac")
    both = load(folder, 8000, train=("train-clean-100", "dev-clean"), validation=(), validation_fraction=0.5)
    assert_transcribed(both, 8000)
    assert sizes(both) == {"train": 4, "validation": 4, "test": 4}


def test_one_subset_by_speakers(folder):
    corpus = load(folder, only="train-clean-100")
    assert sizes(corpus) == {"train": 2, "validation": 2, "test": 2}
    assert len({speaker for split in corpus.splits.values() for speaker in set(split.speakers)}) == 3


def test_user_errors(folder):
    with pytest.raises(UserError, match=r"data\.train names 'dev-clean', which is named twice.*data\.only"):
        load(folder, train=("dev-clean",))
    with pytest.raises(UserError, match=r"no subset '\.\./x'"):
        load(folder, test=("../x",))
    with pytest.raises(UserError, match=r"no subset '\.\.'"):
        load(folder, only="..")
    with pytest.raises(UserError, match=r"data\.train names no subset"):
        load(folder, train=())
    with pytest.raises(UserError, match=r"data\.path is needed"):
        load("")
    below = folder / "dev-clean" / "21" / "7"
    lists = below / "21-7.trans.txt"
    for lines, message in (
        (["21-7-0000 A"], r"21-7-0001\.flac has no transcript: add it"),
        (["21-7-0000"], r"trans\.txt:1: the transcript is empty"),
        (["21-7-0000 A", "21-7-0000 B"], r"trans\.txt:2: .* is already in .*:1"),
        ([f"21-7-000{n} A" for n in range(4)], r"trans\.txt:3: no audio of '21-7-0002' is in .*\(and 1 more\)"),
        ([f"21-7-000{n} {'A' * 10_001}" for n in range(2)], r"trans\.txt:1: the transcript has 10,001 characters"),
    ):
        text(lists, *lines)
        with pytest.raises(UserError, match=message):
            load(folder)
    lists.unlink()
    with pytest.raises(UserError, match="dev-clean holds no transcripts"):
        load(folder)


def test_wrong_audio(folder):
    path = chapter(folder / "dev-clean", 22) / "22-7-0001.flac"
    whole = path.read_bytes()
    soundfile.write(path, np.zeros(800), 8000, format="FLAC")
    with pytest.raises(UserError, match=r"22-7-0001\.flac has 8000 Hz, but the corpus comes at 16000 Hz.*1 of 14"):
        load(folder)
    path.write_bytes(whole[:-100])
    with pytest.raises(UserError, match=r"1 of 14 files cannot be used.*22-7-0001\.flac"):
        load(folder, verify=True)
    path.write_bytes(b"no audio")
    with pytest.raises(UserError, match=r"1 of 14 files cannot be used.*22-7-0001\.flac"):
        load(folder)
    shutil.rmtree(folder / "dev-clean")
    with pytest.raises(UserError, match="it has test-clean, train-clean-100"):
        load(folder)
