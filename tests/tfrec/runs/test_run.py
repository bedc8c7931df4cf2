"""The folder of a run: its lock, its files, and what is left after a failure."""

import os
import subprocess
import sys

import pytest

from pipelines.errors import UserError
from tfrec.runs.run import Run


def test_a_locked_folder_is_refused(tmp_path):
    with Run(tmp_path).lock():
        with pytest.raises(UserError, match="Another process is using"), Run(tmp_path).lock():
            pass
        code = f"from tfrec.runs.run import Run\nwith Run({str(tmp_path)!r}).lock(): pass"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.getcwd())
        assert "Another process is using" in result.stderr
    with Run(tmp_path).lock():
        pass


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
