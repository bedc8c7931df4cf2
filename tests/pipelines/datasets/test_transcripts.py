"""What corpora of speech with transcripts share."""

import numpy as np
import pytest

from pipelines.datasets import files, transcripts
from pipelines.datasets.base import DataConfig
from pipelines.errors import UserError


def test_lines(tmp_path):
    path = tmp_path / "list.txt"
    # Neither a carriage return alone nor Unicode's own line separator ends a line.
    path.write_bytes("\ufeffone \r\n\n  \ntwo\u2028still two\rand still\nthree".encode())
    assert list(transcripts.lines(path)) == [
        (f"{path}:1", "one "),
        (f"{path}:4", "two\u2028still two\rand still"),
        (f"{path}:5", "three"),
    ]


def test_a_line_without_end_is_not_read_whole(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a" * (transcripts.MAX_LINE - 1) + "\n" + "b" * 1_000_000)
    lines = transcripts.lines(path)
    assert len(next(lines)[1]) == transcripts.MAX_LINE - 1
    with pytest.raises(UserError, match=r"list\.txt:2: a line of more than 20,000 characters"):
        next(lines)


def test_checked():
    assert transcripts.checked("here", " a\tb \n") == "a\tb"
    assert transcripts.checked("here", "شکریہ") == "شکریہ"
    assert len(transcripts.checked("here", "a" * 10_000)) == 10_000
    for text, said in (("", "empty"), (" \u3000", "empty"), ("a" * 10_001, "10,001 characters"), ("a\0b", "control")):
        with pytest.raises(UserError, match=f"^here: the transcript .*{said}"):
            transcripts.checked("here", text)


def test_matched_keeps_the_order_of_the_texts():
    texts = {"b": ("list:1", "B"), "a": ("list:2", "A")}
    assert transcripts.matched(texts, {"a": "a.wav", "b": "b.wav"}, "root") == [
        ("b", "b.wav", "B"),
        ("a", "a.wav", "A"),
    ]
    with pytest.raises(UserError, match=r"list:1: no audio of 'b' is in root \(and 1 more\): add it"):
        transcripts.matched(texts, {}, "root")
    with pytest.raises(UserError, match=r"c\.wav has no transcript \(and 1 more\): add it"):
        transcripts.matched({}, {"d": "d.wav", "c": "c.wav"}, "root")


def test_in_memory():
    rows = [files.Row(f"clip {i}", text=f"text {i}", speaker="me" if i else "") for i in range(3)]
    waves = [np.full(100 * (i + 1), i / 4, np.float32) for i in range(3)]
    parts = {"train": [2, 1], "validation": [0], "test": [1]}
    corpus = transcripts.in_memory(DataConfig(name="some"), rows, waves, parts, 1000, ["a note"])
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
