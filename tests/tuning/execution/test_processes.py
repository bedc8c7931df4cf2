"""Sweeps of several processes, and sweeps that are killed."""

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

from tests.tuning import fake_fit

ROOT = pathlib.Path(__file__).parents[3]
STARTED = "After an interruption"  # a sweep prints it when it has locked its folder
WORDS = ("digits", "--run", "mine", "--set", "fit.learning_rate=1e-4..1e-2:log", "--tuner", "random")


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function from arguments to a sweep's process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    running = []

    def start(*words, seconds=0.05, name="out"):
        with open(name, "a") as output:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.tuning.fake_fit", *words],
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
    return [status for status, _ in fake_fit.stored_trials().values()]


def children():
    """The training processes of sweeps in this folder."""
    pids = subprocess.run(["pgrep", "-f", "fit.py"], capture_output=True, text=True, check=False).stdout.split()
    result = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            result += [int(pid)] if os.readlink(f"/proc/{pid}/cwd") == os.getcwd() else []
    return result


def test_ctrl_c_keeps_everything(start):
    process = start(*WORDS, "--trials", "4", "--workers", "2", seconds=0.5)
    wait_for(lambda: "COMPLETED" in statuses())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    before = fake_fit.stored_trials()
    assert "error: Interrupted" in pathlib.Path("out").read_text()
    assert pathlib.Path("mine/report.html").is_file()
    wait_for(lambda: not children())
    assert start("--run", "mine", "--resume", seconds=0).wait(120) == 0
    assert statuses() == ["COMPLETED"] * 4
    done = [label for label, (status, _) in before.items() if status == "COMPLETED"]
    assert {label: fake_fit.stored_trials()[label] for label in done} == {label: before[label] for label in done}
    assert all(fake_fit.started_runs().count(label) == 1 for label in done)


def kill_repeatedly(start, times, trials):
    """Kills a sweep a number of times at random moments (worker, sweep, worker, ...); it completes in the end."""
    chance = random.Random(0)
    process = start(*WORDS, "--trials", str(trials), "--workers", "2", seconds=0.2)
    wait_for(lambda: pathlib.Path("mine/oracle/oracle.json").is_file())
    for turn in range(times):
        time.sleep(chance.uniform(0.2, 2.5))
        before = {label: trial for label, trial in fake_fit.stored_trials().items() if trial[0] == "COMPLETED"}
        starts_before = {label: fake_fit.started_runs().count(label) for label in before}
        if turn % 2 and (pids := children()):
            os.kill(chance.choice(pids), signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            wait_for(lambda: not children())
            starts = pathlib.Path("out").read_text().count(STARTED)
            process = start("--run", "mine", "--resume", seconds=0.2)
            wait_for(lambda starts=starts: pathlib.Path("out").read_text().count(STARTED) > starts)
        assert {label: fake_fit.stored_trials()[label] for label in before} == before
        assert {label: fake_fit.started_runs().count(label) for label in before} == starts_before
    assert process.wait(300) == 0
    final = fake_fit.stored_trials()
    states = [status for status, _ in final.values()]
    assert set(states) <= {"COMPLETED", "FAILED"}
    assert states.count("FAILED") <= times // 2  # each kill of a worker costs one
    rates = [0.002, *(scores["parameters"][0] / 1000 for status, scores in final.values() if status == "COMPLETED")]
    best = min(rates, key=lambda rate: abs(math.log10(rate / 1e-3)))  # where the fake accuracy is highest
    assert json.loads(pathlib.Path("mine/best.json").read_text())["fit"]["learning_rate"] == pytest.approx(best)
    return final


@pytest.mark.slow
def test_killed_once_each(start):
    assert set(kill_repeatedly(start, 2, 6)) == {str(i) for i in range(6)}


@pytest.mark.slow
def test_killed_ten_times(start):
    assert set(kill_repeatedly(start, 10, 30)) == {f"{i:02d}" for i in range(30)}


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
    assert sorted(fake_fit.started_runs()) == ["0", "1", "2", "3", "4", "5", "default"]
    assert "The chief has no more trials" in pathlib.Path("first").read_text()


@pytest.mark.slow
def test_a_killed_worker_loses_its_trial_to_another(start, monkeypatch):
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LEASE_S", "3")
    chief = start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    killed = start(*WORDS, "--role", "worker", "--oracle", address, seconds=60, name="killed")
    wait_for(lambda: "RUNNING" in statuses() and "0" in fake_fit.started_runs())
    killed.kill()
    other = start(*WORDS, "--role", "worker", "--oracle", address, name="other")
    assert [one.wait(120) for one in (other, chief)] == [0, 0]
    assert statuses() == ["COMPLETED"] * 2
    assert re.search("The heartbeat of .* is lost: trial 0 goes to another", pathlib.Path("out").read_text())


@pytest.mark.slow
def test_a_worker_without_a_chief_ends_at_ctrl_c(start):
    address = f"127.0.0.1:{free_port()}"
    chief = start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    worker = start(*WORDS, "--role", "worker", "--oracle", address, name="worker")
    wait_for(lambda: statuses() == ["COMPLETED"] * 2 or "RUNNING" in statuses())
    chief.kill()
    chief.wait()
    time.sleep(7)  # until it has asked the chief for something
    started = time.monotonic()
    worker.send_signal(signal.SIGINT)
    assert worker.wait(60) == 130
    assert time.monotonic() - started < 10
    assert "error: Interrupted" in pathlib.Path("worker").read_text()
    assert not children()


@pytest.mark.parametrize(
    "words",
    [("--set", "fit.epochs=1..3"), pytest.param((*WORDS[3:], "--fit.weight_decay", "0.5"), marks=pytest.mark.slow)],
)
def test_a_worker_with_other_settings_is_refused(start, words, monkeypatch):
    monkeypatch.setenv("TFREC_SWEEP_TOKEN", "shared by machines without a shared folder")
    address = f"127.0.0.1:{free_port()}"
    start(*WORDS, "--trials", "2", "--role", "chief", "--oracle", address)
    other = start("digits", "--run", "theirs", *words, "--role", "worker", "--oracle", address, name="other")
    assert other.wait(120) == 2
    assert "has another space or other training settings" in pathlib.Path("other").read_text()
    assert not pathlib.Path("theirs").exists()


@pytest.mark.slow
def test_a_worker_keeps_the_runs_of_other_sweeps(start, monkeypatch):
    monkeypatch.setenv("TFREC_SWEEP_TOKEN", "shared by machines without a shared folder")
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
