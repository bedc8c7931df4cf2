"""Commands in sub-processes: how they end, what is recorded, and that none outlives its parent."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tfrec.utils import processes
from tfrec.utils.processes import MONITOR, Process, call, read_records

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def start(tmp_path):
    def start(code):
        return Process([sys.executable, "-c", code], tmp_path / "log", tmp_path / "record")

    return start


def finish(process):
    with process:
        assert process.wait(60)
    return process.failure()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('fine')", None),
        (
            "import sys; print('more\\nerror: The loss is NaN.', file=sys.stderr); sys.exit(2)",
            "The loss is NaN.",
        ),
        ("raise ValueError('what is wrong')", "ValueError: what is wrong"),
        ("import sys; sys.exit(3)", "Ended with exit status 3."),
        ("import os; os.kill(os.getpid(), 9)", "The system killed the process, as it does when memory runs out."),
        ("import os; os.abort()", "Ended by signal SIGABRT."),
    ],
)
def test_reason_of_a_failure(start, code, reason):
    assert finish(start(code)) == reason


def test_a_later_start_does_not_report_an_earlier_failure(start, tmp_path):
    assert finish(start("raise SystemExit('error: first')")) == "first"
    assert finish(start("pass")) is None
    assert finish(start("raise SystemExit(1)")) == "Ended with exit status 1."
    assert [record["status"] for record in read_records(tmp_path / "record")] == [1, 0, 1]
    assert (tmp_path / "log").read_text() == "error: first\n"


def test_peak_memory_is_that_of_the_command(start, tmp_path):
    ours = bytearray(400_000_000)  # a process inherits the peak of its parent
    for code in ("pass", "bytearray(200_000_000)"):
        assert finish(start(code)) is None
    little, much = (record["peak_bytes"] for record in read_records(tmp_path / "record"))
    assert len(ours) / 4 > little > 1_000_000
    assert 150_000_000 < much - little < 250_000_000


def test_stop_interrupts_the_command(start, tmp_path):
    sleep = "try:\n    print('here', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')"
    with start(f"import time\n{sleep}") as process:
        while "here" not in (tmp_path / "log").read_text():
            assert not process.wait(0.05)
    assert (tmp_path / "log").read_text() == "here\nstopped\n"
    assert process.wait(0)


def test_a_command_that_ignores_interruptions_is_killed(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    monitor = MONITOR.read_text().replace("INTERRUPT_TIMEOUT_S = 15", "INTERRUPT_TIMEOUT_S = 0.2")
    words = [sys.executable, "-c", monitor, str(tmp_path / "record"), sys.executable, "-c", code]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 1
    assert read_records(tmp_path / "record")[0]["status"] == -signal.SIGKILL


def test_the_command_ends_when_its_parent_is_killed(tmp_path):
    sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    code = "import sys; from tfrec.utils.processes import Process; "
    code += f"Process([sys.executable, '-c', {sleeper!r}], 'log', 'record').wait(60)"
    waiting = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    log, end = tmp_path / "log", time.monotonic() + 60
    while not (log.is_file() and log.read_text().endswith("\n")) and time.monotonic() < end:
        time.sleep(0.05)
    sleeping = int(log.read_text())
    waiting.kill()
    waiting.wait()
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(sleeping, 0)
            time.sleep(0.05)
        pytest.fail("the command still runs")
    assert read_records(tmp_path / "record")[0]["status"] == -signal.SIGKILL


def test_call_polls_and_an_exception_of_the_callback_stops_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "POLL_INTERVAL_S", 0.05)
    files = tmp_path / "log", tmp_path / "record"
    assert call([sys.executable, "-c", "raise SystemExit('error: wrong')"], *files) == "wrong"
    polls = []

    def on_poll():
        polls.append(None)
        if len(polls) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        call([sys.executable, "-c", "import time; time.sleep(60)"], *files, on_poll, {"NAME": "value"})
    assert len(read_records(tmp_path / "record")) == 2
    assert read_records(tmp_path / "record")[1]["seconds"] < 30
    assert (
        call(
            [sys.executable, "-c", "import os; raise SystemExit(os.environ['NAME'] != 'x')"],
            *files,
            environment={"NAME": "x"},
        )
        is None
    )
