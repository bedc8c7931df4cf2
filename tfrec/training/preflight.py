"""What a training on speech would stumble over, found before it starts."""

import dataclasses
import os
import resource
import time

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble
from tfrec.decoding import ctc
from tfrec.training.loop import training_shapes
from tfrec.training.step import training_model

SILENT = 1e-4  # no sample is louder: 80 dB below the full range
CLIPPED = 0.999  # of the full range
CLIPPED_SHARE = 0.001  # of the samples, at least
SHOWN = 3  # examples of each finding


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about a split: how many of its examples, which ones, and whether training cannot go well with them."""

    split: str
    what: str
    count: int
    of: int
    examples: tuple[str, ...]
    harmful: bool


def findings(recognizer, corpus):
    """Everything that is wrong or strange about a corpus of speech for a recognizer: a list of Findings."""
    found = []
    for name, split in corpus.splits.items():
        found += _clips(name, split)
        if recognizer.config.task.name == "transcribe":
            found += _too_long(recognizer, name, split)
            found += _uncovered(recognizer, name, split)
    return found + _speakers(corpus.splits)


def _finding(name, split, what, places, harmful):
    if not len(places):
        return []
    sources = split.sources or [f"example {i + 1}" for i in range(split.size)]
    shown = tuple(os.path.basename(str(sources[i])) for i in places[:SHOWN])
    return [Finding(name, what, len(places), split.size, shown, harmful)]


def _clips(name, split):
    """Empty, silent and clipped ones."""
    empty, silent, clipped = [], [], []
    for i, example in enumerate(split.examples.as_numpy_iterator()):
        loudness = np.abs(example["audio"])
        if not len(loudness):
            empty.append(i)
        elif loudness.max() <= SILENT:
            silent.append(i)
        elif (loudness >= CLIPPED).mean() >= CLIPPED_SHARE:
            clipped.append(i)
    result = _finding(name, split, "clips are empty", empty, True)
    result += _finding(name, split, "clips are silent (no sample above -80 dB)", silent, True)
    return result + _finding(name, split, f"clips are clipped ({CLIPPED_SHARE:.1%} of samples or more)", clipped, False)


def _too_long(recognizer, name, split):
    """Texts that CTC cannot write in the steps that their clips have (Graves et al. 2006: labels and repeats)."""
    seconds, targets = split.seconds, recognizer.task.targets(split).examples.map(lambda example: example["label"])
    if seconds is None:
        sizes = split.examples.map(lambda example: tf.size(example["audio"]))
        seconds = np.array(list(sizes.as_numpy_iterator())) / recognizer.config.frontend.sample_rate_hz
    needed = np.array([int(ctc.steps_needed(target[None])[0]) for target in targets])
    return _finding(
        name,
        split,
        f"texts need more than the {recognizer.config.model.name}'s steps, and are left out of every batch",
        np.flatnonzero(needed > _steps(recognizer, np.asarray(seconds))),
        name == "train",
    )


def _steps(recognizer, seconds):
    """How many steps the network makes of clips of so many seconds."""
    frontend, net = recognizer.frontend, recognizer.net
    samples = np.round(seconds * frontend.config.sample_rate_hz).astype("int32")
    frames = samples if frontend.features is None else np.array(frontend.features.num_frames(samples))
    inputs = {key: tensor for key, tensor in net.input.items() if key != "tokens"}
    count = keras.Model(inputs, net.get_layer("steps").output)
    lengths, places = np.unique(frames, return_inverse=True)
    features = (1, max(1, int(lengths.max())), net.input["features"].shape[2])
    silence = np.zeros(features, "float32")
    found = [int(count({"features": silence[:, : max(1, n)], "frames": np.array([n], "int32")})[0]) for n in lengths]
    return np.array(found)[places]


def _uncovered(recognizer, name, split):
    coverage = recognizer.task.vocabulary.coverage(split.texts)
    if not coverage.missing:
        return []
    symbols = ", ".join(f"{symbol!r} {count}" for symbol, count in list(coverage.missing.items())[:8])
    unit = recognizer.config.task.unit
    what = f"{unit} are not in the vocabulary: {symbols}"
    texts = tuple(next(iter(coverage.examples.values()))[:SHOWN])
    return [Finding(name, what, sum(coverage.missing.values()), coverage.symbols, texts, False)]


def _speakers(splits):
    """Those of the training split who are heard in another too."""
    trained = set(splits["train"].speakers or ())
    found = []
    for name, split in splits.items():
        shared = [i for i, speaker in enumerate(split.speakers or ()) if speaker in trained]
        if name != "train" and shared:
            names = sorted({split.speakers[i] for i in shared})
            what = "clips are of speakers whom the training hears too"
            found.append(Finding(name, what, len(shared), split.size, tuple(names[:SHOWN]), False))
    return found


def rehearse(recognizer, corpus):
    """One training step on noise for each shape of batch -> [(clips, seconds of each, bytes more, seconds it took)].

    The bytes are those by which the process's highest memory rose, or on a GPU the highest in use; the weights that
    the steps change are the recognizer's own, which is worth nothing afterwards. Shapes come in the order of their
    sizes.
    """
    fit = recognizer.config.fit
    training = recognizer.task.targets(corpus.splits["train"])
    model, frontend = training_model(recognizer, training)
    model.compile(optimizer="sgd", loss=recognizer.task.loss(), jit_compile=fit.jit_compile)
    shapes = training_shapes(training, frontend, fit) or assemble.bucket_plan(training, frontend, fit.batch_size)
    rate, results = frontend.config.sample_rate_hz, []
    label = next(iter(training.examples))["label"].numpy()
    for samples, clips in sorted(zip(shapes.limits, shapes.sizes, strict=True), key=lambda shape: shape[0] * shape[1]):
        inputs = {
            "audio": tf.random.normal((clips, samples)) * 0.1,
            "length": tf.fill((clips,), samples),
        }
        inputs = frontend(inputs, training=True) if frontend.config.placement == "host" else inputs
        labels = np.repeat(label[None], clips, axis=0)
        if labels.ndim > 1:
            labels = tf.pad(labels, [[0, 0], [0, 1]])
        if recognizer.takes_tokens:
            inputs, labels = recognizer.task.feed(inputs, labels)
        before = _memory()
        model.train_on_batch(inputs, labels)  # traces
        started = time.perf_counter()
        model.train_on_batch(inputs, labels)
        results.append((clips, samples / rate, max(0, _memory() - before), time.perf_counter() - started))
    return shapes, results


def _memory():
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
