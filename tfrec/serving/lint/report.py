"""All rules on one SavedModel, and what they found."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, NoReturn

from google.protobuf.message import DecodeError

from pipelines.errors import UserError
from tfrec.serving import protos
from tfrec.serving.lint import files, graph, signatures, trial
from tfrec.serving.lint.finding import PROBLEM, Finding, Folder
from tfrec.utils import console as terminal
from tfrec.utils.console import console

WIDTH = 16  # of the names of rules


def run_command(words: Sequence[str]) -> NoReturn:
    """`tfrec export --check PATH`, which needs neither TensorFlow nor Keras in this process; exits with its status."""
    terminal.run(lambda: run(_path(words)))


def _path(words: Sequence[str]) -> str:
    """The path of `--check PATH` or `--check=PATH`; UserError for other words."""
    if len(words) == 1 and words[0].startswith("--check="):
        words = ["--check", words[0].removeprefix("--check=")]
    if len(words) != 2 or words[0] != "--check" or not words[1] or words[1].startswith("--"):
        raise UserError(f"--check takes one folder and no other argument. Received: {' '.join(words)}")
    return words[1]


def run(path: Any) -> int:
    """Prints a line for each rule on a SavedModel; returns 1 where one of them is a problem, or else 0.

    Raises:
        UserError: where there is no SavedModel that can be read.
    """
    folder = open_folder(path)
    findings = check(folder)
    console.print(f"{folder.path}")
    for finding in findings:
        console.print(f"  {finding.status:<12} {finding.rule:<{WIDTH}} {finding.text}")
    problems = sum(finding.status == PROBLEM for finding in findings)
    lowest = graph.server_version(folder)
    needs = f"it needs TensorFlow Serving {lowest} or newer" if lowest else "the server that it needs is unknown"
    console.print(f"{problems or 'no'} problem{'s' * (problems != 1)}; {needs}.")
    return 1 if problems else 0


def check(folder: Folder) -> Sequence[Finding]:
    """A finding for each rule."""
    return [*check_files(folder), *trial.findings(folder)]


def check_files(folder: Folder) -> Sequence[Finding]:
    """A finding for each rule that needs nothing to run."""
    rules = (
        *(signatures.tags, signatures.default, signatures.names, signatures.dtypes, signatures.batch),
        *(signatures.ensure_shape, graph.devices, graph.size, files.variables, files.assets, files.place),
        *(files.permissions, graph.version),
    )
    return [*(rule(folder) for rule in rules), graph.ops(folder, trial.registered_ops())]


def open_folder(path: Any) -> Folder:
    """The folder of a version, or the highest version in a model's folder.

    Raises:
        UserError: where it holds no SavedModel that can be read.
    """
    path = pathlib.Path(path)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        versions = [child for child in path.iterdir() if child.name.isdecimal() and child.is_dir()]
        path = max(versions, key=lambda version: int(version.name), default=path)
    if protos.tensorflow_folder() is None:
        raise UserError("export --check reads messages of TensorFlow's package: pip install tensorflow.")
    try:
        saved = protos.read_saved_model(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} holds no SavedModel (no saved_model.pb): give a version's folder.") from None
    except OSError as error:
        raise UserError(f"{path / 'saved_model.pb'} cannot be read: {error.strerror}.") from None
    except DecodeError:
        raise UserError(f"{path / 'saved_model.pb'} is damaged: export again.") from None
    if not saved.meta_graphs:
        raise UserError(f"{path / 'saved_model.pb'} is damaged: it holds no graph; export again.")
    served = [each for each in saved.meta_graphs if "serve" in each.meta_info_def.tags]
    return Folder(path, list(saved.meta_graphs), (served or list(saved.meta_graphs))[0])
