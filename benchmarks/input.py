"""Files to batches of features, here and by a PyTorch DataLoader with two workers: `python -m benchmarks.input`.

Both sides read the same files again at each pass, in turn, and compute the same: log-mel of 80 mels, or pictures of
224 x 224 pixels in [0, 1]. Ours is what training uses with `frontend.placement` host, without the cache that small
sets have; the DataLoader's workers start before the clock.

On two otherwise idle CPU cores, the minimum and maximum of three runs (Python 3.11, TensorFlow 2.17.1, torch 2.13.0):

| files | ours, per s | PyTorch-style, per s | ratio |
| --- | --- | --- | --- |
| WAV | 2,682 to 2,745 | 1,886 to 1,963 | 1.37 to 1.45 |
| FLAC | 1,402 to 1,455 | 1,335 to 1,387 | 1.05 |

libFLAC takes 0.43 ms for a FLAC clip on both sides.

Pictures, in one run while other programs kept both cores busy (load 7; torch 2.14.1): their rates are low, and the
ratios wait for a quiet machine.

| files | ours, per s | PyTorch-style, per s | ratio |
| --- | --- | --- | --- |
| JPEG, 320 x 240 | 226 | 112 | 2.03 |
| large JPEG, 1600 x 1200 | 51 | 18 | 2.86 |

One kernel resizes them, and files of 1600 x 1200 are decoded at a quarter of their sides; the peer decodes them whole,
as ImageOps.fit has it.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import sys
import tempfile
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import soundfile
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from pipelines import assemble, frontends
from pipelines.datasets import folder
from tfrec.config import flags
from tfrec.utils import console

RATE_HZ, MELS = 16000, 80
# Of generated files: suffix, and of pictures width and height.
KINDS = {"WAV": ("wav", None), "FLAC": ("flac", None), "JPEG": ("jpg", (320, 240)), "large JPEG": ("jpg", (1600, 1200))}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Read the same files with this project and with a PyTorch-style loader, in turn."""

    data: str | None = None  # folder with a sub-folder per class; None is generated files of all kinds
    files: int = 400  # of each generated kind, of large pictures a quarter
    kinds: tuple[str, ...] = tuple(KINDS)  # to generate
    size: int = 224  # pixels of a side, to which pictures are scaled
    batch_size: int = 32  # examples at once
    workers: int = 2  # processes of the PyTorch-style loader
    repetitions: int = 9  # timed passes over the files


def make_files(path, kind, count, size=(320, 240)):
    """Files of a kind (wav, flac, jpg) in two class folders: clips of 1 to 5 s at 16 kHz, or pictures of a size."""
    random = np.random.default_rng(0)
    for i in range(count):
        file = path / "ab"[i % 2] / f"{i}.{kind}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "jpg":
            coarse = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8))
            smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
            picture = smooth + random.normal(0, 4, smooth.shape)
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, quality=90)
        else:
            time = np.arange(random.integers(RATE_HZ, 5 * RATE_HZ)) / RATE_HZ
            wave = 0.3 * np.sin(2 * np.pi * random.uniform(100, 1000) * time) * np.sin(4 * time) ** 2
            soundfile.write(file, wave + random.normal(scale=0.01, size=len(time)), RATE_HZ)


def load(path, size=224):
    """(corpus, its training split) of a folder, without the check that decodes every file."""
    config = folder.Config(path=str(path), test_fraction=0.05, validation_fraction=0.05, verify=False)
    # As a training loads it.
    corpus = folder.load(frontends.with_picture_size(config, frontends.ImageConfig(height=size, width=size)))
    return corpus, corpus.splits["train"]


def ours(corpus, split, size, batch_size):
    """The batches of this project as a tf.data.Dataset that decodes the files at each pass."""
    if corpus.modality == "audio":
        config = frontends.SpeechConfig(placement="host", mels=MELS, low_hz=0.0, normalize="none")
    else:
        config = frontends.ImageConfig(placement="host", height=size, width=size, normalize="unit")
    frontend = frontends.build(frontends.resolve(config, corpus), split=split)
    with mock.patch.object(assemble, "MAX_CACHE_BYTES", 0):
        return assemble.evaluation_batches(split, frontend, batch_size)


def peer(corpus, split, size, batch_size, workers):
    """The batches of the PyTorch-style loader, or None where torch is not installed."""
    try:
        from benchmarks import torch_loader
    except ImportError:
        return None
    if corpus.modality == "audio":
        dataset = torch_loader.Clips(split.sources, corpus.sample_rate_hz, MELS)
    else:
        dataset = torch_loader.Pictures(split.sources, size)
    return torch_loader.loader(dataset, batch_size, workers)


def one_pass(batches):
    """Iterates over the batches."""
    for _ in batches:
        pass


def main(argv):
    """Measures and prints the table."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.input")
    table = Table(
        "files",
        "ours, per s",
        "PyTorch-style, per s",
        "ratio",
        title=f"batches of {arguments.batch_size}, {os.cpu_count()} cores, TensorFlow {tf.__version__}",
    )
    with contextlib.ExitStack() as stack:
        paths = {arguments.data: pathlib.Path(arguments.data)} if arguments.data else {}
        for name in () if paths else arguments.kinds:
            paths[name] = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            kind, size = KINDS[name]
            make_files(paths[name], kind, arguments.files // (4 if name == "large JPEG" else 1), size)
        for name, path in paths.items():
            corpus, split = load(path, arguments.size)
            sides = {
                "ours": ours(corpus, split, arguments.size, arguments.batch_size),
                "peer": peer(corpus, split, arguments.size, arguments.batch_size, arguments.workers),
            }
            calls = {side: functools.partial(one_pass, batches) for side, batches in sides.items() if batches}
            rates = {side: split.size / seconds for side, seconds in medians(calls, arguments.repetitions).items()}
            cells = [f"{rates['peer']:,.0f}", f"{rates['ours'] / rates['peer']:.2f}"] if "peer" in rates else []
            table.add_row(name, f"{rates['ours']:,.0f}", *(cells or ["not installed", ""]))
    Console().print(table)
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
