"""Jobs in worker threads: order, failures, stopping, resources."""

import os
import pathlib
import sys
import threading
import time

import pytest

from tfrec.utils import scheduler as scheduling
from tfrec.utils.scheduler import Job, JobError, Outcome, Resources, Scheduler, StoppedError, share_cores

SLEEP = [sys.executable, "-c", "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')"]


@pytest.fixture(autouse=True)
def poll_often(monkeypatch):
    monkeypatch.setattr(scheduling, "POLL_INTERVAL_S", 0.05)


def sleeper(folder, label):
    return Job(label, lambda worker: worker.call(SLEEP, folder / f"{label}.txt", folder / f"{label}.jsonl"))


def run(jobs, workers=1, **callbacks):
    """The outcomes of all jobs, in the order in which they finish."""
    outcomes = []
    Scheduler([Resources()] * workers).run(jobs, callbacks.pop("on_finish", outcomes.append), **callbacks)
    return outcomes


def test_results_and_failures_in_order():
    def fail(_):
        raise JobError("It is bad.")

    jobs = [Job("a", lambda _: 1), Job("b", fail), Job("c", lambda _: 3)]
    assert run(jobs) == [Outcome(jobs[0], 1), Outcome(jobs[1], failure="It is bad."), Outcome(jobs[2], 3)]


def test_as_many_jobs_at_once_as_workers():
    lock, running, counts = threading.Lock(), set(), []

    def work(label):
        with lock:
            running.add(label)
            counts.append(len(running))
        time.sleep(0.2)
        with lock:
            running.remove(label)

    outcomes = run((Job(str(i), lambda _, i=i: work(i)) for i in range(5)), workers=2)
    assert sorted(outcome.job.label for outcome in outcomes) == list("01234")
    assert max(counts) == 2


def test_a_worker_starts_no_job_before_the_last_outcome_is_handled():
    events = []

    def finish(outcome):
        time.sleep(0.1)
        events.append(f"{outcome.job.label} handled")

    run([Job(label, lambda _, label=label: events.append(label)) for label in "ab"], on_finish=finish)
    assert events == ["a", "a handled", "b", "b handled"]


def test_callbacks_run_on_the_calling_thread():
    threads = []
    note = lambda *_: threads.append(threading.current_thread())  # noqa: E731
    run([Job("a", lambda _: time.sleep(0.2))], on_finish=note, on_poll=note)
    assert set(threads) == {threading.current_thread()}
    assert len(threads) > 2


def test_a_source_gives_each_worker_its_jobs_and_may_wait():
    labels = {0: ["a", "b"], 1: ["c"]}

    def source(worker):
        worker.sleep(0.05)
        own = labels[worker.number]
        return Job(own.pop(0), lambda worker: worker.number) if own else None

    outcomes = run(source, workers=2)
    assert {outcome.job.label: outcome.result for outcome in outcomes} == {"a": 0, "b": 0, "c": 1}


def test_running_jobs_are_known(tmp_path):
    scheduler, seen = Scheduler(), set()
    jobs = [Job(label, lambda _: time.sleep(0.2)) for label in "ab"]
    scheduler.run(jobs, lambda _: None, lambda: seen.update(job.label for job in list(scheduler.running.values())))
    assert seen == {"a", "b"}
    assert not scheduler.running


def test_an_exception_of_a_callback_stops_the_commands(tmp_path):
    def finish(outcome):
        raise RuntimeError(outcome.failure)

    def fail(worker):
        while not (tmp_path / "long.txt").is_file():
            worker.sleep(0.05)
        worker.sleep(1)  # for the command to start
        raise JobError("It is bad.")

    jobs = [sleeper(tmp_path, "long"), Job("bad", fail), sleeper(tmp_path, "never")]
    with pytest.raises(RuntimeError, match="It is bad"):
        run(jobs, workers=2, on_finish=finish)
    assert (tmp_path / "long.txt").read_text() == "stopped\n"
    assert not (tmp_path / "never.txt").exists()


def test_ctrl_c_stops_the_commands(tmp_path):
    started = time.monotonic()

    def interrupt():
        if (tmp_path / "a.txt").is_file() and time.monotonic() - started > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([sleeper(tmp_path, "a"), sleeper(tmp_path, "b")], on_poll=interrupt)
    assert (tmp_path / "a.txt").read_text() == "stopped\n"
    assert not (tmp_path / "b.txt").exists()


def test_an_unexpected_exception_of_a_job_stops_all(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run([sleeper(tmp_path, "a"), Job("b", lambda _: 1 / 0)], workers=2)


def test_a_job_may_stop_without_an_outcome():
    def stop(_):
        raise StoppedError

    assert [outcome.job.label for outcome in run([Job("a", stop), Job("b", lambda _: 1)])] == ["b"]


def test_commands_use_the_resources_of_their_worker(tmp_path):
    cores = sorted(os.sched_getaffinity(0))[:1]
    code = "import os; print(os.environ['NAME'], sorted(os.sched_getaffinity(0)))"
    job = Job("a", lambda worker: worker.call([sys.executable, "-c", code], tmp_path / "log", tmp_path / "record"))
    Scheduler([Resources(tuple(cores), {"NAME": "value"})]).run([job], lambda _: None)
    assert (tmp_path / "log").read_text() == f"value {cores}\n"
    assert len(os.sched_getaffinity(0)) >= len(cores)


def test_a_poll_callback_of_a_command_can_stop_it(tmp_path):
    def refuse():
        raise JobError("The heartbeat was lost.")

    files = pathlib.Path(tmp_path, "log"), pathlib.Path(tmp_path, "record")
    (outcome,) = run([Job("a", lambda worker: worker.call(SLEEP, *files, on_poll=refuse))])
    assert outcome.failure == "The heartbeat was lost."


def test_cores_are_shared(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    resources = share_cores(3)
    assert len(resources) == 3
    for own in resources:
        assert own.environment["TF_NUM_INTRAOP_THREADS"] == "2"
        assert "TF_NUM_INTEROP_THREADS" not in own.environment  # the user has set it
    assert share_cores(1) == [Resources()]
