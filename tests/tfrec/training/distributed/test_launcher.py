"""The workers of one machine: their environment, their end, the words that start them."""

import json
import sys
import time

import pytest

from pipelines.errors import UserError
from tfrec.training.distributed import launcher


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "behind two dashes"),
        (["fit", "digits"], "Unrecognized arguments: fit digits; the form is tfrec launch"),
        (["--workers", "x", "--", "fit"], "Argument --workers: invalid int value: 'x'"),
        (["--", "evaluate"], "behind two dashes"),
        (["--workers", "0", "--", "fit"], "--workers must be from 1 to 64. Received: 0"),
        (["--hosts", "a,b", "--index", "2", "--", "fit"], "--index must be from 0 to 1"),
    ],
)
def test_words_that_do_not_fit(words, message):
    with pytest.raises(UserError, match=message):
        launcher.main(words)


def test_one_worker_of_several_machines(monkeypatch):
    started = []
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setattr(launcher.os, "execv", lambda program, command: started.append(command))
    launcher.main(["--hosts", "a,b:7", "--index", "1", "--", "fit", "digits"])
    assert started[0][1:] == ["-m", "tfrec", "fit", "digits", "--fit.strategy", "multi_worker"]
    value = json.loads(launcher.os.environ["TF_CONFIG"])
    assert value == {"cluster": {"worker": ["a:29400", "b:7"]}, "task": {"type": "worker", "index": 1}}


WORKER = """
import json, os, sys, time
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
if index == int(sys.argv[1]) and sys.argv[2] == "9":
    os.kill(os.getpid(), 9)
if index == int(sys.argv[1]):
    sys.exit(int(sys.argv[2]) and f"error: Worker {index} has no more memory.")
time.sleep(0 if sys.argv[2] == "0" else 60)
"""


def run(failing, status):
    return launcher.run_workers([sys.executable, "-c", WORKER, str(failing), str(status)], 3)


def test_all_workers_end(monkeypatch):
    assert run(1, 0) == 0
    monkeypatch.setattr(launcher, "END_TIMEOUT_S", 0.2)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"Worker 2 of 3 has ended: Worker 2 has no more memory."):
        run(2, 1)
    assert time.monotonic() - started < 20
    assert run(0, 1) == 1  # the chief has printed its error
    with pytest.raises(UserError, match=r"Worker 0 of 3 has ended: signal SIGKILL"):
        run(0, 9)
