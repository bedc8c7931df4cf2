"""Draws examples as in evaluation and as augmented in training: `python -m tfrec show`."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import Literal

from pipelines.counts import counted, verb
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.reports import augmentation
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Draw examples into a PNG file: on the left as in evaluation, then augmented as in training.

    Takes the flags of `python -m tfrec.fit`; without an experiment it shows the digits. The seed decides which examples
    are drawn and how they are augmented. Images are drawn before they are normalized.
    """

    config: str | None = None  # a run's config.json, which flags then change
    rows: int = 8  # examples
    columns: int = 8  # versions of each, the first of them without augmentation
    split: Literal["train", "validation", "test"] = "train"  # that the examples come from
    out: str | None = None  # PNG file to write or replace; None is show-NAME.png

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, least in (("rows", 1), ("columns", 2)):
            if not least <= getattr(self, field) <= 50:
                raise ValueError(f"{field} must be from {least} to 50. Received: {getattr(self, field)}")


def main(argv: Sequence[str]) -> int:
    """Draws the grid of a configuration.

    Args:
        argv: command-line arguments, without the name of the command.

    Returns:
        The exit status.
    """
    experiment, arguments = flags.parse_fit(argv, Arguments, "python -m tfrec show")
    name = re.sub("[^A-Za-z0-9_.-]", "-", experiment or arguments.data.name)
    path = _writable(arguments.out or f"show-{name}.png")
    count, changed = augmentation.draw(arguments, arguments.split, arguments.rows, arguments.columns, path)
    if not changed:
        console.print("All versions of an example are the same: no augmentation is on.")
    console.print(f"{counted(count, 'example')} of the {arguments.split} split {verb(count, 'is', 'are')} in {path}.")
    return 0


def _writable(name: str) -> pathlib.Path:
    """The path of a PNG file that can be written; UserError otherwise."""
    path = pathlib.Path(name)
    if path.suffix.lower() != ".png":
        raise UserError(f"The output is a PNG file: --out must end in .png. Received: {name}")
    if not path.parent.is_dir() or path.is_dir():
        raise UserError(f"Cannot write {path}: --out must be a file in an existing folder.")
    return path
