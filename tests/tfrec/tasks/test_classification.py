"""Classification against independent formulas."""

import json

import keras
import numpy as np
import pytest
from sklearn import metrics as reference

from pipelines.datasets.base import Split
from tfrec.config.schema import ExportConfig
from tfrec.evaluation.metrics import classification
from tfrec.tasks.classification import Classification, Config

NAMES = tuple("abcdefg")


def random_logits(examples=200, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 6, examples)  # class g never occurs
    logits = random.normal(size=(examples, len(NAMES))).astype("float32")
    logits[np.arange(examples), labels] += 1.5
    return logits, labels


def test_a_sample_without_a_class_has_no_score_of_it():
    logits = np.eye(2, dtype="float32")[[0, 0, 0, 0, 1]]
    scores = classification.score(logits, np.array([0, 0, 0, 0, 1]), ("a", "b"))
    assert (scores["macro_f1"], scores["macro_f1_interval"]) == (1, [1, 1])


def test_report_names_classes_without_examples(capsys):
    from tfrec.utils.console import console

    logits, labels = random_logits()
    task = Classification(Config(), list(NAMES))
    console.print(task.report(task.score(logits, labels), title="test split"))
    text = " ".join(capsys.readouterr().out.split())
    assert "classes without examples, left out of the means: g" in text
    assert "g │ - │ - │ - │ 0" in text


def test_scores_equal_those_of_scikit_learn():
    logits, labels = random_logits()
    predicted = logits.argmax(axis=-1)
    scores = classification.score(logits, labels, NAMES)
    options = {"labels": range(len(NAMES)), "zero_division": 0}
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, predicted, **options)
    assert scores["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    for i, row in enumerate(scores["classes"]):
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[i], recall[i], f1[i]))
        assert row["examples"] == support[i]
    assert support[6] == 0
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert scores[f"macro_{name}"] == pytest.approx(values[:6].mean())
    log_loss = reference.log_loss(
        labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels=range(len(NAMES))
    )
    assert scores["loss"] == pytest.approx(log_loss, rel=1e-5)
    rank = (logits > logits[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    assert scores["top5_accuracy"] == pytest.approx((rank < 5).mean())
    json.dumps(scores)


def test_intervals_hold_the_value_and_shrink_with_the_examples():
    few, many = (classification.score(*random_logits(examples), NAMES) for examples in (60, 6000))
    for scores in (few, many):
        for value, interval in (("accuracy", "accuracy_interval"), ("macro_f1", "macro_f1_interval")):
            low, high = scores[interval]
            assert low < scores[value] < high
    for interval in ("accuracy_interval", "macro_f1_interval"):
        assert np.ptp(few[interval]) > 3 * np.ptp(many[interval])
    # Wilson's closed formula.
    p, n, z = 0.9, 50, 1.959964
    middle, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)),
    )
    assert classification.wilson_interval(45, 50) == pytest.approx([middle - half, middle + half], abs=1e-6)


def test_loss_equals_that_of_keras_with_smoothing_and_weights():
    logits, labels = random_logits()
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction="none")
    expected = np.array(smooth(keras.ops.one_hot(labels, len(NAMES)), logits))
    task = Classification(Config(label_smoothing=0.1), NAMES)
    np.testing.assert_allclose(task.example_losses(logits, labels), expected, rtol=1e-5)
    assert float(task.loss(logits, labels)) == pytest.approx(expected.mean(), rel=1e-5)
    balanced = Classification(Config(label_smoothing=0.1, class_weights="balanced"), NAMES)
    balanced.prepare(Split(None, len(labels), labels))
    weights = len(labels) / (len(NAMES) * np.maximum(np.bincount(labels, minlength=len(NAMES)), 1))
    np.testing.assert_allclose(balanced.example_losses(logits, labels), expected * weights[labels], rtol=1e-2)


def test_export_outputs_name_the_most_probable_class():
    logits, _ = random_logits(4)
    answer = Classification(Config(), NAMES).export_outputs(logits, ExportConfig())
    np.testing.assert_allclose(answer["probabilities"].numpy().sum(axis=1), 1, rtol=1e-5)
    assert [label.decode() for label in answer["label"].numpy()] == [NAMES[i] for i in logits.argmax(axis=1)]
    np.testing.assert_allclose(answer["probability"], answer["probabilities"].numpy().max(axis=1))


def test_report_and_plot(tmp_path):
    task = Classification(Config(), NAMES)
    scores = task.score(*random_logits())
    table = task.report(scores, "test split")
    assert table.row_count == len(NAMES) + 1
    assert f"{scores['accuracy']:.2%}" in table.caption
    task.plot(scores, tmp_path)
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_two_classes_have_no_top5():
    assert "top5_accuracy" not in classification.score(np.eye(2), np.arange(2), ("a", "b"))


def test_a_network_that_always_gives_the_same_answer_is_named():
    task = Classification(Config(), ["cat", "objects"])
    scores = task.score(np.array([[0.0, 1.0]] * 4), np.array([0, 1, 0, 0]))
    assert "every answer is objects" in task.report(scores, "test split").caption
    scores = task.score(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]))
    assert "every answer" not in task.report(scores, "test split").caption


def test_of_many_classes_the_worst_are_shown():
    names = [f"class\n{i}" for i in range(300)]
    targets = np.arange(300)
    logits = np.eye(300)
    logits[5, 5], logits[5, 6] = 0, 1
    table = Classification(Config(), names).report(Classification(Config(), names).score(logits, targets), "test")
    shown = list(table.columns[0].cells)
    assert len(shown) == 21  # and the means
    assert shown[:2] == ["class\\n5", "class\\n6"]
    assert "the worst 20 of 300 classes are shown, metrics.json has all" in table.caption
