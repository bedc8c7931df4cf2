"""Splits by content: stable, with copies together and every class in every split."""

import collections

import numpy as np
import pytest

from pipelines.datasets import content_split, fingerprints
from pipelines.datasets.base import FilesConfig
from pipelines.datasets.files import Row
from pipelines.errors import UserError

CONFIG = FilesConfig("folder")


@pytest.fixture
def make(tmp_path):
    """A function from (name, content, label) to a row of a file with that content."""

    def row(name, content, label="", **fields):
        path = tmp_path / name
        path.write_text(str(content), encoding="utf-8")
        return Row(str(path), label, **fields)

    return row


def split(rows, config=CONFIG, by=None):
    names = sorted({row.label for row in rows})
    labels = np.array([names.index(row.label) for row in rows])
    return content_split.split_files(rows, labels, config, by)


def sides(result):
    return {result.rows[i].path: name for name, indices in result.parts.items() for i in indices}


def test_added_files_move_no_others(make):
    rows = [make(f"{i}.png", i, f"class{i % 4}") for i in range(200)]
    before = sides(split(rows))
    assert collections.Counter(before.values()) == {"train": 144, "test": 40, "validation": 16}
    more = [make(f"a{i}.png", f"new {i}", f"class{i % 5}") for i in range(40)]
    after = sides(split([*more, *rows[::-1]]))
    assert {path: after[path] for path in before} == before
    assert len(set(after.values())) == 3


def test_another_seed_splits_otherwise(make):
    rows = [make(f"{i}.png", i) for i in range(100)]
    one, two = sides(split(rows)), sides(split(rows, FilesConfig("folder", split_seed=1)))
    assert one != two
    assert one == sides(split(rows))


def test_the_name_of_a_file_does_not_matter(make):
    one = sides(split([make(f"{i}.png", i) for i in range(100)]))
    two = sides(split([make(f"z{i}.png", i) for i in range(100)]))
    assert list(one.values()) == list(two.values())


def test_copies_are_in_one_split_and_reported(make):
    rows = [make(f"{i}.png", i, f"class{i % 2}") for i in range(100)]
    rows += [make(f"copy{i}.png", i, f"class{i % 2}") for i in range(50)]
    result = split(rows)
    side = sides(result)
    names = [row.path for row in rows]
    assert all(side[names[i]] == side[names[100 + i]] for i in range(50))
    assert result.notes[0].startswith("50 of 150 examples are exact copies of others (")
    assert "0.png = " in result.notes[0]
    assert result.notes[0].endswith("..); copies are in the same split.")


def test_rows_listed_twice_are_one_example(make):
    rows = [make(f"{i}.png", i) for i in range(30)]
    result = split(rows + rows)
    counts = collections.Counter(index % 30 for indices in result.parts.values() for index in indices)
    assert set(counts.values()) == {2}
    assert all({i % 30 for i in part} == {i % 30 for i in part if i < 30} for part in result.parts.values())
    assert "30 of 60 examples are exact copies" in result.notes[0]


def test_pieces_of_a_file_are_not_copies(make):
    whole = make("call.wav", "all")
    rows = [Row(whole.path, start_s=i, end_s=i + 1.0) for i in range(60)]
    result = split(rows)
    assert not result.notes
    assert len(result.parts["test"]) > 3


def test_copies_with_several_labels_are_reported(make):
    rows = [make(f"{i}.png", i % 60, f"class{i // 60}") for i in range(70)]
    assert any("10 of the copied examples have several labels" in note for note in split(rows).notes)


def test_copies_in_splits_that_the_data_names(make):
    rows = [make(f"{i}.png", i, f"class{i % 2}", split="train" if i < 80 else "test") for i in range(100)]
    rows += [make(f"leak{i}.png", i, f"class{i % 2}", split="test") for i in range(5)]
    result = split(rows)
    assert set(result.parts["test"]) == {*range(80, 105)}
    text = " ".join(result.notes)
    assert "5 of the copied examples are in several splits" in text
    assert "same split" not in text


@pytest.mark.parametrize("seed", range(8))
def test_rare_classes_are_in_every_split(make, seed):
    rows = [make(f"{i}.png", i, "common") for i in range(60)]
    rows += [make(f"r{i}.png", f"rare {i}", "rare") for i in range(3)]
    result = split(rows, FilesConfig("folder", split_seed=seed))
    assert sorted(sides(result)[row.path] for row in rows[60:]) == ["test", "train", "validation"]
    notes = " ".join(result.notes)
    assert "Classes with one or two training examples: 'rare' (1)." in notes
    assert "moved so that splits lack no class" in notes
    moved = sides(split(rows[:60], FilesConfig("folder", split_seed=seed)))
    assert {path: sides(result)[path] for path in moved} == moved  # those of the other class stay


def test_classes_with_one_or_two_examples_are_reported(make):
    rows = [make(f"{i}.png", i, "common") for i in range(60)]
    rows += [make("one.png", "one", "one"), make("two.png", "two", "two"), make("too.png", "too", "two")]
    result = split(rows)
    side = [sides(result)[row.path] for row in rows[60:]]
    assert side[0] == "train"
    assert sorted(side[1:]) == ["test", "train"]
    text = " ".join(result.notes)
    assert "Classes with one or two training examples: 'one' (1), 'two' (1)." in text
    assert "Classes without validation examples: 'one', 'two'; add" in text
    assert "Classes without test examples: 'one'; add" in text


def test_few_examples_of_every_class_fill_every_split(make):
    result = split([make(f"{i}.png", i, "ab"[i % 2]) for i in range(4)])
    assert all(len(part) for part in result.parts.values())
    labels = {result.rows[i].label for i in result.parts["train"]}
    assert labels == {"a", "b"}


def test_too_few_examples(make):
    with pytest.raises(UserError, match="too few different examples, 2: train, test and validation need one each"):
        split([make(f"{i}.png", i) for i in range(2)])
    result = split([make(f"{i}.png", i % 2) for i in range(10)])
    assert result.notes[0].startswith("Only 2 examples for train, test and validation are different")
    assert all(len(part) for part in result.parts.values())


def test_speakers_are_on_one_side(make):
    rows = [make(f"{i}.wav", i, speaker=f"s{i % 6}") for i in range(60)]
    result = split(rows, by="speaker")
    for i in range(6):
        assert len({sides(result)[row.path] for row in rows[i::6]}) == 1
    assert all(len(part) for part in result.parts.values())
    with pytest.raises(UserError, match="too few speakers, 2"):
        split([make(f"{i}.wav", i, speaker=f"s{i % 2}") for i in range(60)], by="speaker")


def test_labels_are_not_read_where_there_are_none(make):
    rows = [make(f"{i}.wav", i, text=f"text {i}") for i in range(50)]
    other = [make(f"{i}.wav", i, text="same") for i in range(50)]
    assert list(sides(split(rows)).values()) == list(sides(split(other)).values())
    assert not split(rows).notes


def test_class_in_test_only(make):
    rows = [make(f"{i}.png", i, "a", split="train") for i in range(20)]
    rows += [make("b.png", "b", "b", split="test")]
    with pytest.raises(UserError, match=r"Class 'b' of .*b.png is in test but not in train"):
        split(rows)


def test_unreadable_file(make, tmp_path):
    rows = [make(f"{i}.png", i) for i in range(20)]
    (tmp_path / "3.png").unlink()
    # The check of the files names it.
    assert [row.fingerprint == row.path for row in fingerprints.add(rows)] == [i == 3 for i in range(20)]
