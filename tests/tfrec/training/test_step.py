"""The training step: averaged weights, mixed examples, mixed precision; and test-time flipping."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines import assemble, frontends
from pipelines.errors import UserError
from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec.commands import fit as fit_command
from tfrec.config import experiments
from tfrec.recognizer import Recognizer
from tfrec.tasks import classification
from tfrec.training.optimizers import build_optimizer
from tfrec.training.schedules import Schedule
from tfrec.training.step import Training


def batches_of(training, split, batch_size=64, epochs=1):
    return assemble.training_batches(split, training.frontend, batch_size, 0, epochs)


def test_a_plain_loop_over_train_step_equals_fit(corpus):  # noqa: F811
    """With dropout, batch normalization, augmentation and averaged weights."""
    split, results = corpus.splits["train"], []
    for with_fit in (True, False):
        recognizer = Recognizer(small(corpus, average=0.9), corpus.class_names)
        training = Training(recognizer, split)
        config = recognizer.config.fit
        optimizer = build_optimizer(config, Schedule.for_training(config, 5), training.trainable_variables)
        training.compile(optimizer=optimizer, auto_scale_loss=False, run_eagerly=True)
        batches = batches_of(training, split).take(5)
        if with_fit:
            training.fit(batches, epochs=1, shuffle=False, verbose=0)
        else:
            for batch in batches:
                training.train_step(batch)
        results.append(recognizer.network.get_weights() + training.kept_network.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_only_mixed_float16_scales_the_loss(corpus, tmp_path, precision):  # noqa: F811
    """16-bit gradients would underflow; an optimizer that does not scale must see the plain loss."""
    recognizer = Recognizer(small(corpus, precision=precision), corpus.class_names)
    training = Training(recognizer, corpus.splits["train"])
    config = recognizer.config.fit
    optimizer = build_optimizer(config, Schedule.for_training(config, 5), training.trainable_variables)
    training.compile(optimizer=optimizer, auto_scale_loss=False)
    scaled = precision == "mixed_float16"
    assert isinstance(training.optimizer, keras.optimizers.LossScaleOptimizer) == scaled
    assert float(training.optimizer.scale_loss(np.float32(1.0))) == (2.0**15 if scaled else 1.0)
    before = recognizer.network.get_weights()[0]
    logs = training.fit(batches_of(training, corpus.splits["train"]).take(3), verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert np.abs(recognizer.network.get_weights()[0] - before).max() > 1e-6


def test_the_kept_weights_are_the_moving_average(corpus):  # noqa: F811
    recognizer = Recognizer(small(corpus, average=0.9), corpus.class_names)
    training = Training(recognizer, corpus.splits["train"])
    training.compile(keras.optimizers.SGD(0.5))
    expected = recognizer.network.get_weights()
    batches = batches_of(training, corpus.splits["train"])
    for step, (images, labels) in enumerate(batches.take(12), start=1):
        training.train_on_batch(images, labels)
        momentum = min(0.9, step / (9 + step))
        now = recognizer.network.get_weights()
        expected = [momentum * old + (1 - momentum) * new for old, new in zip(expected, now, strict=True)]
    for name, (one, other, raw) in zip(
        [weight.path for weight in recognizer.network.weights],
        zip(training.kept_network.get_weights(), expected, now, strict=True),
        strict=True,
    ):
        if one.dtype == "float32":
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
            assert name.endswith("beta") or np.abs(one - raw).max() > 1e-6, name


def test_averaging_is_validated_kept_and_resumed(corpus, tmp_path):  # noqa: F811
    config = small(corpus, epochs=4, average=0.95, schedule="constant")
    whole, history = fit(config, corpus, tmp_path / "whole")
    logits, targets = whole.outputs(corpus.splits["validation"], 64)
    best = min(row["val_loss"] for row in history)
    assert whole.task.score(logits, targets)["loss"] == pytest.approx(best, rel=1e-3)
    raw, _ = fit(
        dataclasses.replace(config, fit=dataclasses.replace(config.fit, average=0.0)), corpus, tmp_path / "raw"
    )
    assert np.abs(raw.network.get_weights()[0] - whole.network.get_weights()[0]).max() > 1e-4
    fit(dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=2)), corpus, tmp_path / "parts")
    parts, _ = fit(config, corpus, tmp_path / "parts", resume=True)
    for one, other in zip(whole.network.get_weights(), parts.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_mixed_examples_is_that_of_mixed_labels(corpus, smoothing):  # noqa: F811
    random = np.random.default_rng(0)
    logits = random.normal(size=(6, 10)).astype("float32")
    labels, own = random.integers(0, 10, 6), random.uniform(size=6).astype("float32")
    config = dataclasses.replace(small(corpus), task=classification.Config(label_smoothing=smoothing))
    training = Training(Recognizer(config, corpus.class_names), corpus.splits["train"])
    loss = training.compute_loss(y=labels, y_pred=logits, sample_weight=own)
    metrics = training.update_metrics(logits, labels, loss)
    target = np.eye(10)[labels] * own[:, None] + np.eye(10)[np.roll(labels, 1)] * (1 - own[:, None])
    target = target * (1 - smoothing) + smoothing / 10
    expected = -(target * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1).mean()
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["accuracy"]) == pytest.approx((logits.argmax(1) == labels).mean())


@pytest.mark.parametrize("fields", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}])
def test_training_mixes_examples_and_validation_does_not(corpus, tmp_path, fields):  # noqa: F811
    config = small(corpus, epochs=2)
    config = dataclasses.replace(config, frontend=dataclasses.replace(config.frontend, **fields))
    recognizer, history = fit(config, corpus, tmp_path / "run")
    logits, targets = recognizer.outputs(corpus.splits["validation"], 64)
    best = min(row["val_loss"] for row in history)
    assert recognizer.task.score(logits, targets)["loss"] == pytest.approx(best, rel=1e-3)
    training = Training(recognizer, corpus.splits["train"])
    images, labels = next(iter(batches_of(training, corpus.splits["train"], 16)))
    assert (training.training_outputs(images, None)[2].numpy() < 1).any()
    logs = training.test_step((images, labels))
    assert float(logs["loss"]) == pytest.approx(float(recognizer.task.loss(recognizer(images), labels)), rel=1e-5)


def test_flip_is_the_mean_over_a_picture_and_its_mirror_image(corpus):  # noqa: F811
    config = dataclasses.replace(small(corpus), task=classification.Config(test_flip=True))
    recognizer = Recognizer(config, corpus.class_names)
    split = corpus.splits["test"]
    images = np.stack([example["image"] for example in split.examples.take(5).as_numpy_iterator()])
    features = recognizer.frontend(images)
    expected = (recognizer.network(features) + recognizer.network(features[:, :, ::-1])) / 2
    np.testing.assert_allclose(recognizer.outputs(split, 64)[0][:5], expected, atol=1e-5)
    one, mirrored = recognizer.answers(images), recognizer.answers(images[:, :, ::-1])
    np.testing.assert_allclose(one["probabilities"], mirrored["probabilities"], atol=1e-6)
    assert np.abs(recognizer.network(features) - expected).max() > 1e-3


@pytest.mark.slow
def test_flip_is_exported(tmp_path, monkeypatch):
    """`publish` raises where the answers of the export differ from those of the recognizer."""
    monkeypatch.chdir(tmp_path)
    words = ["--task.test_flip", "--fit.epochs", "1", "--model.width", "4", "--run", str(tmp_path / "run")]
    assert fit_command.main(words) == 0
    assert (tmp_path / "saved_models" / "run" / "1").is_dir()


def test_flip_is_refused_for_audio():
    config = experiments.find("spoken_digit")()
    config = dataclasses.replace(
        config,
        task=classification.Config(test_flip=True),
        frontend=dataclasses.replace(config.frontend, sample_rate_hz=8000),
    )
    with pytest.raises(UserError, match=r"task.test_flip is for images"):
        Recognizer(config, "ab")


def test_mixing_is_off_by_default():
    assert frontends.build_mix(frontends.ImageConfig(), 0) is None
    assert frontends.build_mix(frontends.SpeechConfig(), 0) is None
