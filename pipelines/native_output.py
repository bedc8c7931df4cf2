"""What libraries in C write to standard error, kept away from the terminal."""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.RLock()  # there is one standard error
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
