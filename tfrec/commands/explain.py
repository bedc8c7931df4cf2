"""Show which parts of files made a run answer what it answers: `tfrec explain RUN FILE...`."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Literal

import tyro
from rich.table import Table

from pipelines import paths
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.explain import matchmap
from tfrec.explain.files import FileExplainer, Options
from tfrec.predictions import sources
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.utils.console import console, messages_to_stderr


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A picture of what mattered in each file, and of a clip two WAV files: what mattered alone, and the rest.

    Of a transcript it is a picture of the frames that made each word, and of a picture with a clip the regions that
    the speech points to.
    """

    run: tyro.conf.Positional[str]  # run folder
    # pictures or audio, or folders of them; of matchmap a picture and its clip in turn, or a list of pairs (.csv)
    files: tyro.conf.Positional[tuple[str, ...]]
    # attention_rollout is for networks with self-attention, grad_cam for those with maps, matchmap for davenet and
    # resdavenet; None is integrated_gradients, or matchmap
    method: Literal["integrated_gradients", "grad_cam", "attention_rollout", "occlusion", "matchmap"] | None = None
    layer: str | None = None  # of grad_cam: whose map is shown; None is the last one before the pooling
    target: str | None = None  # class to explain; None is the one that is recognized
    keep: float = 0.3  # share of a clip's energy in the WAV file of what mattered
    check: bool = False  # also test the maps: with random weights, and by covering and showing what mattered
    output: str | None = None  # folder to write; None is RUN/explanations
    json: bool = False  # print a JSON object for each file, on a line

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ValueError(f"keep must be above 0 and below 1. Received: {self.keep}")
        if self.layer is not None and self.method != "grad_cam":
            raise ValueError(f"layer is of --method grad_cam: leave it out for {self.method or 'the usual method'}")

    def options(self) -> Options:
        """How each file is explained."""
        return Options(self.method, self.layer, self.target, self.keep, self.check)


def main(argv: Sequence[str]) -> int:
    """Writes an explanation of each file that can be read; returns 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec explain")
    if not arguments.files:
        raise UserError("Name at least one file after the run.")
    run = Run.open(arguments.run)
    with messages_to_stderr(arguments.json):
        recognizer = Recognizer.from_run(run)
        folder = pathlib.Path(arguments.output) if arguments.output else run.path / "explanations"
        explain = FileExplainer(recognizer, folder, arguments.options())
        found = sources.find(arguments.files, recognizer.modality, explain.takes_pairs)
        if explain.takes_pairs:
            found = matchmap.pair_up(found)
        folder.mkdir(parents=True, exist_ok=True)
        rows, status = [], 0
        for source in found:
            try:
                if source.error:
                    raise source.error
                row = {"file": paths.shown(source.path), **explain(source)}
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                status = 1
                continue
            rows.append(row)
            if arguments.json:
                print(json.dumps(row, ensure_ascii=False), flush=True)
    if not arguments.json and rows:
        _print(rows)
        console.print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}.")
    return status


def _print(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else str(value) for value in row.values()))
    console.print(table)
