"""User errors about runs and exports: one sentence, status 2, and no file changed."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import soundfile
from PIL import Image

import tfrec
from pipelines.errors import UserError
from tests.tfrec.user_errors import QUICK, check, files
from tfrec.commands import evaluate, export, fit, predict
from tfrec.commands import list as listing
from tfrec.runs import run as run_module

ROOT = pathlib.Path(__file__).parents[3]


def test_a_run_folder_that_exists(fails, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert "mine already exists and is not empty: choose another --run" in fails(fit, "--run", "mine", *QUICK)
    assert "mine/letter.txt already exists and is not empty" in fails(fit, "--run", "mine/letter.txt", *QUICK)
    assert "Cannot create the run folder" in fails(fit, "--run", "mine/letter.txt/below", *QUICK)
    assert "mine is not a run" in fails(fit, "--run", "mine", "--resume")


def test_a_nan_loss_in_the_first_epoch_leaves_no_run(fails):
    wild = ["--fit.learning_rate", "1e30", "--fit.optimizer", "sgd", "--fit.schedule", "constant"]
    sentence = fails(fit, *QUICK, *wild, "--run", "mine")
    assert "batch" in sentence
    assert "fit.learning_rate" in sentence


def test_folders_that_cannot_hold_an_export(fails, tmp_path, trained):
    (tmp_path / "saved_models").write_text("a file")
    assert "saved_models is no folder" in fails(fit, "--fit.epochs", "1")
    assert "saved_models is no folder" in fails(export, trained("digits")[0].path)


@pytest.fixture
def broken_run(tmp_path, trained):
    """A copy of a good run, to be damaged."""
    return pathlib.Path(shutil.copytree(trained("digits")[0].path, tmp_path / "mine"))


def edited(path, change):
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


DAMAGES = {
    "config is not JSON": (lambda run: (run / "config.json").write_text("{"), "mine/config.json"),
    "config is a list": (lambda run: (run / "config.json").write_text("[]"), "mine/config.json is damaged"),
    "config of any depth": (
        lambda run: (run / "config.json").write_text('{"a":' * 100_000),
        "its lists and objects are more than 100 deep",
    ),
    "labels of any depth": (
        lambda run: (run / "labels.json").write_text("[" * 1_000_000),
        "labels.json is damaged: its lists and objects are more than 100 deep",
    ),
    "config of a later version": (
        lambda run: edited(run / "config.json", lambda stored: stored["fit"].update(magic=1)),
        "mine/config.json: Unknown key 'fit.magic'",
    ),
    "config of another model": (
        lambda run: edited(run / "config.json", lambda stored: stored["model"].update(width=5)),
        "best.weights.h5 is damaged or does not fit",
    ),
    "no labels": (lambda run: (run / "labels.json").unlink(), "mine/labels.json"),
    "labels are an empty object": (lambda run: (run / "labels.json").write_text("{}"), "mine/labels.json is damaged"),
    "labels cut off": (lambda run: (run / "labels.json").write_text('["0", "1"]'), "labels.json"),
    "no weights": (lambda run: (run / "best.weights.h5").unlink(), "mine has no weights yet: finish it with"),
    "empty weights": (lambda run: (run / "best.weights.h5").write_bytes(b""), "best.weights.h5 is damaged"),
    "half the weights": (
        lambda run: (run / "best.weights.h5").write_bytes((run / "best.weights.h5").read_bytes()[:20000]),
        "best.weights.h5 is damaged",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_runs(fails, tmp_path, broken_run, damage):
    break_it, message = DAMAGES[damage]
    break_it(broken_run)
    Image.new("L", (8, 8)).save(tmp_path / "some.png")
    assert message in fails(evaluate, "mine")
    assert message in fails(predict, "mine", "some.png")
    assert message in fails(export, "mine", "--folder", "published")


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "", "a\\b", "\x1b[2J"])
def test_the_name_of_an_export_is_no_path(fails, broken_run, name):
    assert "export.name must be the name of a folder, without a path" in fails(export, "mine", "--name", name)
    edited(broken_run / "config.json", lambda stored: stored["export"].update(name=name))
    assert "export.name must be the name of a folder, without a path" in fails(export, "mine")


def test_examples_that_an_export_needs(fails, broken_run):
    (broken_run / "examples.npz").write_bytes(b"PK")
    sentence = fails(export, "mine", "--folder", "published")
    assert "examples.npz" in sentence
    with zipfile.ZipFile(broken_run / "examples.npz", "w") as file:  # an array that no memory holds
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,)}".ljust(117).encode() + b"\n"
        file.writestr("0/raw.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    sentence = fails(export, "mine", "--folder", "published")
    assert "examples.npz" in sentence


def test_resuming_with_other_settings(fails, broken_run):
    for words in (["--model.width", "9"], ["--model.name", "mlp"], ["--seed", "3"], ["--data.split_seed", "3"]):
        sentence = fails(fit, "--run", "mine", "--resume", "--export.no_after_fit", *words)
        assert "mine was started with" in sentence
        assert words[0].lstrip("-") in sentence


def test_a_run_that_cannot_be_written_is_measured(trained, monkeypatch, capsys, caplog):
    """As on a read-only disk; permissions do not stop root."""

    def refuse(path, *_):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(run_module, "atomic_write", refuse)
    path = trained("digits")[0].path
    assert evaluate.main([str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["examples"] > 0
    assert f"{path} cannot be written (Read-only file system): its scores are printed only." in caplog.text


def test_a_finished_run_is_not_trained_again(fails, broken_run, monkeypatch, capsys):
    edited(broken_run / "metrics.json", lambda stored: stored.update(fit_seconds=1.0))
    before = files(broken_run)
    assert fit.main(["--run", str(broken_run), "--resume"]) == 0
    printed = capsys.readouterr().out
    assert "mine is finished after 4 epochs: nothing is done; --fit.epochs N trains longer." in printed
    assert files(broken_run) == before
    config = json.loads((broken_run / "config.json").read_text())
    with pytest.raises(UserError, match=r"mine is finished: raise fit\.epochs"):
        tfrec.train(config=config, run=broken_run, resume=True)


def test_resuming_from_damaged_state(fails, broken_run):
    for path in (broken_run / "state").glob("*.npz"):
        path.write_bytes(b"{}")
    assert "mine/state is damaged" in fails(fit, "--run", "mine", "--resume", "--fit.epochs", "5")


@pytest.mark.parametrize("entry", [evaluate, export, predict])
def test_paths_without_a_run(fails, tmp_path, entry):
    (tmp_path / "empty").mkdir()
    (tmp_path / "some.png").write_bytes(b"")
    files = ["some.png"] if entry is predict else []
    for name in ("nowhere", "empty", "some.png"):
        sentence = fails(entry, name, *files)
        assert f"{name} is not a run" in sentence or f"{name} is neither a run" in sentence


@pytest.mark.parametrize(
    ("entry", "words", "message"),
    [
        (evaluate, [], "Missing argument RUN"),
        (evaluate, ["RUN", "--split", "exam"], "'exam'"),
        (evaluate, ["RUN", "--batch_size", "0"], "batch_size must be 1 or more. Received: 0"),
        (export, ["RUN", "--nmae", "x"], "Unknown flag '--nmae': did you mean '--name'"),
        (predict, ["RUN"], "Name at least one file after the model"),
        (listing, ["layer"], "'layer'"),
    ],
)
def test_arguments_of_the_other_commands(fails, trained, entry, words, message):
    words = [str(trained("digits")[0].path) if word == "RUN" else word for word in words]
    assert message in fails(entry, *words)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("saved_model.pb", b"", "mine"),
        ("saved_model.pb", b"\xff\xff", "The export mine/1 is damaged"),
        ("saved_model.pb", None, "neither a run (no config.json) nor an export"),
        ("variables/variables.index", b"x", "The export mine/1 is damaged"),
        ("assets.extra/tfrec.json", b"{", "tfrec.json is damaged"),
        ("assets.extra/tfrec.json", b'{"labels": []}', "tfrec.json is damaged"),
        ("assets.extra/tfrec.json", None, "mine/1 was not exported by tfrec"),
    ],
)
def test_damaged_exports(fails, tmp_path, published, name, content, message):
    shutil.copytree(published, tmp_path / "mine" / "1")
    path = tmp_path / "mine" / "1" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    Image.new("L", (8, 8)).save(tmp_path / "some.png")
    assert message in fails(predict, "mine", "some.png")


def test_predict_reports_the_files_that_cannot_be_read(tmp_path, monkeypatch, capsys, trained):
    monkeypatch.chdir(tmp_path)
    soundfile.write("good.wav", np.sin(np.arange(4000)), 8000)
    Image.new("L", (8, 8)).save("picture.png")
    (tmp_path / "folder").mkdir()
    bad = ["nowhere.wav", "picture.png", "folder"]
    assert predict.main([str(trained("cnn")[0].path), "nowhere.wav", "good.wav", *bad[1:], "--json"]) == 1
    out, err = capsys.readouterr()
    assert [answer["file"] for answer in json.loads(out)] == ["good.wav"]
    assert len(err.splitlines()) == 3
    for name, line in zip(bad, err.splitlines(), strict=True):
        assert line.startswith(f"error: {name}")


def command(*words, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.Popen([sys.executable, "-m", *map(str, words)], env=environment, text=True, **options)


def test_errors_in_a_separate_process(tmp_path):
    """Two errors for which a process might print more than `main` does."""
    before = files(tmp_path)
    for words, message in (
        (["tfrec.fit", "--fit.epoch", "3"], "--fit.epochs"),
        (["tfrec", "evaluate", "no"], "no is not a run"),
    ):
        process = command(*words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=120)
        assert message in check(process.returncode, err, before, tmp_path)
        assert out == ""


def test_a_pipe_that_closes_early(tmp_path):
    process = command(
        "tfrec", "list", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout.readline().strip() == "architectures"
    process.stdout.close()
    assert process.wait(timeout=120) == 1
    assert process.stderr.read() == ""


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        words = ["--run", disk / "run", "--fit.epochs", "2", "--model.width", "16", "--export.no_after_fit"]
        process = command("tfrec.fit", *words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 2
        assert err.splitlines() == [
            "error: The disk is full: free some space, and resume with --run FOLDER --resume; finished epochs are kept."
        ]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
