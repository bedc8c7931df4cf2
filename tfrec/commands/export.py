"""Publish a run as the next version for TensorFlow Serving: `tfrec export RUN`; or check one: `--check PATH`."""

import dataclasses
import shlex
from collections.abc import Sequence

import tyro

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import ExportConfig
from tfrec.recognizer import Recognizer
from tfrec.serving.lint import report
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Replay the run's examples through its SavedModel and publish it if they agree.

    With --check alone: print what TensorFlow Serving would not take of any SavedModel.
    """

    run: tyro.conf.Positional[str | None] = None  # run folder
    folder: str | None = None  # holds NAME/VERSION/; None is the run's export.folder
    name: str | None = None  # the model's name; None is the run's export.name, or else the run folder's
    beam_width: int | None = None  # of a beam search inside the graph; None is the run's export.beam_width
    check: str | None = None  # a SavedModel's folder to check instead; then there is no RUN

    def __post_init__(self) -> None:
        ExportConfig(name=self.name)  # raises ValueError
        if self.beam_width is not None:
            ExportConfig(beam_width=self.beam_width)  # raises ValueError


def main(argv: Sequence[str]) -> int:
    """Publishes one version and prints where it is."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec export")
    if arguments.check is not None:
        report.run_command(argv)
    if arguments.run is None:
        raise UserError("export takes a run's folder, or --check and the folder of a SavedModel.")
    recognizer = Recognizer.from_run(arguments.run)
    if arguments.beam_width is not None:
        export = dataclasses.replace(recognizer.config.export, beam_width=arguments.beam_width)
        recognizer.config = dataclasses.replace(recognizer.config, export=export)
    recognizer.task.check_export(recognizer.config.export)
    saved = recognizer.export(arguments.folder, arguments.name)
    console.print(f"Published {saved}. Next:")
    console.print(f"    python -m tfrec predict {shlex.quote(str(saved))} FILE...")
    name, folder = shlex.quote(saved.parent.name), shlex.quote(str(saved.parent.resolve()))
    console.print(f"    tensorflow_model_server --model_name={name} --model_base_path={folder}")
    return 0
