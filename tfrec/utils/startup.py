"""The first seconds of a command, in which TensorFlow is imported: without its log lines, and open to Ctrl-C."""

import contextlib
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines import native_output
from tfrec.utils import placeholders


def run_command(module: str, words: Sequence[str]) -> None:
    """Imports TensorFlow and the module of a command, calls its `main` with the words, and exits with its status."""
    if "-h" in words or "--help" in words:
        _print_help(module, words)
    quiet = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3"
    if quiet:
        native_output.hide_logs()  # some lines come whatever the level is, and decoders name no file
    import_tensorflow(quiet)
    console = importlib.import_module("tfrec.utils.console")
    console.configure_logging()
    importlib.import_module("tfrec.utils.progress").show_loops()
    console.run(lambda: importlib.import_module(module).main(words))


def _print_help(module: str, words: Sequence[str]) -> None:
    """Prints the help of a command and exits; returns where that needs TensorFlow, as for sets of its own.

    A child process prints, so that this one keeps no placeholders.
    """
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1] == 0:
            sys.exit(0)
        return
    status = 1
    try:
        placeholders.install()
        with contextlib.suppress(SystemExit, BrokenPipeError):
            importlib.import_module(module).main(words)
            sys.stdout.flush()
        status = 0
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
        os._exit(status)


def import_tensorflow(quiet: bool) -> None:
    """Imports TensorFlow; Ctrl-C ends the process at once, until `handle_interrupts` is called.

    Args:
        quiet: hide what TensorFlow writes to standard error, unless the import fails.
    """
    terminal = os.dup(2)

    def leave(*_: object) -> None:
        # Not an exception: modules that are half imported would answer it with errors of their own.
        os.write(terminal, b"error: Interrupted.\n")
        os._exit(130)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell has made this process ignore it
        signal.signal(signal.SIGINT, leave)
    with _standard_error_hidden(terminal) if quiet else contextlib.nullcontext():
        import tensorflow  # noqa: F401


def handle_interrupts() -> None:
    """Makes Ctrl-C a KeyboardInterrupt, as everywhere in Python, that `check_interrupted` can raise again."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _report_unraisable


def check_interrupted() -> None:
    """Raises KeyboardInterrupt if an earlier one was lost.

    Python drops what is raised inside a weak reference's callback, and writing weights runs many of those.
    """
    if _interrupted:
        raise KeyboardInterrupt


_interrupted: list[bool] = []


def _interrupt(*_: object) -> None:
    _interrupted.append(True)
    raise KeyboardInterrupt


def _report_unraisable(lost: Any) -> None:
    """Prints lost errors as Python does, other than a KeyboardInterrupt, which `check_interrupted` raises again."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def _standard_error_hidden(terminal: int) -> Iterator[None]:
    """Collects what is written to standard error, by C++ too, and shows it only when the block fails.

    TensorFlow 2.19 and later write some lines before they read TF_CPP_MIN_LOG_LEVEL (tensorflow #100442).
    """
    with tempfile.TemporaryFile() as collected:
        os.dup2(collected.fileno(), 2)
        try:
            yield
        except BaseException:
            collected.seek(0)
            os.write(terminal, collected.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
