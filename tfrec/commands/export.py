"""Publish a run as the next version for TensorFlow Serving: `tfrec export RUN`; or check one: `--check PATH`.

With `--format litert`, `litert-int8` or `onnx` it writes one file for devices, see docs/guides/devices.md.
"""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Literal

import tyro

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.config.schema import ExportConfig
from tfrec.devices import publish, table
from tfrec.recognizer import Recognizer
from tfrec.serving.lint import report
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Replay the run's examples through its SavedModel and publish it if they agree.

    With --check alone: print what TensorFlow Serving would not take of any SavedModel.
    """

    run: tyro.conf.Positional[str | None] = None  # run folder
    # A SavedModel for a server, or one file for devices: LiteRT, the same with weights of 8 bits, or ONNX
    format: Literal["saved_model", "litert", "litert-int8", "onnx"] = "saved_model"
    folder: str | None = None  # holds NAME/VERSION/, or NAME.tflite or NAME.onnx; None is the run's export.folder
    name: str | None = None  # the model's name; None is the run's export.name, or else the run folder's
    beam_width: int | None = None  # of a beam search inside the graph; None is the run's export.beam_width
    # Of the longest clip that a file for devices takes; None is that of the run's examples and test split
    seconds: float | None = None
    check: str | None = None  # a SavedModel's folder to check instead; then there is no RUN

    def __post_init__(self) -> None:
        ExportConfig(name=self.name)  # raises ValueError
        if self.beam_width is not None:
            ExportConfig(beam_width=self.beam_width)  # raises ValueError
        if self.seconds is not None and self.format == "saved_model":
            raise ValueError(
                "seconds is for files for devices, and a SavedModel takes clips of any length: leave it out."
            )


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
    if arguments.format != "saved_model":
        return _write_file(arguments, recognizer)
    saved = recognizer.export(arguments.folder, arguments.name)
    console.print(f"Published {saved}. Next:")
    console.print(f"    python -m tfrec predict {shlex.quote(str(saved))} FILE...")
    name, folder = shlex.quote(saved.parent.name), shlex.quote(str(saved.parent.resolve()))
    console.print(f"    tensorflow_model_server --model_name={name} --model_base_path={folder}")
    return 0


def _write_file(arguments: Arguments, recognizer: Recognizer) -> int:
    """Writes a file for devices, and prints where it is and how it compares with the run."""
    options = arguments.folder, arguments.name, arguments.seconds
    path, certificate = publish.publish(recognizer, arguments.format, *options)
    console.print(table.build(certificate))
    console.print(f"Published {path}. Next:")
    console.print(f"    python -m tfrec predict {shlex.quote(str(path))} FILE...")
    return 0
