"""The shape of the source, read from its syntax trees: tasks are opaque, folders and files small, names distinct."""

import ast
import collections
import pathlib
import re

import pytest

from tfrec.__main__ import COMMANDS
from tfrec.tasks import TASKS

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("pipelines", "tfrec", "tuning")
KNOW_TASKS = ("tfrec/tasks/", "tfrec/config/experiments/", "tfrec/studies/")  # may name single tasks
ONE_KIND = (  # folders that hold one kind of thing, a file each
    "pipelines/datasets",
    "pipelines/layers",
    "tfrec/architectures/image",
    "tfrec/architectures/layers",
    "tfrec/architectures/speech",
    "tfrec/commands",
    "tfrec/tasks",
)
MAX_FILES, MAX_FILE_LINES, MAX_FUNCTION_LINES = 15, 400, 50


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def is_task(node):
    """Whether an expression is a variable or an attribute with the name of a task."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return re.fullmatch(r"_?task", name) is not None


def names_in(node):
    """Every variable and attribute below a node."""
    for child in ast.walk(node):
        if isinstance(child, ast.Name | ast.Attribute):
            yield child.id if isinstance(child, ast.Name) else child.attr


def calls(tree, *functions):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            yield node


def questions_about_tasks(tree):
    """Lines that ask which task something is, or what it can do."""
    classes = {task.__name__ for task in TASKS.values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in TASKS:
            yield node.lineno, f"the name {node.value!r}"
        if isinstance(node, ast.Try) and any(is_task(child) for part in node.body for child in ast.walk(part)):
            for handler in node.handlers:
                if handler.type is not None and "AttributeError" in names_in(handler.type):
                    yield handler.lineno, "except AttributeError"
    for call in calls(tree, "isinstance", "issubclass"):
        if classes & set(names_in(call.args[1])):
            yield call.lineno, "isinstance"
    for call in calls(tree, "hasattr", "getattr"):
        if is_task(call.args[0]) and (call.func.id == "hasattr" or len(call.args) == 3):
            yield call.lineno, call.func.id


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name_of)
def test_no_code_asks_which_task_it_has(path):
    if not name_of(path).startswith(KNOW_TASKS):
        assert list(questions_about_tasks(tree_of(path))) == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('if task.name == "classify": pass', 1),
        ("isinstance(task, base.Transcription | Regression)", 1),
        ('hasattr(recognizer.task, "vocabulary") or getattr(task, "labels", None)', 2),
        ("try:\n    self.task.decode()\nexcept (KeyError, AttributeError):\n    pass", 1),
        ('"to classify"; isinstance(task, Task); getattr(task, name); hasattr(split, "texts")', 0),
        ("try:\n    other()\nexcept AttributeError:\n    task = None", 0),
    ],
)
def test_questions_about_tasks_are_found(code, count):
    assert len(list(questions_about_tasks(ast.parse(code)))) == count


def test_the_top_level_of_tfrec():
    assert {path.stem for path in (ROOT / "tfrec").glob("*.py")} == {"__init__", "__main__", "fit", "recognizer"}


def test_no_folder_has_many_files():
    counts = collections.Counter(name_of(path.parent) for path in sources(*PACKAGES))
    assert {folder: count for folder, count in counts.items() if count > MAX_FILES and folder not in ONE_KIND} == {}


def test_no_file_is_long():
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*PACKAGES, "tests")
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_long():
    lengths = {}
    for path in sources(*PACKAGES):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[f"{name_of(path)}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_no_two_names_in_a_folder_differ_by_an_ending():
    folders = collections.defaultdict(set)
    for path in sources(*PACKAGES):
        inside = path.relative_to(ROOT).parts
        folders["/".join(inside[:-1])].add(path.stem)
        folders["/".join(inside[:-2])].add(inside[-2])
    pairs = [
        f"{folder}: {name}, {other}"
        for folder, names in folders.items()
        for name in names
        for other in names
        if re.fullmatch(rf"{re.escape(name)}[a-z]+", other) and not {name, other} <= COMMANDS.keys()
    ]
    assert sorted(pairs) == []
