"""What all entry points share: a user's mistake ends in one sentence and an exit status, never in a traceback."""

import errno
import os
import re
import sys

import rich.console
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.utils import startup

# Names of files and classes may hold [brackets] and :colons:, which must not be read as styles.
console = rich.console.Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def run(main):
    """Calls `main` and exits.

    Status 0 is success, 1 a part that failed (`main` returned it), 2 a mistake of the user or the machine, 130 Ctrl-C.
    """
    try:
        startup.ready()
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text that a terminal can show
        status = main()
        sys.stdout.flush()  # here, where a broken pipe is known
        sys.exit(status)
    except UserError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        _end("Interrupted; a run that had finished an epoch goes on with --run FOLDER --resume.", 130)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)  # as rich does
    except MemoryError:
        _end(_OUT_OF_MEMORY, 2)
    except tf.errors.OpError as error:
        if _disk_is_full(error):
            _end(_DISK_FULL, 2)
        if isinstance(error, tf.errors.ResourceExhaustedError):
            _end(_OUT_OF_MEMORY, 2)
        _end(f"{sentence(error)} Files that became unreadable are named when the command runs with --data.verify.", 2)
    except OSError as error:
        if _disk_is_full(error):
            _end(_DISK_FULL, 2)
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or _line(str(error))}.", 2)


def sentence(error):
    """What a `tf.errors.OpError` says, without the names of graph nodes around it."""
    said = error.message or str(error)
    if told := re.search(r"UserError: (.+)", said):  # raised by Python inside a graph
        return told.group(1)
    if asserted := re.search(r"assertion failed: (.+)", said):
        parts = re.findall(r"\[(.*?)\](?= \[|$|\s)", asserted.group(1))
        return f"TensorFlow stopped at the data: {' '.join(parts)}."
    said = re.sub(r"{{.*?}}|\[\[.*?\]\]|Error in user-defined function .*? with iterator: \S+: ", "", said)
    said = _line(re.sub(r"\[Op:.*", "", said))
    return f"TensorFlow could not go on: {said.rstrip('.')}."


_DISK_FULL = "The disk is full: free some space and go on with --run FOLDER --resume; finished epochs are kept."
_OUT_OF_MEMORY = "Out of memory: lower fit.batch_size or the size of the model or of its input."


def _disk_is_full(error):
    return getattr(error, "errno", None) == errno.ENOSPC or re.search(r"errno = 28|No space left", str(error))


def _line(text):
    return (text.strip() or "no message").splitlines()[0].strip()


def _end(text, status):
    print(f"error: {text}", file=sys.stderr)
    sys.exit(status)
