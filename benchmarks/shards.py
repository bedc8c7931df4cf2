"""The same data from files and from the shards of `tfrec prepare`, in one run: `python -m benchmarks.shards`.

A pass goes over all batches, with features on the host and without the cache that small sets have. "In memory": the
system holds the files. "On disk": their bytes are dropped from memory before each pass (`posix_fadvise`); the host of
a virtual machine may hold a copy. "Start": from the settings to the first batch of a training, with the check of all
files: those in shards were decoded when they were prepared, and their checksums are compared. Ratios are those of CPU
time, but for the disk.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import soundfile
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks import input as files
from pipelines import datasets
from pipelines.datasets import folder, shards
from pipelines.shards import writer
from tfrec.config import flags
from tfrec.utils import console

KINDS = ("png of 32 px", "jpg of 320 x 240", "wav of 1 s", "flac of 1 to 5 s")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Read the same data as files and as shards, in turn."""

    data: str | None = None  # folder with a sub-folder per class; None is generated files
    files: int = 1000  # of each generated kind
    batch_size: int = 32  # examples at once
    repetitions: int = 7  # timed passes
    starts: int = 3  # timed starts


def make_files(path, kind, count):
    """Files of a kind in two class folders."""
    random, suffix = np.random.default_rng(0), kind.split()[0]
    if kind in ("jpg of 320 x 240", "flac of 1 to 5 s"):
        return files.make_files(path, suffix, count)
    for i in range(count):
        file = path / "ab"[i % 2] / f"{i}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if suffix == "png":
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
        else:
            soundfile.write(file, random.normal(scale=0.1, size=16000), 16000)
    return None


def drop(path):
    """Lets the system drop the bytes of all files below a folder from memory."""
    for file in pathlib.Path(path).rglob("*.*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def cpu_medians(calls, repetitions):
    """Median seconds of CPU time of each call, which other programs on the machine hardly change, after a first one."""
    seconds = {side: [] for side in calls}
    for repetition in range(1 + repetitions):
        for side, call in calls.items():
            begin = time.process_time()
            call()
            if repetition:
                seconds[side].append(time.process_time() - begin)
    return {side: statistics.median(values) for side, values in seconds.items()}


def cold_passes(passes, folders, repetitions):
    """Median seconds of each pass when its files are on the disk alone."""
    seconds = {side: [] for side in passes}
    for _ in range(repetitions):
        for side, one_pass in passes.items():
            drop(folders[side])
            begin = time.perf_counter()
            one_pass()
            seconds[side].append(time.perf_counter() - begin)
    return {side: statistics.median(values) for side, values in seconds.items()}


def start(config, size, batch_size):
    """From the settings to the first batch."""
    corpus = datasets.load(config)
    next(iter(files.ours(corpus, corpus.splits["train"], size, batch_size)))


def compare(config, path, arguments):
    """{what: seconds of files / seconds of shards}, and the number of examples per second of CPU time from files."""
    corpus = datasets.load(config)
    path.mkdir()
    writer.write(corpus, path, 64_000_000, verified=True)
    sides = {"files": config, "shards": shards.Config(path=str(path))}
    size = 32 if corpus.splits["train"].rows[0].path.endswith(".png") else 224
    calls, starts, ratios = {}, {}, {}
    for side, settings in sides.items():
        corpus = datasets.load(settings)
        batches = files.ours(corpus, corpus.splits["train"], size, arguments.batch_size)
        calls[side] = functools.partial(files.one_pass, batches)
        starts[side] = functools.partial(start, settings, size, arguments.batch_size)
    seconds = {"in memory": cpu_medians(calls, arguments.repetitions)}
    folders = {side: settings.path for side, settings in sides.items()}
    seconds["on disk"] = cold_passes(calls, folders, arguments.repetitions)
    seconds["start"] = cpu_medians(starts, arguments.starts)
    ratios = {what: each["files"] / each["shards"] for what, each in seconds.items()}
    return ratios, corpus.splits["train"].size / seconds["in memory"]["files"]


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.shards")
    title = f"speed of shards by that of files, {os.cpu_count()} cores, TensorFlow {tf.__version__}"
    table = Table("files", "files, per s of CPU", "in memory", "on disk", "start", title=title)
    for kind in [arguments.data] if arguments.data else KINDS:
        with contextlib.ExitStack() as stack:
            path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if not arguments.data:
                make_files(path / "files", kind, arguments.files)
            ratios, rate = compare(
                folder.Config(path=arguments.data or str(path / "files")), path / "shards", arguments
            )
        table.add_row(kind, f"{rate:,.0f}", *(f"{ratio:.2f}" for ratio in ratios.values()))
    Console().print(table)
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
