"""From a trained run to `saved_models/NAME/VERSION/`, checked before a server can see it."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
import platform
import shutil
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.errors import UserError
from tfrec.config.schema import ExportConfig
from tfrec.runs.run import Run
from tfrec.serving import layout, savedmodel
from tfrec.serving.certificate import certify, document
from tfrec.serving.certificate.cases import Case, collect
from tfrec.serving.warmup import requests
from tfrec.utils import files, startup

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

logger = logging.getLogger(__name__)


def publish(recognizer: Recognizer, folder: Any = None, name: str | None = None) -> pathlib.Path:
    """Writes the next version of a model, with its certificate and warm-up records, and renames it into place.

    Args:
        recognizer: the trained recognizer; the examples are those of its run, or else generated.
        folder: holds the models; None is the configuration's `export.folder`.
        name: the model's name; None is the configuration's `export.name`, or else the run's.

    Returns:
        The version's folder.

    Raises:
        UserError: when an answer of the SavedModel is not the trained model's, and for networks that have no
            SavedModel. It leaves nothing behind, as Ctrl-C.
    """
    base = base_of(recognizer, folder, name)
    cases = collect(recognizer)
    with files.made_folder(base):
        _remove_leftovers(base)
        prefix = f"{layout.TEMPORARY}{platform.node()}-{os.getpid()}-"
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        try:
            savedmodel.write(recognizer, temporary)
            startup.check_interrupted()
            _complete(recognizer, temporary, base.name, cases)
            _open_to_others(temporary)
            return _rename(temporary, base)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _complete(recognizer: Recognizer, folder: pathlib.Path, name: str, cases: Sequence[Case]) -> None:
    """Compares the SavedModel with the trained model, and writes what belongs to it."""
    warmup = requests.collect(folder, recognizer, [case.raw for case in cases])
    certificate = certify.certify(recognizer, folder, cases, warmup)
    startup.check_interrupted()
    requests.write(folder, warmup)
    document.write(recognizer, folder, name, certificate)


def _remove_leftovers(base: pathlib.Path) -> None:
    """Removes what processes of this machine that were killed while they published have left."""
    for path in base.glob(f"{layout.TEMPORARY}{platform.node()}-*"):
        number = path.name.removeprefix(f"{layout.TEMPORARY}{platform.node()}-").split("-")[0]
        if number.isdecimal() and not _is_alive(int(number)):
            logger.info("Removed %s, which an export that was killed has left.", path)
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _open_to_others(folder: pathlib.Path) -> None:
    """Lets every user read an export, as a server of another user must, whatever the umask."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def base_of(recognizer: Recognizer, folder: Any, name: str | None) -> pathlib.Path:
    """The destination of a recognizer's exports; arguments and errors are those of `publish`."""
    if (reason := savedmodel.unsupported(recognizer)) is not None:
        raise UserError(reason)
    export = recognizer.config.export
    try:
        export = dataclasses.replace(export, folder=str(folder or export.folder), name=name or export.name)
    except ValueError as error:
        raise UserError(str(error)) from None
    return destination(export, recognizer.run)


def destination(export: ExportConfig, run: Run | None) -> pathlib.Path:
    """The folder of a model's versions, not created yet; UserError where it cannot be created or written."""
    name = export.name or (run.name if run else None)
    if name is None:
        raise UserError("The model needs a name: give export.name.")
    base = pathlib.Path(export.folder) / name
    existing = files.nearest_existing(base)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        what = "may not be written" if existing.is_dir() else "is no folder"
        raise UserError(f"Cannot publish to {base}: {existing} {what}; give another folder (see --help) or repair it.")
    return base


def _rename(temporary: pathlib.Path, base: pathlib.Path) -> pathlib.Path:
    """One rename, because the server polls once a second and would load half a copy."""
    while True:
        versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
        target = base / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.exists():
                raise
            continue  # another process has published meanwhile
        return target
