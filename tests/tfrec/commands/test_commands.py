"""The commands as a user types them: in separate processes, in a folder of the user's, on real data."""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.datasets import load_digits

from tfrec.commands import compare, corruption_report, evaluate, export, fit, noise_report, predict, show, study
from tfrec.commands import list as listing
from tfrec.config import flags
from tfrec.runs import training_state
from tfrec.runs.run import Run
from tfrec.serving import examples
from tfrec.utils import console

ROOT = pathlib.Path(__file__).parents[3]
SMALL = ["--model.width", "8", "--fit.epochs", "2"]


def start(folder, *words):
    """Starts `python -m ...` in a folder, without the settings of this process that a user would not have."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP", "KERAS"))}
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        env={**quiet, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(folder, *words, status=0):
    """(standard output, standard error) of a command that ends with the status."""
    process = start(folder, *words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == status, err
    return out, err


def digit_files(folder):
    digits = load_digits()
    for i in range(4):
        Image.fromarray(np.round(digits.images[i] * 255 / 16).astype("uint8")).save(folder / f"{digits.target[i]}.png")
    return [f"{digits.target[i]}.png" for i in range(4)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder after `python -m tfrec.fit`, with its output in out.txt and err.txt."""
    folder = tmp_path_factory.mktemp("home")
    out, err = done(folder, "tfrec.fit", *SMALL)
    (folder / "out.txt").write_text(out)
    (folder / "err.txt").write_text(err)
    return folder


@pytest.fixture
def here(home, monkeypatch):
    """The same folder as the working directory, for commands that run in this process."""
    monkeypatch.chdir(home)
    return home


def test_fit_prints_progress_a_table_and_the_next_commands(home):
    out = (home / "out.txt").read_text()
    assert (home / "err.txt").read_text() == ""  # no warnings and no messages of TensorFlow
    for part in ("digits: 10 classes", "Epoch 1/2", "macro average", "95 % interval", "saved_models/digits/1"):
        assert part in out
    for command in (
        "evaluate runs/digits",
        "predict runs/digits FILE...",
        "tensorflow_model_server --model_name=digits",
    ):
        assert command in out[out.index("Next:") :]


def test_fit_leaves_a_run_and_an_export(home):
    run = home / "runs" / "digits"
    config = json.loads((run / "config.json").read_text())
    assert (config["data"]["name"], config["fit"]["epochs"], config["frontend"]["height"]) == ("digits", 2, 8)
    assert json.loads((run / "labels.json").read_text()) == list("0123456789")
    (environment,) = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["tensorflow"]
    assert environment["command"][1:] == SMALL
    rows = list(csv.DictReader((run / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "minutes"}
    test = json.loads((run / "metrics.json").read_text())["test"]
    low, high = test["accuracy_interval"]
    assert 0 <= low <= test["accuracy"] <= high <= 1
    assert test["examples"] == 360
    answers = list(csv.DictReader((run / "predictions_test.csv").open()))
    assert list(answers[0]) == ["path", "label", "answer", "probability"]
    assert (len(answers), all(0 < float(row["probability"]) <= 1 for row in answers)) == (360, True)
    assert sum(row["label"] == row["answer"] for row in answers) == pytest.approx(360 * test["accuracy"])
    for name in ("confusion.png", "learning_curves.png"):
        with Image.open(run / name) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert (home / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()
    assert [path.name for path in (home / "saved_models" / "digits").iterdir()] == ["1"]
    assert not list(run.rglob(".tmp*"))


def test_a_second_fit_writes_a_second_run(here, capsys):
    assert fit.main(["--model.name", "mlp", "--model.width", "8", "--fit.epochs", "1", "--export.no_after_fit"]) == 0
    assert "python -m tfrec export runs/digits-2" in capsys.readouterr().out
    assert json.loads((here / "runs" / "digits-2" / "config.json").read_text())["model"]["name"] == "mlp"
    assert json.loads((here / "runs" / "digits" / "config.json").read_text())["model"]["name"] == "cnn"
    assert not (here / "saved_models" / "digits-2").exists()


def test_fit_without_the_test_split(here, capsys):
    words = ["--model.name", "mlp", "--model.width", "8", "--fit.epochs", "1", "--export.no_after_fit"]
    assert fit.main([*words, "--no_test", "--run", "blind"]) == 0
    assert "validation split" in capsys.readouterr().out
    run = Run("blind")
    assert run.is_finished()
    assert "test" not in run.read_json("metrics.json")
    assert "confusion.png" not in [path.name for path in run.path.iterdir()]
    raw, answers = examples.read(run)  # what an export must repeat, of the validation split
    assert len(raw) == len(answers) == examples.EXAMPLES
    assert evaluate.main(["blind"]) == 0
    assert {"validation", "test"} <= set(run.read_json("metrics.json"))


def test_evaluate(home):
    run = home / "runs" / "digits"
    before = json.loads((run / "metrics.json").read_text())
    for path in run.glob("*.png"):
        path.unlink()
    out, err = done(home, "tfrec", "evaluate", "runs/digits", "--json")
    assert err == ""
    assert json.loads(out)["test"]["accuracy"] == before["test"]["accuracy"]
    assert sorted(path.name for path in run.glob("*.png")) == [
        "confusion.png",
        "learning_curves.png",
        "reliability.png",
    ]


def test_evaluate_another_split(here, capsys):
    assert evaluate.main(["runs/digits", "--split", "train", "--batch_size", "500"]) == 0
    out = capsys.readouterr().out
    assert "train split" in out
    assert out.endswith(
        "In runs/digits: metrics.json, predictions_train.csv, train/confusion.png, train/reliability.png.\n"
    )
    metrics = json.loads((here / "runs" / "digits" / "metrics.json").read_text())
    assert (metrics["train"]["examples"], metrics["test"]["examples"]) == (1293, 360)


def test_predict(home, monkeypatch, capfd):
    files = digit_files(home)
    (home / "bad.png").write_text("no picture")
    out, err = done(home, "tfrec", "predict", "runs/digits", files[0], "bad.png", *files[1:], "--json", status=1)
    assert err == "error: bad.png is not a JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF or PPM picture.\n"
    of_run = json.loads(out)
    assert [answer["file"] for answer in of_run] == files
    for answer in of_run:
        assert set(answer) == {"file", "label", "probability", "accepted", "probabilities"}
        assert list(answer["probabilities"]) == list("0123456789")
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert (
            answer["probability"] == answer["probabilities"][answer["label"]] == max(answer["probabilities"].values())
        )
    monkeypatch.chdir(home)
    assert predict.main(["saved_models/digits", *files, "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    for one, other in zip(of_run, json.loads(out), strict=True):
        assert one["label"] == other["label"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_predict_files_with_unusual_names(here, capsys):
    names = [here / "[bold] :cat: with a name as long as names of files become when machines make them.png"]
    digits = load_digits()
    Image.fromarray(np.round(digits.images[0] * 255 / 16).astype("uint8")).save(names[0])
    names.append(pathlib.Path(os.fsdecode(b"not \xff utf-8.png")))
    names[1].write_bytes(names[0].read_bytes())
    for flag in ([], ["--json"]):
        words = ["runs/digits", names[0].name, str(names[1]), *flag]
        with pytest.raises(SystemExit) as stop:
            console.run(lambda words=words: predict.main(words))
        assert not stop.value.code
        out = capsys.readouterr().out
        assert "[bold] :cat: with" in out
        assert "…" not in out
    assert [answer["file"] for answer in json.loads(out)] == [names[0].name, str(names[1])]


@pytest.mark.slow
def test_export_counts_versions(home):
    (home / "published" / "mine" / "1").mkdir(parents=True)
    out, err = done(home, "tfrec", "export", "runs/digits", "--folder", "published", "--name", "mine")
    assert err == ""
    assert "Published published/mine/2" in out
    assert "tensorflow_model_server --model_name=mine" in out
    assert sorted(path.name for path in (home / "published" / "mine").iterdir()) == ["1", "2"]


def test_list(home, capsys):
    out, err = done(home, "tfrec", "list")
    assert err == ""
    for word in ("architectures", "mlp", "datasets", "manifest", "experiments", "spoken_digit", "layers", "LogMel"):
        assert word in out
    assert listing.main(["--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == {"architectures", "datasets", "experiments", "layers"}
    for entries in listed.values():
        assert entries
        assert all(entry["summary"] for entry in entries.values())
    assert listing.main(["layers", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"layers"}


REPORTS = (noise_report, corruption_report)


@pytest.mark.parametrize("module", [fit, evaluate, predict, export, listing, show, compare, study, *REPORTS])
def test_help(module, capsys):
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    command = module.__name__.split(".")[-1]
    usage = "python -m tfrec.fit" if module is fit else f"python -m tfrec {command}"
    assert f"usage: {usage}" in capsys.readouterr().out


def examples_of(name, text):
    """The examples in all splits of a corpus of two classes, by what `fit` says; their content decides the splits."""
    sizes = re.search(rf"{name}: 2 classes, (\d+) train, (\d+) validation, (\d+) test examples", text).groups()
    return sum(map(int, sizes))


def test_speech_in_a_folder(tmp_path, tones, monkeypatch, capfd, caplog):
    """WAV and FLAC files through training, run and export, with nothing on standard error."""
    words = [f"{tones}/", "--model.width", "4", "--fit.epochs", "2", "--run", "runs/mine"]
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    assert fit.main(words) == 0
    assert capfd.readouterr().err == ""
    assert examples_of("folder", caplog.text) == 32
    soundfile.write(tmp_path / "new.wav", 0.3 * np.sin(2 * np.pi * 1500 * np.arange(16000) / 16000), 16000)
    answers = []
    for model in ("runs/mine", "saved_models/mine/1"):
        assert predict.main([model, "new.wav", "--json"]) == 0
        out, err = capfd.readouterr()
        assert err == ""
        answers.append(json.loads(out)[0]["probabilities"])
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)


def photos(folder):
    """Dark and bright pictures of different sizes and formats, and a manifest of them."""
    random = np.random.default_rng(0)
    lines = ["path,label"]
    for label, gray in (("bright", 180), ("dark", 60)):
        (folder / label).mkdir(parents=True)
        for i in range(12):
            pixels = random.normal(gray, 20, (20 + i, 24, 3)).clip(0, 255).astype("uint8")
            name = f"{label}/{i}.{('png', 'jpg', 'bmp', 'gif')[i % 4]}"
            Image.fromarray(pixels).save(folder / name)
            lines.append(f"{name},{label}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("name", ["folder", "manifest"])
def test_pictures_in_a_folder_and_in_a_manifest(tmp_path, monkeypatch, capsys, caplog, name):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    path = photos(tmp_path / "photos") if name == "folder" else photos(tmp_path / "photos") / "list.csv"
    size = ["--frontend.height", "16", "--frontend.width", "16", "--model.width", "4", "--fit.epochs", "2"]
    words = ["--data.name", name, "--data.path", str(path), "--run", "runs/mine", "--export.no_after_fit", *size]
    assert fit.main(words) == 0
    assert examples_of(name, caplog.text) == 24
    capsys.readouterr()
    assert predict.main(["runs/mine", "photos/dark/0.png", "photos/bright/1.jpg", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert all(set(answer["probabilities"]) == {"bright", "dark"} for answer in answers)


def test_the_config_of_a_run_with_a_flag_changed(here):
    stored = here / "runs" / "digits" / "config.json"
    words = ["--config", str(stored), "--run", "runs/again", "--fit.learning_rate", "1e-4", "--fit.epochs", "1"]
    assert fit.main([*words, "--export.no_after_fit"]) == 0
    before, after = (json.loads(path.read_text()) for path in (stored, here / "runs" / "again" / "config.json"))
    assert (after["fit"]["learning_rate"], after["fit"]["epochs"]) == (1e-4, 1)
    before["fit"].update(learning_rate=1e-4, epochs=1)
    before["export"]["after_fit"] = False
    assert after == before


def test_another_architecture_over_the_config_of_a_run(here):
    """The model has its own default settings; the rest is from the file."""
    words = ["--config", str(here / "runs" / "digits" / "config.json"), "--model.name", "mlp"]
    config = flags.to_config(flags.parse_fit(words)[1])
    assert (config.model.name, config.model.width, config.fit.epochs) == ("mlp", 256, 2)


def wait_for(path, process, line=""):
    """Waits until a file exists and contains a line."""
    until = time.monotonic() + 120
    while not path.is_file() or line not in path.read_text():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_an_interrupted_run_resumes(tmp_path, how, capsys):
    run = tmp_path / "mine"
    words = ["--model.width", "4", "--run", str(run), "--export.no_after_fit"]
    process = start(tmp_path, "tfrec.fit", "--fit.epochs", "400", *words)
    wait_for(run / "history.csv", process, "\n2,")
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert re.fullmatch(
            r"error: Interrupted: the training is kept and continues after (step \d+ of )?epoch \d+ with"
            rf" `python -m tfrec fit --run {run} --resume`\.\n",
            err,
        )
    finished = training_state.read_values(Run(run))["epoch"]
    assert 2 <= finished < 400
    epochs = finished + 2
    assert fit.main(["--run", str(run), "--resume", "--fit.epochs", str(epochs)]) == 0
    assert f"Epoch {finished + 1}/{epochs}" in capsys.readouterr().out
    rows = list(csv.DictReader((run / "history.csv").open()))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, epochs + 1)]
    assert json.loads((run / "metrics.json").read_text())["test"]["examples"] == 360


def test_an_interruption_during_the_imports(tmp_path, monkeypatch):
    """Ctrl-C during the import of TensorFlow, here of a substitute that sleeps."""
    (tmp_path / "tensorflow").mkdir()
    slow = "import pathlib, time\npathlib.Path('importing').touch()\ntime.sleep(60)\n"
    (tmp_path / "tensorflow" / "__init__.py").write_text(slow)
    process = start(tmp_path, "tfrec.fit")
    wait_for(tmp_path / "importing", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "error: Interrupted.\n")


def test_the_messages_of_a_failed_import_of_tensorflow_are_printed(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    failing = "import os\nos.write(2, b'no AVX here\\n')\nraise ImportError('broken')\n"
    (tmp_path / "tensorflow" / "__init__.py").write_text(failing)
    _, err = done(tmp_path, "tfrec.fit", status=1)
    assert "no AVX here\n" in err
    assert "ImportError: broken" in err
