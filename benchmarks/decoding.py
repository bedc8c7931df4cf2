"""Time of the CTC loss and of its decoders on the CPU: `python -m benchmarks.decoding`.

The loss is compared with Keras's (a loop over the steps in TensorFlow), the decoders with the greedy one, in turn, on
noisy logits of random words; the language model holds bigrams of those words.
"""

import dataclasses
import os
import pathlib
import random
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from tfrec.config import flags
from tfrec.decoding import DecodeConfig, alignment, arpa, build, ctc, ngram
from tfrec.text import vocabulary
from tfrec.utils import console

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Loss and decoders on one batch of random clips, in turn."""

    batch_size: int = 16  # clips
    steps: int = 100  # of each clip; a text has a quarter as many symbols
    words: int = 1000  # in the language model
    width: int = 16  # of the beams
    certainty: float = 6.0  # added to the logits of the text
    repetitions: int = 5  # timed calls of each


def sentences(arguments, draw):
    """A text for each clip, and a bigram model of their words."""
    words = sorted({"".join(draw.choices(LETTERS, k=draw.randint(2, 8))) for _ in range(arguments.words)})
    once = np.log10(1 / len(words))
    grams = {(word,): once for word in [*words, ngram.END]} | {(ngram.UNKNOWN,): -6.0}
    grams |= {(draw.choice(words), draw.choice(words)): once + 1 for _ in range(10 * len(words))}
    texts = [
        " ".join(draw.choices(words, k=arguments.steps))[: arguments.steps // 4] for _ in range(arguments.batch_size)
    ]
    return texts, ngram.NgramModel(2, grams, {(word,): -0.1 for word in words})


def outputs(arguments, texts, symbols):
    """Logits `(batch, steps, n + 1)` of the texts, in which a symbol lasts two of four steps."""
    logits = np.random.default_rng(0).normal(size=(len(texts), arguments.steps, len(symbols) + 1))
    for row, text in zip(logits, texts, strict=True):
        path = np.zeros(arguments.steps, int)
        for place, symbol in enumerate(symbols.encode(text)):
            path[4 * place : 4 * place + 2] = symbol
        row[np.arange(arguments.steps), path] += arguments.certainty
    return logits.astype("float32")


def loss_and_gradient(function, logits):
    """A compiled function without arguments: a loss and its gradient."""
    inputs = tf.constant(logits)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = function(inputs)
        return loss, tape.gradient(loss, inputs)

    return step


def show(title, seconds, peer, clips):
    """Prints milliseconds of a clip and the ratio to the peer."""
    table = Table("", "ms a clip", f"ratio to {peer}", title=title)
    for name, median in seconds.items():
        table.add_row(name, f"{1000 * median / clips:.2f}", f"{median / seconds[peer]:.2f}")
    Console().print(table)


def main(argv):
    """Measures and prints the tables."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.decoding")
    texts, model = sentences(arguments, random.Random(0))
    symbols = vocabulary.build("characters", [LETTERS, *texts])
    logits = outputs(arguments, texts, symbols)
    steps = np.full(len(texts), arguments.steps, "int32")
    lengths = np.array([len(symbols.encode(text)) for text in texts], "int32")
    targets = keras.utils.pad_sequences([symbols.encode(text) for text in texts], padding="post")
    losses = {
        "keras.ops.ctc_loss": loss_and_gradient(lambda x: keras.ops.ctc_loss(targets, x, lengths, steps), logits),
        "decoding.ctc.losses": loss_and_gradient(lambda x: ctc.losses(x, steps, targets)[0], logits),
    }
    log_probs = tf.nn.log_softmax(logits).numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "lm.arpa")
        arpa.write(model, path)
        configs = {
            "greedy": DecodeConfig(method="greedy"),
            "beam": DecodeConfig(method="beam", width=arguments.width),
            "beam and language model": DecodeConfig(method="beam", width=arguments.width, lm=path),
        }
        decoders = {name: build(config, symbols) for name, config in configs.items()}
    calls = {name: lambda decode=decode: decode(log_probs, steps) for name, decode in decoders.items()}
    ids = [symbols.encode(text) for text in texts]
    calls["alignment"] = lambda: [alignment.align_symbols(*each) for each in zip(log_probs, ids, strict=True)]
    title = f"{len(texts)} clips of {arguments.steps} steps, {len(symbols)} symbols, TensorFlow {tf.__version__}"
    show(title, medians(losses, arguments.repetitions), "keras.ops.ctc_loss", len(texts))
    show(title, medians(calls, arguments.repetitions), "greedy", len(texts))
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
