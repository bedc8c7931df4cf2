"""The machine is divided among workers."""

import os
import subprocess
import sys

import pytest

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
