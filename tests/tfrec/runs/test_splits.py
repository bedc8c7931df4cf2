"""splits.csv: a run measures and resumes with the files that it was trained on."""

import csv
import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import tfrec
from pipelines.datasets import folder
from pipelines.errors import UserError
from tfrec.commands import evaluate
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import console

SETTINGS = {"data.name": "folder", "model.name": "mlp", "fit.epochs": 1, "fit.batch_size": 8}
SETTINGS |= {"frontend.height": 8, "frontend.width": 8, "model.width": 8}


def pictures(path, count=20, seed=0, names=("cat", "dog")):
    """Class folders of small pictures, dark and bright."""
    random = np.random.default_rng(seed)
    for number, name in enumerate(names):
        (path / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(0, 60, (8, 8, 3)) + 150 * (number % 2)
            Image.fromarray(pixels.astype("uint8")).save(path / name / f"{seed}_{i}.png")
    return path


def records(run):
    with open(run / "splits.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with data P and its run r, which was started inside the folder by relative paths."""
    place = tmp_path_factory.mktemp("original")
    pictures(place / "P")
    before = os.getcwd()
    os.chdir(place)
    try:
        tfrec.train(config={**SETTINGS, "data.path": "P"}, run="r", verbose=0)
    finally:
        os.chdir(before)
    return place


@pytest.fixture
def place(original, tmp_path, monkeypatch):
    """A copy of it, whose run names the copied data."""
    shutil.copytree(original, tmp_path / "copy")
    for name in ("config.json", "splits.csv"):
        path = tmp_path / "copy" / "r" / name
        path.write_text(path.read_text().replace(str(original), str(tmp_path / "copy")))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "copy"


def measure(capsys, *words):
    """The JSON and the warnings of `tfrec evaluate`."""
    handler = console.ConsoleHandler()
    logger = logging.getLogger("tfrec")
    logger.addHandler(handler)
    capsys.readouterr()
    try:
        evaluate.main([*map(str, words), "--json"])
    finally:
        logger.removeHandler(handler)
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


def test_record(original):
    rows = records(original / "r")
    assert list(rows[0])[:6] == ["path", "identity", "label", "split", "group", "speaker"]
    assert len(rows) == 40
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert all(os.path.isabs(row["path"]) and len(row["identity"]) == 32 for row in rows)
    assert all(row["label"] == row["path"].split(os.sep)[-2] for row in rows)
    assert json.loads((original / "r" / "config.json").read_text())["data"]["path"] == str(original / "P")


def test_record_of_a_manifest_round_trips(tmp_path):
    from pipelines.datasets import manifest

    pictures(tmp_path, 10)
    lines = ["path,number,speaker,group,device,source"]
    lines += [
        f'{name}/0_{i}.png,{i / 3!r},"s, {i}",g,"tele ""{i % 2}""",' for name in ("cat", "dog") for i in range(10)
    ]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    corpus = manifest.load(manifest.Config(path=str(tmp_path / "m.csv")))
    run = Run(tmp_path / "r")
    run.create()
    splits.write(run, corpus)
    read = splits.read(run)
    written = [(name, row) for name in splits.ALL for row in corpus.splits[name].rows]
    assert [row.split for row in read] == [name for name, _ in written]
    for field in ("path", "fingerprint", "number", "speaker", "group", "where", "text", "start_s", "end_s", "further"):
        assert [getattr(row, field) for row in read] == [getattr(row, field) for _, row in written]
    assert {row.further for row in read} == {(("device", 'tele "0"'),), (("device", 'tele "1"'),)}


def test_names_that_are_not_utf8(tmp_path):
    pictures(tmp_path / "P")
    os.rename(tmp_path / "P" / "cat" / "0_0.png", os.fsencode(tmp_path / "P" / "cat" / "x") + b"\xff\n.png")
    corpus = folder.load(folder.Config(path=str(tmp_path / "P")))
    run = Run(tmp_path / "r")
    run.create()
    splits.write(run, corpus)
    assert {row.path for row in splits.read(run)} == {
        row.path for split in corpus.splits.values() for row in split.rows
    }


def test_in_memory_corpora_have_no_record(tmp_path):
    from pipelines import datasets

    run = Run(tmp_path / "r")
    run.create()
    splits.write(run, datasets.load(datasets.digits.Config()))
    assert splits.read(run) is None


def test_evaluate_from_another_folder(place, capsys):
    pictures(place.parent / "P", seed=9)  # other pictures of the same name
    before = json.loads((place / "r" / "metrics.json").read_text())["test"]
    scores, warnings = measure(capsys, place / "r")
    assert scores["test"]["confusion"] == before["confusion"]
    assert scores["test"]["loss"] == pytest.approx(before["loss"])
    assert not warnings


def test_added_files_are_not_measured(place, capsys):
    before, _ = measure(capsys, place / "r")
    pictures(place / "P", 6, seed=3)
    pictures(place / "P", 4, seed=4, names=("bird",))
    after, warnings = measure(capsys, place / "r")
    assert after == before
    assert "16 files are new since the run was started and are left out: " in warnings


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_missing_files(place, capsys, how):
    test = [row["path"] for row in records(place / "r") if row["split"] == "test"]
    before = (place / "r" / "metrics.json").read_bytes()
    for path in test[:2]:
        os.remove(path)
        if how == "changed":
            Image.new("RGB", (8, 8)).save(path)
    message = rf"Of the {len(test)} files of test in .*splits\.csv, 2 are {how} \(.*--data\.moved_to, .*--skip_missing"
    with pytest.raises(UserError, match=message):
        evaluate.main([str(place / "r")])
    assert (place / "r" / "metrics.json").read_bytes() == before
    scores, warnings = measure(capsys, place / "r", "--skip_missing")
    assert list(scores) == ["test_remaining"]
    assert (scores["test_remaining"]["examples"], scores["test_remaining"]["left_out"]) == (len(test) - 2, 2)
    assert f"2 are {how}" in warnings


def test_files_of_other_splits_are_reported(place, capsys):
    train = next(row["path"] for row in records(place / "r") if row["split"] == "train")
    os.remove(train)
    scores, warnings = measure(capsys, place / "r")
    assert "test" in scores
    assert f"Of the files of other splits, 1 is gone ({train})." in warnings


def test_moved_data(place, capsys):
    before, _ = measure(capsys, place / "r")
    (place / "P").rename(place / "elsewhere")
    with pytest.raises(UserError, match=r"files of test .* are gone"):
        evaluate.main([str(place / "r")])
    after, warnings = measure(capsys, place / "r", "--data.moved_to", place / "elsewhere")
    assert (after, warnings) == (before, "")
    # Renamed files are found by their content, and other files of the same names are not taken.
    (place / "elsewhere" / "cat").rename(place / "elsewhere" / "cats")
    pictures(place / "elsewhere", seed=0, names=("x", "cat"))
    after, warnings = measure(capsys, place / "r", "--data.moved_to", place / "elsewhere")
    assert after == before
    with pytest.raises(UserError, match="does not exist"):
        evaluate.main([str(place / "r"), "--data.moved_to", "nowhere"])


def test_other_data(place, capsys):
    pictures(place / "new speaker", 7, seed=5)
    stored = json.loads((place / "r" / "metrics.json").read_text())
    scores, _ = measure(capsys, place / "r", "--data.path", place / "new speaker")
    (name,) = scores
    assert name == "data_new_speaker"
    assert scores[name]["examples"] == 14
    assert scores[name]["data_path"] == str(place / "new speaker")
    assert len(scores[name]["accuracy_interval"]) == 2
    assert json.loads((place / "r" / "metrics.json").read_text()) == {**stored, **scores}
    assert (place / "r" / name / "confusion.png").is_file()
    assert list(measure(capsys, place / "r", "--data.path", place / "new speaker")[0]) == [name]
    pictures(place / "b" / "new speaker", 3, seed=6)
    assert list(measure(capsys, place / "r", "--data.path", place / "b" / "new speaker")[0]) == [f"{name}-2"]


def test_other_data_with_one_class_or_as_a_manifest(place, capsys):
    pictures(place / "N", 3, seed=5, names=("dog",))
    scores, _ = measure(capsys, place / "r", "--data.path", place / "N")
    assert [row["examples"] for row in scores["data_N"]["classes"]] == [0, 3]
    (place / "n.csv").write_text("path,label\nN/dog/5_0.png,dog\nN/dog/5_1.png,cat\n")
    scores, _ = measure(capsys, place / "r", "--data.path", place / "n.csv")
    assert scores["data_n.csv"]["examples"] == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"data\.path .* does not exist"),
        (
            lambda path: pictures(path, 1, names=("dog", "dgo")),
            r"Unknown class for this run .* 'dgo': did you mean 'dog'",
        ),
        (lambda path: (path.mkdir(), (path / "x.txt").touch()), "holds no class folders"),
        (lambda path: pictures(path / "train", 2), "names splits, but none of its files is in test"),
    ],
)
def test_other_data_that_does_not_fit(place, make, message):
    make(place / "N")
    with pytest.raises(UserError, match=message):
        evaluate.main([str(place / "r"), "--data.path", str(place / "N")])


def test_resume_with_added_files(place, caplog):
    before = records(place / "r")
    pictures(place / "P", 6, seed=3)
    pictures(place / "P", 4, seed=4, names=("bird",))
    settings = {**SETTINGS, "data.path": str(place / "P"), "fit.epochs": 2}
    caplog.set_level("INFO")
    tfrec.train(config=settings, run=place / "r", resume=True, verbose=0)
    assert records(place / "r") == before
    assert "16 files are new since the run was started and are left out" in caplog.text


def test_resume_without_files(place):
    train = [row["path"] for row in records(place / "r") if row["split"] == "train"]
    os.remove(train[0])
    Image.new("RGB", (8, 8)).save(train[1])
    settings = {**SETTINGS, "data.path": str(place / "P"), "fit.epochs": 2}
    with pytest.raises(
        UserError, match=r"1 is gone \(.*\) and 1 is changed \(.*\): restore them, name their new place"
    ):
        tfrec.train(config=settings, run=place / "r", resume=True, verbose=0)


def test_resume_with_moved_data(place):
    (place / "P").rename(place / "Q")
    settings = {**SETTINGS, "data.path": str(place / "P"), "fit.epochs": 2}
    tfrec.train(config={**settings, "data.moved_to": str(place / "Q")}, run=place / "r", resume=True, verbose=0)
    assert {row["path"].split(os.sep)[-3] for row in records(place / "r")} == {"Q"}
    data = json.loads((place / "r" / "config.json").read_text())["data"]
    assert (data["path"], data["moved_to"]) == (str(place / "Q"), None)
    pictures(place / "P")
    with pytest.raises(
        UserError, match=r"was started with data\.path .*Q: --resume cannot change it to .*P; --data\.mo"
    ):
        tfrec.train(config=settings, run=place / "r", resume=True, verbose=0)


def test_moved_to_without_resume(place):
    settings = {**SETTINGS, "data.path": str(place / "P"), "data.moved_to": str(place / "P")}
    with pytest.raises(UserError, match=r"data\.moved_to is for --resume"):
        tfrec.train(config=settings, run=place / "new", verbose=0)
    assert not (place / "new").exists()


def test_run_without_a_record(place):
    (place / "r" / "splits.csv").unlink()
    with pytest.raises(UserError, match=r"has no splits\.csv"):
        evaluate.main([str(place / "r")])


def test_damaged_record(place):
    (place / "r" / "splits.csv").write_text("path,identity\na,b\n")
    with pytest.raises(UserError, match=r"splits\.csv is damaged"):
        evaluate.main([str(place / "r")])


def test_validation_split_has_its_own_plots(place, capsys):
    before = (place / "r" / "confusion.png").stat().st_mtime_ns
    measure(capsys, place / "r", "--split", "validation")
    assert (place / "r" / "validation" / "confusion.png").is_file()
    assert (place / "r" / "confusion.png").stat().st_mtime_ns == before
