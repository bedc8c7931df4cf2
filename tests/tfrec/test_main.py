"""The command line without a command, and what is answered without importing Keras."""

import re
import subprocess
import sys
import time

import pytest

import tfrec
from tfrec import __main__ as command_line

SECONDS = 1.0  # about 0.05 on an idle machine


def quick(*words, status=0):
    """(standard output, standard error) of a command; it must be quick, and import neither Keras nor TensorFlow."""
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-X", "importtime", *words], capture_output=True, text=True)
    assert time.perf_counter() - started < SECONDS
    assert result.returncode == status, result.stderr
    imported, err = [], []
    for line in result.stderr.splitlines():
        (imported if line.startswith("import time:") else err).append(line)
    names = {line.rpartition("|")[2].strip() for line in imported}
    assert "tfrec" in names
    assert not names & {"keras", "tensorflow", "numpy", "tyro", "cattrs", "rich"}
    return result.stdout, "\n".join(err)


def test_importing_the_package():
    assert quick("-c", "import tfrec") == ("", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag):
    out, err = quick("-m", "tfrec", flag)
    assert err == ""
    for command in command_line.COMMANDS:
        assert f"\n  {command} " in out


@pytest.mark.parametrize("words", [["tfrec"], ["tfrec", "fit"], ["tfrec.fit"], ["tfrec", "evaluate", "RUN"]], ids=str)
def test_version(words):
    assert quick("-m", *words, "--version") == (f"tfrec {tfrec.__version__}\n", "")


def test_no_command_is_the_help_and_a_mistake():
    out, _ = quick("-m", "tfrec", status=2)
    assert out.startswith("usage: tfrec COMMAND")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tfrec", "evalaute"], "error: Unknown command 'evalaute': did you mean 'evaluate'?"),
        (["tfrec", "--fit"], "error: Unknown command '--fit': did you mean 'fit'?"),
        (["tfrec", "fit", "minst"], "error: Unknown experiment 'minst': did you mean 'mnist'?"),
        (["tfrec.fit", "minst", "--fit.epochs", "3"], "error: Unknown experiment 'minst': did you mean 'mnist'?"),
        (["tfrec", "show", "minst"], "error: Unknown experiment 'minst': did you mean 'mnist'?"),
    ],
    ids=str,
)
def test_unknown_names(words, sentence):
    assert quick("-m", *words, status=2) == ("", sentence)


@pytest.mark.parametrize(
    "words",
    [
        ["tfrec", "fit", "--data.name", "folder", "--help"],
        ["tfrec.fit", "minst", "-h"],
        ["tfrec.fit", "PHOTOS/", "--data.path", "MORE/", "-h"],
        ["tfrec", "show", "mnist", "--help"],
        ["tfrec", "noise-report", "-h"],
    ],
)
def test_the_help_of_a_command_whatever_else_is_wrong(words, tmp_path):
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=tmp_path)
    assert time.perf_counter() - started < 4  # 0.8 on an idle machine; 4.5 with TensorFlow
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: python -m tfrec")


def test_every_command_has_a_module():
    import importlib.util

    for command in command_line.COMMANDS:
        assert importlib.util.find_spec(f"tfrec.commands.{command}")


@pytest.mark.parametrize("command", ["fit", "evaluate", "study", "noise_report"])
def test_the_help_without_tensorflow_is_the_same(command, capsys):
    import importlib
    import os

    with pytest.raises(SystemExit):
        importlib.import_module(f"tfrec.commands.{command}").main(["--help"])
    words = [sys.executable, "-m", "tfrec", command, "--help"]
    narrow = {**os.environ, "COLUMNS": "80"}
    fast = subprocess.run(words, capture_output=True, text=True, env=narrow).stdout
    # What frames the groups depends on the encoding of the terminal.
    assert re.findall(r"\w\S*", fast) == re.findall(r"\w\S*", capsys.readouterr().out)


def test_data_in_the_place_of_an_experiment():
    _, err = quick("-m", "tfrec", "fit", "PHOTOS/", "--data.path", "MORE/", status=2)
    assert err == "error: PHOTOS/ is the data: leave it out, or --data.path."
