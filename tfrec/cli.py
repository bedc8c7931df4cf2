"""What all entry points share: a user's mistake ends in one sentence and an exit status, never in a traceback."""

import errno
import os
import sys

import rich.console
import tensorflow as tf

from pipelines.errors import UserError

console = rich.console.Console(highlight=False, soft_wrap=True)


def run(main):
    """Calls `main` with the command line's words and exits.

    Status 0 is success, 1 a part that failed (`main` returned it), 2 a mistake of the user or the machine, 130 Ctrl-C.
    """
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        _end("Interrupted; a run that had finished an epoch goes on with --run FOLDER --resume.", 130)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except tf.errors.ResourceExhaustedError as error:
        _end(f"Out of memory: lower fit.batch_size or the size of the model ({_line(error)}).", 2)
    except OSError as error:
        if error.errno == errno.ENOSPC or "errno = 28" in str(error):
            _end("The disk is full: free some space and go on with --run FOLDER --resume; finished epochs are kept.", 2)
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or _line(error)}.", 2)


def _line(error):
    return str(error).strip().splitlines()[0]


def _end(sentence, status):
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(status)
