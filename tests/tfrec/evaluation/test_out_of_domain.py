"""`tfrec evaluate --ood`: pictures and clips of no class."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from tfrec.commands import evaluate
from tfrec.evaluation import other_data, out_of_domain
from tfrec.runs import splits
from tfrec.runs.run import Run

SCORES = ("energy", "mahalanobis", "maximum_probability")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Pictures and clips of noise, at several depths of one folder."""
    folder, random = tmp_path_factory.mktemp("others"), np.random.default_rng(0)
    (folder / "below" / "it").mkdir(parents=True)
    for i in range(12):
        place = folder / "below" / "it" if i % 2 else folder
        Image.fromarray(random.integers(0, 256, (9, 9 + i % 3, 3), "uint8")).save(place / f"{i}.png")
        soundfile.write(place / f"{i}.wav", random.normal(scale=0.1, size=3000 + 100 * i), 8000)
    return folder


@pytest.mark.parametrize("name", ["digits", "cnn"])
def test_noise_is_of_no_class(name, trained, others, tmp_path, capsys):
    run = Run(shutil.copytree(trained(name)[0].path, tmp_path / "run"))
    assert evaluate.main([str(run.path), "--ood", str(others), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = printed[f"ood_{others.name}"]
    assert found == run.read_json("metrics.json")[f"ood_{others.name}"]
    assert found["other_examples"] == 12
    assert found["data_path"] == str(others)
    for score in SCORES:
        low, high = found[score]["auroc_interval"]
        assert low <= found[score]["auroc"] <= high
        assert 0 <= found[score]["fpr_at_95_tpr"] <= 1
    assert found["mahalanobis"]["auroc"] > 0.75
    with (run.path / f"predictions_ood_{others.name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {*SCORES, "path", "answer"} == set(rows[0])
    assert sum(float(row["energy"]) >= found["energy"]["threshold"] for row in rows) == round(
        12 * found["energy"]["fpr_at_95_tpr"]
    )
    assert (run.path / f"ood_{others.name}" / "out_of_domain.png").is_file()
    assert "test" in printed


def test_the_table(trained, others, tmp_path, capsys):
    run = Run(shutil.copytree(trained("digits")[0].path, tmp_path / "run"))
    assert evaluate.main([str(run.path), "--ood", str(others)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "AUROC" in printed
    assert "energy" in printed
    assert "12 others" in printed
    assert f"predictions_ood_{others.name}.csv" in printed


def test_classes_that_are_to_be_rejected_are_left_out(trained, others, monkeypatch):
    run, recognizer = trained("digits")
    names = list(recognizer.task.class_names)
    monkeypatch.setattr(recognizer.task, "class_names", ("silence", *names[1:]))
    corpus = splits.load(run, recognizer.config, recognizer.task.labels, ("train", "test"))
    outside = other_data.load_unlabeled(recognizer, str(others))
    found = out_of_domain.measure(recognizer, *(corpus.splits["test"], outside, corpus.splits["train"]), 64).scores
    assert found["examples"] == int((corpus.splits["test"].labels != 0).sum())
    assert "silence" not in {row["answer"] for row in found["predictions"]}


def test_of_many_training_examples_some_are_drawn(trained, others, monkeypatch):
    run, recognizer = trained("digits")
    monkeypatch.setattr(out_of_domain, "MAX_TRAINING", 200)
    corpus = splits.load(run, recognizer.config, recognizer.task.labels, ("train", "test"))
    outside = other_data.load_unlabeled(recognizer, str(others))
    found = [
        out_of_domain.measure(recognizer, corpus.splits["test"], outside, corpus.splits["train"], 64).scores
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0]["training_examples"] == 200


def test_errors(trained, fails, tmp_path_factory):
    digits, empty = trained("digits")[0].path, tmp_path_factory.mktemp("empty")
    assert "holds no pictures, which the run takes" in fails(evaluate, digits, "--ood", empty)
    assert "is not a folder" in fails(evaluate, digits, "--ood", "missing")
    assert "has no classes" in fails(evaluate, trained("bilstm_ctc")[0].path, "--ood", empty)
    assert "the run takes pairs" in fails(evaluate, trained("av_fusion")[0].path, "--ood", empty)


def test_files_that_are_left_out_are_named(trained, others, tmp_path, caplog):
    folder = shutil.copytree(others, tmp_path / "mixed")
    (folder / "notes.txt").write_text("noise")
    assert other_data.load_unlabeled(trained("digits")[1], str(folder)).size == 12
    assert "1 file with another ending was left out: .txt 1." in caplog.text
    assert "Left out, since the run takes pictures: 12 other media files." in caplog.text
