"""Write data into shards, few large files: `tfrec prepare [EXPERIMENT | DATA] --output FOLDER`."""

import dataclasses
import errno
import os
import pathlib
import shutil
from collections.abc import Sequence

from pipelines import datasets, paths
from pipelines.errors import UserError
from pipelines.shards import writer
from tfrec.config import flags
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.utils import files
from tfrec.utils.console import console

PROG = "python -m tfrec prepare"


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Write pictures or clips, their bytes as they are, with labels and splits into .tar shards with an index."""

    config: str | None = None  # a run's config.json, which flags then change
    output: str = "shards"  # new folder for the shards; it appears when all of them are written
    shard_mb: int = 256  # megabytes of files after which a shard ends

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.shard_mb <= 1_000_000:
            raise ValueError(f"shard_mb must be 1 to 1,000,000. Received: {self.shard_mb}")


def main(argv: Sequence[str]) -> int:
    """Writes the shards; prints what is in them and what a reader of the data must know."""
    _, arguments = flags.parse_fit(argv, Arguments, PROG)
    folder = _destination(arguments.output)
    if arguments.data.train_on_validation:
        raise UserError("data.train_on_validation is for a training: leave it out here, and give it to tfrec fit.")
    corpus = datasets.load(arguments.data)
    for note in corpus.notes:
        console.print(note)
    _require_space(folder, writer.total_bytes(corpus))
    busy = f"Another tfrec prepare writes {folder}: wait for it, or give another --output."
    try:
        with files.atomic_folder(folder, busy) as temporary:
            verified = getattr(arguments.data, "verify", False)
            header = writer.write(corpus, temporary, arguments.shard_mb * 1_000_000, verified)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"The disk of {folder} is full: free some space, and start again.") from error
        raise UserError(f"{folder} cannot be written: {error.strerror or error}.") from error
    console.print(f"{folder}: {writer.describe(header)}; --data.name shards --data.path {folder} reads them.")
    return 0


def _destination(output: str) -> pathlib.Path:
    """The new folder; UserError where there is something or it cannot be made."""
    if not output or paths.is_address(output):
        raise UserError(f"--output must be a local folder; copy it to an object store afterward. Received: {output!r}")
    folder = pathlib.Path(paths.local(output))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{paths.shown(folder)} exists and is not empty: remove it, or give another --output.")
    parent = files.nearest_existing(folder.absolute().parent)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{paths.shown(folder)} cannot be made: {parent} may not be written; give another --output.")
    return folder


def _require_space(folder: pathlib.Path, size: int) -> None:
    free = shutil.disk_usage(files.nearest_existing(folder.absolute().parent)).free
    if free < size:
        raise UserError(
            f"The disk of {paths.shown(folder)} has {free / 1e9:,.1f} GB free, and the shards take"
            f" {size / 1e9:,.1f} GB: give another --output."
        )
