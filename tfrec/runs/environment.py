"""What a reader needs to repeat a run."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

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


def environment():
    """What a reader needs to repeat the run: versions, machine, commit, command."""
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


def _git_commit():
    """The commit of the source that runs, or None outside a checkout."""
    folder = pathlib.Path(__file__).parent
    try:
        answer = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
