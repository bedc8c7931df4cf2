"""Where the trainings of a sweep run, and how several machines find each other."""

import os
import subprocess
import sys

import pytest

from pipelines.errors import UserError
from tuning import distributed, trials, workers


@pytest.fixture
def machine(monkeypatch):
    """A function that sets cores and GPUs."""

    def set_up(cores, gpus="", visible=None):
        monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: set(cores), raising=False)
        monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda _: list(gpus))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return set_up


def test_one_worker_has_the_machine(machine):
    machine(range(8), "ab")
    assert workers.places(1) == [workers.Place()]


@pytest.mark.parametrize(
    ("cores", "count", "expected"),
    [
        ([0, 1, 2, 3], 2, [(0, 1), (2, 3)]),
        ([4, 6, 7], 2, [(4,), (6,)]),  # all get as many
        ([3, 5], 3, [(3,), (5,), (3,)]),
    ],
)
def test_cores_are_divided(machine, cores, count, expected):
    machine(cores)
    found = workers.places(count)
    assert [place.cores for place in found] == expected
    assert all(place.environment == {} for place in found)


def test_each_has_a_gpu_of_its_own_or_shares_one(machine):
    machine(range(4), "ab")
    assert [place.environment for place in workers.places(2)] == [{"CUDA_VISIBLE_DEVICES": name} for name in "01"]
    machine(range(4), "abcd", visible="5,7")
    shared = [place.environment for place in workers.places(3)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in shared] == ["5", "7", "5"]
    assert all(one["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for one in shared)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no cores")
def test_what_a_worker_starts_runs_on_its_cores():
    before = os.sched_getaffinity(0)
    core = max(before)
    try:
        workers.Place((core,)).take()
        code = "import os; print(*os.sched_getaffinity(0))"
        assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == [str(core)]
    finally:
        os.sched_setaffinity(0, before)


def test_keras_tuners_own_variables_say_the_same(monkeypatch):
    for name in (distributed.HOST, distributed.PORT, distributed.WHO):
        monkeypatch.delenv(name, raising=False)
    assert distributed.from_environment() is None
    monkeypatch.setenv(distributed.HOST, "10.0.0.5")
    monkeypatch.setenv(distributed.PORT, "7777")
    with pytest.raises(UserError, match=f"{distributed.HOST} is set, and {distributed.WHO} is not"):
        distributed.from_environment()
    for who, role in (("chief", "chief"), ("tuner3", "worker")):
        monkeypatch.setenv(distributed.WHO, who)
        assert distributed.from_environment() == (role, "10.0.0.5:7777")


def test_a_trial_is_trained_by_one_worker_at_a_time(tmp_path):
    """Another, taken for lost, may still be at it in the same folder."""
    plan = trials.Plan(tmp_path, ("digits",), (), (), ())
    lock = trials.Run(plan.logs / "0.lock")
    lock.path.mkdir(parents=True)
    with lock.lock(), pytest.raises(trials.StopError):
        trials.train(plan, "0", {}, lambda: True)
