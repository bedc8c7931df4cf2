"""Training against the worst group: by hand, on a made set where it must gain, and resumed."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines import datasets
from pipelines.datasets import example_columns
from pipelines.errors import UserError
from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec.recognizer import Recognizer
from tfrec.runs import training_state
from tfrec.runs.run import Run
from tfrec.training import loop
from tfrec.training.losses import group_dro
from tfrec.training.step import Training


def test_a_step_by_hand():
    layer = group_dro.GroupLoss(["a", "b", "c"], np.array([100, 25, 4]), step=0.5, adjustment=0.0)
    losses, groups = np.float32([1.0, 3.0, 4.0]), np.array([0, 0, 1])
    means = np.array([2.0, 4.0, 0.0])
    expected = np.exp(0.5 * means) / np.exp(0.5 * means).sum()  # that of "c", which is absent, is only normalized
    loss = layer(losses, groups)
    np.testing.assert_allclose(layer.q, expected, rtol=1e-6)
    assert float(loss) == pytest.approx(expected @ means, rel=1e-6)
    again = expected * np.exp(0.5 * means)
    layer(losses, groups)
    np.testing.assert_allclose(layer.q, again / again.sum(), rtol=1e-6)
    assert list(layer.weights_by_group()) == ["b", "a", "c"]


def test_the_adjustment_favors_small_groups():
    layer = group_dro.GroupLoss(["a", "b"], np.array([100, 4]), step=1.0, adjustment=2.0)
    layer(np.float32([1.0, 1.0]), np.array([0, 1]))
    odds = np.exp(2 / np.sqrt(4) - 2 / np.sqrt(100))
    np.testing.assert_allclose(layer.q[1] / layer.q[0], odds, rtol=1e-5)


def grouped(corpus, rare=0.08):  # noqa: F811
    """The digits, of which a few, the group "inverted", are white on black."""
    splits = {}
    for name, split in corpus.splits.items():
        inverted = np.random.default_rng(len(name)).random(split.size) < (rare if name == "train" else 0.5)
        marks = tf.data.Dataset.from_tensor_slices(inverted)

        def mix(example, mark):
            image = example["image"]
            return {**example, "image": tf.where(mark, 255 - image, image)}

        names = ["inverted" if each else "plain" for each in inverted]
        splits[name] = split.combined(marks, mix, groups=names)
    return dataclasses.replace(corpus, splits=splits)


def with_groups(config, **settings):
    task = {"group_weights": "worst", "group_column": "group", "group_step": 0.05, **settings}
    return dataclasses.replace(config, task=dataclasses.replace(config.task, **task))


def right_by_group(recognizer, split):
    logits, labels = recognizer.outputs(split, 256)
    groups = np.array(example_columns.values(split, "group"))
    return {name: np.mean((logits.argmax(-1) == labels)[groups == name]) for name in ("inverted", "plain")}


def test_the_worst_group_gains(corpus, tmp_path):  # noqa: F811
    made = grouped(corpus)
    config = small(made, epochs=10, batch_size=64)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, width=8, depth=2))
    plain, _ = fit(config, made, tmp_path / "plain")
    robust, _ = fit(with_groups(config), made, tmp_path / "robust")
    before, after = (right_by_group(each, made.splits["test"]) for each in (plain, robust))
    assert before["inverted"] < before["plain"]
    assert 1 - after["inverted"] < 0.75 * (1 - before["inverted"])  # by a quarter of the errors


def test_the_weights_of_the_groups_are_resumed(corpus, tmp_path):  # noqa: F811
    made = grouped(corpus)
    config = with_groups(small(made, epochs=3, schedule="constant"))
    whole, history = fit(config, made, tmp_path / "whole")
    first = dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=2))
    fit(first, made, tmp_path / "parts")
    resumed, again = fit(config, made, tmp_path / "parts", resume=True)
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in history], rel=1e-5)
    for one, other in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    weights = [value for value in training_state.read(whole.run).variables if value.shape == (2,)]
    assert any(value.sum() == pytest.approx(1) and abs(value[0] - 0.5) > 0.001 for value in weights)


def test_mixed_examples_count_for_the_group_of_their_own_part(corpus):  # noqa: F811
    config = with_groups(small(corpus))
    training = Training(Recognizer(config, corpus.class_names), grouped(corpus).splits["train"])
    logits = np.random.default_rng(0).normal(size=(4, 10)).astype("float32")
    labels, own = np.array([1, 2, 3, 4]), np.float32([1.0, 0.7, 0.5, 0.0])
    losses = np.asarray(training.example_losses(logits, labels, own))
    plain = np.asarray(training.task.example_losses(logits, labels))
    partner = np.asarray(training.task.example_losses(logits, np.roll(labels, 1)))
    np.testing.assert_allclose(losses, own * plain + (1 - own) * partner, rtol=1e-5)


def test_data_without_groups(corpus, tmp_path):  # noqa: F811
    for settings, message in (
        ({"group_column": "speaker"}, "no column 'speaker'"),
        ({}, "no column 'group'"),
    ):
        with pytest.raises(UserError, match=message):
            fit(with_groups(small(corpus), **settings), corpus, tmp_path / str(len(message)))
    with pytest.raises(UserError, match=r"all training examples have the value 'plain'"):
        fit(with_groups(small(corpus)), grouped(corpus, rare=0.0), tmp_path / "one")
    config = small(corpus, strategy="mirrored")
    with pytest.raises(UserError, match="takes whole batches"):
        group_dro.build(Recognizer(with_groups(config), corpus.class_names), grouped(corpus).splits["train"])


@pytest.mark.slow
def test_a_transcriber(trained, tmp_path):
    """The losses of its texts add up to that of a batch; a step against the worst speaker runs."""
    _, recognizer = trained("bilstm_ctc")
    config = recognizer.config
    task = dataclasses.replace(config.task, group_weights="worst")
    config = dataclasses.replace(config, task=task, fit=dataclasses.replace(config.fit, epochs=1))
    made = datasets.load(config.data)
    new, target = Recognizer(config, recognizer.task.labels), Run(tmp_path / "run")
    target.create()
    history = loop.train(new, made, target, verbose=0)
    assert np.isfinite(history[0]["loss"])
    outputs, targets, _ = next(iter(recognizer.sequence_outputs(recognizer.task.targets(made.splits["test"]), 4)))
    outputs = keras.tree.map_structure(keras.ops.convert_to_tensor, outputs)
    losses = new.task.example_losses(outputs, targets)
    assert float(np.mean(losses)) == pytest.approx(float(new.task.loss(outputs, targets)), rel=1e-5)
