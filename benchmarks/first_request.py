"""Time of an export's first requests with and without its warm-up records: `python -m benchmarks.first_request EXPORT`.

Each is a process of its own that loads the SavedModel by TensorFlow's C library, as a server does, with the records
replayed or not. Then each shape of the records is sent once, and again for a median; then clips of new lengths.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import statistics
import sys
import time

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from tfrec.serving import layout
from tfrec.serving.lint import report
from tfrec.serving.loaders import c_api
from tfrec.serving.warmup import records
from tfrec.utils import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """First requests to an export, relative to the median of later ones."""

    export: tyro.conf.Positional[str]  # folder of a version, or of a model
    repetitions: int = 10  # later calls of each
    processes: int = 3  # of each kind, of which each time is the best: a busy machine only adds


def requests_of(path):
    """[(signature, inputs)] of the warm-up records."""
    return [
        (signature, {name: records.array(tensor) for name, tensor in inputs.items()})
        for signature, inputs in records.read(path / layout.WARMUP_RECORDS)
    ]


def new_lengths(requests):
    """Requests of clips whose lengths no record has, between those of the records."""
    for signature, inputs in requests:
        if "audio" in inputs:
            length = int(inputs["audio"].shape[1] * 0.93)
            yield signature, {"audio": inputs["audio"][:, :length], "length": np.minimum(inputs["length"], length)}


def first_and_median(model, signature, inputs, repetitions):
    """Seconds of the first call, and the median of the others."""
    seconds = []
    for _ in range(1 + repetitions):
        start = time.perf_counter()
        model(signature, inputs)
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:])


def measure(path, is_warm, repetitions):
    """{kind of request: [(first, median)]} of one process."""
    model, requests = c_api.SavedModel(str(path)), requests_of(path)
    if is_warm:
        for signature, inputs in requests:
            model(signature, inputs)
    # Shapes of several records are one.
    return {
        "shapes of the records": [first_and_median(model, *request, repetitions) for request in requests],
        "new lengths": [first_and_median(model, *request, repetitions) for request in new_lengths(requests)],
    }


def main(words=None):
    """Prints first calls, medians and their ratios."""
    arguments = tyro.cli(Arguments, args=words)
    path = report.open_folder(arguments.export).path
    table = Table("warm-up", "requests", "first, ms (worst)", "median, ms", "ratio (median; worst)", title=str(path))
    context = multiprocessing.get_context("spawn")
    for is_warm in (False, True):
        found = []
        for _ in range(arguments.processes):  # the first call comes once in each
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                found.append(pool.submit(measure, path, is_warm, arguments.repetitions).result())
        for kind in found[0]:
            times = [
                (min(first for first, _ in same), min(median for _, median in same))
                for same in zip(*(each[kind] for each in found), strict=True)
            ]
            if times:
                ratios = [first / median for first, median in times]
                first, median = max(first for first, _ in times), statistics.median(median for _, median in times)
                ratio = f"{statistics.median(ratios):.2f}; {max(ratios):.2f}"
                table.add_row("yes" if is_warm else "no", kind, f"{1000 * first:.1f}", f"{1000 * median:.1f}", ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
