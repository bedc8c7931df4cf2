"""Ctrl-C that Python would lose, and the log lines of TensorFlow."""

import os
import signal
import subprocess
import sys
import weakref

import pytest

from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec.runs.run import Run
from tfrec.utils import startup


class Thing:
    """Something that can be referred to weakly."""


@pytest.fixture
def handled(monkeypatch):
    """The handlers of a command, for the time of a test."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(startup, "_interrupted", [])
    before = signal.getsignal(signal.SIGINT)
    startup.handle_interrupts()
    yield
    signal.signal(signal.SIGINT, before)


def lose_an_interrupt():
    """Python drops what a weak reference's callback raises."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    assert reference() is None


def test_a_lost_interrupt_still_ends_the_training(corpus, tmp_path, monkeypatch, handled, capsys):  # noqa: F811
    write = Run.write_weights

    def interrupted(self, model, path):
        lose_an_interrupt()
        write(self, model, path)

    monkeypatch.setattr(Run, "write_weights", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(small(corpus, epochs=50), corpus, tmp_path / "run")
    assert len(Run(tmp_path / "run").read_history()) == 1  # the epoch that was being written
    assert capsys.readouterr().err == ""


def test_other_lost_errors_are_printed(handled, capsys):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: 1 / 0)
    del thing
    assert reference() is None
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("quiet", "ending", "err"),
    [(True, "", ""), (False, "", "cuFFT here\n"), (True, "raise ImportError", "cuFFT here\n")],
)
def test_log_lines_of_tensorflow_are_shown_only_when_it_cannot_be_imported(tmp_path, quiet, ending, err):
    (tmp_path / "tensorflow.py").write_text(f"import os\nos.write(2, b'cuFFT here\\n')\n{ending}")
    code = f"from tfrec.utils import startup\ntry: startup.import_tensorflow({quiet})\nexcept ImportError: pass"
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", err)
