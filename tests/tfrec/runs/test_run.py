"""The folder of a run: its lock, its files, and what is left after a failure."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from pipelines.errors import UserError
from tfrec.runs import environment
from tfrec.runs.run import Run
from tfrec.utils import folder_lock


def test_a_locked_folder_is_refused(tmp_path):
    with Run(tmp_path).lock():
        named = f"Process {os.getpid()} on {socket.gethostname()} is using"
        with pytest.raises(UserError, match=named), Run(tmp_path).lock():
            pass
        code = f"from tfrec.runs.run import Run\nwith Run({str(tmp_path)!r}).lock(): pass"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.getcwd())
        assert named in result.stderr
    assert os.listdir(tmp_path) == []
    with Run(tmp_path).lock():
        pass


def test_the_lock_of_a_process_that_is_gone(tmp_path):
    code = f"import os; from tfrec.runs.run import Run\nwith Run({str(tmp_path)!r}).lock(): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=os.getcwd())
    assert (tmp_path / ".lock").is_file()
    with Run(tmp_path).lock():
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()


def test_the_lock_of_another_host(tmp_path):
    """It counts while its process gives signs of life, by the clock of the shared file system."""
    record = tmp_path / ".lock"
    record.write_text(json.dumps({"host": "elsewhere", "process": 7}))
    with pytest.raises(UserError, match="Process 7 on elsewhere is using"), Run(tmp_path).lock():
        pass
    assert os.listdir(tmp_path) == [".lock"]
    os.utime(record, (0, time.time() - folder_lock.STALE_S - 1))
    with Run(tmp_path).lock():
        assert json.loads(record.read_text())["host"] == socket.gethostname()


def test_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "HEARTBEAT_S", 0.01)
    with Run(tmp_path).lock():
        os.utime(tmp_path / ".lock", (0, 0))
        until = time.monotonic() + 10
        while (tmp_path / ".lock").stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / ".lock").stat().st_mtime > 0


def write_and_raise(run, name, value, error):
    with run.remove_on_failure():
        run.write_json(name, value)
        raise error


def test_a_failure_before_the_first_epoch_removes_the_folder(tmp_path):
    run = Run(tmp_path / "runs" / "mine")
    run.create()
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(run, "config.json", {}, KeyboardInterrupt())
    assert not (tmp_path / "runs").exists()
    run.create()
    with pytest.raises(ValueError, match="diverged"):
        write_and_raise(run, "state/state.json", {"history": [{"epoch": 1}]}, ValueError("diverged"))
    assert len(run.read_history()) == 1


def test_the_next_free_path(tmp_path):
    for name in ("mine", "mine-2", "mine-3"):
        assert Run.next_free_path("mine", tmp_path) == tmp_path / name
        (tmp_path / name).mkdir()


def test_a_run_is_finished_once_its_training_time_is_written(tmp_path):
    run = Run(tmp_path)
    assert not run.is_finished()
    run.write_json("metrics.json", {"test": {}})
    assert not run.is_finished()
    run.write_json("metrics.json", {"test": {}, "fit_seconds": 1.0})
    assert run.is_finished()


def test_kept_epochs(tmp_path):
    run = Run(tmp_path / "r")
    run.create()
    assert run.read_kept_epochs() == []
    run.write_json("state/state.json", {"history": [], "best_epoch": 3})
    assert run.read_kept_epochs() == [3]
    run.write_json("state/state.json", {"history": [], "best_epoch": 3, "checkpoints": [[0.9, 3], [0.8, 2]]})
    assert run.read_kept_epochs() == [2, 3]


def test_the_environment_is_a_list_that_grows(tmp_path, monkeypatch):
    run = Run(tmp_path)
    run.write_json("environment.json", {"command": ["fit"], "packages": {"tensorflow": "2.0"}, "cpus": 4})
    (sentence,) = environment.record(run)
    assert "tensorflow 2.0 before and" in sentence
    assert environment.record(run) == []
    first, second, third = environment.read(run)
    assert (first["command"], second["command"]) == (["fit"], sys.argv)
    assert second["folder"] == third["folder"] == os.getcwd()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(third["usable_cpus"] + 3), raising=False)
    (sentence,) = environment.record(run)
    assert f"CPU cores {third['usable_cpus']} before and {third['usable_cpus'] + 3} now" in sentence
