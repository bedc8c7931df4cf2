"""Trains a run in a sub-process, or resumes it."""

import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Sequence

from tfrec.runs.run import Run
from tfrec.utils import processes

COMMAND = (sys.executable, "-m", "tfrec.fit")

# Runs a command, with files for what it prints and what it used; returns why it failed, or None.
Call = Callable[[Sequence[str], pathlib.Path, pathlib.Path], str | None]


def fit(
    run: Run,
    words: Sequence[str],
    logs: pathlib.Path,
    call: Call = processes.call,
    resume_words: Sequence[str] = (),
) -> str | None:
    """Trains a run by `tfrec.fit` in a sub-process; does nothing where the run has finished.

    A run that has a state is resumed, another one starts from scratch. Its output is appended to
    LABEL.txt in `logs`, a line for each start to LABEL.jsonl, see `processes.read_records`.

    Args:
        run: folder of the run.
        words: words for `tfrec.fit`, without the run.
        logs: folder of the logs.
        call: runs the command, such as `Worker.call`.
        resume_words: words that are needed at a start and when it is resumed.

    Returns:
        Why the training failed, as one sentence, or None.
    """
    if run.is_finished():
        return None
    if run.has_state():
        words = ["--resume"]
    else:
        shutil.rmtree(run.path, ignore_errors=True)
    command = [*COMMAND, *words, *resume_words, "--run", os.fspath(run.path)]
    return call(command, logs / f"{run.name}.txt", logs / f"{run.name}.jsonl")
