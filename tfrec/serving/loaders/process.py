"""Starts a loader in a process of its own, and reads its answers."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.serving.loaders import stored
from tfrec.utils import startup

ROOT = pathlib.Path(__file__).parents[3]  # holds the package, installed or not
TIMEOUT_S = 600

Requests = Mapping[tuple[int, str], Mapping[str, Any]]


class LoaderError(Exception):
    """A process that could not load the SavedModel or answer a request: one sentence."""


def answer(loader: str, saved_model: Any, requests: Requests, warmup: Requests | None = None) -> dict[str, np.ndarray]:
    """Outputs of a SavedModel by one of the loaders.

    Args:
        loader: a module of `tfrec.serving.loaders`.
        saved_model: the version's folder.
        requests: `{(number, signature): {input: array}}`, byte strings with dtype object.
        warmup: likewise, sent after the others; these need only be answered.

    Returns:
        `{NUMBER/OUTPUT: array}`, byte strings as texts.

    Raises:
        LoaderError: where it fails, or ends by a signal.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{name}.npz") for name in ("requests", "warmup", "answers")]
        stored.write_requests(paths[0], requests)
        stored.write_requests(paths[1], warmup or {})
        run_module(["tfrec.serving.loaders", loader, str(saved_model), *paths])
        return stored.read_answers(paths[2])


def run_module(words: Sequence[str]) -> str:
    """Standard output of `python -m WORDS`; LoaderError where it fails."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *words], capture_output=True, text=True, timeout=TIMEOUT_S, env=environment
        )
    except subprocess.TimeoutExpired:
        raise LoaderError(f"it took more than {TIMEOUT_S} seconds") from None
    startup.check_interrupted()  # Ctrl-C reaches that process too
    if done.returncode < 0:
        raise LoaderError(f"the process was ended by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        raise LoaderError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout
