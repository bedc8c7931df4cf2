"""The command `prepare`, and the commands that read what it writes."""

import errno
import json
import os
import shutil

import pytest

from pipelines.errors import UserError
from tests.tfrec.user_errors import QUICK, clips, files, pictures
from tfrec.commands import check, evaluate, fit, prepare
from tfrec.runs.run import Run
from tfrec.training import loop


@pytest.mark.slow
def test_shards_train_as_their_files_do(tmp_path, monkeypatch, capsys):
    """Same history and scores; then resumed, moved, evaluated and checked."""
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "photos", count=12)
    assert prepare.main(["photos/", "--output", "out/shards", "--shard_mb", "1"]) == 0
    printed = capsys.readouterr().out
    assert "24 examples in 3 shards" in printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["shards"]
    histories = {}
    for name in ("photos/", "out/shards"):
        run = f"runs/{name.strip('/').replace('/', '_')}"
        assert fit.main([name, "--run", run, *QUICK, "--fit.epochs", "2"]) in (0, None)
        scores = json.loads((tmp_path / run / "metrics.json").read_text())["test"]
        history = (tmp_path / run / "history.csv").read_text().splitlines()
        histories[name] = ([line.rpartition(",")[0] for line in history], scores["accuracy"], scores["loss"])
    assert histories["photos/"] == histories["out/shards"]
    run = "runs/out_shards"
    fit.main(["--run", run, "--resume", "--fit.epochs", "3", "--fit.batch_size", str(_batch_size(run))])
    assert len((tmp_path / run / "history.csv").read_text().splitlines()) == 4
    shutil.move("out/shards", "moved")
    with pytest.raises(UserError, match=r"are gone .* name their new place by --data\.moved_to"):
        evaluate.main([run])
    evaluate.main([run, "--data.moved_to", "moved"])
    evaluate.main([run, "--data.path", "moved"])
    check.main(["moved", "--model.name", "mlp", "--no_rehearsal"])


def _batch_size(run):
    return Run.open(run).read_json("config.json")["fit"]["batch_size"]


@pytest.mark.slow
def test_a_clip_that_becomes_unreadable_is_named(tmp_path, monkeypatch):
    clips(tmp_path / "clips")
    monkeypatch.chdir(tmp_path)
    prepare.main(["clips/", "--output", "shards"])
    train = loop.train

    def damaged(*arguments, **options):
        for shard in (tmp_path / "shards").glob("train-*.tar"):
            data = shard.read_bytes()
            shard.write_bytes(data.replace(b"fLaC", b"gone").replace(b"RIFF", b"gone"))
        return train(*arguments, **options)

    monkeypatch.setattr(loop, "train", damaged)
    with pytest.raises(
        UserError, match=r"shards/train-000000\.tar/no/\d\.\w+ .*It has changed since the data was loaded"
    ):
        fit.main(["shards", "--run", "run", *QUICK])


@pytest.fixture
def photos(tmp_path):
    return pictures(tmp_path / "photos")


def test_an_existing_folder_is_not_replaced(photos, tmp_path, fails):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "mine.txt").write_text("text")
    assert "shards exists and is not empty: remove it, or give another" in fails(prepare, "photos/")
    shutil.rmtree(tmp_path / "shards")
    (tmp_path / "shards").write_text("a file")
    assert "shards exists and is not empty" in fails(prepare, "photos/")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos/", "--output", "s3://bucket/x"], "--output must be a local folder"),
        (["photos/", "--shard_mb", "0"], "shard_mb must be 1 to 1,000,000"),
        (["digits"], "digits is not read from single files that are whole"),
        (["photos/", "--data.train_on_validation"], "data.train_on_validation is for a training"),
    ],
)
def test_what_cannot_be_prepared(photos, fails, words, message):
    assert message in fails(prepare, *words)


def test_a_full_disk_and_a_killed_process_leave_no_shards(photos, tmp_path, fails, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert fails(prepare, "photos/").startswith("The disk of shards is full: free some space, and start again.")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
        assert "GB free, and the shards take" in fails(prepare, "photos/")
    left = tmp_path / ".tmp-shards"
    left.mkdir()
    (left / "train-000000.tar").write_bytes(b"half")
    assert prepare.main(["photos/"]) == 0
    assert not left.exists()
    assert {path.name for path in files(tmp_path / "shards")} == {
        *("index.jsonl", "test-000000.tar", "train-000000.tar", "validation-000000.tar"),
    }
