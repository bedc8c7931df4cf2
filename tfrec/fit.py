"""Train a recogniser, measure it on the test split, and export it: `python -m tfrec.fit [EXPERIMENT] [FLAGS]`."""

import contextlib
import dataclasses
import sys
import time

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures, cli, evaluation, flags, tasks, training, weights
from tfrec.config import as_json
from tfrec.metrics import cost
from tfrec.recogniser import Recogniser, strategy_scope
from tfrec.runs import Run, environment
from tfrec.serving import savedmodel
from tfrec.serving.publish import destination, publish


def main(argv):
    """From the command line's words to a trained, measured and exported recogniser."""
    experiment, arguments = flags.parse_fit(argv)
    config = flags.plain(arguments)
    if arguments.resume:
        run = Run.open(arguments.run, trained=False)
        begun = run.read_state() is not None
    else:
        begun = False
        run = Run(arguments.run or Run.free(experiment or config.data.name))
        run.require_empty()
    if config.export.after_fit:
        destination(config.export, run)  # a mistake there should not show after the training
        savedmodel.answer_options(config)

    source = None if begun else weights.find(config)
    corpus = datasets.load(config.data, getattr(config.frontend, "sample_rate_hz", None))
    wanted = source and source.normalise
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
        counts = training.class_counts(corpus.splits["train"], len(corpus.class_names))
    with strategy_scope(config):
        recogniser = Recogniser(config, labels, counts)
        _announce(recogniser, corpus, run)
        if source:
            for note in weights.load(source, recogniser.net, config, recogniser.task.class_names):
                cli.console.print(note)
        if not arguments.resume:
            run.create()
        with contextlib.nullcontext() if arguments.resume else run.kept_from_first_epoch():
            run.write_json("config.json", as_json(config))
            run.write_json("labels.json", labels)
            run.write_json("environment.json", environment())
            before = run.read_state()["seconds"] if begun else 0.0
            started = time.perf_counter()
            history = training.train(recogniser, corpus, run, arguments.resume, 1 if sys.stdout.isatty() else 2)
            seconds = before + time.perf_counter() - started

    splits = ("validation", "test") if arguments.test else ("validation",)
    scores = {split: evaluation.measure(recogniser, corpus, split, config.fit.batch_size) for split in splits}
    figures = {"parameters": cost.parameters(recogniser.net), "fit_seconds": round(seconds, 1)}
    evaluation.record(run, recogniser, {**scores, **figures}, history)
    evaluation.keep_examples(run, recogniser, corpus, splits[-1])
    evaluation.show(recogniser, scores[splits[-1]], splits[-1])
    cli.console.print(f"Trained in {seconds:.0f} s; the run is in {run.path}.")
    saved = publish(run, recogniser) if config.export.after_fit else None
    _tell_next(run, saved)
    return 0


def _announce(recogniser, corpus, run):
    sizes = ", ".join(f"{corpus.splits[name].size:,} {name}" for name in ("train", "validation", "test"))
    cli.console.print(
        f"{corpus.name}: {recogniser.task.describe()}, {sizes} examples; "
        f"{recogniser.config.model.name} with {recogniser.net.count_params():,} parameters; run {run.path}"
    )
    if told := architectures.describe(recogniser.config.model):
        cli.console.print(told)
    for sentence in (*corpus.notes, *recogniser.task.doubts(corpus)):
        cli.console.print(f"warning: {sentence}")


def _tell_next(run, saved):
    lines = [f"python -m tfrec.evaluate {run.path}", f"python -m tfrec.predict {run.path} FILE..."]
    if saved:
        cli.console.print(f"The SavedModel is in {saved}.")
        lines.append(
            f"tensorflow_model_server --model_name={saved.parent.name} --model_base_path={saved.parent.resolve()}"
        )
    else:
        lines.append(f"python -m tfrec.export {run.path}")
    cli.console.print("Next:")
    for line in lines:
        cli.console.print(f"    {line}")


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


if __name__ == "__main__":
    cli.run(main)
