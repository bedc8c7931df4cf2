"""ARPA files: round trips, foreign files, damaged files."""

import gzip

import pytest

from pipelines.errors import UserError
from tests.tfrec.decoding.test_kneser_ney import corpus
from tests.tfrec.decoding.toy import FOREIGN_ARPA
from tfrec.decoding import arpa, kneser_ney


@pytest.fixture
def foreign(tmp_path):
    """A function from replacements in FOREIGN_ARPA to the file."""

    def write(old="", new=""):
        assert old in FOREIGN_ARPA
        path = tmp_path / "foreign.arpa"
        path.write_text(FOREIGN_ARPA.replace(old, new) if old else FOREIGN_ARPA, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
@pytest.mark.parametrize("order", [1, 3])
def test_round_trip(tmp_path, name, order):
    model = kneser_ney.build([*corpus(100, 20), ["ਸ਼ਬਦ", "کتاب"]], order)
    path = tmp_path / name
    arpa.write(model, path)
    assert path.read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"\\d")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    restored = arpa.read(path)
    assert (restored.order, restored.words) == (model.order, model.words)
    assert restored.log10.keys() == model.log10.keys()
    assert restored.log10 == pytest.approx(model.log10, abs=1e-6)
    assert restored.backoff.keys() == model.backoff.keys()
    assert restored.backoff == pytest.approx(model.backoff, abs=1e-6)
    for sentence in corpus(5, 20, seed=1):
        assert restored.score(tuple(sentence[:-1]), sentence[-1]) == pytest.approx(
            model.score(tuple(sentence[:-1]), sentence[-1]), abs=1e-5
        )


@pytest.mark.parametrize(("old", "new", "message"), [
    ("\\data\\", "data", "ends too early"),
    ("ngram 1=5\nngram 2=2\nngram 3=1\n", "", "lines such as .ngram 1=100"),
    ("ngram 2=2", "ngram 3=2", "orders must be 1, 2"),
    ("ngram 1=5", "ngram 1=99999999999", "declares 100,000,000,00. n-grams, more than"),
    ("ngram 1=5", "ngram 1=6", ":15 .*the log10 of a probability, 1 words"),
    ("ngram 1=5", "ngram 1=4", ":13 .*2-grams: must follow 4 1-grams"),
    ("-0.5 a", "0.5 a", ":12 .*the log10 of a probability"),
    ("-0.5 a", "nan a", "the log10 of a probability"),
    ("-0.5 a -0.125", "-0.5 a -inf", "the log10 of a probability"),
    ("-0.5 a -0.125", "-0.5 a b -0.125", "the log10 of a probability"),
    ("-0.75\tb", "-0.75\ta", "'a' appears twice"),
    ("-0.2\ta b\t-0.3", "-0.2", "2 words"),
    ("\\end\\\n", "", "ends too early"),
    ("a b\t-0.3", "a b" + "b" * 200_000, "longer than 100,000 characters"),
    ("made by hand", "\n" * 3000, "too many empty lines"),
])  # fmt: skip
def test_rejects_damaged_files(foreign, old, new, message):
    path = foreign(old, new)
    with pytest.raises(UserError, match=message) as error:
        arpa.read(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400


def test_rejects_other_files(tmp_path):
    path = tmp_path / "lm.arpa"
    with pytest.raises(UserError, match=r"Cannot read .*lm.arpa: No such file"):
        arpa.read(path)
    for content in (b"\xff\xfe\x00" * 9, b"\x1f\x8b rest", gzip.compress(FOREIGN_ARPA.encode())[:60], b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"lm\.arpa.*(not an ARPA file|not a gzip|compressi)"):
            arpa.read(path)


def test_writes_are_atomic(tmp_path):
    model = kneser_ney.build([["a"]], 1)
    model.log10[("\ud800",)] = -1.0  # not valid UTF-8
    with pytest.raises(UnicodeEncodeError):
        arpa.write(model, tmp_path / "lm.arpa")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"Cannot write .*: No such file or directory"):
        arpa.write(kneser_ney.build([["a"]], 1), tmp_path / "none" / "lm.arpa")
