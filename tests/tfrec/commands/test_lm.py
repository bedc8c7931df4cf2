"""The command `lm`: sources of texts, output, and user errors."""

import csv
import gzip
import json
import math
import re

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from tests.tfrec.commands.test_commands import done
from tfrec.commands import lm
from tfrec.config import flags
from tfrec.decoding import arpa

TEXTS = {
    "train": ["Turn left!", "turn right", "go left", "stop"],
    "validation": ["turn back", "stop"],
    "test": ["never mind"],
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder to work in, with a manifest of short clips and their texts."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("clip.wav", np.sin(np.arange(800)), 8000)
    with open("clips.csv", "w", newline="", encoding="utf-8") as file:
        rows = [("clip.wav", text, split) for split, texts in TEXTS.items() for text in texts]
        csv.writer(file).writerows([("path", "text", "split"), *rows])
    return tmp_path


def output_of(capsys, *words):
    """What the command prints."""
    assert lm.main([*map(str, words)]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_separate_process(tmp_path):
    (tmp_path / "sentences.txt").write_text("\ufeffHello, world!\n\nhello  there WORLD\n", encoding="utf-8")
    out, err = done(tmp_path, "tfrec", "lm", "sentences.txt", "--order", "2")
    assert err == ""
    assert out == "lm.arpa: 3 words; 6 1-grams, 5 2-grams; language en.\n"
    model = arpa.read(tmp_path / "lm.arpa")
    assert (model.order, model.words) == (2, {"hello", "there", "world"})
    assert math.exp(model.score(("<s>",), "hello")) == pytest.approx(0.6)  # computed in test_kneser_ney.py


def test_transcripts_of_the_training_split_only(home, capsys):
    out = output_of(capsys, "clips.csv", "--output", "some.arpa.gz")
    model = arpa.read("some.arpa.gz")
    assert model.words == {"turn", "left", "right", "go", "stop"}
    assert "some.arpa.gz: 5 words; 8 1-grams, " in out
    perplexity, count, unknown = model.perplexity([["turn", "back"], ["stop"]])
    assert (count, unknown) == (5, 1)
    validated = re.search(r"Validation split: perplexity (\S+) over 5 words .* 1 are not in the model \(20.0%\)", out)
    assert float(validated.group(1)) == pytest.approx(perplexity, abs=0.01)


def test_characters(home, capsys):
    assert "14 characters" in output_of(capsys, "clips.csv", "--unit", "characters", "--order", "4")
    model = arpa.read("lm.arpa")
    assert model.words == {*"turnleftrightgostop"} | {"<space>"}
    assert model.score(("u", "r", "n"), "<space>") > model.score(("u", "r", "n"), "u")


def test_a_configuration_decides_how_texts_are_normalized(home, capsys):
    words = ["--data.name", "manifest", "--data.path", "clips.csv", "--task.name", "transcribe"]
    stored = flags.to_config(flags.parse_fit([*words, "--task.text.case", "keep"])[1]).to_dict()
    home.joinpath("run").mkdir()
    home.joinpath("run", "config.json").write_text(json.dumps(stored))
    home.joinpath("sentences.txt").write_text("Stop MORE")
    output_of(capsys, "run")
    assert "Turn" in arpa.read("lm.arpa").words
    output_of(capsys, "sentences.txt", "--config", "run/config.json")
    assert arpa.read("lm.arpa").words == {"Stop", "MORE"}


def test_a_language(home, capsys):
    home.joinpath("sentences.txt").write_bytes(gzip.compress("\u0643\u064a\u0627".encode()))
    assert "language ur" in output_of(capsys, "sentences.txt", "--task.text.language", "ur")
    assert arpa.read("lm.arpa").words == {"\u06a9\u06cc\u0627"}


def test_phonemes_are_kept_or_folded_as_in_the_run(home, capsys):
    home.joinpath("sentences.txt").write_text("h# ax-h  AA q\n")
    output_of(capsys, "sentences.txt", "--task.unit", "phonemes")
    assert arpa.read("lm.arpa").words == {"h#", "ax-h", "AA", "q"}
    output_of(capsys, "sentences.txt", "--task.unit", "phonemes", "--task.fold_phonemes", "39")
    assert arpa.read("lm.arpa").words == {"sil", "ah", "AA"}


@pytest.mark.parametrize(("words", "message"), [
    (["clips.cvs"], "There is no file and no folder clips.cvs"),
    (["texts/all"], "There is no file and no folder texts/all"),
    (["digit"], "Unknown experiment 'digit'"),
    (["digits"], "has no transcripts"),
    (["sentences.txt", "--ordr", "2"], "--ordr"),
    (["sentences.txt", "--order", "0"], "order must be from 1 to 10. Received: 0"),
    (["sentences.txt", "--output", "none/lm.arpa"], "Cannot write none/lm.arpa"),
    (["sentences.txt", "--output", "."], "Cannot write ."),
    (["sentences.txt", "--task.text.language", "Urdu"], "text.language must be a code"),
    (["empty.txt"], "There are no words"),
    (["bytes.txt"], "bytes.txt is not UTF-8 text"),
    (["cut.txt.gz"], "cut.txt.gz is not UTF-8 text, plain or gzipped"),
])  # fmt: skip
def test_user_errors(home, words, message):
    home.joinpath("sentences.txt").write_text("some words")
    home.joinpath("empty.txt").write_text("\n ?\n")
    home.joinpath("bytes.txt").write_bytes(b"\xff\xfe\x00")
    home.joinpath("cut.txt.gz").write_bytes(gzip.compress(b"some words")[:-9])
    with pytest.raises(UserError, match=re.escape(message)):
        lm.main(words)
    assert not home.joinpath("lm.arpa").exists()
