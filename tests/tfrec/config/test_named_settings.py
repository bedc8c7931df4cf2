"""Every setting and flag that a message names exists."""

import ast
import dataclasses
import importlib
import pathlib
import re

import pytest

from pipelines.datasets import DATASETS
from pipelines.frontends import FRONTENDS, default_config
from tfrec.architectures import ARCHITECTURES
from tfrec.commands import evaluate
from tfrec.config.flags import FitArguments
from tfrec.config.schema import ExportConfig, FitConfig
from tfrec.config.words import fields_of
from tfrec.decoding import DecodeConfig
from tfrec.tasks import TASKS
from tuning.arguments import Arguments as Sweep

ROOT = pathlib.Path(__file__).parents[3]
FILES = sorted(path for package in ("pipelines", "tfrec", "tuning") for path in (ROOT / package).rglob("*.py"))
PARTS = {
    "data": [*(module.Config for module in DATASETS.values()), evaluate.Data],
    "frontend": [type(default_config(name)) for name in FRONTENDS],
    "model": [type(config) for _, config in ARCHITECTURES.values()],
    "task": [task.config_type for task in TASKS.values()],
    "fit": [FitConfig],
    "export": [ExportConfig],
    "decode": [DecodeConfig],
}
SETTINGS = {f"{part}.{field.name}" for part, kinds in PARTS.items() for kind in kinds for field in fields_of(kind)}
SECTIONS = {name.rpartition(".")[0] for name in SETTINGS} | set(PARTS)  # `task.text` holds settings
NAMED = re.compile(rf"(?<![\w./])(?:{'|'.join(PARTS)})\.[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*(?![\w/(])")
FLAG = re.compile(r"(?<![\w-])(?<!var\()--([a-z][a-z0-9_.-]*[a-z0-9])")
FILE_NAMES = re.compile(r"\.(jsonl?|yaml|csv|h5|txt|png|keras|npz|py)\b")


STUDIES = [importlib.import_module(f"tfrec.studies.{path.stem}") for path in (ROOT / "tfrec/studies").glob("[a-z]*.py")]
COMMANDS = [
    importlib.import_module(f"tfrec.commands.{path.stem}") for path in (ROOT / "tfrec/commands").glob("[a-z]*.py")
]
KINDS = [FitArguments, Sweep, *(module.Arguments for module in COMMANDS if hasattr(module, "Arguments"))]
KINDS += [module.Options for module in STUDIES if hasattr(module, "Options")]
SERVER = {  # of tensorflow_model_server
    *("model_name", "model_base_path", "model_config_file", "model_config_file_poll_wait_seconds", "port"),
    *("rest_api_port", "rest_api_timeout_in_ms", "allow_version_labels_for_unavailable_models"),
    *("monitoring_config_file", "enable_batching", "batching_parameters_file"),
}
FLAGS = {field.name for kind in KINDS for field in dataclasses.fields(kind)} | {"help", "version"} | SERVER


def messages(path):
    """(line, text) of each string in a file that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and is_documented(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def is_documented(node):
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


def unknown_settings(text):
    for name in NAMED.findall(text):
        known = SETTINGS | SECTIONS
        if name not in known and name.replace(".no_", ".") not in known and not FILE_NAMES.search(name):
            yield name


def unknown_flags(text):
    for name in FLAG.findall(text):
        name = name.replace("-", "_")
        if not {name, name.removeprefix("no_"), name.replace(".no_", ".")} & (FLAGS | SETTINGS | SECTIONS):
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_in_messages_exist(path):
    assert [(line, name) for line, text in messages(path) for name in unknown_settings(text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_in_messages_exist(path):
    assert [(line, name) for line, text in messages(path) for name in unknown_flags(text)] == []


def test_unknown_settings_are_found():
    assert list(unknown_flags("give --fit.no_jit_compile, --resum or --no-test")) == ["resum"]
    assert list(unknown_settings("raise fit.learning_speed, or data.path")) == ["fit.learning_speed"]
    assert list(unknown_settings("use task.text.language and data.json")) == []
