"""N-gram models and their files: back-off, round trips, foreign files, damaged files."""

import gzip
import math

import pytest

from pipelines.errors import UserError
from tests.tfrec.decoding.test_kneser_ney import corpus
from tfrec.decoding import kneser_ney, ngram

# As SRILM writes, with spaces and tabs, an <unk>, and pruned: "b c" is gone while "a b c" is there.
FOREIGN = """made by hand

\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-99 <s> -0.5
-1\t</s>
-2\t<unk>\t-0.25
-0.5 a -0.125
-0.75\tb

\\2-grams:
-0.1\t<s> a\t-1
-0.2\ta b\t-0.3

\\3-grams:
-0.05\t<s> a b

\\end\\
"""


@pytest.fixture
def foreign(tmp_path):
    """A function from replacements in FOREIGN to the file."""

    def write(old="", new=""):
        assert old in FOREIGN
        path = tmp_path / "foreign.arpa"
        path.write_text(FOREIGN.replace(old, new) if old else FOREIGN, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
@pytest.mark.parametrize("order", [1, 3])
def test_round_trip(tmp_path, name, order):
    model = kneser_ney.build([*corpus(100, 20), ["ਸ਼ਬਦ", "کتاب"]], order)
    path = tmp_path / name
    ngram.write(model, path)
    assert path.read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"\\d")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    again = ngram.read(path)
    assert (again.order, again.words) == (model.order, model.words)
    assert again.log10.keys() == model.log10.keys()
    assert again.log10 == pytest.approx(model.log10, abs=1e-6)
    assert again.backoff.keys() == model.backoff.keys()
    assert again.backoff == pytest.approx(model.backoff, abs=1e-6)
    for sentence in corpus(5, 20, seed=1):
        assert again.score(tuple(sentence[:-1]), sentence[-1]) == pytest.approx(
            model.score(tuple(sentence[:-1]), sentence[-1]), abs=1e-5
        )


@pytest.mark.parametrize(("history", "word", "log10"), [
    (("<s>", "a"), "b", -0.05),
    (("b", "<s>", "a"), "b", -0.05),  # longer than needed
    (("a",), "b", -0.2),
    ((), "b", -0.75),
    (("b",), "a", -0.5),  # nothing goes on from "b"
    (("<s>", "a"), "a", -1 - 0.125 - 0.5),
    (("a", "b"), "</s>", -0.3 - 1),
    (("a",), "c", -0.125 - 2),
    (("c",), "c", -0.25 - 2),
])  # fmt: skip
def test_back_off(foreign, history, word, log10):
    model = ngram.read(foreign())
    assert (model.order, model.words) == (3, {"a", "b"})
    assert model.score(history, word) == pytest.approx(log10 * math.log(10))


def test_perplexity(foreign):
    total = -0.05 - 0.1 - 0.3 - 1 + (-0.5 - 2) + (-0.25 - 1)
    perplexity, count, unknown = ngram.read(foreign()).perplexity([["a", "b"], ["c"]])
    assert (count, unknown) == (5, 1)
    assert perplexity == pytest.approx(10 ** (-total / 5))


def test_without_an_unknown_word(foreign):
    model = ngram.read(foreign("-2\t<unk>\t-0.25", "-2\tc"))
    assert model.score((), "zebra") == pytest.approx(-100 * math.log(10))
    assert ngram.read(foreign("<unk>", "<UNK>")).score((), "zebra") == pytest.approx(-2 * math.log(10))


def test_characters():
    assert ngram.units("ab  c", "words") == ["ab", "c"]
    assert ngram.units("ਸ਼ b", "characters") == ["\u0a38", "\u0a3c", "<space>", "b"]


@pytest.mark.parametrize(("old", "new", "told"), [
    ("\\data\\", "data", "ends too early"),
    ("ngram 1=5\nngram 2=2\nngram 3=1\n", "", "must come lines such as"),
    ("ngram 2=2", "ngram 3=2", "orders must be 1, 2"),
    ("ngram 1=5", "ngram 1=99999999999", "declares 100,000,000,00. n-grams, more than"),
    ("ngram 1=5", "ngram 1=6", ":15 .*a log10 of a probability, 1 words"),
    ("ngram 1=5", "ngram 1=4", ":13 .*2-grams: must follow 4 1-grams"),
    ("-0.5 a", "0.5 a", ":12 .*a log10 of a probability"),
    ("-0.5 a", "nan a", "a log10 of a probability"),
    ("-0.5 a -0.125", "-0.5 a -inf", "a log10 of a probability"),
    ("-0.5 a -0.125", "-0.5 a b -0.125", "a log10 of a probability"),
    ("-0.75\tb", "-0.75\ta", "'a' is there twice"),
    ("-0.2\ta b\t-0.3", "-0.2", "2 words"),
    ("\\end\\\n", "", "ends too early"),
    ("a b\t-0.3", "a b" + "b" * 200_000, "longer than 100,000 characters"),
    ("made by hand", "\n" * 3000, "too many empty lines"),
])  # fmt: skip
def test_damaged(foreign, old, new, told):
    path = foreign(old, new)
    with pytest.raises(UserError, match=told) as error:
        ngram.read(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400


def test_no_text(tmp_path):
    path = tmp_path / "lm.arpa"
    with pytest.raises(UserError, match=r"Cannot read .*lm.arpa: No such file"):
        ngram.read(path)
    for content in (b"\xff\xfe\x00" * 9, b"\x1f\x8b rest", gzip.compress(FOREIGN.encode())[:60], b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"lm\.arpa.*(no ARPA file|not a gzip|compressi)"):
            ngram.read(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    model = kneser_ney.build([["a"]], 1)
    model.log10[("\ud800",)] = -1.0  # no UTF-8
    with pytest.raises(UnicodeEncodeError):
        ngram.write(model, tmp_path / "lm.arpa")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"Cannot write .*: No such file or directory"):
        ngram.write(kneser_ney.build([["a"]], 1), tmp_path / "none" / "lm.arpa")
