"""Sweeps of several processes, and what is left of one that is killed."""

import contextlib
import json
import math
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.tuning import pretend

ROOT = pathlib.Path(__file__).parents[2]
BEGUN = "After an interruption"  # which a sweep prints when it has taken its folder
WORDS = ("digits", "--run", "mine", "--set", "fit.learning_rate=1e-4..1e-2:log", "--tuner", "random")


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function from words to a sweep's process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    running = []

    def start(*words, seconds=0.05, name="out"):
        with open(name, "a") as output:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.tuning.pretend", *words],
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "EPOCH_SECONDS": str(seconds)},
                )
            )
        return running[-1]

    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def wait_for(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, pathlib.Path("out").read_text()
        time.sleep(0.05)


def statuses():
    return [status for status, _ in pretend.known().values()]


def children():
    """The programs that train for a sweep's process."""
    found = subprocess.run(["pgrep", "-f", "fit.py"], capture_output=True, text=True, check=False).stdout.split()
    here = []
    for pid in found:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            here += [int(pid)] if os.readlink(f"/proc/{pid}/cwd") == os.getcwd() else []
    return here


def test_ctrl_c_keeps_everything(start):
    process = start(*WORDS, "--trials", "4", "--workers", "2", seconds=0.5)
    wait_for(lambda: "COMPLETED" in statuses())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    before = pretend.known()
    assert "error: Interrupted" in pathlib.Path("out").read_text()
    assert pathlib.Path("mine/report.html").is_file()
    wait_for(lambda: not children())
    assert start("--run", "mine", "--resume", seconds=0).wait(120) == 0
    assert statuses() == ["COMPLETED"] * 4
    done = [label for label, (status, _) in before.items() if status == "COMPLETED"]
    assert {label: pretend.known()[label] for label in done} == {label: before[label] for label in done}
    assert all(pretend.started().count(label) == 1 for label in done)


def killed(start, times, trials):
    """A sweep that is killed so often, at moments drawn by chance: worker, sweep, worker, ...; ends well at last."""
    chance = random.Random(0)
    process = start(*WORDS, "--trials", str(trials), "--workers", "2", seconds=0.2)
    wait_for(lambda: pathlib.Path("mine/oracle/oracle.json").is_file())
    for turn in range(times):
        time.sleep(chance.uniform(0.2, 2.5))
        before = {label: trial for label, trial in pretend.known().items() if trial[0] == "COMPLETED"}
        starts_before = {label: pretend.started().count(label) for label in before}
        if turn % 2 and (found := children()):
            os.kill(chance.choice(found), signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            wait_for(lambda: not children())
            starts = pathlib.Path("out").read_text().count(BEGUN)
            process = start("--run", "mine", "--resume", seconds=0.2)
            wait_for(lambda starts=starts: pathlib.Path("out").read_text().count(BEGUN) > starts)
        assert {label: pretend.known()[label] for label in before} == before
        assert {label: pretend.started().count(label) for label in before} == starts_before
    assert process.wait(300) == 0
    found = pretend.known()
    states = [status for status, _ in found.values()]
    assert set(states) <= {"COMPLETED", "FAILED"}
    assert states.count("FAILED") <= times // 2  # each kill of a worker costs one
    rates = [0.002, *(scores["parameters"][0] / 1000 for status, scores in found.values() if status == "COMPLETED")]
    best = min(rates, key=lambda rate: abs(math.log10(rate / 1e-3)))  # as the pretended accuracy has it
    assert json.loads(pathlib.Path("mine/best.json").read_text())["fit"]["learning_rate"] == pytest.approx(best)
    return found


def test_killed_once_each(start):
    assert set(killed(start, 2, 6)) == {str(i) for i in range(6)}


@pytest.mark.slow
def test_killed_ten_times(start):
    assert set(killed(start, 10, 30)) == {f"{i:02d}" for i in range(30)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_chief_and_workers_over_loopback(start):
    address = f"127.0.0.1:{free_port()}"
    chief = start(*WORDS, "--trials", "6", "--role", "chief", "--oracle", address)
    wait_for(lambda: pathlib.Path("mine/sweep.json").is_file())
    first = start(*WORDS, "--role", "worker", "--oracle", address, "--workers", "2", seconds=2, name="first")
    second = start("--run", "mine", "--role", "worker", "--oracle", address, seconds=2, name="second")
    assert [one.wait(120) for one in (first, second, chief)] == [0, 0, 0]
    assert statuses() == ["COMPLETED"] * 6
    assert sorted(pretend.started()) == ["0", "1", "2", "3", "4", "5", "default"]
    assert "The chief has no more trials" in pathlib.Path("first").read_text()


def test_a_worker_that_dies_gives_its_trial_back(start, monkeypatch):
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LEASE_SECONDS", "3")
    chief = start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    lost = start(*WORDS, "--role", "worker", "--oracle", address, seconds=60, name="lost")
    wait_for(lambda: "RUNNING" in statuses() and "0" in pretend.started())
    lost.kill()
    other = start(*WORDS, "--role", "worker", "--oracle", address, name="other")
    assert [one.wait(120) for one in (other, chief)] == [0, 0]
    assert statuses() == ["COMPLETED"] * 2
    assert re.search("has fallen silent: trial 0 goes to another", pathlib.Path("out").read_text())


def test_a_worker_without_a_chief_ends_at_ctrl_c(start):
    address = f"127.0.0.1:{free_port()}"
    chief = start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    worker = start(*WORDS, "--role", "worker", "--oracle", address, name="worker")
    wait_for(lambda: statuses() == ["COMPLETED"] * 2 or "RUNNING" in statuses())
    chief.kill()
    chief.wait()
    time.sleep(7)  # until it has asked the chief for something
    begun = time.monotonic()
    worker.send_signal(signal.SIGINT)
    assert worker.wait(60) == 130
    assert time.monotonic() - begun < 10
    assert "error: Interrupted" in pathlib.Path("worker").read_text()
    assert not children()


@pytest.mark.parametrize("words", [("--set", "fit.epochs=1..3"), (*WORDS[3:], "--fit.weight_decay", "0.5")])
def test_a_worker_that_trains_otherwise_is_refused(start, words):
    address = f"127.0.0.1:{free_port()}"
    start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    other = start("digits", "--run", "theirs", *words, "--role", "worker", "--oracle", address, name="other")
    assert other.wait(120) == 2
    assert "searches another space, or trains otherwise" in pathlib.Path("other").read_text()
    assert not pathlib.Path("theirs").exists()


def test_a_worker_leaves_the_runs_of_other_sweeps_alone(start):
    address = f"127.0.0.1:{free_port()}"
    old = pathlib.Path("old/trials/0")
    old.mkdir(parents=True)
    pathlib.Path("old/sweep.json").write_text("{}")
    start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    words = ["--run" if word == "--run" else "old" if word == "mine" else word for word in WORDS]
    other = start(*words, "--role", "worker", "--oracle", address, name="other")
    assert other.wait(120) == 2
    assert "old belongs to another sweep" in pathlib.Path("other").read_text()
    assert old.is_dir()
