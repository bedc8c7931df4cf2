"""What libraries in C write to standard error, kept away from the terminal."""

import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.RLock()  # there is one standard error
# Lines of decoders without the name of a file, which `captured` has for those that are checked.
_DECODERS = re.compile(
    r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression sequence|Invalid SOS parameters"
    r"|Unknown Adobe color transform|Warning: unknown JFIF|libpng (warning|error): "
)
# TensorFlow's log in C++: its own form, and that of abseil.
_TENSORFLOW = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |[IWE]\d{4} \d\d:\d\d:\d\d|WARNING: All log messages before absl"
)
# Lines of TensorFlow's log and of Python's warnings, which are not about a file.
_LOG = re.compile(r"\d{4}-\d\d-\d\d |[IWEF]\d{4} |WARNING: All log|[IWEF]0000|/\S+\.py:\d+: ")


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """Collects the lines that decoders in C write to standard error while the context is open.

    Lines of TensorFlow's log pass. Only one thread at a time may open the context.

    Yields:
        A list that holds the lines after the context has closed.
    """
    lines: list[str] = []
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            terminal = os.dup(2)
        except OSError:  # standard error is closed
            yield lines
            return
        stack.callback(os.close, terminal)
        sink = stack.enter_context(tempfile.TemporaryFile())
        with contextlib.suppress(ValueError, AttributeError):
            sys.stderr.flush()
        os.dup2(sink.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(terminal, 2)
            sink.seek(0)
            for line in sink.read().decode(errors="replace").splitlines():
                if _LOG.match(line):
                    os.write(2, f"{line}\n".encode())
                elif line.strip():
                    lines.append(line.strip())


def hide_logs() -> None:
    """Keeps the log of TensorFlow and lines of decoders without a file's name from standard error, for good.

    Everything else passes, and what Python writes does not even take this way. Another process reads the lines, so that
    the last words of one that crashes pass too. To be called before threads start, by programs.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # standard error is closed
        return
    source, sink = os.pipe()
    if os.fork() == 0:
        try:
            for descriptor in (0, 1, sink):  # their readers wait until all writers have closed them
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            _pass_lines(source, terminal)
        finally:
            os._exit(0)
    os.close(source)
    sys.stderr.flush()
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = open(terminal, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115, open until the end


def _pass_lines(source: int, terminal: int) -> None:
    """Copies lines until all writers have closed, those aside that are hidden."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the writers decide when it ends
    with open(source, "rb") as lines:
        for line in lines:
            text = line.decode(errors="replace")
            if not (_TENSORFLOW.match(text) or _DECODERS.match(text)):
                os.write(terminal, line)
