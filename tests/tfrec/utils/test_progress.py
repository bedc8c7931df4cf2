"""The progress line: what it shows, and how often."""

import io
import logging

import pytest
import rich.console

from pipelines import progress as loops
from tfrec.utils import progress
from tfrec.utils.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """The time as a list of one number, for tests to change."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_line(clock):
    shown = Progress("models", 4)
    assert shown.line() == "0 of 4 models"
    shown.done, clock[0] = 1, 130.0
    assert shown.line(["cnn (epoch 3)"], "mlp with 98 %") == (
        "1 of 4 models; running cnn (epoch 3); best mlp with 98 %; about 90 s left"
    )
    assert shown.line(seconds_left=3600) == "1 of 4 models; about 60 min left"
    assert Progress("trials", None).line(["7"]) == "0 trials; running 7"


def test_only_this_start_and_the_deadline_count_for_the_time_left(clock):
    shown = Progress("trials", 10, done=4)
    assert shown.seconds_left() is None
    shown.done, clock[0] = 6, 120.0
    assert shown.seconds_left() == 40.0
    shown.deadline = 130.0
    assert shown.seconds_left() == 10.0
    clock[0] = 140.0
    assert shown.seconds_left() == 0.0


def test_without_a_terminal_one_line_a_minute(clock, caplog):
    caplog.set_level(logging.INFO)
    with Progress("models", 2) as shown:
        for clock[0] in (100.0, 100.5, 159.0, 161.0, 162.0):
            shown.update()
    assert [record.getMessage() for record in caplog.records] == ["0 of 2 models", "0 of 2 models"]


def test_on_a_terminal_a_live_line(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    output = io.StringIO()
    monkeypatch.setattr(progress, "console", rich.console.Console(file=output, force_terminal=True))
    with Progress("models", 2) as shown:
        shown.update(["cnn"])
    assert "0 of 2 models; running cnn" in output.getvalue()
    assert not caplog.records


def test_loops_show_themselves_after_two_seconds(clock, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(progress, "console", rich.console.Console(file=output, force_terminal=True))
    monkeypatch.setattr(loops, "_shown_by", [progress._show_loop])
    for _ in loops.track(range(3), 3, "quick files"):
        clock[0] += 0.5
    assert output.getvalue() == ""
    for _ in loops.track(range(4), 4, "slow files"):
        clock[0] += 1.5
        assert list(loops.track(range(3), 3, "inner files")) == [0, 1, 2]
    assert "4 of 4 slow files; about 0 s left" in output.getvalue()
    assert "inner" not in output.getvalue()


def test_loops_are_logged_each_minute(clock, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(loops, "_shown_by", [progress._show_loop])
    for _ in loops.track(range(10), 10, "files"):
        clock[0] += 13.0
    assert [record.getMessage() for record in caplog.records] == [
        "5 of 10 files; about 65 s left",
        "10 of 10 files; about 0 s left",
    ]
