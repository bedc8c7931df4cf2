"""The command line without a command, and what is answered without importing Keras."""

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


def test_version():
    assert quick("-m", "tfrec", "--version") == (f"tfrec {tfrec.__version__}\n", "")


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
        ["tfrec", "noise-report", "-h"],
    ],
)
def test_the_help_of_a_command_whatever_else_is_wrong(words, tmp_path):
    result = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: python -m tfrec")


def test_every_command_has_a_module():
    import importlib.util

    for command in command_line.COMMANDS:
        assert importlib.util.find_spec(f"tfrec.commands.{command}")
