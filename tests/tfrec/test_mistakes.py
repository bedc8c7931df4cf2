"""What happens when people err: one sentence, a status that is not 0, and nothing made, changed or left behind."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from tfrec import cli, evaluate, export, fit, predict
from tfrec import list as listing

ROOT = pathlib.Path(__file__).parents[2]
QUICK = ["--fit.epochs", "1", "--model.name", "mlp", "--model.width", "4", "--export.no_after_fit"]


def files(folder):
    """Everything below a folder and its content, apart from what a failing command may touch."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.fixture
def fails(tmp_path, monkeypatch, capsys):
    """A function that runs an entry point in an otherwise unchanged folder and returns its one sentence."""
    monkeypatch.chdir(tmp_path)

    def run(entry, *words):
        before = files(tmp_path)
        monkeypatch.setattr(sys, "argv", ["tfrec", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.run(entry.main)
        return check(stop.value.code, capsys.readouterr().err, before, tmp_path)

    return run


def check(status, said, before, folder):
    assert status == 2, said
    assert files(folder) == before
    assert "----" not in said
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("error: ")
    assert "Traceback" not in said
    return lines[0].removeprefix("error: ")


def pictures(folder, classes=("cat", "dog"), count=6):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (8 + i, 8), (60 * number + i,) * 3).save(folder / name / f"{i}.png")
    return folder


def clips(folder, classes=("no", "yes"), count=6):
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            suffix = "flac" if i % 2 else "wav"
            soundfile.write(folder / name / f"{i}.{suffix}", random.uniform(-0.5, 0.5, 3000 + i), 8000)
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["minst"], "Unknown experiment 'minst': did you mean 'mnist'?"),
        (["runs/mine"], "Unknown experiment 'runs/mine'"),
        (["--fit.epoch", "3"], "Unknown flag '--fit.epoch': did you mean '--fit.epochs'"),
        (["--model.name", "lstmm"], "Unknown architecture 'lstmm': did you mean 'lstm'"),
        (["--data.name", "digit"], "Unknown dataset 'digit': did you mean 'digits'"),
        (["--frontend.name", "sound"], "Unknown frontend 'sound': known are 'image', 'speech'"),
        (["--task.name", "regress"], "Unknown task 'regress': known are 'classify'"),
        (["--fit.epochs", "many"], "--fit.epochs must be a whole number. Received: 'many'"),
        (["--fit.learning_rate", "fast"], "--fit.learning_rate must be a number. Received: 'fast'"),
        (["--fit.epochs"], "Missing value for argument '--fit.epochs'"),
        (["--fit.optimizer", "adma"], "'adma'"),
        (["--fit.batch_size", "0"], "fit.batch_size must be 1 or more. Received: 0"),
        (["--fit.learning_rate", "-1"], "fit.learning_rate must be above 0. Received: -1.0"),
        (["--fit.learning_rate", "nan"], "fit.learning_rate must be above 0. Received: nan"),
        (["--data.test_fraction", "1.5"], "data.test_fraction must be above 0 and below 1. Received: 1.5"),
        (["--data.test_fraction", "0.001"], "data.test_fraction"),
        (["--task.class_weights", "heavy"], "'heavy'"),
        (["--frontend.height", "0"], "frontend.height must be 1 or more. Received: 0"),
        (["--frontend.scale", "2", "1"], "scale"),
        (["--frontend.scale", "0.5"], "scale"),
        (["--frontend.erase_probability", "2"], "probability must be"),
        (["--model.width", "0"], "width"),
        (["--model.depth", "-1"], "depth"),
        (["--model.dropout", "7"], "Received: rate=7.0"),
        (["--seed", "-5"], "seed must be 0 or more"),
        (["--frontend.name", "speech"], "frontend.name 'speech' does not go with digits"),
        (["--model.name", "lstm"], "model.name 'lstm' takes sequence features, but the data gives image features"),
        (["--fit.epochs", "3", "loose"], "Do not know what to do with 'loose'"),
        (["--resume"], "--resume needs --run FOLDER"),
        (["--resume", "--run", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "There is no file nowhere.json"),
    ],
    ids=" ".join,
)
def test_flags(fails, words, said):
    assert said in fails(fit, *words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "as JSON"),
        ("[1, 2]", "must hold a JSON object"),
        ('{"fit": {"epoch": 3}}', "Unknown flag '--fit.epoch': did you mean '--fit.epochs'"),
        ('{"fti": {"epochs": 3}}', "Unknown flag '--fti.epochs': did you mean '--fit.epochs'"),
        ('{"fit": {"epochs": "many"}}', "--fit.epochs"),
        ('{"fit": {"epochs": null}}', "--fit.epochs"),
        ('{"fit": {"epochs": [1, 2]}}', "'2' behind --fit.epochs"),
        ('{"fit": {"jit_compile": "yes"}}', "'yes' behind --fit.jit_compile"),
        ('{"fit": 5}', "Unknown flag '--fit'"),
        ('{"help": true}', "Unknown flag '--help'"),
        ('{"resume": true}', "Unknown flag '--resume'"),
    ],
)
def test_config_files(fails, tmp_path, text, said):
    (tmp_path / "c.json").write_text(text)
    sentence = fails(fit, "--config", "c.json")
    assert said in sentence
    assert "c.json" in sentence


def test_a_config_file_beside_an_experiment(fails, tmp_path):
    (tmp_path / "c.json").write_text("{}")
    assert "leave out the experiment 'mnist'" in fails(fit, "mnist", "--config", "c.json")


def one_class(path):
    shutil.rmtree(path / "cat")


def no_class(path):
    shutil.rmtree(path / "cat")
    shutil.rmtree(path / "dog")


def empty_class(path):
    (path / "fox").mkdir()


def audio_beside_pictures(path):
    soundfile.write(path / "cat" / "meow.wav", np.zeros(100), 8000)


def lonely_picture(path):
    (path / "fox").mkdir()
    shutil.copy(path / "cat" / "0.png", path / "fox" / "0.png")


def truncated_jpeg(path):
    Image.effect_noise((64, 64), 50).save(path / "cat" / "noise.jpg")
    (path / "cat" / "noise.jpg").write_bytes((path / "cat" / "noise.jpg").read_bytes()[:-500])


def empty_png(path):
    (path / "cat" / "0.png").write_bytes(b"")


def text_as_png(path):
    (path / "dog" / "3.png").write_text("no picture")


def other_kind(path):
    (path / "dog" / "film.mp4").write_bytes(b"1234")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (one_class, "photos holds only the class 'dog': at least two are needed."),
        (no_class, "photos holds no class folders"),
        (empty_class, "photos/fox holds no pictures and no audio"),
        (audio_beside_pictures, "Pictures and audio cannot be mixed"),
        (lonely_picture, "Class 'fox' has too few examples, 1"),
        (truncated_jpeg, "1 of 13 files cannot be used: mend or remove them. The first: photos/cat/noise.jpg"),
        (empty_png, "photos/cat/0.png is empty"),
        (text_as_png, "photos/dog/3.png is not a JPEG, PNG, BMP or GIF picture"),
        (other_kind, "photos/dog/film.mp4 is neither a picture nor audio"),
    ],
)
def test_folders_of_pictures(fails, tmp_path, break_it, said):
    break_it(pictures(tmp_path / "photos"))
    assert said in fails(fit, "--data.name", "folder", "--data.path", "photos", *QUICK)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "data.path is needed"),
        (["--data.path", "nowhere"], "data.path nowhere is not a folder"),
        (["--data.path", "photos", "--data.channels", "2"], "data.channels must be 1 (grey) or 3 (colour)"),
        (
            ["--data.path", "photos", "--frontend.channels", "1"],
            "frontend.channels is 1, but the images of folder have",
        ),
        (["--data.path", "photos/cat"], "lies outside of the class folders"),
        (["--data.path", "photos", "--data.validation_fraction", "0.9"], "validation"),
    ],
)
def test_settings_for_pictures(fails, tmp_path, words, said):
    pictures(tmp_path / "photos")
    assert said in fails(fit, "--data.name", "folder", *words, *QUICK)


def test_a_picture_that_breaks_after_the_check(fails, tmp_path):
    """The commands of a user who switched the check off see the same as when a file breaks during training."""
    pictures(tmp_path / "photos")
    for i in range(6):
        path = tmp_path / "photos" / "cat" / f"{i}.png"
        path.write_bytes(path.read_bytes()[:-25])
    sentence = fails(fit, "--data.name", "folder", "--data.path", "photos", "--data.no_verify", *QUICK)
    assert "--data.verify" in sentence


def truncated_wav(path):
    (path / "no" / "0.wav").write_bytes((path / "no" / "0.wav").read_bytes()[:-1000])


def corrupt_flac(path):
    data = bytearray((path / "no" / "1.flac").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (path / "no" / "1.flac").write_bytes(data)


def not_a_number(path):
    soundfile.write(path / "yes" / "0.wav", np.full(3000, np.nan), 8000, subtype="FLOAT")


def no_samples(path):
    soundfile.write(path / "yes" / "0.wav", np.zeros(0), 8000)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (truncated_wav, "voices/no/0.wav is truncated"),
        (corrupt_flac, "voices/no/1.flac cannot be decoded"),
        (not_a_number, "voices/yes/0.wav holds samples that are not numbers"),
        (no_samples, "voices/yes/0.wav holds no samples"),
    ],
)
def test_folders_of_audio(fails, tmp_path, break_it, said):
    break_it(clips(tmp_path / "voices"))
    assert said in fails(fit, "--data.name", "folder", "--data.path", "voices", "--export.no_after_fit")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frontend.high_hz", "5000"], "5000"),
        (["--frontend.low_hz", "4500"], "4500"),
        (["--frontend.sample_rate_hz", "8"], "frontend.sample_rate_hz must be between 1,000"),
        (["--frontend.window_ms", "5"], "window"),
        (["--frontend.mels", "0"], "mels"),
        (["--frontend.features", "mfcc", "--frontend.coefficients", "99"], "coefficients"),
        (["--frontend.noise_path", "nowhere"], "The noise folder nowhere does not exist"),
        (["--frontend.noise_path", "silent"], "The noise folder silent holds no audio"),
        (["--frontend.snr_db", "20", "5", "--frontend.noise_path", "voices"], "snr_db"),
        (["--frontend.time_masks", "-1"], "time_masks"),
        (["--model.name", "mlp"], "model.name 'mlp' takes image features, but the data gives sequence features"),
        (["--frontend.name", "image"], "frontend.name 'image' does not go with folder, which holds audio examples"),
    ],
)
def test_settings_for_audio(fails, tmp_path, words, said):
    clips(tmp_path / "voices")
    (tmp_path / "silent").mkdir()
    path = ["--data.name", "folder", "--data.path", "voices", "--export.no_after_fit"]
    assert said in fails(fit, *path, *words)


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", [], "list.csv:1: the column 'path' is missing"),
        ("path,label\n", [], "list.csv lists no files"),
        ("path,class\n0.wav,a\n", [], "list.csv:1: Unknown column 'class'"),
        ("path,text\n0.wav,a\n", [], "the column 'label' is missing"),
        ("path,label\n9.wav,a\n", [], "list.csv:2: there is no file 9.wav"),
        ("path,label\n0.wav,\n", [], "list.csv:2: label is empty"),
        ("path,label\n0.wav\n", [], "list.csv:2: 1 cells, but the header names 2 columns"),
        ("path,label\n0.wav,a\n1.wav,a\n", [], "list.csv has only the label 'a'"),
        ("path,label,start,end\n0.wav,a,0.3,0.2\n", [], "list.csv:2: start must be before end"),
        ("path,label,start,end\n0.wav,a,soon,0.2\n", [], "list.csv:2: start must be seconds, 0 or more"),
        (
            "path,label,end\n" + 3 * "0.wav,a,0.2\n1.wav,b,0.1\n" + "1.wav,b,99\n",
            [],
            "list.csv:8: end 99.0 is past the end",
        ),
        ("path,label\n0.wav,a\n", ["--data.classes", "x", "b"], "list.csv:2: Unknown label 'a': known are 'x', 'b'"),
        ("path,label,split\n0.wav,a,tset\n", [], "list.csv:2: Unknown split 'tset': did you mean 'test'"),
        ("path,label\n0.wav,a\n", ["--data.split_by", "speaker"], "list.csv:2: speaker is empty"),
        ("path,label\n\xff\n", [], "list.csv is not UTF-8"),
    ],
)
def test_manifests(fails, tmp_path, text, words, said):
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(4000), 8000)
    assert said in fails(fit, "--data.name", "manifest", "--data.path", "list.csv", *words)


def test_sets_that_nobody_knows(fails, data_dir):
    assert "did you mean 'mnist'" in fails(fit, "--data.name", "mnits")
    there = ["--data.data_dir", data_dir / "tfds"]
    assert "cannot open 'mnist:9.9.9'" in fails(fit, "--data.name", "mnist:9.9.9", *there)
    assert "split 'test[' of 'mnist' cannot be read" in fails(fit, "mnist", *there, "--data.test_split", "test[")
    assert "split of 'mnist' 'exam'" in fails(fit, "mnist", *there, "--data.test_split", "exam")
    assert "split 'test[:0]' of 'mnist' holds no examples" in fails(
        fit, "mnist", *there, "--data.test_split", "test[:0]", *QUICK
    )
    assert "data.test_speakers" in fails(fit, "spoken_digit", *there, "--data.split", "speaker")


def test_a_set_that_is_not_there_and_no_network(fails, tmp_path, monkeypatch):
    import socket

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sentence = fails(fit, "mnist", "--data.data_dir", tmp_path)
    assert "cannot be reached: connect to the network" in sentence


def test_a_run_that_is_there(fails, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert "mine already holds something: give another --run" in fails(fit, "--run", "mine", *QUICK)
    assert "mine/letter.txt already holds something" in fails(fit, "--run", "mine/letter.txt", *QUICK)
    assert "Cannot make the run folder" in fails(fit, "--run", "mine/letter.txt/below", *QUICK)
    assert "mine is no run" in fails(fit, "--run", "mine", "--resume")


def test_a_loss_that_is_no_number_leaves_nothing(fails):
    wild = ["--fit.learning_rate", "1e30", "--fit.optimizer", "sgd", "--fit.schedule", "constant"]
    sentence = fails(fit, *QUICK, *wild, "--run", "mine")
    assert "batch" in sentence
    assert "fit.learning_rate" in sentence


def test_places_where_nothing_can_be_published(fails, tmp_path, trained):
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
    "config that is no JSON": (lambda run: (run / "config.json").write_text("{"), "mine/config.json"),
    "config that is a list": (lambda run: (run / "config.json").write_text("[]"), "mine/config.json is damaged"),
    "config of a later version": (
        lambda run: edited(run / "config.json", lambda stored: stored["fit"].update(magic=1)),
        "mine/config.json: Unknown flag '--fit.magic'",
    ),
    "config of another model": (
        lambda run: edited(run / "config.json", lambda stored: stored["model"].update(width=5)),
        "best.weights.h5 is damaged or does not fit",
    ),
    "no labels": (lambda run: (run / "labels.json").unlink(), "mine/labels.json"),
    "labels that are none": (lambda run: (run / "labels.json").write_text("{}"), "mine/labels.json is damaged"),
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
    break_it, said = DAMAGES[damage]
    break_it(broken_run)
    Image.new("L", (8, 8)).save(tmp_path / "some.png")
    assert said in fails(evaluate, "mine")
    assert said in fails(predict, "mine", "some.png")
    assert said in fails(export, "mine", "--folder", "published")


def test_examples_that_an_export_needs(fails, broken_run):
    (broken_run / "examples.npz").write_bytes(b"PK")
    sentence = fails(export, "mine", "--folder", "published")
    assert "examples.npz" in sentence


def test_resuming_something_else(fails, broken_run):
    for words in (["--model.width", "9"], ["--model.name", "mlp"], ["--seed", "3"], ["--data.split_seed", "3"]):
        sentence = fails(fit, "--run", "mine", "--resume", "--export.no_after_fit", *words)
        assert "mine was started with" in sentence
        assert words[0].lstrip("-") in sentence


@pytest.mark.parametrize("name", ["state.json", "4.weights.h5"])
def test_resuming_from_damaged_state(fails, broken_run, name):
    (broken_run / "state" / name).write_bytes(b"{}")
    assert "mine/state is damaged" in fails(fit, "--run", "mine", "--resume", "--fit.epochs", "5")


@pytest.mark.parametrize("entry", [evaluate, export, predict])
def test_what_is_no_run(fails, tmp_path, entry):
    (tmp_path / "empty").mkdir()
    (tmp_path / "some.png").write_bytes(b"")
    files = ["some.png"] if entry is predict else []
    for name in ("nowhere", "empty", "some.png"):
        sentence = fails(entry, name, *files)
        assert f"{name} is no run" in sentence or f"{name} is neither a run" in sentence


@pytest.mark.parametrize(
    ("entry", "words", "said"),
    [
        (evaluate, [], "Missing: run folder"),
        (evaluate, ["RUN", "--split", "exam"], "'exam'"),
        (evaluate, ["RUN", "--batch_size", "0"], "batch_size must be 1 or more. Received: 0"),
        (export, ["RUN", "--nmae", "x"], "Unknown flag '--nmae': did you mean '--name'"),
        (predict, ["RUN"], "Name at least one file behind the model"),
        (listing, ["layer"], "'layer'"),
    ],
)
def test_words_of_the_other_commands(fails, trained, entry, words, said):
    words = [str(trained("digits")[0].path) if word == "RUN" else word for word in words]
    assert said in fails(entry, *words)


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    export.main([str(trained("digits")[0].path), "--folder", str(folder), "--name", "digits"])
    return folder / "digits"


@pytest.mark.parametrize(
    ("name", "content", "said"),
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
def test_damaged_exports(fails, tmp_path, published, name, content, said):
    shutil.copytree(published, tmp_path / "mine")
    path = tmp_path / "mine" / "1" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    Image.new("L", (8, 8)).save(tmp_path / "some.png")
    assert said in fails(predict, "mine", "some.png")


def test_files_that_cannot_be_answered(tmp_path, monkeypatch, capsys, trained):
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


def test_as_a_user_sees_it(tmp_path):
    """Two mistakes for which a process of its own might show more than `main` does."""
    before = files(tmp_path)
    for words, said in (
        (["tfrec.fit", "--fit.epoch", "3"], "--fit.epochs"),
        (["tfrec.evaluate", "no"], "no is no run"),
    ):
        process = command(*words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=120)
        assert said in check(process.returncode, err, before, tmp_path)
        assert out == ""


def test_a_pipe_that_closes_early(tmp_path):
    process = command(
        "tfrec.list", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONUNBUFFERED": "1"}
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
            "error: The disk is full: free some space and go on with --run FOLDER --resume; finished epochs are kept."
        ]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
