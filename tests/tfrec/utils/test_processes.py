"""Commands in processes of their own: how they end, what they took, that none outlives who waits for it."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tfrec.utils.processes import Process, read_records

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
            "import sys; print('more\\nerror: The loss was no number.', file=sys.stderr); sys.exit(2)",
            "The loss was no number.",
        ),
        ("raise ValueError('what is wrong')", "ValueError: what is wrong"),
        ("import sys; sys.exit(3)", "Ended with status 3."),
        ("import os; os.kill(os.getpid(), 9)", "Killed from outside, as the system does when memory runs out."),
        ("import os; os.abort()", "Ended by the signal SIGABRT."),
    ],
)
def test_how_it_ended(start, code, reason):
    assert finish(start(code)) == reason


def test_an_earlier_start_says_nothing_about_a_later_one(start, tmp_path):
    assert finish(start("raise SystemExit('error: first')")) == "first"
    assert finish(start("pass")) is None
    assert finish(start("raise SystemExit(1)")) == "Ended with status 1."
    assert [record["status"] for record in read_records(tmp_path / "record")] == [1, 0, 1]
    assert (tmp_path / "log").read_text() == "error: first\n"


def test_memory_is_the_command_s_alone(start, tmp_path):
    ours = bytearray(400_000_000)  # a process starts with the peak of the one that started it
    for code in ("pass", "bytearray(200_000_000)"):
        assert finish(start(code)) is None
    little, much = (record["peak_bytes"] for record in read_records(tmp_path / "record"))
    assert len(ours) / 4 > little > 1_000_000
    assert 150_000_000 < much - little < 250_000_000


def test_stopping_interrupts(start, tmp_path):
    sleep = "try:\n    print('here', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')"
    with start(f"import time\n{sleep}") as process:
        while "here" not in (tmp_path / "log").read_text():
            assert not process.wait(0.05)
    assert (tmp_path / "log").read_text() == "here\nstopped\n"
    assert process.wait(0)


def test_what_ignores_an_interruption_is_ended(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    shepherd = (ROOT / "tfrec" / "shepherd.py").read_text().replace("PATIENCE_SECONDS = 15", "PATIENCE_SECONDS = 0.2")
    words = [sys.executable, "-c", shepherd, str(tmp_path / "record"), sys.executable, "-c", code]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 1
    assert read_records(tmp_path / "record")[0]["status"] == -signal.SIGKILL


def test_nothing_outlives_a_kill(tmp_path):
    sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    code = "import sys; from tfrec.processes import Process; "
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
        pytest.fail("still there")
    assert read_records(tmp_path / "record")[0]["status"] == -signal.SIGKILL
