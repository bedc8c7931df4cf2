"""The machine is divided among workers."""

import os
import subprocess
import sys

import pytest

from tfrec.runs.run import Run
from tfrec.utils import scheduler
from tuning.execution import workers


@pytest.fixture
def machine(monkeypatch):
    """A function that sets the cores and the GPUs of this machine."""

    def set_up(cores, gpus="", visible=None):
        monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: set(cores), raising=False)
        monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda _: list(gpus))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return set_up


def test_a_single_worker_has_the_whole_machine(machine):
    machine(range(8), "ab")
    assert workers.allocate(1) == [scheduler.Resources()]


@pytest.mark.parametrize(
    ("cores", "count", "expected"),
    [
        ([0, 1, 2, 3], 2, [(0, 1), (2, 3)]),
        ([4, 6, 7], 2, [(4,), (6,)]),  # all get the same number
        ([3, 5], 3, [(3,), (5,), (3,)]),
    ],
)
def test_cores_are_divided(machine, cores, count, expected):
    machine(cores)
    allocations = workers.allocate(count)
    assert [one.cores for one in allocations] == expected
    assert all(one.environment == {} for one in allocations)


def test_each_worker_has_its_own_gpu_or_shares_one(machine):
    machine(range(4), "ab")
    assert [one.environment for one in workers.allocate(2)] == [{"CUDA_VISIBLE_DEVICES": name} for name in "01"]
    machine(range(4), "abcd", visible="5,7")
    environments = [one.environment for one in workers.allocate(3)]
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in environments] == ["5", "7", "5"]
    assert all(variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for variables in environments)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind processes to cores")
def test_a_workers_processes_run_on_its_cores():
    before = os.sched_getaffinity(0)
    core = max(before)
    try:
        scheduler.Resources((core,)).bind_thread()
        code = "import os; print(*os.sched_getaffinity(0))"
        assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == [str(core)]
    finally:
        os.sched_setaffinity(0, before)


PROGRAM = """
import os, sys, time
with open("starts", "a+") as file:
    file.write("x")
    file.seek(0)
    starts = len(file.read())
how = sys.argv[1]
if how == "error":
    sys.exit("error: The loss is NaN.")
if how == "terminated":
    sys.exit(143)
if how == "killed" or how == "killed once" and starts == 1:
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("how", "starts", "reason"),
    [
        ("killed once", 2, None),
        ("killed", 2, "The system killed the process, as it does when memory runs out."),
        ("terminated", 2, "Ended with exit status 143."),
        ("error", 1, "The loss is NaN."),
    ],
)
def test_a_training_that_is_killed_is_tried_again_once(tmp_path, monkeypatch, how, starts, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(workers.fit_process, "COMMAND", (sys.executable, "program.py"))
    assert workers.train_run(Run(tmp_path / "7"), [how], tmp_path, lambda: None) == reason
    assert len((tmp_path / "starts").read_text()) == starts
