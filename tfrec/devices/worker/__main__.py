"""Answers of a file by its own runtime: `python -m tfrec.devices.worker RUNTIME FILE`.

Messages, see `messages`, come by standard input and go by standard output. The first one out says what the file holds.
A file of a stranger may end this process, and its memory is bounded.
"""

import json
import os
import resource
import sys
import time
from typing import Any, BinaryIO

import numpy as np

from tfrec.devices.worker import messages, runtimes

MEMORY_BYTES = 16_000_000_000  # of addresses; the runtimes reserve more than they use
_KIBIBYTE = 1024


def main(runtime: str, path: str, source: BinaryIO, target: BinaryIO) -> int:
    """Loads the file, then answers until the end of the input."""

    def send(**arrays: Any) -> None:
        target.write(messages.pack({name: np.asarray(value) for name, value in arrays.items()}))
        target.flush()

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    before = _peak_bytes()
    try:
        opened = runtimes.RUNTIMES[runtime](path)
    except Exception as error:
        send(**{messages.FAULT: _sentence(error, "cannot be loaded")})
        return 1
    send(**{messages.TEXTS: json.dumps(dict(opened.texts)), messages.INPUTS: json.dumps(dict(opened.inputs))})
    while True:
        try:
            request = messages.read(source.read)
        except EOFError:
            return 0
        repeat = int(request.pop(messages.REPEAT, 1))
        seconds, outputs = [], {}
        try:
            for _ in range(repeat):
                start = time.perf_counter()
                outputs = opened.answer(request)
                seconds.append(time.perf_counter() - start)
        except Exception as error:
            send(**{messages.FAULT: _sentence(error, "fails")})
            continue
        figures = {messages.SECONDS: np.median(seconds), messages.PEAK_BYTES: _peak_bytes() - before}
        send(**{**outputs, **figures})


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            peak = next(line for line in file if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * _KIBIBYTE
    except OSError:  # elsewhere than on Linux, where this begins with the peak of the process that started this one
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE


def _sentence(error: Exception, what: str) -> str:
    if isinstance(error, runtimes.ContentsError):
        return str(error)
    if isinstance(error, ImportError):
        return f"needs a package that is not installed ({error.name})"
    return f"{what} ({' '.join(str(error).split())[:200]})"


if __name__ == "__main__":
    # What a library prints must not get between messages.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os._exit(main(sys.argv[1], sys.argv[2], sys.stdin.buffer, output))
