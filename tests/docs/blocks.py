"""The code blocks of the documentation, and what the marker before each says about its test.

A marker is a comment on the line before a block, which the rendered page does not show; `;` separates its options:

    <!-- test: append --fit.epochs 1 --model.width 4; slow -->

append FLAGS              added to every command of the block that takes the flags of `tfrec fit`
slow                      executed with `pytest -m slow` only; the default suite parses the commands
needs NAME                parsed only where the real data NAME are absent, a path below TFREC_TEST_DATA
parse because REASON      commands are parsed and not executed
skip because REASON       neither parsed nor executed
entry MODULE.REGISTRY     the block is an import and an entry of this dict, which has it until the end of the page
"""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*) *(?P<options>.*)$")
MARKER = re.compile(r"^ *<!-- test: (.*) -->$")
INLINE = re.compile(r"(?<!`)`((?:tfrec|tfrec-sweep|python -m) [^`]+)`(?!`)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: pathlib.Path
    line: int  # of the fence
    language: str
    title: str  # of the rendered block, a path of the project where it is a whole file
    text: str
    append: tuple[str, ...] = ()
    slow: bool = False
    needs: str = ""
    entry: str = ""
    parsed_because: str = ""
    skipped_because: str = ""

    @property
    def where(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read(page):
    """The blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    result, start = [], None
    for number, line in enumerate(lines):
        if start is None and (fence := FENCE.match(line)):
            start, opened = number, fence
        elif start is not None and line.strip() == "```":
            indent = len(opened["indent"])
            text = "".join(inside[indent:] + "\n" for inside in lines[start + 1 : number])
            marker = MARKER.match(lines[start - 1]) if start else None
            title = re.search(r'title="([^"]*)"', opened["options"])
            options = _options(marker[1] if marker else "", f"{page.name}:{start}")
            result.append(Block(page, start + 1, opened["language"], title[1] if title else "", text, **options))
            start = None
    assert start is None, f"{page}:{start + 1}: the block does not end"
    return result


def loose_markers(page):
    """Lines of markers that are not directly before a block."""
    lines, inside = page.read_text(encoding="utf-8").splitlines(), False
    for number, line in enumerate(lines):
        inside ^= line.lstrip().startswith("```")
        if "<!-- test:" in line and not inside and not (MARKER.match(line) and FENCE.match(lines[number + 1])):
            yield f"{page.relative_to(ROOT)}:{number + 1}: {line}"


def inline_commands(page):
    """(where, command) of the commands in the text and the tables of a page."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        inside ^= line.lstrip().startswith("```")
        if not inside:
            for command in INLINE.findall(line):
                yield f"{page.relative_to(ROOT)}:{number}", command


def _options(marker, where):
    options = {}
    for option in filter(None, map(str.strip, marker.split(";"))):
        name, _, value = option.partition(" ")
        if name == "append":
            options["append"] = tuple(value.split())
        elif option == "slow":
            options["slow"] = True
        elif name in ("needs", "entry") and value:
            options[name] = value
        elif re.match(r"(skip|parse) because \S.{10,}", option):
            options["skipped_because" if name == "skip" else "parsed_because"] = value.removeprefix("because ")
        else:
            raise AssertionError(f"{where}: unknown option {option!r}; a reason follows 'skip because'")
    return options
