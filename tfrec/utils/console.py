"""The terminal of command-line programs: their output, their log messages, and how they exit.

A user's mistake ends in one sentence and an exit status, never in a traceback. Library code writes nothing to the
terminal: it logs, and `configure_logging` shows the messages of a program that the user has started.
"""

import contextlib
import errno
import json
import logging
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import rich.console

from pipelines import paths
from pipelines.errors import UserError
from tfrec.utils import interrupts, startup


# Names of files and classes may hold [brackets] and :colons:, which must not be read as styles.
class _Console(rich.console.Console):
    """Prints strings with their control characters escaped, line breaks excepted: names may hold any."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_printable(each) if isinstance(each, str) else each for each in objects), **options)


def _printable(text: str) -> str:
    return "\n".join(map(paths.shown, text.split("\n")))


console = _Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
error_console = _Console(highlight=False, soft_wrap=True, markup=False, emoji=False, stderr=True)
LOGGERS = ("tfrec", "pipelines", "tuning")

_DISK_FULL = "The disk is full: free some space, and resume with --run FOLDER --resume; finished epochs are kept."
_OUT_OF_MEMORY = "Out of memory: lower fit.batch_size, or the size of the model or of its input."


class ConsoleHandler(logging.Handler):
    """Prints messages as they are, warnings and errors after "warning: "; to standard output unless `to_stderr`."""

    to_stderr = False  # of all handlers

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message; a broken pipe or a full disk reaches the caller."""
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        target = error_console if self.to_stderr else console
        is_warning = record.levelno >= logging.WARNING  # one sentence, so that a line break in it belongs to a name
        target.print(f"warning: {paths.shown(text)}" if is_warning else text)


def configure_logging() -> None:
    """Shows the messages of tfrec, pipelines and tuning from INFO on, and nowhere else; for programs, not libraries."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # TensorFlow's library of logging would print them again
        if not any(isinstance(handler, ConsoleHandler) for handler in logger.handlers):
            logger.addHandler(ConsoleHandler())


@contextlib.contextmanager
def messages_to_stderr(enabled: bool = True) -> Iterator[None]:
    """Shows log messages on standard error, so that standard output holds only what a command prints, such as JSON."""
    before = ConsoleHandler.to_stderr
    ConsoleHandler.to_stderr = enabled or before
    try:
        yield
    finally:
        ConsoleHandler.to_stderr = before


def print_report(folder: pathlib.Path, result: Mapping[str, Any], shown: Iterable[Any], as_json: bool) -> None:
    """Prints what a command has measured.

    Args:
        folder: Where the command has written it.
        result: All of it, for programs.
        shown: Tables for people.
        as_json: Whether `result` is printed as JSON, and nothing else.
    """
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for each in shown:
        console.print(each)
    console.print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}.")


def run(main: Callable[[], int | None]) -> NoReturn:
    """Calls `main` and exits.

    The status is 0 after success, 1 where a part failed (`main` returned 1), 2 after a mistake of the user or a failure
    of the machine, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    try:
        startup.handle_interrupts()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid in the terminal's encoding
        status = main()
        sys.stdout.flush()  # so that a broken pipe raises here
        sys.exit(status)
    except UserError as error:
        _exit(str(error), 2)
    except KeyboardInterrupt as stop:
        _exit(str(stop) or "Interrupted.", interrupts.status_of(stop))
    except BrokenPipeError:  # the reader, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)  # as rich does
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        _exit(message, 2)


def _message(error: Exception) -> str | None:
    """What a failure of the machine or of TensorFlow means to a user; None for any other error."""
    # A program that has not imported TensorFlow has none of its errors.
    tensorflow_errors: Any = getattr(sys.modules.get("tensorflow"), "errors", None)
    from_tensorflow = tensorflow_errors is not None and isinstance(error, tensorflow_errors.OpError)
    if not from_tensorflow and not isinstance(error, OSError | MemoryError):
        return None
    if isinstance(error, MemoryError):
        return _OUT_OF_MEMORY
    if _disk_is_full(error):
        return _DISK_FULL
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or _first_line(str(error))}."
    if isinstance(error, tensorflow_errors.ResourceExhaustedError):
        return _OUT_OF_MEMORY
    return f"{_sentence(error)} With --data.verify the command names files that have become unreadable."


def _sentence(error: Any) -> str:
    """The message of a `tf.errors.OpError` without the names of graph nodes around it."""
    message = error.message or str(error)
    if user_error := re.search(r"UserError: (.+)", message):  # raised by Python inside a graph
        return user_error.group(1)
    if assertion := re.search(r"assertion failed: (.+)", message):
        parts = re.findall(r"\[(.*?)\](?= \[|$|\s)", assertion.group(1))
        return f"TensorFlow stopped at the data: {' '.join(parts)}."
    message = re.sub(r"{{.*?}}|\[\[.*?\]\]|Error in user-defined function .*? with iterator: \S+: ", "", message)
    message = _first_line(re.sub(r"\[Op:.*", "", message))
    return f"TensorFlow failed: {message.rstrip('.')}."


def _disk_is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) == errno.ENOSPC or bool(re.search(r"errno = 28|No space left", str(error)))


def _first_line(text: str) -> str:
    return (text.strip() or "no message").splitlines()[0].strip()


def _exit(text: str, status: int) -> NoReturn:
    print(f"error: {paths.shown(text)}", file=sys.stderr)  # a name in it may hold a line break
    sys.exit(status)
