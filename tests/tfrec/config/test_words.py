"""Words of a command line become values by the types of fields."""

import dataclasses
from typing import Literal

import pytest
import tyro

from pipelines.errors import UserError
from tfrec.config.words import CommandLine, fields_of


@dataclasses.dataclass(frozen=True)
class Inner:
    width: int = 1
    ratio: float | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    source: tyro.conf.Positional[str]
    files: tyro.conf.Positional[tuple[str, ...]] = ()
    verbose: bool = False
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] | None = None
    span: tuple[float, float] = (0.0, 1.0)
    size: Literal[8, 16] | None = None
    text: str = ""
    inner: Inner = Inner()


def values(*words):
    return CommandLine.read(words).values(fields_of(Outer))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], {"source": "a", "files": []}),
        (["a", "b", "-c"], {"source": "a", "files": ["b", "-c"]}),
        (["--verbose", "a", "b"], {"verbose": True, "source": "a", "files": ["b"]}),
        (["a", "--no_verbose"], {"verbose": False, "source": "a", "files": []}),
        (["a", "--verbose=false"], {"verbose": False, "source": "a", "files": []}),
        (["a", "--inner.width", "3", "b"], {"inner.width": 3, "source": "a", "files": ["b"]}),
        (["a", "--inner.width", "-3"], {"inner.width": -3, "source": "a", "files": []}),
        (["a", "--inner.width=3", "--inner.width", "4"], {"inner.width": 4, "source": "a", "files": []}),
        (["a", "--inner.width", "many"], {"inner.width": "many", "source": "a", "files": []}),
        (["a", "--inner.ratio", "None"], {"inner.ratio": None, "source": "a", "files": []}),
        (["a", "--inner.ratio", "1e-3"], {"inner.ratio": 0.001, "source": "a", "files": []}),
        (["a", "--names", "-5dB", "None", "true"], {"names": ["-5dB", "None", "true"], "source": "a", "files": []}),
        (["a", "--names=--quiet", "0dB"], {"names": ["--quiet", "0dB"], "source": "a", "files": []}),
        (["a", "--names"], {"names": [], "source": "a", "files": []}),
        (["a", "--kinds", "None"], {"kinds": None, "source": "a", "files": []}),
        (["a", "--kinds", "x", "None"], {"kinds": ["x", "None"], "source": "a", "files": []}),
        (["--span", "-1", "2", "a", "b"], {"span": [-1.0, 2.0], "source": "a", "files": ["b"]}),
        (["a", "--size", "16"], {"size": 16, "source": "a", "files": []}),
        (["a", "--size", "12"], {"size": "12", "source": "a", "files": []}),
        (["a", "--text", "None"], {"text": "None", "source": "a", "files": []}),
        (["a", "--text="], {"text": "", "source": "a", "files": []}),
        (["a", "--text", "-", "--", "--b", "-h"], {"text": "-", "source": "a", "files": ["--b", "-h"]}),
        (["a", "--text=x=y"], {"text": "x=y", "source": "a", "files": []}),
    ],
    ids=" ".join,
)
def test_values(words, expected):
    assert values(*words) == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Missing argument SOURCE"),
        (["a", "--verbos"], "Unknown flag '--verbos': did you mean '--verbose'?"),
        (["a", "--inner.widht", "1"], "Unknown flag '--inner.widht': did you mean '--inner.width'"),
        (["a", "--x.jjjjjjjjj", "1"], "Unknown flag '--x.jjjjjjjjj': known are '--verbose', '--names'"),
        (["a", "--source", "b"], "Unknown flag '--source'"),
        (["a", "--no_names"], "Unknown flag '--no_names': did you mean '--names'?"),
        (["a", "--no_verbose=1"], "Unknown flag '--no_verbose': did you mean '--verbose'?"),
        (["a", "--text"], "--text needs a value"),
        (["a", "--inner.width", "--verbose"], "--inner.width needs a value"),
    ],
    ids=" ".join,
)
def test_mistakes(words, sentence):
    with pytest.raises(UserError) as caught:
        values(*words)
    assert str(caught.value).startswith(sentence)


def test_words_that_nothing_takes():
    with pytest.raises(UserError, match=r"Unexpected argument 'b' after --width"):
        CommandLine.read(["--width", "1", "b", "c"]).values(fields_of(Inner))
    with pytest.raises(UserError, match=r"Unexpected argument 'a': flags look like"):
        CommandLine.read(["a", "--width", "1"]).values(fields_of(Inner))


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["a", "--text", "-h"], ["--text", "--help"]])
def test_help(words):
    assert CommandLine.read(words).asks_for_help


@pytest.mark.parametrize("words", [[], ["--text=-h"], ["--", "--help"], ["--text", "h"], ["-hh"]])
def test_no_help(words):
    assert not CommandLine.read(words).asks_for_help


def test_the_last_of_equal_flags():
    line = CommandLine.read(["--a", "1", "--no-b", "--a=2", "--b", "--c"])
    assert (line.text("a"), line.text("c"), line.text("d")) == ("2", None, None)
    assert line.last("b", "no_b").name == "b"
