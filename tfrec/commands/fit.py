"""Train a recognizer, measure it on the test split, and export it: `python -m tfrec.fit [EXPERIMENT] [FLAGS]`."""

import contextlib
import dataclasses
import sys
import time

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import flags
from tfrec.config.schema import as_json
from tfrec.evaluation import scores as evaluation
from tfrec.evaluation.metrics import cost
from tfrec.pretrained import pretrained_weights, transfer
from tfrec.recognizer import Recognizer, strategy_scope
from tfrec.runs.environment import environment
from tfrec.runs.run import Run
from tfrec.serving import savedmodel
from tfrec.serving.publish import destination, publish
from tfrec.training import loop
from tfrec.utils import console


def main(argv):
    """From the command line's words to a trained, measured and exported recognizer."""
    experiment, arguments = flags.parse_fit(argv)
    config = flags.plain(arguments)
    if arguments.resume:
        run = Run.open(arguments.run, trained=False)
        begun = run.read_state() is not None
    else:
        begun = False
        run = Run(arguments.run or Run.next_free_path(experiment or config.data.name))
        run.require_empty()
    if config.export.after_fit:
        destination(config.export, run)  # a mistake there should not show after the training
        savedmodel.answer_options(config)

    source = None if begun else pretrained_weights.find(config)
    corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
    wanted = source and source.normalize
    resolved = frontends.resolve(config.frontend, corpus, wanted, architectures.takes(config.model))
    config = dataclasses.replace(config, frontend=resolved)
    if arguments.resume:
        _require_same(as_json(config), run)
    labels, counts = tasks.labels(config.task, corpus), None
    if begun and labels != run.read_json("labels.json"):
        raise UserError(
            f"{run.path} was started with other classes or transcripts than {corpus.name} has now: give it the same"
            " data, or start another --run."
        )
    if getattr(config.task, "class_weights", "none") == "balanced":
        counts = loop.class_counts(corpus.splits["train"], len(corpus.class_names))
    with strategy_scope(config):
        recognizer = Recognizer(config, labels, counts)
        _announce(recognizer, corpus, run)
        if source:
            for note in transfer.load(source, recognizer.net, config, recognizer.task.class_names):
                console.console.print(note)
        if not arguments.resume:
            run.create()
        with contextlib.nullcontext() if arguments.resume else run.remove_on_failure():
            run.write_json("config.json", as_json(config))
            run.write_json("labels.json", labels)
            run.write_json("environment.json", environment())
            before = run.read_state()["seconds"] if begun else 0.0
            started = time.perf_counter()
            history = loop.train(recognizer, corpus, run, arguments.resume, 1 if sys.stdout.isatty() else 2)
            seconds = before + time.perf_counter() - started

    splits = ("validation", "test") if arguments.test else ("validation",)
    scores = {split: evaluation.measure(recognizer, corpus, split, config.fit.batch_size) for split in splits}
    figures = {"parameters": cost.parameters(recognizer.net), "fit_seconds": round(seconds, 1)}
    evaluation.record(run, recognizer, {**scores, **figures}, history)
    evaluation.keep_examples(run, recognizer, corpus, splits[-1])
    evaluation.show(recognizer, scores[splits[-1]], splits[-1])
    console.console.print(f"Trained in {seconds:.0f} s; the run is in {run.path}.")
    saved = publish(run, recognizer) if config.export.after_fit else None
    _tell_next(run, saved)
    return 0


def _announce(recognizer, corpus, run):
    sizes = ", ".join(f"{corpus.splits[name].size:,} {name}" for name in ("train", "validation", "test"))
    console.console.print(
        f"{corpus.name}: {recognizer.task.describe()}, {sizes} examples; "
        f"{recognizer.config.model.name} with {recognizer.net.count_params():,} parameters; run {run.path}"
    )
    if told := architectures.describe(recognizer.config.model):
        console.console.print(told)
    for sentence in (*corpus.notes, *recognizer.task.doubts(corpus)):
        console.console.print(f"warning: {sentence}")


def _tell_next(run, saved):
    lines = [f"python -m tfrec evaluate {run.path}", f"python -m tfrec predict {run.path} FILE..."]
    if saved:
        console.console.print(f"The SavedModel is in {saved}.")
        lines.append(
            f"tensorflow_model_server --model_name={saved.parent.name} --model_base_path={saved.parent.resolve()}"
        )
    else:
        lines.append(f"python -m tfrec export {run.path}")
    console.console.print("Next:")
    for line in lines:
        console.console.print(f"    {line}")


def _require_same(resumed, run):
    """A resumed run may train longer; anything else would make its record untrue."""
    stored = run.read_json("config.json")
    for part, value in resumed.items():
        names = value if isinstance(value, dict) else {None: value}
        for name in names:
            now = value[name] if name else value
            # What an older version did not store stands at its default.
            before = stored.get(part, {}).get(name, now) if name else stored.get(part, now)
            free = (part, name) == ("fit", "epochs") or part == "export"
            if not free and before != (list(now) if isinstance(now, tuple) else now):
                flag = f"{part}.{name}" if name else part
                raise UserError(f"{run.path} was started with {flag} {before}: --resume cannot change it to {now}.")
