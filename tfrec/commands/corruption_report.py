"""Measure a run on corrupted pictures, with plots: `tfrec corruption_report RUN`."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

import tyro

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import flags
from tfrec.evaluation.corruptions import measure, registry
from tfrec.evaluation.corruptions.base import SEVERITIES
from tfrec.recognizer import Recognizer
from tfrec.reports.corruptions import report, tables
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import short_numbers
from tfrec.utils.console import messages_to_stderr, print_report


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Accuracy of a trained run on pictures with the 15 corruptions of CIFAR-10-C and ImageNet-C, and with others.

    The corrupted pictures follow from the data, the size that the network sees and the seed. Frost, which overlays
    photographs in the published sets, overlays computed textures.
    """

    run: tyro.conf.Positional[str]  # run folder
    split: Literal["test", "validation", "train"] = "test"  # pictures to measure
    corruptions: tuple[str, ...] = ()  # their names; none is all: the 15, and rotate_90, gray, tint and so on
    severities: tuple[int, ...] = SEVERITIES  # of the 15
    limit: int | None = None  # number of pictures, drawn at random; None is the whole split
    seed: int = 0  # of the corruptions and of the limit
    batch_size: int = 64  # pictures in a batch; does not change the scores
    json: bool = False  # print everything as JSON

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more. Received: {self.batch_size}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be 1 or more. Received: {self.limit}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more. Received: {self.seed}")
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise ValueError(f"severities must be numbers from 1 to 5. Received: {self.severities}")
        registry.select(self.corruptions)

    def settings(self) -> measure.Settings:
        """What determines the corrupted pictures."""
        return measure.Settings(
            split=self.split,
            corruptions=tuple(registry.select(self.corruptions or registry.CORRUPTIONS)),
            severities=tuple(sorted(set(self.severities))),
            limit=self.limit,
            seed=self.seed,
        )


def main(argv: Sequence[str]) -> int:
    """Measures a run on corrupted pictures, writes tables and plots into a folder of the run, and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec corruption_report")
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    config: Any = recognizer.config
    if config.frontend.name != "image":
        what = "pairs" if "image" in recognizer.frontend.parts() else "speech"
        raise UserError(f"{run.path} was trained on {what}, and only pictures are corrupted: give a run on pictures.")
    if tasks.scores(config.task)[0] != "accuracy":
        raise UserError(f"{run.path}: task.name {config.task.name} has no accuracy to report.")
    with messages_to_stderr(arguments.json):
        corpus = splits.load_checked(run, recognizer, arguments.split)
        result = measure.measure(recognizer, corpus, arguments.settings(), arguments.batch_size)
        images = measure.pictures(recognizer, corpus.splits[arguments.split], report.SHOWN_PICTURES)
    # Keys are strings and tuples are lists, as in the files of other reports.
    result = json.loads(short_numbers.dumps(result))
    folder = run.free_report("corruptions", result)
    report.write(folder, result, images)
    print_report(folder, result, [tables.for_terminal(result)], arguments.json)
    return 0
