"""Ctrl-C that Python would lose."""

import signal
import sys
import weakref

import pytest

from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec.runs.run import Run
from tfrec.utils import startup


class Thing:
    """Something that can be referred to weakly."""


@pytest.fixture
def ready(monkeypatch):
    """An entry point's handlers, for the time of a test."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(startup, "_interrupted", [])
    before = signal.getsignal(signal.SIGINT)
    startup.ready()
    yield
    signal.signal(signal.SIGINT, before)


def lose_an_interruption():
    """What Python raises while a weak reference dies goes nowhere."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    assert reference() is None


def test_a_lost_interruption_ends_the_training_all_the_same(corpus, tmp_path, monkeypatch, ready, capsys):  # noqa: F811
    write = Run.write_weights

    def interrupted(self, model, path):
        lose_an_interruption()
        write(self, model, path)

    monkeypatch.setattr(Run, "write_weights", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(small(corpus, epochs=50), corpus, tmp_path / "run")
    assert len(Run(tmp_path / "run").read_history()) == 1  # the epoch that was being written is kept
    assert capsys.readouterr().err == ""


def test_other_lost_errors_are_shown(ready, capsys):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: 1 / 0)
    del thing
    assert reference() is None
    assert "ZeroDivisionError" in capsys.readouterr().err
