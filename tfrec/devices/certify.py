"""Compares a file for a device, in its own runtime and process, with the trained model."""

from __future__ import annotations

import datetime
import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines.counts import counted
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec.devices.formats import FORMATS, OUTPUT
from tfrec.serving.certificate.cases import Case
from tfrec.serving.certificate.compare import FLOAT32_TOLERANCE, Comparison, DifferenceError

if TYPE_CHECKING:
    from tfrec.devices.file_recognizer import FileRecognizer
    from tfrec.recognizer import Recognizer

MAX_LATENCY_S, MIN_CALLS, MAX_CALLS = 1.0, 5, 100  # how long and how often calls are repeated

Outputs = dict[str, np.ndarray]


def certify(
    recognizer: Recognizer, opened: FileRecognizer, name: str, cases: Sequence[Case], split: Split | None
) -> dict[str, Any]:
    """The certificate of a file.

    Args:
        recognizer: the trained model, in float32.
        opened: the file.
        name: of the format.
        cases: examples to answer; those that are longer than the file's clips are left out.
        split: examples to score; None for none.

    Returns:
        "largest_difference" of a number of the network's outputs, "inputs" by which it was found, and "rows" of a table
        with the trained model and the file: "format", "score", "interval", "examples", "bytes", "latency_ms" of one
        example with one thread, and "peak_bytes", the memory that loading and running the file adds to its process.

    Raises:
        UserError: where an answer differs, or is not finite.
    """
    cases = [case for case in cases if "audio" not in case.parts or len(case.parts["audio"]) <= opened.samples]
    if not cases:
        raise UserError("Not published: every example is longer than the file takes: raise --seconds.")
    compare = _compare if FORMATS[name].is_exact else _difference
    difference = max(compare(case.name, *_outputs(recognizer, opened, case)) for case in cases)
    metric = recognizer.task.score_names(recognizer.task.config)[0]
    measured = [_scored(each, metric, split) for each in (recognizer, opened)]
    return {
        "format": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "tensorflow": tf.__version__,
        "tolerance": FLOAT32_TOLERANCE if FORMATS[name].is_exact else None,
        "largest_difference": float(f"{difference:.2g}"),
        "inputs": [case.name for case in cases],
        "score": metric,
        "rows": [
            {"format": "run", **measured[0], **_cost_of_run(recognizer, cases[0])},
            {"format": name, **measured[1], **_cost_of_file(opened, cases[0])},
        ],
    }


def _outputs(recognizer: Recognizer, opened: FileRecognizer, case: Case) -> tuple[Outputs, Outputs]:
    """What the file answers, and the network's outputs with what the task adds to them in the file."""
    own = recognizer(recognizer.batch_of_one(case.raw))
    added = recognizer.task.device_outputs(own)
    expected = _arrays({**(own if isinstance(own, dict) else {OUTPUT: own}), **added})
    given = _arrays(opened.answer_row(case.parts)[0])
    for name, value in given.items():
        if value.dtype.kind == "f" and not np.all(np.isfinite(value)):
            raise UserError(f"Not published: the file's {name} for {case.name} is NaN or infinite.")
    return given, expected


def _compare(name: str, given: Outputs, expected: Outputs) -> float:
    """The largest difference; UserError where it is beyond the tolerance."""
    comparison = Comparison(FLOAT32_TOLERANCE)
    try:
        comparison.add(given, expected)
    except DifferenceError as error:
        raise UserError(f"Not published: the file answers {name}: {error}; the run is unchanged.") from None
    return comparison.difference


def _difference(name: str, given: Outputs, expected: Outputs) -> float:
    """The largest difference, relative to the largest number of its output."""
    pairs = [(given[each], value) for each, value in expected.items() if value.dtype.kind == "f" and value.size]
    return max(float(np.max(np.abs(one - other)) / max(np.max(np.abs(other)), 1e-30)) for one, other in pairs)


def _arrays(outputs: dict[str, Any]) -> Outputs:
    """The first row of each output; those of a single one are compared as a vector."""
    return {"logits" if name == OUTPUT else name: np.asarray(value)[0] for name, value in outputs.items()}


def _scored(model: Recognizer, metric: str, split: Split | None) -> dict[str, Any]:
    if split is None:
        return {"score": None, "interval": None, "examples": 0}
    scores = model.evaluate(split)
    return {"score": scores[metric], "interval": scores.get(f"{metric}_interval"), "examples": split.size}


def _cost_of_run(recognizer: Recognizer, case: Case) -> dict[str, Any]:
    answer, batch = recognizer.answer_function(), recognizer.batch_of_one(case.raw)
    answer(batch)
    seconds: list[float] = []
    while len(seconds) < MIN_CALLS or (len(seconds) < MAX_CALLS and sum(seconds) < MAX_LATENCY_S):
        start = time.perf_counter()
        answer(batch)
        seconds.append(time.perf_counter() - start)
    size = sum(weight.numpy().nbytes for weight in recognizer.inference_network.weights)
    return {"bytes": size, "latency_ms": _rounded_ms(statistics.median(seconds)), "peak_bytes": None}


def _cost_of_file(opened: FileRecognizer, case: Case) -> dict[str, Any]:
    first = opened.answer_row(case.parts)[1]
    calls = round(np.clip(MAX_LATENCY_S / max(first, 1e-6), MIN_CALLS, MAX_CALLS))
    _, seconds, peak = opened.answer_row(case.parts, calls)
    return {"bytes": opened.path.stat().st_size, "latency_ms": _rounded_ms(seconds), "peak_bytes": peak}


def _rounded_ms(seconds: float) -> float:
    return float(f"{1000 * seconds:.3g}")


def summary(certificate: dict[str, Any]) -> str:
    """What was compared, as a sentence."""
    what = f"{counted(len(certificate['inputs']), 'input')}, largest difference {certificate['largest_difference']:.1e}"
    return what if certificate["tolerance"] else f"{what}, relative to the largest number, by the rounding to 8 bits"
