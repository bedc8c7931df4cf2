"""Publish a run as the next version for TensorFlow Serving: `python -m tfrec.export RUN`."""

import dataclasses

import tyro

from tfrec import cli, flags
from tfrec.config import ExportConfig
from tfrec.recogniser import Recogniser
from tfrec.runs import Run
from tfrec.serving.publish import publish


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
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec.export")
    run = Run.open(arguments.run)
    recogniser = Recogniser.load(run)
    changes = {key: value for key in ("folder", "name") if (value := getattr(arguments, key))}
    if arguments.beam_width is not None:
        changes["beam_width"] = arguments.beam_width
    export = dataclasses.replace(recogniser.config.export, **changes)
    recogniser.config = dataclasses.replace(recogniser.config, export=export)
    saved = publish(run, recogniser)
    cli.console.print(f"Published {saved}. Next:")
    cli.console.print(f"    python -m tfrec.predict {saved} FILE...")
    cli.console.print(
        f"    tensorflow_model_server --model_name={saved.parent.name} --model_base_path={saved.parent.resolve()}"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
