"""Which module may import which (the table in CONTRIBUTING.md), read from the syntax trees."""

import ast
import collections
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("pipelines", "tfrec", "tuning")
OURS = (*PACKAGES, "benchmarks", "tests")
ALLOWED = {"pipelines": {"pipelines"}, "tfrec": {"pipelines", "tfrec"}, "tuning": {"pipelines", "tfrec", "tuning"}}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
WITHOUT_TENSORFLOW = ("tfrec/architectures/", "pipelines/layers/")


def module_of(path):
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


# Modules that run as programs, which nothing imports: `python -m` would run them a second time.
PROGRAMS = {module_of(path) for path in FILES if '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")}
STARTED_BY = {"tfrec.__main__": {"tfrec.fit"}}  # the one import of a program: the same command line


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def nodes_of(tree, with_types):
    """Every node below a tree; without what only type checkers read, unless `with_types`."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node) and not with_types:
            continue
        yield node
        yield from nodes_of(node, with_types)


def imported(path, with_types=True):
    """Every module that a file imports, at any depth; `from a import b` counts as a and a.b."""
    for node in nodes_of(ast.parse(path.read_text(encoding="utf-8")), with_types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top(module):
    return module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_import_rules(path):
    modules, name = set(imported(path)), path.relative_to(ROOT).as_posix()
    ours = {module for module in modules if top(module) in OURS}
    assert {top(module) for module in ours} <= ALLOWED[path.relative_to(ROOT).parts[0]]
    assert {module for module in ours & PROGRAMS if module_of(path) not in STARTED_BY.get(module, ())} == set()
    assert {module for module in ours if module.startswith("tfrec.commands")} == set()
    if name.startswith(WITHOUT_TENSORFLOW) and path.stem != "_compat":
        assert not {"tensorflow", "tensorflow_io"} & {top(module) for module in modules}
    if name != "pipelines/decoders.py":
        assert "tensorflow_io" not in {top(module) for module in modules}


def test_there_are_programs():
    assert {"tfrec.__main__", "tfrec.fit", "tuning.sweep"} <= PROGRAMS


def test_only_the_command_line_names_the_commands():
    """As the start of a module's name, which it completes."""
    naming = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and str(node.value).startswith("tfrec.commands"):
                naming.add(module_of(path))
    assert naming == {"tfrec.__main__"}


def package_graph():
    """The packages and top-level modules inside tfrec, and "tfrec" itself -> those that they import."""
    parts = {
        path.stem for path in (ROOT / "tfrec").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    graph = collections.defaultdict(set)
    for path in (ROOT / "tfrec").rglob("*.py"):
        part = path.relative_to(ROOT / "tfrec").with_suffix("").parts[0]
        part = "tfrec" if part == "__init__" else part
        for module in imported(path, with_types=False):
            words = module.split(".")
            if words[0] == "tfrec" and len(words) > 1:
                graph[part].add(words[1] if words[1] in parts else "tfrec")
        graph[part].discard(part)
    return graph


def circles(graph):
    """Nodes that reach themselves."""
    result = set()
    for start in list(graph):
        reached, waiting = set(), [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        if start in reached:
            result.add(start)
    return result


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == set()


def test_there_is_no_circle_between_packages_of_tfrec():
    graph = package_graph()
    assert {"recognizer", "tasks", "training", "tfrec"} <= set(graph)
    in_circles = circles(graph)
    assert {name: sorted(graph[name] & in_circles) for name in sorted(in_circles)} == {}
