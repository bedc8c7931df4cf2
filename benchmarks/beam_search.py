"""Beam search with a language model, greedy decoding and pyctcdecode: `python -m benchmarks.beam_search --path an4/`.

Texts are the transcripts of AN4's test split, the language model is what `tfrec lm an4 --order 3` builds from its
training split. The outputs are simulated, so that nothing has to be trained: steps of 20 ms with peaks as CTC learns
them, each symbol in one or two steps and blanks between, some peaks uncertain, wrong or missing, all by one seed. The
errors of a greedy decoder are therefore those of the simulation, not of a network.

pyctcdecode runs with the same width, weights and thresholds, clip by clip, as it is called; it needs kenlm, and numpy
below 2: `pip install pyctcdecode kenlm` in an environment of its own.
"""

import dataclasses
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jiwer
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from pipelines import datasets
from tfrec.config import flags
from tfrec.decoding import DecodeConfig, arpa, build, kneser_ney
from tfrec.text import vocabulary
from tfrec.utils import console

STEPS_PER_SYMBOL = 5  # mean
CONFUSIONS, DELETIONS, DOUBTS = 0.03, 0.01, 0.1  # fractions of the symbols


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Decode simulated outputs for the transcripts of AN4's test split."""

    path: str  # AN4's folder
    width: int = 16  # of the beams
    batch_size: int = 32  # clips at once
    clips: int = 130  # of the test split
    repetitions: int = 3  # timed passes over the clips


def simulate(texts, symbols, seed=0):
    """(log-probabilities (clips, steps, n + 1), steps of each clip) of networks that err now and then."""
    random = np.random.default_rng(seed)
    confused = random.permutation(len(symbols)) + 1  # the symbol that each is confused with
    clips = []
    for text in texts:
        path, doubts = [0] * random.integers(5, 20), {}
        for symbol in symbols.encode(text):
            kind = random.random()
            other = confused[symbol - 1]
            if kind < CONFUSIONS + DELETIONS + DOUBTS:
                main = other if kind < CONFUSIONS else 0 if kind < CONFUSIONS + DELETIONS else symbol
                doubts[len(path)] = (main, symbol if main != symbol else other)
            path += [symbol] * random.integers(1, 3) + [0] * random.integers(1, 2 * STEPS_PER_SYMBOL - 3)
        logits = random.normal(scale=1.5, size=(len(path), len(symbols) + 1))
        logits[np.arange(len(path)), path] += 13.0
        for step, (main, second) in doubts.items():
            logits[step] = random.normal(scale=1.5, size=len(symbols) + 1)
            logits[step, main], logits[step, second] = 9.0, 9.0 - random.exponential(1.5)
            if path[step + 1]:  # the peak's second step
                logits[step + 1] = logits[step]
        clips.append(logits)
    steps = np.array([len(clip) for clip in clips], "int32")
    padded = np.zeros((len(clips), steps.max(), len(symbols) + 1), "float32")
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    return tf.nn.log_softmax(padded).numpy(), steps


def in_batches(decode, log_probs, steps, size):
    """Texts of clips that are decoded `size` at once, by length as evaluation does."""
    order = np.argsort(steps)
    texts = [""] * len(steps)
    for start in range(0, len(steps), size):
        part = order[start : start + size]
        longest = steps[part].max()
        for place, text in zip(part, decode(log_probs[part, :longest], steps[part]), strict=True):
            texts[place] = text
    return texts


def peer(path, model, symbols, config):
    """The decoder of pyctcdecode, or None where it is not installed."""
    try:
        import kenlm  # noqa: F401
        import pyctcdecode
    except ImportError:
        return None
    decoder = pyctcdecode.build_ctcdecoder(
        symbols.pieces,
        path,
        unigrams=sorted(model.words),
        alpha=config.lm_weight,
        beta=config.word_bonus,
        unk_score_offset=-config.unknown_penalty,
    )
    options = {"beam_width": config.width, "token_min_logp": config.min_log_prob}

    def decode(log_probs, steps):
        return [decoder.decode(rows[:length], **options) for rows, length in zip(log_probs, steps, strict=True)]

    return decode


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.beam_search")
    corpus = datasets.load(datasets.an4.Config(path=arguments.path))
    # What `tfrec lm` and the experiment make of transcripts.
    symbols = vocabulary.build("characters", corpus.splits["train"].texts)
    texts = [symbols.normalize(text) for text in corpus.splits["test"].texts[: arguments.clips]]
    model = kneser_ney.build([symbols.normalize(text).split() for text in corpus.splits["train"].texts], 3)
    log_probs, steps = simulate(texts, symbols)
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "lm.arpa")
        arpa.write(model, path)
        config = DecodeConfig(method="beam", width=arguments.width, lm=path)
        decoders = {
            "greedy": build(DecodeConfig(method="greedy"), symbols),
            "beam and language model": build(config, symbols),
            "pyctcdecode": peer(path, model, symbols, config),
        }
    found = {}

    def run(name):
        found[name] = in_batches(decoders[name], log_probs, steps, arguments.batch_size)

    calls = {name: (lambda name=name: run(name)) for name, decode in decoders.items() if decode}
    seconds = medians(calls, arguments.repetitions)
    title = f"{len(texts)} clips of {steps.mean():.0f} steps, batches of {arguments.batch_size}"
    table = Table("", "ms a clip", "ratio to greedy", "WER", title=title)
    for name, median in seconds.items():
        errors = f"{100 * jiwer.wer(texts, found[name]):.2f}"
        table.add_row(name, f"{1000 * median / len(texts):.2f}", f"{median / seconds['greedy']:.1f}", errors)
    Console().print(table)
    if decoders["pyctcdecode"] is None:
        Console().print("pyctcdecode and kenlm are not installed.")
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
