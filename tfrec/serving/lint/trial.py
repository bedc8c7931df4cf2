"""Rules that need the SavedModel to run: loading, warm-up records, and what its certificate says."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

from tfrec.serving.layout import CERTIFICATE, MAX_WARMUP_RECORDS, WARMUP_RECORDS
from tfrec.serving.lint.finding import NOT_CHECKED, OK, PROBLEM, Finding, Folder, result
from tfrec.serving.loaders import c_api, process
from tfrec.serving.warmup import records
from tfrec.utils import json_files

LIBRARY = "TensorFlow's C library is not installed: install tensorflow, check again"
LOADS = Finding("loads", OK, "by TF_LoadSessionFromSavedModel, without Keras or Python")


@functools.cache
def registered_ops() -> dict[str, bool] | None:
    """{op: whether it has a kernel for CPUs} of the installed TensorFlow; None where it has no C library."""
    if c_api.library_path() is None:
        return None
    return dict(json.loads(process.run_module(["tfrec.serving.loaders.ops"])))


def findings(folder: Folder) -> list[Finding]:
    """What the warm-up records are, whether the folder loads and answers them, and its certificate."""
    requests, static = _read_records(folder)
    return [static, *_run(folder, requests), _certificate(folder)]


def _read_records(folder: Folder) -> tuple[Sequence[records.Request], Finding]:
    """A server runs the records before a version takes traffic; one that fails keeps the version from loading."""
    rule, path = "warm-up", folder.path / WARMUP_RECORDS
    if not path.is_file():
        advice = f"there is no {WARMUP_RECORDS}, so that first requests are slow: write one, as `tfrec export RUN` does"
        return [], Finding(rule, NOT_CHECKED, advice)
    try:
        requests = records.read(path)
    except records.RecordError as error:
        return [], Finding(rule, PROBLEM, f"{WARMUP_RECORDS}: {error}: write it again")
    problems = []
    if not 1 <= len(requests) <= MAX_WARMUP_RECORDS:
        problems.append(f"{len(requests):,} records, and a server takes 1 to {MAX_WARMUP_RECORDS:,}: write others")
    for number, (signature, inputs) in enumerate(requests, start=1):
        definition = folder.signatures.get(signature)
        if definition is None:
            problems.append(f"record {number} is for the signature {signature!r}, which is not there: remove it")
        elif set(inputs) != set(definition.inputs):
            problems.append(f"record {number} gives {sorted(inputs)} to {signature}, not {sorted(definition.inputs)}")
    signatures = {signature for signature, _ in requests}
    cold = sorted(set(folder.signatures) - signatures)
    text = f"{len(requests)} records, for {', '.join(sorted(signatures))}"
    found = result(rule, problems, text + (f"; none for {', '.join(cold)}" if cold else ""))
    return ([] if problems else requests), found


def _run(folder: Folder, requests: Sequence[records.Request]) -> list[Finding]:
    """Loads the folder as a server does, and sends it every record."""
    if c_api.library_path() is None:
        return [Finding(rule, NOT_CHECKED, LIBRARY) for rule in ("loads", "runs")]
    numbered: dict[tuple[int, str], dict[str, Any]] = {
        (number, signature): {name: records.array(tensor) for name, tensor in inputs.items()}
        for number, (signature, inputs) in enumerate(requests, start=1)
    }
    try:
        process.answer("c_api", folder.path, numbered)
    except process.LoaderError as error:
        if str(error).startswith("request"):
            return [LOADS, Finding("runs", PROBLEM, f"warm-up {error}: remove it or repair the graph")]
        problem = f"TensorFlow's session loader: {error}: export again, with the ops of TensorFlow alone"
        return [Finding("loads", PROBLEM, problem), Finding("runs", NOT_CHECKED, "it does not load")]
    if not requests:
        return [LOADS, Finding("runs", NOT_CHECKED, "without warm-up records there is no request to send: write some")]
    return [LOADS, Finding("runs", OK, f"by TF_SessionRun, every warm-up record: {len(requests)} requests")]


def _certificate(folder: Folder) -> Finding:
    """Whether merged and padded requests equal separate ones: no rule on the graph can say."""
    rule, unknown = "merged requests", "compare padded batches with single requests, as `tfrec export RUN` does"
    try:
        certificate = json_files.load(folder.path / CERTIFICATE)
        date, passed = certificate["date"], certificate["passed"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return Finding(rule, NOT_CHECKED, unknown)
    if not passed:
        return Finding(rule, PROBLEM, f"{CERTIFICATE} of {date} says that answers differ: export again")
    return Finding(rule, OK, f"equal separate ones by {CERTIFICATE} of {date}")
