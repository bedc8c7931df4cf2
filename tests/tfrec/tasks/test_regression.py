"""Regression: loss and scores against plain formulas, and a training, an evaluation, predictions and an export."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import tfrec
from pipelines import frontends
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec import architectures, tasks
from tfrec.config import experiments
from tfrec.config.schema import Config, ExportConfig, FitConfig
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import regression
from tfrec.training import loop

LABELS = {"mean": 20.0, "deviation": 4.0}


def pictures(size, seed):
    """A Split of gray pictures, whose numbers grow with the brightness."""
    random = np.random.default_rng(seed)
    brightness = random.uniform(50, 200, size)
    images = np.clip(brightness[:, None, None, None] + random.normal(scale=10, size=(size, 8, 8, 1)), 0, 255)
    numbers = (5 + brightness / 10).astype("float32")
    examples = tf.data.Dataset.from_tensor_slices({"image": images.astype("uint8"), "label": numbers})
    return Split(examples, size, numbers=numbers)


@pytest.fixture(scope="module")
def corpus():
    splits = {"train": pictures(128, 0), "validation": pictures(32, 1), "test": pictures(40, 2)}
    return Corpus("brightness", "image", (), splits)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    model = dataclasses.replace(architectures.default_config("mlp"), width=16, dropout=0.0)
    frontend = frontends.resolve(frontends.ImageConfig(normalize="symmetric"), corpus)
    fit = FitConfig(epochs=40, batch_size=16, learning_rate=1e-2)
    config = Config(experiments.find("digits")().data, frontend, model, regression.Config(), fit)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    run = Run(tmp_path_factory.mktemp("regression") / "run")
    run.create()
    history = loop.train(recognizer, corpus, run, verbose=0)
    return recognizer, history


@pytest.fixture(scope="module")
def task():
    return tasks.build(regression.Config(), LABELS)


def test_labels_are_mean_and_deviation_of_the_training_split(corpus):
    labels = tasks.labels(regression.Config(), corpus)
    numbers = corpus.splits["train"].numbers
    assert labels == {"mean": pytest.approx(numbers.mean()), "deviation": pytest.approx(numbers.std())}
    assert json.loads(json.dumps(labels)) == labels
    splits = {**corpus.splits, "test": dataclasses.replace(corpus.splits["test"], numbers=None)}
    with pytest.raises(UserError, match=r"brightness, test split, has no numbers, which task\.name regress needs"):
        tasks.labels(regression.Config(), dataclasses.replace(corpus, splits=splits))


@pytest.mark.parametrize("labels", [["a", "b"], {}, {"mean": 1.0}, {"mean": 0.0, "deviation": 0.0}, {"mean": "x"}])
def test_damaged_labels(labels):
    with pytest.raises(UserError, match="a finite mean and a positive deviation"):
        tasks.build(regression.Config(), labels)


def test_the_loss_is_the_squared_error_in_standard_deviations(task):
    outputs, targets = np.float32([[0.5], [-1.0], [0.0]]), np.float32([22.0, 20.0, 28.0])
    np.testing.assert_allclose(task.example_losses(outputs, targets), [0.0, 1.0, 4.0])
    assert float(task.loss(outputs, targets)) == pytest.approx(5 / 3)
    assert float(task.loss(outputs, targets, np.float32([1, 0.5, 0.25]))) == pytest.approx(1.5 / 3)
    metrics = task.metrics()
    task.update_metrics(metrics, outputs, targets)
    assert float(metrics[0].result()) == pytest.approx((0 + 4 + 8) / 3)


def test_export_outputs_are_in_the_unit_of_the_corpus(task):
    outputs = task.export_outputs(tf.constant([[0.5], [-1.0]]), ExportConfig())
    np.testing.assert_allclose(outputs["number"], [22.0, 16.0])
    answers = task.read_answers({"number": outputs["number"].numpy()}, None)
    assert [answer.to_dict() for answer in answers] == [{"number": 22.0}, {"number": 16.0}]
    assert answers[0].table([("a.png", answers[0])]).row_count == 1
    with pytest.raises(UserError, match=r"task\.name regress has no beam search"):
        task.check_export(ExportConfig(beam_width=2))


def test_a_training_learns(trained, corpus):
    recognizer, history = trained
    assert {"loss", "mae", "val_loss", "val_mae"} <= history[-1].keys()
    assert history[-1]["val_mae"] < 0.3 * corpus.splits["train"].numbers.std()
    best = min(row["val_loss"] for row in history)
    outputs, targets = recognizer.outputs(corpus.splits["validation"], 8)
    assert float(recognizer.task.loss(outputs, targets)) == pytest.approx(best, rel=1e-3)


def test_scores(trained, corpus, tmp_path):
    recognizer, _ = trained
    scores = recognizer.evaluate(corpus)
    predicted = np.array([answer.value for answer in recognizer.predict(images_of(corpus))])
    numbers = corpus.splits["test"].numbers
    errors = np.abs(predicted - numbers)
    assert scores["mae"] == pytest.approx(errors.mean(), rel=1e-4)
    assert scores["mae_interval"][0] < scores["mae"] < scores["mae_interval"][1]
    assert scores["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-4)
    assert scores["r2"] == pytest.approx(1 - (errors**2).mean() / numbers.var(), rel=1e-4)
    np.testing.assert_allclose(scores["pairs"], np.stack([numbers, predicted], axis=1), rtol=1e-4)
    assert json.loads(json.dumps(scores)) == scores
    for name, values in ((None, errors), ("mae", errors), ("loss", errors**2)):
        scored = recognizer.task.per_example(recognizer, corpus.splits["test"], 16, name)
        np.testing.assert_allclose(scored.counts, values, rtol=1e-2, atol=1e-3)
        assert scored.rate() == pytest.approx(scores[name or "mae"], rel=1e-4)
    assert recognizer.task.report(scores, "test split").row_count == 1
    recognizer.task.plot(scores, tmp_path)
    assert (tmp_path / "numbers.png").read_bytes().startswith(b"\x89PNG")


def images_of(corpus):
    return [example["image"] for example in corpus.splits["test"].examples.as_numpy_iterator()]


def test_a_run_and_an_export_predict_the_same(trained, corpus, tmp_path):
    recognizer, _ = trained
    untrained.run(tmp_path / "run", recognizer)
    exported = recognizer.replace(run=None).export(tmp_path / "saved", "brightness")
    images = images_of(corpus)[:3]
    expected = [answer.value for answer in recognizer.predict(images)]
    for path in (tmp_path / "run", exported):
        assert [answer.value for answer in tfrec.load(path).predict(images)] == pytest.approx(expected, rel=1e-4)


def test_options_that_regression_does_not_have(trained, corpus):
    recognizer, _ = trained
    with pytest.raises(UserError, match=r"--decode: task\.name regress does not decode"):
        recognizer.evaluate(corpus, decode=object())
    with pytest.raises(UserError, match=r"--chunk_seconds: task\.name regress does not take this"):
        recognizer.predict(images_of(corpus), chunk_seconds=3)
    with pytest.raises(UserError, match=r"--stream: task\.name regress does not take this"):
        recognizer.task.stream(recognizer)
