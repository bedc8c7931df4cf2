"""The first seconds of an entry point, in which TensorFlow is imported: without its lines, and open to Ctrl-C."""

import contextlib
import importlib
import os
import signal
import sys
import tempfile


def run_command(module, words):
    """Imports the module of a command, with TensorFlow, and runs its `main` with the words; exits with its status."""
    begin(quiet=os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3")
    console = importlib.import_module("tfrec.utils.console")
    console.run(lambda: importlib.import_module(module).main(words))


def begin(quiet):
    """Imports TensorFlow, if `quiet` without what it prints, and lets Ctrl-C end the process until `ready`."""
    terminal = os.dup(2)

    def leave(*_):
        # Not an exception: imports that are half done would answer it with errors of their own.
        os.write(terminal, b"error: Interrupted.\n")
        os._exit(130)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell has told us to ignore it
        signal.signal(signal.SIGINT, leave)
    with _held_back(terminal) if quiet else contextlib.nullcontext():
        import tensorflow  # noqa: F401


def ready():
    """From here on Ctrl-C is a KeyboardInterrupt, as everywhere in Python, and `check_interrupted` knows of it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _quiet


def check_interrupted():
    """KeyboardInterrupt if an earlier one got lost.

    Python drops what is raised inside a weak reference's callback, and writing weights runs many of those.
    """
    if _interrupted:
        raise KeyboardInterrupt


_interrupted = []


def _interrupt(*_):
    _interrupted.append(True)
    raise KeyboardInterrupt


def _quiet(lost):
    """`check_interrupted` raises it again; anything else is shown as always."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def _held_back(terminal):
    """Keeps what is written to standard error, by C++ too, and shows it only when the block fails.

    TensorFlow 2.19 and later write some lines before they look at TF_CPP_MIN_LOG_LEVEL (tensorflow #100442).
    """
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
