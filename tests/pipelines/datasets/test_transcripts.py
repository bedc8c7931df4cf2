"""What corpora of speech with transcripts share."""

import numpy as np
import pytest

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError


def test_lines(tmp_path):
    path = tmp_path / "list.txt"
    # Neither a single carriage return nor Unicode's line separator ends a line.
    path.write_bytes("\ufeffone \r\n\n  \ntwo\u2028still two\rand still\nthree".encode())
    assert list(transcripts.lines(path)) == [
        (f"{path}:1", "one "),
        (f"{path}:4", "two\u2028still two\rand still"),
        (f"{path}:5", "three"),
    ]


def test_a_line_without_an_end_is_not_read_as_a_whole(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a" * (transcripts.MAX_LINE - 1) + "\n" + "b" * 1_000_000)
    lines = transcripts.lines(path)
    assert len(next(lines)[1]) == transcripts.MAX_LINE - 1
    with pytest.raises(UserError, match=r"list\.txt:2: a line of more than 20,000 characters"):
        next(lines)


def test_encodings(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("one\r\nzwei ü\r\n".encode("utf-16"))
    assert [line for _, line in transcripts.lines(path)] == ["one", "zwei ü"]
    path.write_bytes(b"0123456789\n" * 2000 + b"caf\xe9")  # more than a buffer
    with pytest.raises(UserError, match=r"list\.txt is not UTF-8 text: byte 22003 \(line 2001\) is 0xe9"):
        list(transcripts.lines(path))


def test_require_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a corpus").mkdir()
    for path in ("~/a corpus", f"file://{tmp_path}/a%20corpus", f"{tmp_path}\\a corpus"):
        assert transcripts.require_folder(path, "a folder") == f"{tmp_path}/a corpus"


def test_clean():
    assert transcripts.clean("here", " a\tb \n") == "a\tb"
    assert transcripts.clean("here", "شکریہ") == "شکریہ"
    assert len(transcripts.clean("here", "a" * 10_000)) == 10_000
    for text, message in (
        ("", "empty"),
        (" \u3000", "empty"),
        ("a" * 10_001, "10,001 characters"),
        ("a\0b", "control"),
    ):
        with pytest.raises(UserError, match=f"^here: the transcript .*{message}"):
            transcripts.clean("here", text)


def test_match_keeps_the_order_of_the_texts():
    texts = {"b": ("list:1", "B"), "a": ("list:2", "A")}
    assert transcripts.match(texts, {"a": "a.wav", "b": "b.wav"}, "root") == [
        ("b", "b.wav", "B"),
        ("a", "a.wav", "A"),
    ]
    with pytest.raises(UserError, match=r"list:1: no audio of 'b' is in root \(and 1 more\): add it"):
        transcripts.match(texts, {}, "root")
    with pytest.raises(UserError, match=r"c\.wav has no transcript \(and 1 more\): add it"):
        transcripts.match({}, {"d": "d.wav", "c": "c.wav"}, "root")


def test_build_corpus_in_memory():
    rows = [files.Row(f"clip {i}", text=f"text {i}", speaker="me" if i else "") for i in range(3)]
    waves = [np.full(100 * (i + 1), i / 4, np.float32) for i in range(3)]
    parts = {"train": [2, 1], "validation": [0], "test": [1]}
    corpus = transcripts.build_corpus_in_memory(DataConfig(name="some"), rows, waves, parts, 1000, ["a note"])
    assert (corpus.name, corpus.sample_rate_hz, corpus.notes) == ("some", 1000, ("a note",))
    train = corpus.splits["train"]
    assert (train.sources, train.texts, train.speakers, train.groups) == (
        ["clip 2", "clip 1"],
        ["text 2", "text 1"],
        ["me", "me"],
        None,
    )
    assert train.seconds.tolist() == [0.3, 0.2]
    clips = [example["audio"] for example in train.examples.as_numpy_iterator()]
    assert [(len(clip), clip[0], clip[-1]) for clip in clips] == [(300, 0.5, 0.5), (200, 0.25, 0.25)]
    assert corpus.splits["validation"].speakers is None
