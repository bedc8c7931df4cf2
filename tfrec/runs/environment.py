"""The software and the machine of a run."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from typing import Any

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


def environment() -> dict[str, Any]:
    """Returns what a reader needs to repeat a run, as JSON: versions, machine, git commit, command."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": versions,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of this source code, None outside a checkout."""
    folder = pathlib.Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
