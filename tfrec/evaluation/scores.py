"""Scores, tables and plots of a trained recognizer."""

import numpy as np

from tfrec.reports import plots
from tfrec.utils.console import console

EXAMPLES = 8  # kept in the run for the export's replay


def measure(recognizer, corpus, split, batch_size, **options):
    """The task's scores on one split, as `metrics.json` holds them, and what is too bulky for it.

    `options` are the task's own.
    """
    return recognizer.task.measure(recognizer, corpus.splits[split], batch_size, **options)


def record(run, recognizer, scores, history):
    """Merges the scores of some splits into `metrics.json`, draws the plots, and returns what it merged.

    A name such as "test_beam" is the test split decoded in another way, whose plots go into a folder of that name.
    """
    before = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    bulky = recognizer.task.bulky
    brief = {
        name: {key: value for key, value in score.items() if key not in bulky} if isinstance(score, dict) else score
        for name, score in scores.items()
    }
    run.write_json("metrics.json", {**before, **brief})
    for name, score in scores.items():
        if name.startswith("test"):
            folder = run.path if name == "test" else run.path / name
            folder.mkdir(exist_ok=True)
            recognizer.task.plots(score, folder)
    if history:
        plots.learning_curves(history, run.path / "learning_curves.png")
    return brief


def show(recognizer, scores, split):
    """Prints a split's table."""
    console.print(recognizer.task.report(scores, title=f"{split} split"))


def keep_examples(run, recognizer, corpus, split="test"):
    """Keeps a few raw examples of a split and the recognizer's answers, which an export must repeat."""
    arrays = {}
    examples = corpus.splits[split].examples.take(8 * EXAMPLES).shard(8, 0)
    for i, example in enumerate(examples.as_numpy_iterator()):
        if corpus.modality == "image":
            raw = example["image"]
            answer = recognizer.answer(raw[None])
        else:
            # On the grid of 16-bit audio, so that the example can also be sent as a WAV file.
            raw = np.clip(np.round(example["audio"] * 32768), -32768, 32767).astype("float32") / 32768
            answer = recognizer.answer({"audio": raw[None], "length": np.array([len(raw)], "int32")})
        arrays[f"{i}/raw"] = raw
        for name, value in answer.items():
            text = value.dtype == object  # which numpy would store as a pickle
            arrays[f"{i}/{name}"] = np.array(value[0].decode()) if text else value[0]
    np.savez_compressed(run.path / "examples.npz", **arrays)
