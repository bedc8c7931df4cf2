"""AN4: the real corpus where it is available, and small ones with errors."""

import numpy as np
import pytest

from pipelines import datasets
from pipelines.datasets import an4
from pipelines.errors import UserError
from tests.pipelines.datasets.speech_files import assert_transcribed, sizes, sphere, text


@pytest.fixture
def folder(tmp_path):
    """Six training speakers with two utterances each, and one test speaker with one."""
    training = [f"an4_clstk/m{k}/an{n}-m{k}-b" for k in range(6) for n in (1, 2)]
    text(tmp_path / "etc" / "an4_train.fileids", *training)
    transcription = [f"<s> GO {i} </s> ({name.rsplit('/', 1)[1]})" for i, name in enumerate(training)]
    text(tmp_path / "etc" / "an4_train.transcription", *reversed(transcription))
    text(tmp_path / "etc" / "an4_test.fileids", "an4test_clstk/fx/cen1-fx-b")
    text(tmp_path / "etc" / "an4_test.transcription", "P I T T (cen1-fx-b)")
    for name in [*training, "an4test_clstk/fx/cen1-fx-b"]:
        sphere(tmp_path / "wav" / f"{name}.sph")
    return tmp_path


def load(folder, rate=None, **fields):
    return an4.load(an4.Config(path=str(folder), **{"validation_utterances": 3} | fields), rate)


def test_the_corpus_itself(data_dir):
    corpus = datasets.load(an4.Config(path=str(data_dir / "an4")))
    assert corpus.sample_rate_hz == 16000
    assert sizes(corpus) == {"train": 844, "validation": 104, "test": 130}
    assert sum(len(spoken.split()) for spoken in corpus.splits["test"].texts) == 773
    speakers = [set(split.speakers) for split in corpus.splits.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 84
    for split in corpus.splits.values():
        assert not any("<" in spoken or "(" in spoken for spoken in split.texts)
        lengths = [len(example["audio"]) for example in split.examples.as_numpy_iterator()]
        np.testing.assert_allclose(split.seconds, np.array(lengths) / 16000)
    assert corpus.splits["test"].sources[0].endswith("an4test_clstk/fcaw/an406-fcaw-b.sph")
    assert corpus.splits["test"].texts[0] == "RUBOUT G M E F THREE NINE"
    # The copy's last file is shorter than its header says.
    assert all("cen8-mmxg-b.sph lacks the last 4544 of 36800 samples" in note for note in corpus.notes)


@pytest.mark.parametrize("rate", [None, 8000])
def test_small(folder, rate):
    corpus = load(folder, rate)
    assert_transcribed(corpus, rate or 16000)
    assert sizes(corpus) == {"train": 8, "validation": 4, "test": 1}
    assert corpus.notes == ()
    test = corpus.splits["test"]
    assert (test.texts, test.speakers, test.seconds.tolist()) == (["P I T T"], ["fx"], [0.1])
    middle = next(iter(test.examples))["audio"].numpy()[(rate or 16000) // 20]
    assert middle == pytest.approx(0.25, abs=0.01)
    train = corpus.splits["train"]
    for source, spoken in zip(train.sources, train.texts, strict=True):
        _, speaker, name = source.removesuffix(".sph").rsplit("/", 2)
        assert spoken == f"GO {2 * int(speaker[1:]) + int(name[2]) - 1}"


def test_validation_follows_from_the_seed(folder):
    speakers = [set(load(folder, split_seed=seed).splits["validation"].speakers) for seed in (0, 0, 1, 2, 3)]
    assert speakers[0] == speakers[1]
    assert len(set(map(frozenset, speakers))) > 1
    assert sizes(load(folder, validation_utterances=4))["validation"] == 4
    assert sizes(load(folder, validation_utterances=5))["validation"] == 6
    with pytest.raises(UserError, match=r"data\.validation_utterances is 12"):
        load(folder, validation_utterances=12)
    with pytest.raises(ValueError, match="Received: 0"):
        an4.Config(validation_utterances=0)


def test_a_file_without_its_end(folder):
    path = folder / "wav" / "an4test_clstk" / "fx" / "cen1-fx-b.sph"
    sphere(path, samples=1600, announced=2000)
    corpus = load(folder)
    assert corpus.splits["test"].seconds.tolist() == [0.1]
    assert corpus.notes == (f"{path} lacks the last 400 of 2000 samples.",)
    sphere(path, samples=1600, announced=2200)
    with pytest.raises(UserError, match=r"cen1-fx-b\.sph is truncated: .* announces 2200 samples, and it holds 1600"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("test.fileids", [], "lists no utterances"),
        ("test.fileids", ["an4test_clstk/fx"], r"fileids:1: not of the form an4_clstk/SPEAKER/UTTERANCE"),
        ("test.fileids", ["an4test_clstk/../cen1-fx-b"], r"fileids:1: not of the form"),
        ("test.fileids", ["an4test_clstk/fx/cen1-fx-b"] * 2, r"fileids:2: .*'cen1-fx-b' is listed twice"),
        (
            "test.fileids",
            [f"an4test_clstk/fx/cen{n}-fx-b" for n in (1, 2)],
            r"cen2-fx-b\.sph has no transcript: add it",
        ),
        ("test.transcription", ["P I T T"], r"transcription:1: not of the form WORDS \(UTTERANCE\)"),
        ("test.transcription", ["", "<s> </s> (cen1-fx-b)"], r"transcription:2: the transcript is empty"),
        ("test.transcription", ["A (cen1-fx-b)", "B (cen1-fx-b)"], r"transcription:2: .*is already in .*:1: keep one"),
        ("test.transcription", ["A (cen1-fx-b)", "B (cen7-fx-b)"], r"transcription:2: no audio of 'cen7-fx-b'"),
        ("test.transcription", [f"{'A' * 10_001} (cen1-fx-b)"], r"transcription:1: the transcript has 10,001 char"),
        ("test.transcription", ["A" * 30_000], r"transcription:1: a line of more than 20,000 characters"),
    ],
)
def test_wrong_lists(folder, name, lines, message):
    text(folder / "etc" / f"an4_{name}", *lines)
    with pytest.raises(UserError, match=message):
        load(folder)


def test_wrong_files(folder):
    path = folder / "wav" / "an4test_clstk" / "fx" / "cen1-fx-b.sph"
    sphere(path, rate=8000)
    with pytest.raises(UserError, match=r"cen1-fx-b\.sph has 8000 Hz and channels: 1, but AN4 has 16000 Hz"):
        load(folder)
    path.write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"cen1-fx-b\.sph has a broken SPHERE header"):
        load(folder)
    path.unlink()
    with pytest.raises(UserError, match=r"cen1-fx-b\.sph cannot be read: No such file"):
        load(folder)
    (folder / "etc" / "an4_test.transcription").write_bytes(b"\xff A")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        load(folder)
    (folder / "etc" / "an4_test.transcription").unlink()
    with pytest.raises(UserError, match=r"an4_test\.transcription cannot be read"):
        load(folder)
    with pytest.raises(UserError, match=r"data\.path .*nowhere is not a folder"):
        load(folder / "nowhere")
    with pytest.raises(UserError, match=r"data\.path is needed: the folder of AN4"):
        load("")
