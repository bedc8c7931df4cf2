"""Who may import whom (the table in CONTRIBUTING.md)."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
OURS = ("pipelines", "tfrec", "tuning", "benchmarks", "tests")
ENTRY_POINTS = {
    f"{path.relative_to(ROOT).with_suffix('')}".replace("/", ".")
    for folder in ("tfrec", "tuning")
    for path in (ROOT / folder).rglob("*.py")
    if '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")
}
FILES = sorted(path for folder in ("pipelines", "tfrec", "tuning") for path in (ROOT / folder).rglob("*.py"))


def imported(path):
    """Every module that a file imports, however deep inside it; `from a import b` counts as a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    modules = set(imported(path))
    allowed = {"pipelines": {"pipelines"}, "tfrec": {"pipelines", "tfrec"}, "tuning": {"pipelines", "tfrec", "tuning"}}
    package = path.relative_to(ROOT).parts[0]
    ours = {module for module in modules if top(module) in OURS}
    assert {top(module) for module in ours} <= allowed[package]
    assert not ours & ENTRY_POINTS
    folder = str(path.relative_to(ROOT))
    if folder.startswith(("tfrec/architectures", "pipelines/layers")):
        assert not {"tensorflow", "tensorflow_io"} & {top(module) for module in modules}
    if folder != "pipelines/decoders.py":
        assert "tensorflow_io" not in {top(module) for module in modules}


def test_there_are_entry_points():
    assert {"tfrec.fit", "tfrec.evaluate", "tfrec.predict", "tfrec.export", "tfrec.list"} <= ENTRY_POINTS
    assert {"tfrec.show", "tfrec.compare", "tfrec.study"} <= ENTRY_POINTS
