"""Publish a run as the next version for TensorFlow Serving: `python -m tfrec export RUN`."""

import dataclasses

import tyro

from tfrec.config import flags
from tfrec.config.schema import ExportConfig
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.serving.publish import publish
from tfrec.utils import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Replay the run's examples through its SavedModel and publish it if they agree."""

    run: tyro.conf.Positional[str]  # run folder
    folder: str | None = None  # holds NAME/VERSION/; none is the run's export.folder
    name: str | None = None  # the model's name; none is the run's export.name, or else the run folder's
    beam_width: int | None = None  # of a beam that writes the text; none is the run's export.beam_width

    def __post_init__(self):
        if self.beam_width is not None:
            ExportConfig(beam_width=self.beam_width)  # raises ValueError


def main(argv):
    """Publishes one version and says where."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec export")
    run = Run.open(arguments.run)
    recognizer = Recognizer.load(run)
    changes = {key: value for key in ("folder", "name") if (value := getattr(arguments, key))}
    if arguments.beam_width is not None:
        changes["beam_width"] = arguments.beam_width
    export = dataclasses.replace(recognizer.config.export, **changes)
    recognizer.config = dataclasses.replace(recognizer.config, export=export)
    saved = publish(run, recognizer)
    console.console.print(f"Published {saved}. Next:")
    console.console.print(f"    python -m tfrec predict {saved} FILE...")
    console.console.print(
        f"    tensorflow_model_server --model_name={saved.parent.name} --model_base_path={saved.parent.resolve()}"
    )
    return 0
