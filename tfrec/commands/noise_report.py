"""Measure a run among noises, with plots: `python -m tfrec noise_report RUN --noise DIR`."""

import dataclasses
import json
import logging
import math
from typing import Literal

import tyro

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.evaluation import noise as noise_reporting
from tfrec.recognizer import Recognizer
from tfrec.reports import noise_tables
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.utils import console

logger = logging.getLogger(__name__)

LOUDEST_DB = 100  # beyond it float32 holds nothing of the other


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Accuracy or error rate of a trained run on speech for every type of noise at every signal-to-noise ratio.

    Set A are the noises that training heard, from the part of each file that it did not hear; set B are the others.
    The mixes follow from the data, the noises, the ratios, what was seen and the seed: every run is asked the same.
    """

    run: tyro.conf.Positional[str]  # run folder
    noise: str | None = None  # folder of noises, a sub-folder for each type; None: those in the corpus, as aurora2 has
    snr: str = "clean,20,15,10,5,0,-5"  # decibels, with commas between them; clean is without noise
    split: Literal["test", "validation", "train"] = "test"  # examples to measure on
    seen: tuple[str, ...] | None = None  # types of noise in set A; None is what the run heard
    seen_fraction: float | None = None  # the first part of each file of set A, left out; None is what the run heard
    seed: int = 0  # which piece of which file goes with a clip
    repeats: int = 1  # mixes of each clip with each type of noise, with different pieces
    batch_size: int = 64  # examples at once; does not change the scores
    json: bool = False  # print everything as JSON

    def __post_init__(self):
        for field in ("repeats", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be 1 or more. Received: {getattr(self, field)}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more. Received: {self.seed}")
        if self.seen_fraction is not None and not 0 <= self.seen_fraction < 1:
            raise ValueError(f"seen_fraction must be at least 0 and below 1. Received: {self.seen_fraction}")
        if self.seen is not None and len(set(self.seen)) < len(self.seen):
            raise ValueError(f"seen must name each type of noise once. Received: {' '.join(self.seen)}")
        ratios(self.snr)


def ratios(text):
    """Words with commas between them -> decibels from best to worst, infinity for "clean"; ValueError for others."""
    found = []
    for word in map(str.strip, text.split(",")):
        try:
            ratio = noise_reporting.CLEAN if word == "clean" else round(float(word), 3) + 0.0  # no -0
        except ValueError:
            ratio = math.nan
        if word != "clean" and not abs(ratio) <= LOUDEST_DB:
            raise ValueError(f"snr must be clean or decibels from -100 to 100, with commas. Received: {word!r}")
        if ratio in found:
            raise ValueError(f"snr must name each ratio once. Received: {word!r} again in {text!r}")
        found.append(ratio)
    if found == [noise_reporting.CLEAN]:
        raise ValueError("snr must name a ratio beside clean. Received: 'clean'")
    return tuple(sorted(found, reverse=True))


def main(argv):
    """Measures a run in all conditions, writes tables and plots into RUN/noise, and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec noise_report")
    run = Run.open(arguments.run)
    recognizer = Recognizer.from_run(run)
    if recognizer.config.frontend.name != "speech":
        raise UserError(f"{run.path} was trained on images: noise is mixed into speech only, so give a run on speech.")
    conditions = None
    if arguments.noise is not None:
        conditions = noise_reporting.conditions_of(
            recognizer.config.frontend,
            arguments.noise,
            arguments.seen,
            arguments.seen_fraction,
            snr_db=ratios(arguments.snr),
            split=arguments.split,
            seed=arguments.seed,
            repeats=arguments.repeats,
        )
    corpus = splits.load(run, recognizer.config, recognizer.task.labels, (arguments.split,))
    for note in corpus.notes:
        logger.warning(note)
    recognizer.task.check_corpus(corpus, run.path)
    if conditions is None:
        result = noise_reporting.measure_own(recognizer, corpus, arguments.split, arguments.batch_size)
    else:
        result = noise_reporting.measure(recognizer, corpus, conditions, arguments.batch_size)
    folder = run.path / "noise"
    noise_reporting.write(folder, result)
    if arguments.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        console.console.print(noise_tables.for_terminal(result))
        console.console.print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}.")
    return 0
