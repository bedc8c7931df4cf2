"""One training from its configuration to a measured and exported recognizer."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tensorflow as tf

from pipelines import datasets, frontends, paths
from pipelines.counts import counted
from pipelines.datasets import unreadable
from pipelines.datasets.base import OTHERS, SYNTHETIC, Corpus
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.evaluation.metrics import cost
from tfrec.pretrained import pretrained_weights, transfer
from tfrec.recognizer import Recognizer
from tfrec.reports import scores
from tfrec.runs import environment, splits, training_state
from tfrec.runs.run import Run
from tfrec.serving import examples, publish, savedmodel
from tfrec.training import freezing, loop
from tfrec.training.distributed import cluster, strategies
from tfrec.utils import interrupts

T = TypeVar("T")
# Settings that name a file or folder, where they are no keyword.
PATHS = ("path", "images", "data_dir", "moved_to", "unknown", "noise_path", "reverb_path")
# Settings of `fit` that --resume may change, next to the export's.
FREE = ("epochs", "checkpoint_minutes", "accumulate_steps", "strategy", "cpu_devices")

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Result:
    """What `train` returns."""

    recognizer: Recognizer
    run: Run
    split: str  # the split that was measured last
    scores: dict[str, Any]  # of that split
    seconds: float  # of training
    exported: pathlib.Path | None  # the version's folder


def train(config: Config, run: Run, resume: bool = False, test: bool = True, verbose: str | int = "auto") -> Result:
    """Trains, measures and exports a recognizer.

    Args:
        config: the settings; what they leave open follows from the corpus.
        run: the run folder, which must not hold anything unless `resume`.
        resume: whether an interrupted training continues.
        test: whether the test split is measured; else only the validation split.
        verbose: Keras's.

    Raises:
        UserError: for settings that do not go together, data that cannot be read, and a training that diverges. A
            training that fails before its first epoch has ended leaves no run behind.
    """
    try:
        with interrupts.handled(), contextlib.ExitStack() as locks:
            return _train(config, run, resume, test, verbose, locks)
    except interrupts.Interrupted as stop:
        raise interrupts.explain(stop, lambda: _what_is_kept(run)) from None


def is_over(config: Config, run: Run) -> bool:
    """Whether `--resume` has nothing left to do, since all epochs of a configuration are trained and measured."""
    if not run.is_finished() or _changes(config.to_dict(), run, has_moved=False):
        return False
    # Who has deleted the state to save space has the epochs of the configuration.
    values = training_state.read_values(run) or {"epoch": run.read_json("config.json")["fit"]["epochs"]}
    return bool(values["epoch"] >= config.fit.epochs or values.get("stopped"))


def _require_unfinished(config: Config, run: Run) -> None:
    """UserError where `is_over`."""
    if is_over(config, run):
        raise UserError(f"{run.path} is finished: raise fit.epochs to train it longer.")


def _what_is_kept(run: Run) -> str:
    """What remains of a training that a signal has ended, and how it continues."""
    values = training_state.read_values(run)
    if values is None:
        return "nothing is kept, since no step had been taken."
    command = f"python -m tfrec fit --run {shlex.quote(str(run.path))} --resume"
    return f"the training is kept and continues {training_state.describe(values)} with `{command}`."


def _train(
    config: Config, run: Run, resume: bool, test: bool, verbose: str | int, locks: contextlib.ExitStack
) -> Result:
    """See `train`; `locks` gets the lock of the run."""
    strategy = strategies.start(config.fit)
    is_writing = _writes(config)
    if resume and is_writing:
        locks.enter_context(run.lock())
        training_state.remove_strays(run)
    if resume:
        _require_unfinished(config, run)
    config, corpus, weights = _load(config, run, resume)
    if resume:
        _require_unfinished(config, run)  # again, since settings that follow from the data are known now
    with strategies.scope(strategy, run):
        recognizer = _build(config, corpus, run, weights)
        if not resume and is_writing:
            run.create()
            locks.enter_context(run.lock())
        history, seconds = _fit(recognizer, corpus, run, resume, verbose)
    if not is_writing:
        return Result(recognizer, run, "", {}, seconds, None)
    if strategy is not None:  # what follows is the work of one device
        recognizer = Recognizer(config, recognizer.task.labels)
        recognizer.load_weights(run)
    recognizer.calibrate(run, corpus.splits["validation"], config.fit.batch_size)
    if recognizer.task.needs_reference:
        recognizer.task.use_reference(recognizer, corpus.splits["train"], config.fit.batch_size)
    names = ("validation", "test") if test else ("validation",)
    measured = {name: recognizer.evaluate(corpus.splits[name], config.fit.batch_size) for name in names}
    scores.record(run, recognizer, {**measured, "parameters": cost.count_parameters(recognizer.network)}, history)
    examples.write(run, recognizer, examples.choose(corpus.splits[names[-1]]))
    run.write_model(recognizer.model)
    exported = recognizer.export() if config.export.after_fit and not savedmodel.unsupported(recognizer) else None
    scores.finish(run, seconds)  # last, so that a training that is killed before is not taken for finished
    return Result(recognizer, run, names[-1], measured[names[-1]], seconds, exported)


def dry_run(config: Config, run: Run, resume: bool = False) -> Recognizer:
    """Does all that `train` does before the first step: loads and checks the data, and builds the network.

    Args:
        config: the settings.
        run: the run folder, of which nothing is written.
        resume: whether an interrupted training would continue.

    Raises:
        UserError: as `train` raises it before the first step.
    """
    strategy = strategies.start(config.fit)
    config, corpus, weights = _load(config, run, resume)
    with strategies.scope(strategy):
        recognizer = _build(config, corpus, run, weights)
        steps = loop.count_steps(recognizer, corpus)
    logger.info("%s in each of %s", counted(steps, "step"), counted(config.fit.epochs, "epoch"))
    return recognizer


def _load(config: Config, run: Run, resume: bool) -> tuple[Config, Corpus, Any]:
    """The resolved configuration, its corpus, and pretrained weights; checks what can be checked without a network."""
    begun = resume and training_state.read(run) is not None  # an error must come before anything is written
    parts = {"data": absolute_paths(config.data), "frontend": absolute_paths(config.frontend)}
    config = dataclasses.replace(config, **parts)
    moved_to = getattr(config.data, "moved_to", None)
    if not resume:
        if _writes(config):
            run.require_empty()
        if moved_to is not None:
            raise UserError("data.moved_to is for --resume: give the place of the data by data.path.")
    if config.export.after_fit:
        publish.destination(config.export, run)  # an error must not wait for the end of training
        tasks.find(config.task.name).check_export(config.export)
    weights = {} if begun else pretrained_weights.find_all(config)
    config, corpus = resolve(config, weights, run if resume else None)
    if resume:
        _require_same(config.to_dict(), run, has_moved=moved_to is not None)
    if begun and tasks.labels(config.task, corpus) != run.read_json("labels.json"):
        raise UserError(
            f"{run.path} was started with other classes or transcripts than {corpus.name} has now: give it the same"
            " data, or start another --run."
        )
    return config, corpus, weights


def _build(config: Config, corpus: Corpus, run: Run, weights: Any) -> Recognizer:
    """The recognizer, with pretrained weights if there are any; reports what will be trained on what."""
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    recognizer.task.prepare(corpus.splits["train"])
    _announce(recognizer, corpus, run)
    load_pretrained(recognizer, weights)
    return recognizer


def load_pretrained(recognizer: Recognizer, weights: Mapping[str, Any]) -> None:
    """Loads pretrained weights, those of `pretrained_weights.find_all`, into a recognizer; none where it is empty."""
    config = recognizer.config
    for name, part in pretrained_weights.networks(config).items():
        if name in weights:
            network = recognizer.network.get_layer(name) if name else recognizer.network
            for note in transfer.load(weights[name], network, part, recognizer.task.class_names):
                logger.info(note)


def resolve(
    config: Config, weights: Mapping[str, Any] | None = None, resumed: Run | None = None
) -> tuple[Config, Corpus]:
    """The configuration with what its corpus and its pretrained weights decide, and the corpus.

    Args:
        config: the settings.
        weights: the pretrained weights, if any, see `pretrained_weights.find_all`.
        resumed: the run whose recorded files and splits the corpus has, if it has recorded any.
    """
    if resumed and splits.read(resumed) is not None:
        moved_to = getattr(config.data, "moved_to", None)
        corpus = splits.load(resumed, config, resumed.read_json("labels.json"), moved_to=moved_to)
        if moved_to is not None:
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=moved_to, moved_to=None))
    else:
        corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
    ranges = {name.partition("_")[0]: each.normalize for name, each in (weights or {}).items()}
    input_kinds = architectures.find(config.model.name).feature_kinds(config.model)
    normalize = ranges.get("", ranges.get("image"))
    frontend = frontends.resolve(config.frontend, corpus, normalize, input_kinds, ranges.get("speech"))
    return dataclasses.replace(config, frontend=frontend), corpus


def absolute_paths(part: Any) -> Any:
    """A part of the configuration with absolute paths, so that they hold in every working folder."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = absolute_paths(value)
        elif field.name in PATHS and value not in (None, "", OTHERS, SYNTHETIC):
            changes[field.name] = paths.absolute(value)
    return dataclasses.replace(part, **changes)


def _fit(
    recognizer: Recognizer, corpus: Corpus, run: Run, resume: bool, verbose: str | int
) -> tuple[list[dict[str, float]], float]:
    """Writes the run's configuration and trains; returns the history and the seconds of all starts."""
    if not _writes(recognizer.config):
        return loop.train(recognizer, corpus, run, resume, verbose), 0.0
    state = training_state.read_values(run) if resume else None
    with contextlib.nullcontext() if resume else run.remove_on_failure():
        run.write_json("config.json", recognizer.config.to_dict())
        run.write_json("labels.json", recognizer.task.labels)
        splits.write(run, corpus)
        for sentence in environment.record(run):
            logger.warning(sentence)
        scores.forget_finish(run)
        started = time.perf_counter()
        history = _name_unreadable_file(lambda: loop.train(recognizer, corpus, run, resume, verbose), corpus)
        seconds = time.perf_counter() - started + (state["seconds"] if state else 0.0)
    return history, seconds


def _writes(config: Config) -> bool:
    """Whether this process writes the run: of several workers the chief does."""
    return config.fit.strategy != "multi_worker" or cluster.read().is_chief


def _name_unreadable_file(train: Callable[[], T], corpus: Corpus) -> T:
    """Calls `train`; where TensorFlow fails at a file, raises a UserError that names it."""
    try:
        return train()
    except tf.errors.OpError as error:
        if (named := unreadable.find(corpus)) is None:
            raise
        raise named from error


def _announce(recognizer: Recognizer, corpus: Corpus, run: Run) -> None:
    sizes = ", ".join(f"{corpus.splits[name].size:,} {name}" for name in ("train", "validation", "test"))
    logger.info(
        "%s: %s, %s examples; %s with %s parameters; run %s",
        corpus.name,
        recognizer.task.describe(),
        sizes,
        recognizer.config.model.name,
        f"{recognizer.network.count_params():,}",
        run.path,
    )
    if description := architectures.describe(recognizer.config.model):
        logger.info(description)
    unusable = recognizer.task.check_training(recognizer, corpus)
    frozen = freezing.warnings(recognizer.config.fit, recognizer.config.model)
    reason = savedmodel.unsupported(recognizer) if recognizer.config.export.after_fit else None
    not_exported = [] if reason is None else [reason]
    for sentence in (*not_exported, *corpus.notes, *recognizer.task.warnings(corpus), *unusable, *frozen):
        logger.warning(sentence)


def _require_same(resumed: Mapping[str, Any], run: Run, has_moved: bool) -> None:
    """A resumed run may train longer; anything else would make its record untrue."""
    for flag, before, now in _changes(resumed, run, has_moved):
        remedy = f"; --data.moved_to {now} names a new place of the same files" if flag == "data.path" else ""
        raise UserError(f"{run.path} was started with {flag} {before}: --resume cannot change it to {now}{remedy}.")


def _changes(resumed: Mapping[str, Any], run: Run, has_moved: bool) -> list[tuple[str, Any, Any]]:
    """(flag, its value in the run, its value now) of what differs and must not."""
    stored, changes = run.read_json("config.json"), []
    for part, value in resumed.items():
        names = value if isinstance(value, dict) else {None: value}
        for name in names:
            now = value[name] if name else value
            # What an older version did not store has its default.
            before = stored.get(part, {}).get(name, now) if name else stored.get(part, now)
            if name in PATHS and before not in (None, "", OTHERS, SYNTHETIC):
                follows = has_moved and (part, name) in (("data", "path"), ("data", "data_dir"))
                before = now if follows else paths.absolute(before)  # older versions stored them as typed
            is_free = (part == "fit" and name in FREE) or part == "export"
            if not is_free and before != (list(now) if isinstance(now, tuple) else now):
                changes.append((f"{part}.{name}" if name else part, before, now))
    return changes
