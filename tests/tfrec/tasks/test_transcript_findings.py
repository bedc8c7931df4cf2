"""What a training on transcripts is told before it starts: texts that are empty, too long, or of several scripts."""

import json

import numpy as np
import pytest
import soundfile

from tfrec.commands import check, evaluate, fit

NET = ("--task.name", "transcribe", "--model.name", "lstm_ctc", "--model.units", "8", "--model.depth", "1")
SHORT = ("--fit.epochs", "1", "--export.no_after_fit")


@pytest.fixture
def corpus(tmp_path):
    """A function from texts to the flags of a manifest of clips of a second, a quarter of them for validation."""

    def write(texts, seconds=1.0, rate=8000):
        random, rows = np.random.default_rng(0), []
        for i, text in enumerate(texts):
            samples = random.normal(
                scale=0.1, size=round((seconds[i] if isinstance(seconds, list) else seconds) * rate)
            )
            soundfile.write(tmp_path / f"{i}.wav", samples, rate)
            rows.append({"path": f"{i}.wav", "text": text, "split": ("train", "train", "validation", "test")[i % 4]})
        (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return ("--data.name", "manifest", "--data.path", str(tmp_path / "t.jsonl"), *NET)

    return write


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setattr(check.console, "width", 300)


def one_line(text):
    return " ".join(text.split())


def test_check_names_empty_mixed_and_rare(corpus, capsys):
    texts = ["abc ab", "\U0001f600", "ab", "...", "\u0441at tac", "Zu\u0308rich", "b", "abc"] * 8
    texts[8] = "abq"
    check.main([*corpus(texts), "--no_rehearsal"])
    printed = one_line(capsys.readouterr().out)
    assert "train 8 of 32 texts are empty after normalization t.jsonl:2, t.jsonl:10" in printed
    assert "test 8 of 16 texts are empty after normalization t.jsonl:4" in printed
    assert "train 8 of 32 texts mix letters of several scripts in a word t.jsonl:5" in printed
    assert "train 1 of" in printed
    assert "characters are in fewer than 3 texts each: 'q' 1" in printed


@pytest.mark.slow
def test_fit_names_them_and_scores_are_defined(corpus, tmp_path, caplog):
    texts = ["abc ab", "\U0001f600", "...", "\U0001f600", "\u0441at \u0430", "Z\u00fcrich", "...", "?!"] * 2
    run = tmp_path / "run"
    assert fit.main([*corpus(texts), *SHORT, "--run", str(run)]) == 0
    printed = caplog.text
    assert "2 of 8 texts of the train split are empty after normalization, such as t.jsonl:2" in printed
    assert "4 of 4 texts of the test split are empty after normalization, such as t.jsonl:4" in printed
    assert "t.jsonl:5 '\u0441at \u0430' with Cyrillic '\u0441'" in printed
    # No reference has a word: an error rate is the number of words that are output.
    scores = json.loads((run / "metrics.json").read_text())
    assert np.isfinite(scores["test"]["wer"])
    for decode in (("greedy",), ("beam",)):
        assert evaluate.main([str(run), "--decode.method", *decode]) == 0


def test_repeated_letters_need_a_step_each(corpus, capsys):
    # With a window of 20 ms and a hop of 10 ms; six letters that are alike need eleven steps.
    flags = ("--frontend.window_ms", "20", "--frontend.hop_ms", "10", "--model.subsampling", "1", "--no_rehearsal")
    for text, steps, fits in (("abcabc", 6, True), ("llllll", 6, False), ("llllll", 10, False), ("llllll", 11, True)):
        seconds = [0.01 * (steps + 1), 1.0, 1.0, 1.0] * 3
        check.main([*corpus([text, "abcl", "abc", "abc"] * 3, seconds), *flags])
        assert ("3 of 6 texts need more than" in one_line(capsys.readouterr().out)) != fits, (text, steps)


@pytest.mark.slow
def test_fit_counts_texts_that_are_too_long_and_refuses_where_all_are(corpus, tmp_path, caplog, fails):
    flags = corpus(["abc" * 40, "abc", "abc" * 40, "a"] * 4)
    assert fit.main([*flags, *SHORT, "--run", str(tmp_path / "run")]) == 0
    printed = caplog.text
    assert "4 of 4 validation texts have" in printed
    assert "4 of 8 training texts have more symbols than the lstm_ctc has steps for their clips, such as" in printed
    assert "they are left out of CTC's loss" in printed
    message = fails(fit, *corpus(["abc" * 40] * 16), *SHORT, "--run", str(tmp_path / "none"))
    assert "All 8 training texts have more symbols than the lstm_ctc has steps for their clips" in message
    assert not (tmp_path / "none").exists()
