"""Checks of a training before it starts: the examples, their labels, settings, memory and time of a step."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines import assemble
from pipelines.buckets import Buckets
from pipelines.counts import counted, verb
from pipelines.datasets.base import Corpus, Split
from tfrec.evaluation.metrics import detection
from tfrec.tasks.base import SHOWN_EXAMPLES, Finding, finding
from tfrec.training import freezing
from tfrec.training.loop import training_buckets
from tfrec.training.step import Training

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

SILENT = 1e-4  # no sample is louder: 80 dB below full scale
CLIPPED = 0.999  # of full scale
CLIPPED_FRACTION = 0.001  # of the samples, at least
FEW_VALIDATION = 30  # with fewer examples chance decides which epoch is best


class BatchCost(NamedTuple):
    """What a training step with a batch of one shape takes."""

    clips: int  # or pictures
    seconds: float  # of each clip
    memory_bytes: int  # by which the peak memory rose
    step_seconds: float


def find(recognizer: Recognizer, corpus: Corpus) -> list[Finding]:
    """Everything that is wrong or strange about a corpus for a recognizer."""
    findings: list[Finding] = []
    for name, split in corpus.splits.items():
        if "audio" in corpus.inputs:
            findings += _clips(name, split, corpus.class_names)
        findings += recognizer.task.findings(recognizer, name, split)
    return findings + _speakers(corpus.splits)


def warnings(recognizer: Recognizer, corpus: Corpus) -> list[str]:
    """Sentences on settings and sizes that make a training worse than it could be."""
    count = corpus.splits["validation"].size
    sentences = freezing.warnings(recognizer.config.fit, recognizer.config.model)
    if count < FEW_VALIDATION:
        sentences.append(
            f"{counted(count, 'validation example')} {verb(count, 'chooses', 'choose')} the epoch that is kept: the"
            " choice is mostly chance; raise data.validation_fraction, or add data."
        )
    if corpus.modality == "audio" and corpus.class_names and not detection.rejected_classes(corpus.class_names).any():
        sentences.append(
            "No class stands for silence or for other sounds, so that each sound is taken for one of the"
            f" {counted(len(corpus.class_names), 'class', 'classes')}: --data.silence_fraction 0.1 adds the class"
            " silence, --data.unknown FOLDER the class unknown."
        )
    return sentences


def _clips(name: str, split: Split, class_names: Sequence[str]) -> list[Finding]:
    """Empty, silent and clipped ones; examples of the classes to be rejected may be silent."""
    empty, silent, clipped = [], [], []
    rejected = detection.rejected_classes(class_names)
    for i, example in enumerate(split.examples.as_numpy_iterator()):
        if class_names and rejected[example["label"]]:
            continue
        loudness = np.abs(example["audio"])
        if not len(loudness):
            empty.append(i)
        elif loudness.max() <= SILENT:
            silent.append(i)
        elif (loudness >= CLIPPED).mean() >= CLIPPED_FRACTION:
            clipped.append(i)
    findings = finding(name, split, "clips are empty", empty, True)
    findings += finding(name, split, "clips are silent (no sample above -80 dB)", silent, True)
    what = f"clips are clipped ({CLIPPED_FRACTION:.1%} of samples or more)"
    return findings + finding(name, split, what, clipped, False)


def _speakers(splits: Mapping[str, Split]) -> list[Finding]:
    """Speakers of the training split who are in another split too."""
    trained = set(splits["train"].speakers or ())
    findings = []
    for name, split in splits.items():
        speakers = split.speakers or ()
        shared = [speaker for speaker in speakers if speaker in trained]
        if name != "train" and shared:
            what = "clips are of speakers of the training split"
            names = tuple(sorted(set(shared))[:SHOWN_EXAMPLES])
            findings.append(Finding(name, what, len(shared), split.size, names, False))
    return findings


def measure_batches(recognizer: Recognizer, corpus: Corpus) -> tuple[Buckets, list[BatchCost]]:
    """Takes a training step on noise with a batch of every shape, in the order of their sizes.

    The memory is that by which the process's peak rose, or on a GPU the peak in use. The steps change the recognizer's
    weights, which are worthless afterwards.
    """
    fit = recognizer.config.fit
    split = recognizer.task.targets(corpus.splits["train"])
    training = Training(recognizer, split)
    frontend = training.frontend
    training.compile(optimizer="sgd", jit_compile=fit.jit_compile)
    buckets = training_buckets(split, frontend, fit) or assemble.bucket_plan(split, frontend, fit.batch_size)
    rate, costs = frontend.config.sample_rate_hz, []
    label = next(iter(split.examples))["label"].numpy()
    shapes = zip(buckets.limits, buckets.sizes, strict=True)
    for samples, clips in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        inputs = {"audio": tf.random.normal((clips, samples)) * 0.1, "length": tf.fill((clips,), samples)}
        inputs = frontend(inputs, training=True) if frontend.config.placement == "host" else inputs
        labels = np.repeat(label[None], clips, axis=0)
        if labels.ndim > 1:
            labels = tf.pad(labels, [[0, 0], [0, 1]])
        before = _peak_memory()
        training.train_on_batch(inputs, labels)  # traces
        started = time.perf_counter()
        training.train_on_batch(inputs, labels)
        seconds = time.perf_counter() - started
        costs.append(BatchCost(clips, samples / rate, max(0, _peak_memory() - before), seconds))
    return buckets, costs


def measure_step(recognizer: Recognizer, corpus: Corpus) -> BatchCost:
    """Takes a training step with the first batch of a training on pictures, see `measure_batches`."""
    config, split = recognizer.config, recognizer.task.targets(corpus.splits["train"])
    training = Training(recognizer, split)
    training.compile(optimizer="sgd", jit_compile=config.fit.jit_compile)
    batches = assemble.training_batches(split, training.frontend, config.fit.batch_size, config.seed, 1, 0, None)
    batch = next(iter(batches))
    before = _peak_memory()
    training.train_on_batch(*batch)  # traces
    started = time.perf_counter()
    training.train_on_batch(*batch)
    seconds = time.perf_counter() - started
    examples = min(config.fit.batch_size, split.size)
    return BatchCost(examples, 0.0, max(0, _peak_memory() - before), seconds)


def _peak_memory() -> int:
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
