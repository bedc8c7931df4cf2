"""Every code block of README.md, CONTRIBUTING.md and docs/ does what it says (`blocks` describes the markers)."""

import configparser
import contextlib
import importlib
import logging
import os
import pathlib
import re
import shutil
import sys
import types

import pytest

from tests.docs import blocks, commands, inputs

LANGUAGES = ("bash", "console", "python")  # whose blocks are executed
SHOWN = ("csv", "json", "text", "toml", "yaml")  # whose blocks are not
BLOCKS = {page: blocks.read(page) for page in blocks.PAGES}
EXECUTED = [page for page, found in BLOCKS.items() if any(block.language in LANGUAGES for block in found)]
SLOW = [page for page in EXECUTED if any(block.slow for block in BLOCKS[page])]


def name_of(page):
    return str(page.relative_to(blocks.ROOT))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with everything that a command of a page may read."""
    folder = tmp_path_factory.mktemp("docs")
    inputs.write(folder)
    return folder


@pytest.fixture
def home(data, tmp_path, monkeypatch):
    """The folder in which the blocks of a page are executed, with the state of this process restored afterwards."""
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    if real := _real_data():
        monkeypatch.setenv("TFDS_DATA_DIR", str(real / "tfds"))
    modules, level = dict(sys.modules), logging.getLogger("tfrec").level
    yield tmp_path
    logging.getLogger("tfrec").setLevel(level)
    for name in set(sys.modules) - set(modules):
        if getattr(sys.modules[name], "of_a_page", False):
            parent, _, child = name.rpartition(".")
            vars(sys.modules[parent]).pop(child, None)
            del sys.modules[name]


@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_blocks(page, home, monkeypatch):
    assert _execute_page(page, monkeypatch, slow=False) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=name_of)
def test_slow_blocks(page, home, monkeypatch):
    assert _execute_page(page, monkeypatch, slow=True) > 0


@pytest.mark.parametrize("page", blocks.PAGES, ids=name_of)
def test_every_block_is_of_a_known_kind(page):
    assert not list(blocks.loose_markers(page))
    for block in BLOCKS[page]:
        assert block.language in (*LANGUAGES, *SHOWN), f"{block.where}: language {block.language!r}"


@pytest.mark.parametrize("page", blocks.PAGES, ids=name_of)
def test_commands_in_the_text(page, home):
    for where, text in blocks.inline_commands(page):
        if text == "python -m tfrec" or re.search(r"\bCOMMAND\b|\.\.\.|^tfrec --", text):
            continue
        with _located(where):
            name, arguments = commands.ours(next(commands.split(text)))
            assert name, text
            if arguments and "--help" not in arguments:  # else the text only names the command
                commands.parse(name, arguments)


@pytest.mark.parametrize("page", blocks.PAGES, ids=name_of)
def test_extras_exist(page):
    setup = configparser.ConfigParser()
    setup.read(blocks.ROOT / "setup.cfg", encoding="utf-8")
    for names in re.findall(r'pip install (?:-e )?"\.\[([\w,]+)\]"', page.read_text(encoding="utf-8")):
        assert set(names.split(",")) <= set(setup["options.extras_require"])


def _execute_page(page, monkeypatch, slow):
    """Executes or at least parses the blocks of a page; returns their number."""
    namespace = {"__name__": "__main__"}
    checked = [block for block in BLOCKS[page] if block.language in LANGUAGES and not block.skipped_because]
    for block in checked:
        only_parsed = bool(block.parsed_because) or (block.slow and not slow) or not _has(block.needs)
        with _located(block.where):
            if block.language != "python":
                for words in commands.split(block.text, block.language):
                    _command(words, block.append, only_parsed)
            elif only_parsed:
                compile(block.text, block.where, "exec")
            elif block.entry:
                _register(block, monkeypatch)
            elif block.title.endswith(".py"):
                _load_file(block)
            else:
                exec(compile(block.text, block.where, "exec"), namespace)
    return len(checked)


def _command(words, append, only_parsed):
    name, arguments = commands.ours(words)
    commands.parse(name, arguments)
    if only_parsed:
        return
    added = append if name in commands.TAKE_FIT_FLAGS else ()
    commands.execute(name, [*arguments, *added])


def _load_file(block):
    """A block that shows a whole file: imported under the file's name; the tests in it are called."""
    name = block.title.removesuffix(".py").replace("/", ".")
    parent, _, child = name.rpartition(".")
    module = types.ModuleType(name)
    module.of_a_page = True
    path = pathlib.Path(block.title)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
    module.__file__ = str(path.resolve())
    sys.modules[name] = module
    setattr(importlib.import_module(parent), child, module)
    exec(compile(block.text, path.resolve(), "exec"), vars(module))
    for test in [value for key, value in vars(module).items() if key.startswith("test_")]:
        test()


def _register(block, monkeypatch):
    """A block that shows what a file with a registry gets: the import of a module, and the entry of a dict."""
    module, _, registry = block.entry.rpartition(".")
    imports, _, entry = block.text.partition("\n\n")
    namespace = {}
    exec(compile(imports, block.where, "exec"), namespace)
    for key, value in eval(compile(f"{{{entry.strip()}}}", block.where, "eval"), namespace).items():
        monkeypatch.setitem(getattr(importlib.import_module(module), registry), key, value)


def _real_data():
    folder = pathlib.Path(os.environ.get("TFREC_TEST_DATA", blocks.ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


def _has(name):
    return not name or (_real_data() is not None and (_real_data() / name).exists())


@contextlib.contextmanager
def _located(where):
    """Adds the place of a block to whatever is raised inside."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the block at {where}")
        raise
