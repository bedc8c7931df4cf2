"""SimCLR: the loss against a loop, no use of labels, data without labels, transfer, and what such a run answers."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfrec
from pipelines import frontends
from pipelines.datasets import folder, manifest
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tests.tfrec import conftest
from tfrec import architectures, tasks
from tfrec.commands import evaluate, explain, listen, predict
from tfrec.config import experiments, flags
from tfrec.config.schema import Config, FitConfig
from tfrec.evaluation.metrics import representation
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import pretraining, simclr
from tfrec.training import loop, session

NAMES = ("left", "middle", "right")
AUGMENTED = frontends.ImageConfig(normalize="symmetric", shift_fraction=0.05, brightness=0.3, contrast=0.3)


def pictures(size, seed):
    """A Split of bars at three places."""
    random, labels = np.random.default_rng(seed), np.arange(size) % 3
    images = random.integers(0, 60, (size, 12, 12, 1))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 3] += 150
    examples = tf.data.Dataset.from_tensor_slices({"image": images.astype("uint8"), "label": labels})
    return Split(examples, size, labels=labels)


@pytest.fixture(scope="module")
def corpus():
    sizes = {"train": 48, "validation": 16, "test": 24}
    return Corpus("bars", "image", NAMES, {name: pictures(size, i) for i, (name, size) in enumerate(sizes.items())})


def configured(corpus, frontend=AUGMENTED, **fit):
    model = dataclasses.replace(architectures.default_config("cnn"), width=8, depth=2)
    fit = FitConfig(**{"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, **fit})
    data = experiments.find("digits")().data
    return Config(data, frontends.resolve(frontend, corpus), model, simclr.Config(hidden=32, projection=16), fit)


def fit(corpus, path, **settings):
    config = configured(corpus, **settings)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    run = Run(path)
    run.create()
    return recognizer, loop.train(recognizer, corpus, run, verbose=0)


@pytest.fixture(scope="module")
def learned(corpus, tmp_path_factory):
    return fit(corpus, tmp_path_factory.mktemp("simclr") / "run")


def test_the_loss_is_that_of_a_loop():
    outputs = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
    vectors = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    losses = []
    for i, vector in enumerate(vectors):
        others = [np.exp(vector @ vectors[k] / 0.2) for k in range(10) if k != i]
        losses.append(-np.log(np.exp(vector @ vectors[(i + 5) % 10] / 0.2) / sum(others)))
    task = simclr.SimCLR(simclr.Config(temperature=0.2, projection=4), [])
    assert float(task.loss(outputs, None)) == pytest.approx(np.mean(losses), rel=1e-5)


def test_metrics_tell_a_collapse_from_views_that_agree():
    task = simclr.SimCLR(simclr.Config(projection=8), [])
    views = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    for outputs, accuracy, spread in ((np.concatenate([views, views]), 1.0, 1.0), (np.ones((128, 8), "f"), None, 0.0)):
        metrics = task.metrics()
        task.update_metrics(metrics, outputs, None)
        assert accuracy is None or float(metrics[0].result()) == accuracy
        assert float(metrics[1].result()) == pytest.approx(spread, abs=0.1)
    (sentence,) = task.epoch_warnings({"val_embedding_std": 0.01})
    assert "training has collapsed: lower fit.learning_rate" in sentence
    assert task.epoch_warnings({"val_embedding_std": 0.5}) == []


def relabeled(corpus):
    """The same examples with labels in another order."""
    random = np.random.default_rng(5)
    splits = {}
    for name, split in corpus.splits.items():
        labels = random.permutation(split.labels)
        examples = tf.data.Dataset.zip((split.examples, tf.data.Dataset.from_tensor_slices(labels)))
        examples = examples.map(lambda example, label: {**example, "label": label})
        splits[name] = dataclasses.replace(split, examples=examples, labels=labels)
    return dataclasses.replace(corpus, splits=splits)


def test_labels_are_not_used(corpus, learned, tmp_path):
    other, _ = fit(relabeled(corpus), tmp_path / "run")
    for one, two in zip(learned[0].network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_training_learns_and_reports_the_spread(learned):
    rows = learned[1]
    assert {"val_loss", "view_accuracy", "val_view_accuracy", "embedding_std", "val_embedding_std"} <= rows[0].keys()
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_collapse_is_a_warning(corpus, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(pretraining, "COLLAPSED", 10.0)
    fit(corpus, tmp_path / "run")
    assert sum("training has collapsed" in message for message in caplog.messages) == 1


def test_scores_compare_with_the_training_split(corpus, learned):
    recognizer, _ = learned
    assert recognizer.evaluate(corpus).keys() == {"embedding_std", "examples"}
    recognizer.task.use_reference(recognizer, corpus.splits["train"])
    scores = recognizer.evaluate(corpus)
    for name in ("probe_accuracy", "knn_accuracy"):
        assert scores[name] > 0.9
        assert scores[f"{name}_interval"][0] < scores[name] <= scores[f"{name}_interval"][1]
        assert recognizer.task.per_example(recognizer, corpus.splits["test"], 8, name).rate() == scores[name]
    assert json.loads(json.dumps(scores)) == scores


def test_predictions_from_features():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    train = random.normal(size=(60, 5)) + 4 * np.eye(3, 5)[labels]
    for predict_classes in (representation.linear_probe, representation.nearest_neighbors):
        assert (predict_classes(train[:45], labels[:45], train[45:]) == labels[45:]).mean() > 0.9
    weights = np.exp(representation.normalize(train[:45]) @ representation.normalize(train[45:]).T / 0.07)
    similar = np.argsort(-weights, axis=0)[:20]
    votes = [
        [sum(weights[i, k] for i in column if labels[i] == c) for c in range(3)] for k, column in enumerate(similar.T)
    ]
    expected = np.argmax(votes, axis=1)
    np.testing.assert_array_equal(representation.nearest_neighbors(train[:45], labels[:45], train[45:]), expected)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frontend": frontends.ImageConfig()}, "without augmentation they are equal"),
        ({"frontend": dataclasses.replace(AUGMENTED, placement="host")}, "set frontend.placement device"),
        ({"frontend": dataclasses.replace(AUGMENTED, mixup=0.2)}, "no labels to mix"),
        ({"batch_size": 1}, "raise fit.batch_size above 1"),
    ],
)
def test_settings_that_give_no_views(corpus, changes, sentence):
    recognizer = Recognizer(configured(corpus, **changes), list(NAMES))
    with pytest.raises(UserError, match=sentence):
        recognizer.task.check_training(recognizer, corpus)


def parsed(*words):
    return flags.to_config(flags.parse_fit([*words, "--export.no_after_fit"])[1])


@pytest.fixture(scope="module")
def from_flat_folder(corpus, tmp_path_factory):
    """(a run that is trained on a folder without classes, that folder)."""
    folder = tmp_path_factory.mktemp("flat") / "pictures"
    folder.mkdir()
    for i, example in enumerate(corpus.splits["train"].examples.as_numpy_iterator()):
        Image.fromarray(example["image"][..., 0]).save(folder / f"{i}.png")
    words = ["--data.name", "folder", "--data.path", str(folder), "--data.channels", "1", "--task.name", "simclr"]
    words += ["--model.width", "8", "--model.depth", "2", "--fit.epochs", "1", "--frontend.brightness", "0.5"]
    words += ["--frontend.normalize", "symmetric", "--task.hidden", "16"]
    result = session.train(parsed(*words), Run(folder.parent / "run"), verbose=0)
    return result.run, folder


def test_a_folder_without_classes(from_flat_folder):
    run, folder = from_flat_folder
    assert run.read_json("labels.json") == []
    assert run.read_json("config.json")["data"]["unlabeled"] is True
    assert run.read_json("metrics.json")["test"].keys() == {"embedding_std", "examples"}
    with pytest.raises(UserError, match="outside of the class folders"):
        parsed("--data.name", "folder", "--data.path", str(folder))


def test_files_with_a_few_labels_or_none(tmp_path):
    for name in ("train", "val"):
        (tmp_path / "split" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (8, 8), 20 * i).save(tmp_path / "split" / name / f"{i}.png")
    config = folder.Config(path=str(tmp_path / "split"), unlabeled=True)
    assert [row.split for row in folder.list_files(config)] == ["train"] * 4 + ["validation"] * 4
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"split/train/{i}.png,{'x' * i}\n" for i in range(4)))
    rows = manifest.list_files(manifest.Config(path=str(tmp_path / "list.csv"), unlabeled=True))
    assert [row.label for row in rows] == [""] * 4
    with pytest.raises(UserError, match="label is empty"):
        manifest.list_files(manifest.Config(path=str(tmp_path / "list.csv")))
    (tmp_path / "list.csv").write_text("path\nsplit/train/0.png\nsplit/val/1.png\n")
    assert len(manifest.list_files(manifest.Config(path=str(tmp_path / "list.csv"), unlabeled=True))) == 2


def test_evaluation_on_labeled_data(from_flat_folder, corpus, tmp_path, capsys):
    run, folder = from_flat_folder
    assert evaluate.main([str(run.path)]) == 0
    for name in NAMES:
        (tmp_path / "bars" / name).mkdir(parents=True)
    for i in range(48):
        shutil.copy(folder / f"{i}.png", tmp_path / "bars" / NAMES[i % 3])
    capsys.readouterr()
    assert evaluate.main([str(run.path), "--data.path", str(tmp_path / "bars"), "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out).values()
    assert scores["probe_accuracy"] > 0.5


@pytest.mark.slow
def test_the_supervised_training_starts_from_it(from_flat_folder, corpus, tmp_path, caplog):
    run, _ = from_flat_folder
    caplog.set_level("INFO")
    words = ["digits", "--model.width", "8", "--model.depth", "2", "--frontend.height", "12", "--frontend.width", "12"]
    words += ["--data.examples_per_class", "4", "--fit.epochs", "1", "--model.weights", str(run.path)]
    result = session.train(parsed(*words, "--fit.freeze", "backbone"), Run(tmp_path / "run"), verbose=0)
    assert any("randomly initialized: 'logits'" in message for message in caplog.messages)
    learned, started = Recognizer.from_run(run).network, result.recognizer.network
    kernel = next(layer.name for layer in started.layers if "conv" in layer.name)
    np.testing.assert_array_equal(
        started.get_layer(kernel).get_weights()[0], learned.get_layer(kernel).get_weights()[0]
    )


@pytest.mark.slow
def test_answers_are_features_of_a_run_and_of_its_export(from_flat_folder, tmp_path, capsys):
    run, folder = from_flat_folder
    files = [str(folder / f"{i}.png") for i in range(2)]
    assert predict.main([str(run.path), *files, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    exported = tfrec.load(Recognizer.from_run(run).export(tmp_path / "served", "flat"))
    for row, answer in zip(answers, exported.predict(files), strict=True):
        np.testing.assert_allclose(row["embedding"], answer.vector, rtol=1e-3, atol=1e-4)
    assert predict.main([str(run.path), *files]) == 0
    assert "cosine similarity" in capsys.readouterr().out
    for command in (explain, listen):
        with pytest.raises(UserError, match=r"no classes and no text|classifies clips"):
            command.main([str(run.path), files[0]])


@pytest.mark.slow
def test_clips(tones, tmp_path):
    words = ["--data.name", "folder", "--data.path", str(tones), "--task.name", "simclr", "--model.width", "4"]
    words += ["--fit.epochs", "2", "--frontend.gain_db", "6", "--frontend.time_masks", "1"]
    _, recognizer = conftest.train(parsed(*words), tmp_path / "run")
    recognizer.task.use_reference(recognizer, session.datasets.load(recognizer.config.data).splits["train"])
    assert "probe_accuracy" in recognizer.evaluate(session.datasets.load(recognizer.config.data))
