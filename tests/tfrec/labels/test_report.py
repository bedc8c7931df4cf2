"""Wrong labels that were planted, by relabeled copies of data, and the page and table of those that are found."""

import base64
import csv
import dataclasses
import io
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from benchmarks.wrong_labels import plant
from tfrec.commands import check
from tfrec.config import flags
from tfrec.labels import cross_validation, report
from tfrec.training import session


def rows_of(folder):
    with (folder / report.TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def planted_digits():
    """The digits, 2 % of which have another label; (config, corpus, the numbers of those)."""
    words = ["--model.name", "cnn", "--model.width", "8", "--fit.learning_rate", "0.01"]
    config, corpus = session.resolve(flags.to_config(flags.parse_fit(words)[1]))
    changed, wrong = plant(corpus, np.random.default_rng(0))
    return config, changed, np.flatnonzero(np.concatenate(list(wrong.values())))


def test_planted_labels_are_listed_first():
    config, corpus, wrong = planted_digits()
    labels = report.find(config, corpus, {}, folds=2, steps=160)
    first = [label.number for label in labels[: round(0.03 * len(labels))]]
    assert len(set(first) & set(wrong)) >= 0.9 * len(wrong)
    assert sum(label.suspected for label in labels) < 0.03 * len(labels)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Folders of pictures bright at the right and below; one is in the wrong folder, and one in both."""
    folder, random, ramp = tmp_path_factory.mktemp("shapes"), np.random.default_rng(0), np.linspace(30, 220, 10)

    def picture(is_right):
        slope = np.tile(ramp, (10, 1)) if is_right else np.tile(ramp[:, None], (1, 10))
        pixels = np.clip(random.normal(slope[..., None], 30, (10, 10, 3)), 0, 255).astype("uint8")
        return Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC)

    for label in ("=right", "below"):
        (folder / label).mkdir()
        for i in range(24):
            picture(label == "=right").save(folder / label / f"{i}.png")
    picture(True).save(folder / "below" / "wrong<b>.png")
    Image.open(folder / "=right" / "3.png").save(folder / "below" / "again.jpg", quality=80)
    return folder


WORDS = ("--labels", "--no_rehearsal", "--fold_steps", "60", "--fit.epochs", "60", "--folds", "2")
SMALL = ("--model.name", "mlp", "--model.width", "8", "--frontend.height", "8", "--frontend.width", "8")


def test_a_folder_of_pictures(shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [f"{shapes}/", *SMALL, "--fit.learning_rate", "0.02", *WORDS]
    assert check.main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "contradicted with confidence by networks" in printed
    rows, page = rows_of(tmp_path / "labels"), (tmp_path / "labels" / "labels.html").read_text(encoding="utf-8")
    assert len(rows) == 50
    found = {row["example"].rpartition("/")[2]: row for row in rows[:3]}
    assert set(found) == {"wrong<b>.png", "again.jpg", "3.png"}
    assert found["again.jpg"]["contradicted"] == found["3.png"]["contradicted"] == "yes"
    assert found["again.jpg"]["near_copies"].endswith("/3.png (=right)")
    assert found["wrong<b>.png"]["likely_label"] == "'=right"  # no formula
    assert found["wrong<b>.png"]["suspected"] == "yes"
    assert page.count("<article") == sum("yes" in (row["suspected"], row["contradicted"]) for row in rows)
    assert "wrong&lt;b&gt;.png" in page
    assert "wrong<b>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) >= 5
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0])))).std() > 5
    before = (tmp_path / "labels" / "labels.csv").read_bytes()
    assert check.main([*words, "--output", "again", "--shown", "1"]) == 0
    assert (tmp_path / "again" / "labels.csv").read_bytes() == before
    assert (tmp_path / "again" / "labels.html").read_text(encoding="utf-8").count("<article") == 1


def test_clips_of_a_manifest(tones, tmp_path, monkeypatch):
    """With the probabilities of a network that is right, which saves its training."""

    def know(build, config, corpus, folds, steps):
        high = [row.path.startswith(str(tones / "high")) for row in cross_validation.pool(corpus).rows]
        return np.where(high, 0.9, 0.1)[:, None] * [1, -1] + [0, 1]

    monkeypatch.setattr(cross_validation, "probabilities", know)
    lines = ["path,label"]
    for path in sorted(tones.glob("*/*")):
        wrong = path.parent.name == "low" and path.stem == "4"
        lines.append(f"{path},{'high' if wrong else path.parent.name}")
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    words = [str(tmp_path / "clips.csv"), "--model.width", "4", "--labels", "--no_rehearsal"]
    assert check.main([*words, "--output", str(tmp_path / "out")]) == 0
    first = rows_of(tmp_path / "out")[0]
    assert first["example"].endswith("clips.csv:28") or "low/4" in first["example"]
    assert (first["label"], first["likely_label"], first["suspected"]) == ("high", "low", "yes")
    page = (tmp_path / "out" / "labels.html").read_text(encoding="utf-8")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(re.search(r"audio/wav;base64,([^\"]+)", page)[1])))
    assert rate == 8000
    assert 2000 <= len(samples) < 6000


@pytest.mark.slow
def test_planted_labels_of_spoken_digits(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir / "tfds"))
    words = ["--data.name", "spoken_digit", "--model.width", "16"]
    config, corpus = session.resolve(flags.to_config(flags.parse_fit(words)[1]))
    corpus, planted = plant(corpus, np.random.default_rng(0))
    labels = report.find(config, corpus, {}, folds=3, steps=300)
    wrong = np.concatenate(list(planted.values()))[[label.number for label in labels]]
    assert wrong[: round(0.03 * len(labels))].sum() >= 0.9 * wrong.sum()


def test_near_copies_of_examples_in_memory():
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (6, 20, 20, 1)).astype("uint8")
    pictures[4] = pictures[1]
    examples = tf.data.Dataset.from_tensor_slices({"image": pictures, "label": np.arange(6) % 2})
    corpus = planted_digits()[1]
    split = dataclasses.replace(corpus.splits["train"], examples=examples, size=6)
    assert report.near_copies(corpus, split) == [(1, 4)]
    waves = np.diff(random.normal(size=(4, 8001)).cumsum(axis=1), axis=1).astype("float32") / 8
    waves *= random.uniform(0, 1, (4, 8)).repeat(1000, axis=1)
    waves[3] = 0.5 * waves[2]
    clips = tf.data.Dataset.from_tensor_slices({"audio": waves, "label": np.arange(4) % 2})
    spoken = dataclasses.replace(corpus, modality="audio", sample_rate_hz=16000)
    assert report.near_copies(spoken, dataclasses.replace(split, examples=clips, size=4)) == [(2, 3)]


def test_errors(melodies, shapes, fails, tmp_path):
    words = [
        "--data.name",
        "manifest",
        "--data.path",
        melodies,
        "--task.name",
        "transcribe",
        "--model.name",
        "lstm_ctc",
    ]
    assert "task.name transcribe has no classes" in fails(check, *words, "--labels")
    assert "24 examples of =right are too few for --folds 25" in fails(
        check, f"{shapes}/", *SMALL, "--labels", "--folds", "25"
    )
    assert "folds must be 2 or more. Received: 1" in fails(check, "digits", "--labels", "--folds", "1")
