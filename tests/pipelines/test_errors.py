"""Errors that a user can correct."""

import subprocess
import sys

from pipelines.errors import unknown


def test_long_lists_are_cut():
    message = str(unknown("dataset", "zzz", [f"name{i}" for i in range(30)]))
    assert "'name19', ..." in message
    assert "name20" not in message


def test_the_import_is_light():
    """`tfrec --help` imports the module."""
    heavy = "{'numpy', 'tensorflow', 'keras', 'scipy', 'sklearn', 'soundfile', 'tensorflow_datasets', 'rich', 'tyro'}"
    code = f"import sys, pipelines.errors; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
