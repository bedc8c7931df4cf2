"""A batch in parts: the gradients, and so the weights, of the whole batch."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines import frontends
from tests.tfrec.training.test_loop import corpus, fit, small, weights  # noqa: F401
from tfrec import architectures
from tfrec.tasks import classification
from tfrec.training.accumulation import GradientAccumulator


def without_batch_norm(corpus, **fit):  # noqa: F811
    """Nothing in it depends on the other examples of a batch; the last batch has 3 examples."""
    mlp = dataclasses.replace(architectures.default_config("mlp"), width=32, dropout=0.0)
    plain = frontends.resolve(frontends.ImageConfig(), corpus)
    settings = {"epochs": 2, "batch_size": 129, "learning_rate": 3e-3, "warmup_epochs": 1, "average": 0.8, **fit}
    task = classification.Config(class_weights="balanced")
    return dataclasses.replace(small(corpus, **settings), frontend=plain, model=mlp, task=task)


@pytest.mark.parametrize(
    ("parts", "settings"),
    [
        (4, {"clip_norm": 0.1, "weight_decay": 0.1}),
        (7, {"optimizer": "sgd", "learning_rate": 0.1}),  # more than the last batch has
        (3, {"jit_compile": True}),
    ],
)
def test_parts_of_a_batch_train_like_the_whole(corpus, tmp_path, parts, settings):  # noqa: F811
    """With weights of classes, clipping, decay, a schedule of steps, averaged weights and a small last batch."""
    whole, history = fit(without_batch_norm(corpus, **settings), corpus, tmp_path / "whole")
    in_parts, history_in_parts = fit(
        without_batch_norm(corpus, accumulate_steps=parts, **settings), corpus, tmp_path / "parts"
    )
    for one, other in zip(weights(whole), weights(in_parts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, other in zip(history, history_in_parts, strict=True):
        assert {**one, "minutes": 0} == pytest.approx({**other, "minutes": 0}, abs=1e-4)


def test_the_scale_of_the_loss_reaches_the_sum_once(corpus, tmp_path):  # noqa: F811
    settings = {"precision": "mixed_float16", "optimizer": "sgd", "learning_rate": 0.1, "epochs": 1}
    whole, _ = fit(without_batch_norm(corpus, **settings), corpus, tmp_path / "whole")
    in_parts, _ = fit(without_batch_norm(corpus, accumulate_steps=4, **settings), corpus, tmp_path / "parts")
    before = weights(whole)
    for one, other in zip(before, weights(in_parts), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)  # of float16


def test_the_accumulator_is_empty_after_it_was_read():
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in ((2,), (3, 4))]
    accumulator = GradientAccumulator(variables)
    for _ in range(2):
        accumulator.add([None, np.ones((3, 4), "float32")], [0.5, 1.0, 2.0], variables)
        accumulator.add([np.ones(2, "float32")], [0.25, 1.0, 2.0], variables[:1])
        gradients, counts = accumulator.take(variables)
        assert [float(gradient.numpy().max()) for gradient in gradients] == [1.0, 1.0]
        assert counts.numpy().tolist() == [0.75, 2.0, 4.0]
