"""Samples as WebDataset has them, and shards by their names."""

import json

import pytest

from pipelines.datasets import manifest_rows
from pipelines.errors import UserError
from pipelines.shards import places, samples
from tests.pipelines.tar_files import packed


def shard(folder, members, name="a.tar"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    data = {key: value if isinstance(value, bytes) else json.dumps(value).encode() for key, value in members.items()}
    (folder / name).write_bytes(packed(data))
    return folder


def read(path, classes=(), unlabeled=False):
    """(rows of the samples, notes on what is left out)."""
    reader, left_out = manifest_rows.RowReader(str(path), classes, None, unlabeled), samples.LeftOut()
    lines = samples.read(places.find(str(path)), left_out, reader.check_columns, classes, unlabeled)
    return [reader.row(where, cells) for where, cells in lines], list(left_out.notes())


def test_labels_transcripts_and_objects(tmp_path):
    shard(
        tmp_path,
        {
            "x/0.jpg": b"1",
            "x/0.cls": b"7\n",
            "x/1.7.JPG": b"1",  # the name ends at its first dot
            "x/1.7.json": {"class": "cat", "speaker": "anna", "split": "train", "mood": "good", "boxes": [1]},
            "x/2.wav": b"1",
            "x/2.txt": "größe  a\nb ".encode(),
            "x/2.json": {"label": "dog", "path": "/etc/passwd", "start": 0.5, "duration": 1},
        },
    )
    rows, notes = read(tmp_path)
    assert notes == []
    assert [(row.label, row.text, row.speaker, row.split) for row in rows] == [
        ("7", "", "", ""),
        ("cat", "", "anna", "train"),
        ("dog", "größe  a b", "", ""),
    ]
    assert [row.path for row in rows] == [f"{tmp_path}/a.tar/x/{name}" for name in ("0.jpg", "1.7.JPG", "2.wav")]
    assert rows[1].further == (("mood", "good"), ("boxes", "[1]"))
    assert (rows[2].start_s, rows[2].end_s) == (0.5, 1.5)


def test_parts_of_a_recording(tmp_path):
    parts = [{"text": "one", "start": 0, "end": 1}, {"text": "two", "start": 1, "end": 2}]
    rows, _ = read(shard(tmp_path, {"a.wav": b"1", "a.json": {"examples": parts}}))
    assert [(row.text, row.start_s, row.end_s) for row in rows] == [("one", 0, 1), ("two", 1, 2)]
    assert [row.where for row in rows] == [f"{tmp_path}/a.tar/a.wav", f"{tmp_path}/a.tar/a.wav#2"]


def test_numbers_of_classes_have_names(tmp_path):
    shard(tmp_path, {"0.png": b"1", "0.cls": b"1", "1.png": b"1", "1.cls": b"cat"})
    assert [row.label for row in read(tmp_path, ("cat", "dog"))[0]] == ["dog", "cat"]
    with pytest.raises(UserError, match=r"0\.cls holds the class 1, but data\.classes names 1"):
        read(tmp_path, ("cat",))


def test_what_is_not_used_is_counted(tmp_path):
    members = {"0.png": b"1", "0.cls": b"0", "0.seg": b"", "0.id": b"", ".hidden.png": b"", "only.json": {"label": 1}}
    rows, notes = read(shard(tmp_path, members))
    assert len(rows) == 1
    assert notes == [
        "3 members with other endings were left out: (hidden) 1, .seg 1, .id 1.",
        "1 sample without a picture or audio was left out.",
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"0.png": b"1", "0.cls": b"0", "1.png": b"1"}, r"a\.tar/1\.png has no label: .* \(1 of 2 samples have none\)"),
        ({"0.png": b"1", "0.json": {"width": 3}}, r"a\.tar/0\.png: one of the columns 'label' .* it has 'width'"),
        ({"0.png": b"1", "0.jpg": b"1"}, r"the sample 0 holds 0\.png and 0\.jpg: a sample has one picture or one clip"),
        ({"0.png": b"1", "0.PNG": b"1"}, r"holds 0\.png and 0\.PNG: rename one"),
        ({"0.png": b"1", "0.json": b"[" * 100_000}, r"0\.png: 0\.json is not"),
        ({"0.png": b"1", "0.json": b'{"a":' * 100_000}, r"0\.png: 0\.json is not"),
        ({"0.png": b"1", "0.json": b"7"}, "must hold an object such as"),
        ({"0.png": b"1", "0.json": b'{"label": "a", "label": "b"}'}, "the column 'label' is there twice"),
        ({"0.png": b"1", "0.json": {"label": {"a": 1}}}, "label must be text or a number"),
        ({"0.png": b"1", "0.json": {"examples": [1]}}, "must hold an object such as"),
        ({"0.png": b"1", "0.cls": b""}, "must hold the name or the number of a class"),
        ({"0.png": b"1", "0.cls": b"\xff"}, "is not UTF-8 text: byte 0 is 0xff"),
        ({"0.wav": b"1", "0.txt": b"  "}, "the transcript is empty"),
        ({"0.npy": b"1"}, r"holds no pictures and no audio \(1 member with another ending was left out: \.npy 1\)"),
        ({}, "holds no pictures and no audio"),
    ],
)
def test_hostile_samples_are_one_sentence(tmp_path, members, message):
    shard(tmp_path, members)
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_splits_by_the_names_of_shards(tmp_path):
    sample = {"0.png": b"1", "0.cls": b"0"}
    for name in ("train-000.tar", "my_val-0.tar", "test/000.tar"):
        shard(tmp_path, sample, name)
    found = places.find(str(tmp_path))
    assert found.splits == ("validation", "test", "train")
    assert [row.split for row in read(tmp_path)[0]] == ["validation", "test", "train"]
    shard(tmp_path, sample, "more.tar")
    with pytest.raises(UserError, match=r"named after splits, and .*more\.tar, which is not: name all of them so"):
        places.find(str(tmp_path))


def test_shards_that_a_path_names(tmp_path):
    for number in range(12):
        shard(tmp_path, {}, f"s-{number:03d}.tar")
    (tmp_path / "README").write_text("")
    every = [f"{tmp_path}/s-{number:03d}.tar" for number in range(12)]
    assert places.find(str(tmp_path)).archives == every
    assert places.find(str(tmp_path)).others == 1
    assert places.find(f"{tmp_path}/s-00*.tar").archives == every[:10]
    assert places.find(f"{tmp_path}/s-{{002..010}}.tar").archives == every[2:11]
    assert places.find(f"{tmp_path}/s-000.tar").archives == every[:1]
    assert not places.is_shards(str(tmp_path))
    assert places.is_shards(f"{tmp_path}/s-00*.tar")
    (tmp_path / "README").unlink()
    assert places.is_shards(str(tmp_path))
    shard(tmp_path / "deep", {}, "train/0.tar")
    assert places.is_shards(str(tmp_path / "deep"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", r"data\.path is needed"),
        ("none", "does not exist"),
        ("empty", "names no .tar shards"),
        ("a.tar.gz", "is packed, so that no member can be read alone: unpack it to a plain .tar"),
        ("packed", r"packed/a\.tgz is packed"),
        ("a-{9..1}.tar", "stands for 0 shards"),
        ("a-{0..999999999999}.tar", "it must be 1 to 100,000"),
        ("nosuch://bucket/a", "nosuch://bucket cannot be opened: Protocol not known"),
        ("memory://nothing", "does not exist"),
    ],
)
def test_paths_without_shards(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packed").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "packed" / "a.tgz").write_bytes(b"")
    with pytest.raises(UserError, match=message):
        places.find(path)
