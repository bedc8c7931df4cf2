"""How programs print, log and exit."""

import errno
import logging
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.utils import console
from tfrec.utils.interrupts import Interrupted


@pytest.fixture(autouse=True)
def restored_loggers(monkeypatch):
    """The loggers of a library, before and after the test."""
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in console.LOGGERS}
    for name in console.LOGGERS:
        logging.getLogger(name).handlers = [logging.NullHandler()]
    yield
    for name, (level, handlers) in before.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers = handlers


def python(code):
    """(standard output, standard error) of a program."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout, result.stderr


def test_a_library_prints_nothing():
    code = "import logging, tfrec\nfor name in ('tfrec.x', 'pipelines.x', 'tuning.x'): logging.getLogger(name).{}('hi')"
    assert python(code.format("warning")) == ("", "")
    assert python(code.format("info")) == ("", "")


def test_a_program_decides_where_messages_go():
    code = "import logging, tfrec; logging.basicConfig(format='%(name)s %(message)s')"
    assert python(f"{code}; logging.getLogger('tfrec.x').warning('hi')") == ("", "tfrec.x hi\n")


@pytest.fixture(autouse=True)
def loggers():
    """Undoes `configure_logging`, so that other tests of this process read messages by caplog."""
    states = {name: (list(logging.getLogger(name).handlers), logging.getLogger(name).level) for name in console.LOGGERS}
    yield
    for name, (handlers, level) in states.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, True
        logger.setLevel(level)


def test_commands_print_messages_as_they_are(capsys):
    console.configure_logging()
    console.configure_logging()  # once more changes nothing
    for name in console.LOGGERS:
        logger = logging.getLogger(f"{name}.part")
        logger.info("%s [bold] :cat: %s", name, "long " * 40)
        logger.warning("of %s", name)
        logger.debug("hidden")
    logging.getLogger("another").info("hidden")
    out, err = capsys.readouterr()
    lines = [[f"{name} [bold] :cat: {'long ' * 40}", f"warning: of {name}"] for name in console.LOGGERS]
    assert out.splitlines() == [line for pair in lines for line in pair]
    assert err == ""


def test_messages_of_a_library_reach_caplog(caplog):
    caplog.set_level(logging.INFO)
    logging.getLogger("tfrec.x").info("hello")
    assert caplog.messages == ["hello"]


def test_a_message_that_cannot_be_formatted_does_not_stop_the_program(capsys):
    console.configure_logging()
    logging.getLogger("tfrec.x").info("%d", "text")
    assert "Logging error" in capsys.readouterr().err


def run(main):
    with pytest.raises(SystemExit) as stop:
        console.run(main)
    return stop.value.code


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize("status", [None, 0, 1])
def test_status_of_a_command(status, capsys):
    assert run(lambda: status) == status
    assert capsys.readouterr() == ("", "")


def op_error(message):
    return tf.errors.InvalidArgumentError(None, None, message)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (UserError("data.path is needed."), 2, "data.path is needed."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (Interrupted(signal.SIGTERM, "Ended by SIGTERM: all is kept."), 143, "Ended by SIGTERM: all is kept."),
        (MemoryError(), 2, "Out of memory: lower fit.batch_size, or the size of the model or of its input."),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), 2, "x: No such file or directory."),
        (OSError("odd\nlines"), 2, "odd."),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "The disk is full"),
        (OSError("HDF5: errno = 28, error message"), 2, "The disk is full"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), 2, "Out of memory"),
        (tf.errors.ResourceExhaustedError(None, None, "x; No space left on device"), 2, "The disk is full"),
        (op_error("UserError: x.wav is broken.\nTraceback"), 2, "x.wav is broken. With --data.verify"),
        (op_error("assertion failed: [rate] [8000] [in x]"), 2, "TensorFlow stopped at the data: rate 8000 in x."),
        (op_error("{{function_node __f}} Wrong shape. [Op:Add]"), 2, "TensorFlow failed: Wrong shape."),
        (op_error(""), 2, "TensorFlow failed: "),
    ],
    ids=repr,
)
def test_an_error_is_one_sentence(error, status, sentence, capsys):
    assert run(raising(error)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


def test_a_mistake_in_the_program_is_a_traceback():
    with pytest.raises(ZeroDivisionError):
        console.run(raising(ZeroDivisionError()))


def test_the_console_imports_no_tensorflow():
    check = "import sys; from tfrec.utils import console; assert 'tensorflow' not in sys.modules"
    code = f"{check}; console.run(lambda: 1 / 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr
    assert "During handling" not in result.stderr


def test_control_characters_of_names_are_escaped(capsys):
    console.console.print("In runs/\x1b[31mred\x07:\n    next")
    assert capsys.readouterr().out == "In runs/\\x1b[31mred\\x07:\n    next\n"
    record = logging.LogRecord("tfrec", logging.WARNING, "", 0, "%s is damaged.", ("a\nb",), None)
    console.ConsoleHandler().emit(record)
    assert capsys.readouterr().out == "warning: a\\nb is damaged.\n"
