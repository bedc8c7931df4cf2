"""environment.json: the software and the machine of each start of a run, in a list that grows."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from typing import Any

from tfrec.runs.run import Run

NAME = "environment.json"
PACKAGES = (
    "tfrec",
    "tensorflow",
    "keras",
    "tensorflow-io",
    "tensorflow-datasets",
    "numpy",
    "scikit-learn",
    "soundfile",
)
RESULTS = ("tfrec", "tensorflow", "keras", "numpy")  # packages on which the last digits of weights depend


def environment() -> dict[str, Any]:
    """Returns what a reader needs to repeat a run, as JSON: versions, machine, git commit, command, working folder."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "folder": os.getcwd(),
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": _gpus(),
        "packages": versions,
        "git_commit": _git_commit(),
    }


def read(run: Run) -> list[dict[str, Any]]:
    """Reads the starts of a run, the oldest first; older versions wrote the last one only."""
    if not (run.path / NAME).is_file():
        return []
    stored = run.read_json(NAME)
    return [each for each in (stored if isinstance(stored, list) else [stored]) if isinstance(each, dict)]


def record(run: Run) -> list[str]:
    """Adds this start to a run; returns a sentence on what differs from the start before in a way that counts."""
    starts, now = read(run), environment()
    run.write_json(NAME, [*starts, now])
    if not starts:
        return []
    before, after = _that_counts(starts[-1]), _that_counts(now)
    changed = [name for name in after if name in before and before[name] != after[name]]
    if not changed:
        return []
    listed = ", ".join(f"{name} {before[name]} before and {after[name]} now" for name in changed)
    return [
        f"{run.path} continues in another environment ({listed}): its weights may differ in the last digits from those"
        " of a training in one environment."
    ]


def _that_counts(start: dict[str, Any]) -> dict[str, Any]:
    """What of a start decides the last digits of the weights."""
    packages = start.get("packages")
    counts = {name: packages[name] for name in RESULTS if name in packages} if isinstance(packages, dict) else {}
    return counts | {
        label: start[name]
        for name, label in {"usable_cpus": "CPU cores", "gpus": "GPUs"}.items()
        if start.get(name) is not None
    }


def _gpus() -> list[str] | None:
    """The names of the GPUs, None where TensorFlow is not loaded."""
    if (tensorflow := sys.modules.get("tensorflow")) is None:
        return None
    details = tensorflow.config.experimental.get_device_details
    return [details(each).get("device_name", each.name) for each in tensorflow.config.list_physical_devices("GPU")]


def _git_commit() -> str | None:
    """The commit of this source code, None outside a checkout."""
    folder = pathlib.Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
