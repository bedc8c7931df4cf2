"""The page of a classifier's errors."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tfrec.commands import evaluate
from tfrec.explain import mistakes
from tfrec.runs import splits


def with_errors(recognizer, split):
    """The predictions of a split, of which the first three get another answer."""
    rows = recognizer.task.predictions(recognizer.evaluate(split))
    names = list(recognizer.task.class_names)
    for number, row in enumerate(rows[:3]):
        row["answer"] = next(name for name in names if name != row["label"])
        row["probability"] = 0.5 + number / 10
    return rows[:3] + [{**row, "answer": row["label"]} for row in rows[3:]]


@pytest.mark.parametrize("name", ["digits", "cnn", "av_fusion"])
def test_the_most_confident_errors(name, trained, tmp_path):
    run, recognizer = trained(name)
    split = splits.load(run, recognizer.config, recognizer.task.labels, ("test",)).splits["test"]
    rows = with_errors(recognizer, split)
    page = mistakes.write(recognizer, split, rows, tmp_path, limit=2).read_text(encoding="utf-8")
    assert f"3 errors in {len(rows)} examples, the 2 most confident of which are shown." in page
    assert page.count("<article") == 2
    assert page.index("70.0%") < page.index("60.0%")
    assert "50.0%" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    for picture in re.findall(r"data:image/png;base64,([^\"]+)", page):
        assert np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))).std() > 5
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", page)
    assert len(sounds) == (0 if name == "digits" else 2)
    if sounds:
        examples = list(split.examples.as_numpy_iterator())
        samples, _ = soundfile.read(io.BytesIO(base64.b64decode(sounds[0])))
        np.testing.assert_allclose(samples, examples[2]["audio"], atol=1e-4)


def test_names_are_escaped(trained, tmp_path):
    run, recognizer = trained("digits")
    split = splits.load(run, recognizer.config, recognizer.task.labels, ("test",)).splits["test"]
    rows = with_errors(recognizer, split)
    rows[0]["path"] = "<script>alert(1)</script>"
    page = mistakes.write(recognizer, split, rows, tmp_path, limit=3).read_text(encoding="utf-8")
    assert "<script>alert" not in page


def test_filters_by_what_is_known_of_the_examples(trained, tmp_path):
    run, recognizer = trained("cnn")
    split = splits.load(run, recognizer.config, recognizer.task.labels, ("test",)).splits["test"]
    rows = with_errors(recognizer, split)
    speakers = [f'"s{i % 2}' for i in range(split.size)]
    conditions = [("street", 10.0) if i else (None, float("inf")) for i in range(split.size)]
    known = dataclasses.replace(split, speakers=speakers, groups=["x"] * split.size, conditions=conditions)
    page = mistakes.write(recognizer, known, rows, tmp_path, limit=3).read_text(encoding="utf-8")
    filters = dict(re.findall(r'<label>(\w+) <select name="(\w+)"', page))
    assert set(filters) >= {"speaker", "noise", "snr"}
    assert "group" not in filters  # all are the same
    for name, value, count in (("speaker", "&#34;s0", 2), ("noise", "street", 2), ("snr", "clean", 1)):
        assert page.count(f'data-{filters[name]}="{value}"') == count
    without = mistakes.write(recognizer, split, rows, tmp_path, limit=3).read_text(encoding="utf-8")
    assert not {"speaker", "noise", "snr"} & set(re.findall(r"<label>(\w+) <select", without))


def test_without_errors_there_is_no_page(trained, tmp_path):
    run, recognizer = trained("digits")
    split = splits.load(run, recognizer.config, recognizer.task.labels, ("test",)).splits["test"]
    rows = [{**row, "answer": row["label"]} for row in with_errors(recognizer, split)]
    (tmp_path / mistakes.NAME).write_text("of an earlier evaluation")
    assert mistakes.write(recognizer, split, rows, tmp_path, limit=2) is None
    assert not (tmp_path / mistakes.NAME).exists()


def test_the_flag(trained, capsys):
    run, recognizer = trained("digits")
    assert evaluate.main([str(run.path), "--mistakes", "1"]) == 0
    has_errors = any(
        row["label"] != row["answer"]
        for row in recognizer.task.predictions(
            recognizer.evaluate(splits.load(run, recognizer.config, recognizer.task.labels, ("test",)).splits["test"])
        )
    )
    assert ("mistakes.html" in capsys.readouterr().out) == has_errors
    with pytest.raises(UserError, match=r"task\.name transcribe has no classes"):
        evaluate.main([str(trained("bilstm_ctc")[0].path), "--mistakes", "1"])
