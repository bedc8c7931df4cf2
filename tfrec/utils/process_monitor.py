"""Runs a command and writes down what it took; ends it when nobody is left to wait for it.

`python process_monitor.py RECORD COMMAND...` adds a line of JSON to RECORD: {"status": as `subprocess` gives it,
"peak_bytes": most memory at once, "seconds": from start to end}. It imports nothing of ours, so that the memory is the
command's alone: a process starts with the peak of the one that started it.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time

SECONDS = 0.1  # between two looks
PATIENCE_SECONDS = 15  # for a command that was interrupted


def main(record, *command):
    """Returns the command's exit status, 1 where a signal ended it."""
    interruptions = []
    signal.signal(signal.SIGINT, lambda *_: interruptions.append(time.monotonic()))
    parent, started = os.getppid(), time.monotonic()
    process, told = subprocess.Popen(command), False
    while process.poll() is None:
        if interruptions and not told:
            process.send_signal(signal.SIGINT)
            told = True
        if os.getppid() != parent or (told and time.monotonic() - interruptions[0] > PATIENCE_SECONDS):
            process.kill()
        time.sleep(SECONDS)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = {"status": process.returncode, "peak_bytes": peak, "seconds": round(time.monotonic() - started, 1)}
    with open(record, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return process.returncode if process.returncode >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
