"""Runs a command, records its exit status, memory and time, and kills it when the process that waits for it dies.

`python process_monitor.py RECORD COMMAND...` appends a line of JSON to RECORD: {"status": as `subprocess` reports it,
"peak_bytes": maximum resident memory, "seconds": wall time}. It imports no other module of this project: a process
inherits the peak memory of its parent, so that a small parent keeps the measurement that of the command.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time

POLL_INTERVAL_S = 0.1
INTERRUPT_TIMEOUT_S = 15  # between an interruption and SIGKILL


def main(record: str, *command: str) -> int:
    """Runs the command to its end; SIGINT is forwarded to it once.

    Args:
        record: file to append the line of JSON to.
        *command: program and arguments.

    Returns:
        The exit status of the command, 1 where a signal ended it.
    """
    interruptions: list[float] = []
    signal.signal(signal.SIGINT, lambda *_: interruptions.append(time.monotonic()))
    parent, started = os.getppid(), time.monotonic()
    process, forwarded = subprocess.Popen(command), False
    while process.poll() is None:
        if interruptions and not forwarded:
            process.send_signal(signal.SIGINT)
            forwarded = True
        timed_out = forwarded and time.monotonic() - interruptions[0] > INTERRUPT_TIMEOUT_S
        if timed_out or os.getppid() != parent:
            process.kill()
        time.sleep(POLL_INTERVAL_S)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = {"status": process.returncode, "peak_bytes": peak, "seconds": round(time.monotonic() - started, 1)}
    with open(record, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return process.returncode if process.returncode >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
