"""Hypotheses as text, page and table, with hostile texts and names."""

import base64
import hashlib
import html.parser
import io
import re

import pytest
import rich.console

from tfrec.evaluation.metrics import transcription
from tfrec.reports import alignments, pages

HOSTILE = '<script>alert(1)</script>"\n\x1b[2J\u202etxt.wav\udc80'
ROWS = [
    {"source": "good.wav", "reference": "yes", "hypothesis": "yes", "speaker": None, "seconds": 9},
    {
        "source": "an4/one.sph",
        "reference": "go  home now please",
        "hypothesis": "uh go hole now",
        "speaker": "ann",
        "seconds": 1.234,
        "times": [(0, 0.1), (0.1, 0.25), (0.5, 0.6), (0.7, 0.8)],
    },
    {"source": HOSTILE, "reference": "a <b>x</b>", "hypothesis": '<img src=x onerror="alert(1)">', "speaker": "[red]"},
    {"id": 7, "reference": "آپ کیسے ہیں", "hypothesis": "آپ کسے ہیں", "seconds": 2},
    {"reference": "", "hypothesis": "uh"},
]


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text of each article."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.articles = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "article":
            self.articles.append("")

    def handle_data(self, data):
        if self.articles:
            self.articles[-1] += f" {data}"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alignments")
    alignments.write(folder, ROWS)
    return folder


def test_text_is_aligned_and_sorted_by_errors(written):
    text = (written / "hypotheses.txt").read_text(encoding="utf-8")
    total, *blocks = text.split("\n\n")
    scores = transcription.score([row["reference"] for row in ROWS], [row["hypothesis"] for row in ROWS])
    assert total.startswith(f"5 utterances: WER {100 * scores['wer']:.2f} % (")
    assert "10 words, 4 substituted, 1 deleted, 3 inserted" in total
    names = [block.split("  ")[0] for block in blocks]
    assert names[0] == "an4/one.sph"
    assert names[2:] == ["7", "5", "good.wav"]  # the name of 5 is its place
    assert blocks[0].split("\n") == [
        "an4/one.sph  ann  1.23 s  3 edits of 4 words, S 1, D 1, I 1",
        "REF: ** go home now please",
        "HYP: uh go hole now ******",
        "     I     S        D",
    ]
    assert blocks[-1].rstrip().endswith("9.00 s  0 edits of 1 words\nREF: yes\nHYP: yes")


def test_hostile_names_stay_on_one_line(written):
    text = (written / "hypotheses.txt").read_text(encoding="utf-8")
    assert r'<script>alert(1)</script>"\n\x1b[2J\u202etxt.wav\udc80  [red]  3 edits' in text
    for character in ("\x1b", "\u202e"):
        assert character not in text
        assert character not in (written / "hypotheses.html").read_text(encoding="utf-8")
    joiner = "نه‌بو"  # whose zero-width non-joiner belongs to the word
    assert pages.printable(joiner) == joiner


def test_page_shows_errors_and_escapes_texts(written):
    text = (written / "hypotheses.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [tag for tag, _ in page.tags if tag in ("img", "b", "link", "iframe")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "src"]
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "<script>alert(1)</script>" in page.articles[1]
    assert "<del>home</del><ins>hole</ins>" in text
    assert 'class="pair I" title="0.00 to 0.10 s"' in text
    assert '<span title="0.10 to 0.25 s">go</span>' in text
    articles = [attributes for tag, attributes in page.tags if tag == "article"]
    assert [attributes["data-edits"] for attributes in articles] == ["3", "3", "1", "1", "0"]
    assert [attributes["data-place"] for attributes in articles] == ["1", "2", "3", "4", "0"]
    assert all(attributes.get("dir") == "auto" for _, attributes in page.tags if attributes.get("class") == "text")
    assert {"edits", "rate", "seconds", "place"} == {
        attributes["data-key"] for tag, attributes in page.tags if tag == "button"
    }


def test_page_of_a_large_corpus_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(alignments, "MAX_ON_PAGE", 2)
    alignments.write(tmp_path, ROWS)
    text = (tmp_path / "hypotheses.html").read_text(encoding="utf-8")
    assert text.count("<article") == 2
    assert "the worst 2 of which are shown" in text
    assert "good.wav" in (tmp_path / "hypotheses.txt").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="at least one utterance"):
        alignments.write(tmp_path, [])


def shown(table):
    console = rich.console.Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_table():
    references, hypotheses = (["go home", "go now", "yes"], ["go hole", "go hole", "yes"])
    text = shown(
        alignments.table(transcription.score(references, hypotheses, groups=["en", "[red]x", "en"]), "[bold]test split")
    )
    assert "[bold]test split" in text
    assert re.search(r"all +40\.00 \([\d.]+ to [\d.]+\)", text)
    assert re.search(r"en +33\.33 +\d", text)
    assert "[red]x" in text
    assert re.search(r"2 words +50\.00|2 to 3 words +50\.00", text)
    assert "66.7% of utterances with errors; 5 words, 2 substituted, 0 deleted, 0 inserted" in text
    assert "home > hole (1), now > hole (1)" in text
    phonemes = shown(alignments.table(transcription.score(["a b"], ["a"], unit="phonemes"), "test"))
    assert "PER, %" in phonemes
    assert "CER" not in phonemes
