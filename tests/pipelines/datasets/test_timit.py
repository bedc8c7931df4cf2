"""TIMIT, in a small tree of the official layout."""

import pytest
import soundfile

from pipelines.datasets import timit
from pipelines.errors import UserError
from tests.pipelines.datasets.speech_files import assert_transcribed, sizes, sphere, text


def sentence(folder, name, small=False):
    def written(suffix):
        return folder / ((name + suffix).lower() if small else name + suffix)

    sphere(written(".WAV"))
    text(written(".PHN"), "0 400 h#", "400 900 sh", "900 1200 ix", "1200 1600 h#")
    text(written(".TXT"), "0 1600 She had your dark suit.")


@pytest.fixture(params=[False, True], ids=["capitals", "small"])
def folder(request, tmp_path):
    """Two training speakers, the core test, the development speakers, and one in none of them."""
    speakers = [("TRAIN", "FCJF0"), ("TRAIN", "MDAC0"), ("TEST", "MUNUSED")]
    speakers += [("TEST", name) for name in timit.CORE_TEST + timit.DEVELOPMENT]
    for i, (part, speaker) in enumerate(speakers):
        where = f"{part}/DR{i % 8 + 1}/{speaker}"
        for name in ("SA1", "SI1027") if i else ("SA1", "SI1027", "SX37"):
            sentence(tmp_path / (where.lower() if request.param else where), name, request.param)
    return tmp_path


def load(folder, rate=None, **fields):
    return timit.load(timit.Config(path=str(folder), **fields), rate)


def test_lists_of_speakers():
    # One woman and two men of each of eight regions; no one is in both lists.
    assert len(set(timit.CORE_TEST)) == 24
    assert sum(name.startswith("F") for name in timit.CORE_TEST) == 8
    assert len(set(timit.DEVELOPMENT)) == 50
    assert not set(timit.CORE_TEST) & set(timit.DEVELOPMENT)


def test_splits_and_units(folder):
    corpus = load(folder)
    assert_transcribed(corpus, 16000)
    assert sizes(corpus) == {"train": 3, "validation": 50, "test": 24}
    assert set(corpus.splits["test"].speakers) == set(timit.CORE_TEST)
    assert set(corpus.splits["validation"].speakers) == set(timit.DEVELOPMENT)
    train = corpus.splits["train"]
    assert (train.speakers, train.groups) == (["FCJF0", "FCJF0", "MDAC0"], ["DR1", "DR1", "DR2"])
    assert not any("SA1" in source.upper() for split in corpus.splits.values() for source in split.sources)
    assert set(train.texts) == {"h# sh ix h#"}
    words = load(folder, 8000, unit="words")
    assert_transcribed(words, 8000)
    assert set(words.splits["test"].texts) == {"She had your dark suit."}


def test_two_files_of_a_sentence_and_files_of_no_bytes(folder):
    # SI1027.WAV is NIST SPHERE, and SI1027.WAV.wav what people convert it to.
    files = [path for path in folder.rglob("*") if path.name.upper() == "SI1027.WAV"]
    for path in files:
        sphere(path.with_name(path.name + ".wav"))
    assert sizes(load(folder)) == {"train": 3, "validation": 50, "test": 24}
    for path in files[:2]:
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"2 of 77 files cannot be used.*is empty"):
        load(folder)


def test_user_errors(tmp_path):
    with pytest.raises(UserError, match="has no folder TRAIN"):
        load(tmp_path)
    below = tmp_path / "TRAIN" / "DR1" / "FCJF0"
    below.mkdir(parents=True)
    with pytest.raises(UserError, match="TRAIN holds no sentences"):
        load(tmp_path)
    sentence(below, "SX37")
    (tmp_path / "TEST").mkdir()
    with pytest.raises(UserError, match="TEST lacks 50 speakers of the validation split: FADG0, "):
        load(tmp_path)
    for lines, message in (
        (["0 400 h# sh"], r"SX37\.PHN:1: not of the form FIRST_SAMPLE LAST_SAMPLE SYMBOL"),
        (["0 400 h#", "400 sh"], r"SX37\.PHN:2: not of the form"),
        (["0 x sh"], r"SX37\.PHN:1: not of the form"),
        ([], r"SX37\.PHN: the transcript is empty"),
    ):
        text(below / "SX37.PHN", *lines)
        with pytest.raises(UserError, match=message):
            load(tmp_path)
    (below / "SX37.PHN").unlink()
    with pytest.raises(UserError, match=r"SX37\.WAV has no transcript"):
        load(tmp_path)
    sentence(below, "SX37")
    (below / "SX37.WAV").unlink()
    with pytest.raises(UserError, match=r"SX37\.PHN: no audio of 'SX37'"):
        load(tmp_path)
    sentence(below, "SX37")
    text(below / "sx37.phn", "0 1600 h#")
    with pytest.raises(UserError, match="in capitals and in small letters"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"data\.path is needed: the folder of TIMIT"):
        load("")


def test_audio_of_another_rate_and_of_another_format(folder):
    path = next(path for path in folder.rglob("*") if path.name.upper() == "SX37.WAV")
    sphere(path, rate=8000)
    with pytest.raises(UserError, match=r"(?i)sx37\.wav has 8000 Hz, but the corpus comes at 16000 Hz"):
        load(folder)
    soundfile.write(path.with_name("SX37.WAV.wav"), [0.0] * 160, 16000, subtype="PCM_16")
    path.unlink()
    assert load(folder).splits["train"].seconds.tolist() == [0.1, 0.01, 0.1]
