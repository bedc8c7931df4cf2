"""state/EPOCH-STEP.npz: all that a training needs to continue after a step, in one file.

state        JSON in UTF-8: "epoch" (number of finished epochs), "step" (of the next epoch), and what callbacks know
0, 1, ...    the variables, in the order of the training

The last two are kept: where one is damaged, the training continues from the one before.
"""

import json
import logging
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.utils import json_files
from tfrec.utils.files import atomic_write, remove_temporary

KEPT = 2
DAMAGES = (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, NotImplementedError, MemoryError)

logger = logging.getLogger(__name__)


class Stored(NamedTuple):
    """A state that has been read."""

    values: dict[str, Any]
    variables: list[np.ndarray]


def write(run: Run, values: dict[str, Any], variables: Sequence[Any]) -> None:
    """Writes a state durably, completely or not at all; deletes older ones than the last two.

    Args:
        run: the run folder.
        values: JSON values, with "epoch" and "step".
        variables: arrays or tensors, which are copied one after the other.
    """
    folder = run.path / "state"
    folder.mkdir(exist_ok=True)
    path = folder / f"{values['epoch']:06d}-{values['step']:09d}.npz"
    with atomic_write(path, durable=True) as temporary, zipfile.ZipFile(temporary, "w") as file:
        _write_member(file, "state", np.frombuffer(json.dumps(values).encode(), np.uint8))
        for number, variable in enumerate(variables):
            array = np.asarray(variable)
            _write_member(file, str(number), array.view(np.uint16) if array.dtype.kind == "V" else array)
    later = [other for other in run.states() if other.name > path.name]  # of a damaged state that was passed over
    for other in [*later, *[other for other in run.states() if other not in later][:-KEPT]]:
        other.unlink(missing_ok=True)


def _write_member(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def read(run: Run) -> Stored | None:
    """Reads the last state that is not damaged, None without states; UserError where all are damaged."""
    states = run.states()
    for path in reversed(states):
        try:
            stored = _read(path)
        except DAMAGES as error:
            logger.warning("%s is damaged and passed over: %s", path, error or type(error).__name__)
        else:
            if path != states[-1]:
                logger.warning("The training continues %s.", describe(stored.values))
            return stored
    if not run.has_state():
        return None
    raise UserError(
        f"{run.path / 'state'} is damaged or of an older version, so that training cannot resume: start another --run."
    )


def read_values(run: Run) -> dict[str, Any] | None:
    """Reads the values of the last state that can be read, without its variables; None without states."""
    for path in reversed(run.states()):
        try:
            with np.load(path, allow_pickle=False) as file:
                return _values(file)
        except DAMAGES:
            continue
    return None


def describe(values: dict[str, Any]) -> str:
    """Where a training continues: "after step 3 of epoch 2"."""
    if values["step"]:
        return f"after step {values['step']:,} of epoch {values['epoch'] + 1:,}"
    return f"after epoch {values['epoch']:,}"


def remove_strays(run: Run) -> None:
    """Deletes what a killed process was writing; the caller holds the lock of the run."""
    for folder in (run.path, run.path / "state", run.path / "state" / "checkpoints"):
        remove_temporary(pathlib.Path(folder))


def _read(path: pathlib.Path) -> Stored:
    with np.load(path, allow_pickle=False) as file:  # checks the sum of each member
        values = _values(file)
        return Stored(values, [file[str(number)] for number in range(len(file.files) - 1)])


def _values(file: Any) -> dict[str, Any]:
    values = json_files.parse(file["state"].tobytes())
    if not isinstance(values, dict) or not all(isinstance(values.get(name), int) for name in ("epoch", "step")):
        raise ValueError("it has no position")
    if not isinstance(values.get("history"), list):
        raise ValueError("it has no history")
    return values
