"""The layout of Common Voice."""

import numpy as np
import pytest
import soundfile

from pipelines.datasets import commonvoice
from pipelines.errors import UserError
from tests.pipelines.datasets.speech_files import assert_transcribed, sizes, text

HEADER = "client_id\tpath\tsentence\tup_votes"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clips").mkdir()
    for table, count in (("train", 3), ("dev", 1), ("test", 2)):
        names = [f"{table}_{n}.mp3" for n in range(count)]
        for n, name in enumerate(names):
            clip = 0.3 * np.sin(np.arange(32000) / 10)
            soundfile.write(tmp_path / "clips" / name, clip, 48000 if n == 2 else 32000, format="MP3")
        lines = [f'client{n}\t{name}\t"Ja", „sagte“ {n}\'\t2' for n, name in enumerate(names)]
        text(tmp_path / f"{table}.tsv", HEADER, *lines)
    return tmp_path


def load(folder, rate=None, **fields):
    return commonvoice.load(commonvoice.Config(path=str(folder), **fields), rate)


@pytest.mark.parametrize("rate", [None, 16000])
def test_tables(folder, rate):
    corpus = load(folder, rate, verify=True)
    assert_transcribed(corpus, rate or 32000)
    assert sizes(corpus) == {"train": 3, "validation": 1, "test": 2}
    test = corpus.splits["test"]
    assert test.texts == ['"Ja", „sagte“ 0\'', '"Ja", „sagte“ 1\'']
    assert test.speakers == ["client0", "client1"]
    assert test.sources[1].endswith("test.tsv:3")


def test_releases_with_more_columns_and_quotation_marks_that_are_not_closed(folder):
    names = "sentence_id up_votes path variant client_id age locale sentence segment gender accents sentence_domain"
    rows = [f"{n}\t2\ttrain_{n}.mp3\t\tme\t\tde\t{sentence}\t\t\t\t" for n, sentence in enumerate(('"Ja', 'Ja"', '"'))]
    text(folder / "train.tsv", "\t".join(names.split()), *rows)
    assert load(folder).splits["train"].texts == ['"Ja', 'Ja"', '"']


def test_early_releases_leave_the_suffix_out(folder):
    text(folder / "dev.tsv", "path\tsentence\tclient_id", "dev_0\tHallo\tme")
    split = load(folder).splits["validation"]
    assert (split.texts, split.speakers, split.size) == (["Hallo"], ["me"], 1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"dev\.tsv: the column 'client_id' is missing; it has none"),
        (["client_id\tpath\tup_votes"], r"dev\.tsv:1: the column 'sentence' is missing; it has client_id, path"),
        ([HEADER], r"dev\.tsv lists no clips"),
        ([HEADER, "me\tdev_0.mp3\tHallo"], r"dev\.tsv:2: 3 cells, but the header names 4 columns"),
        ([HEADER, "me\tdev_0.mp3\t \t2"], r"dev\.tsv:2: the transcript is empty"),
        ([HEADER, "me\t../train.tsv\tHallo\t2"], r"dev\.tsv:2: path must be the name of a file in clips/"),
        ([HEADER, "me\t\tHallo\t2"], r"dev\.tsv:2: path must be the name"),
        ([HEADER, "me\ttrain_1.mp3\tHallo\t2"], r"dev\.tsv:2: 'train_1\.mp3' is already in .*train\.tsv:3"),
        ([HEADER, "me\tno.mp3\tHallo\t2"], r"1 of 6 files cannot be used \(1 missing\).*clips/no\.mp3 cannot be read"),
        ([HEADER, *(f"me\tno{n}.mp3\tA\t2" for n in "12")], r"2 of 7 files cannot be used.*all of them: .*no1.*no2"),
        ([HEADER, f"me\tdev_0.mp3\t{'a' * 10_001}\t2"], r"dev\.tsv:2: the transcript has 10,001 characters"),
    ],
)
def test_user_errors(folder, lines, message):
    text(folder / "dev.tsv", *lines)
    with pytest.raises(UserError, match=message):
        load(folder)


def test_missing_and_broken(folder):
    (folder / "clips" / "dev_0.mp3").write_bytes(b"no audio")
    with pytest.raises(UserError, match=r"1 of 6 files cannot be used.*dev_0\.mp3"):
        load(folder)
    (folder / "dev.tsv").unlink()
    with pytest.raises(UserError, match=r"dev\.tsv cannot be read: No such file"):
        load(folder)
    with pytest.raises(UserError, match=r"data\.path is needed"):
        load("")


def test_empty_and_missing_clips_are_named_at_once_or_left_out(folder):
    (folder / "clips" / "train_0.mp3").write_bytes(b"")
    (folder / "clips" / "test_1.mp3").unlink()
    with pytest.raises(UserError, match=r"2 of 6 files cannot be used \(1 empty, 1 missing\).*train_0.*test_1"):
        load(folder)
    corpus = load(folder, skip_broken=True, broken_list=str(folder / "broken.csv"))
    assert sizes(corpus) == {"train": 2, "validation": 1, "test": 1}
    assert any("2 of 6 files cannot be used" in note for note in corpus.notes)
    assert len((folder / "broken.csv").read_text(encoding="utf-8").splitlines()) == 3
