"""The source is written in the field's words and in American spelling (CONTRIBUTING.md)."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted(path for folder in ("pipelines", "tfrec", "tuning") for path in (ROOT / folder).rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

BANNED = [
    r"told|tells|telling|(?<![.\w])(?<!def )tell",
    r"so many|so much",
    r"(?-i:is none)",
    r"c[oa]mes? to nothing",
    r"hopes?|thinks|looks? back|looks? at|in vain|at heart|by heart",
    r"fallen silent|falls silent|fall silent",
    r"no finite number|what is no|makes it what it is called|what stands behind",
    r"shepherd|pretends?|pretended|anew",
    r"nobody|somebody|whoever|shall",
    r"hears?|heard",
    r"goes on|go on|gone on|going on",
    r"is wanted|gives? out|kept apart",
    r"beside",
]
BRITISH = [
    r"\w*(?:recognis|normalis|optimis(?!ti)|regularis|initialis|generalis|randomis|minimis|maximis|summaris|organis)\w*",
    r"colou?r(?<=colour)\w*",
    r"behaviour\w*|neighbour\w*|favour\w*|honour\w*",
    r"grey\w*|centre[sd]?|licence\w*|labell\w+|modell\w+|cancell(?:ed|ing)|analys(?:e|ed|es|ing)|artefact\w*",
    r"per cent|towards|learnt|whilst|programme",
]
# Terms of the field, and titles of papers, that hold one of these words.
ALLOWED = [
    r"Listen, Attend and Spell",
    r"deci\w*bel",
    r"side by side|beside itself",
]
PATTERN = re.compile(rf"\b(?:{'|'.join(BANNED + BRITISH)})\b", re.IGNORECASE)
EXCEPTIONS = re.compile("|".join(ALLOWED))


def findings(path):
    """Lines of a file with a banned word."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if found := PATTERN.search(EXCEPTIONS.sub("", line)):
            yield f"{path.relative_to(ROOT)}:{number}: {found.group()!r} in {line.strip()[:100]}"


@pytest.mark.parametrize("path", FILES + PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_plain_american_english(path):
    assert not list(findings(path))


def test_the_pattern_finds_what_it_must():
    for text in ("as it was told", "a recogniser", "The colours", "it goes on", "per cent", "BEHAVIOUR"):
        assert PATTERN.search(text), text
    for text in ("a recognizer", "stolen", "colors", "percent", "tolerance"):
        assert not PATTERN.search(text), text
