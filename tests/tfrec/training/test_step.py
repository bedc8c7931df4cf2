"""What a training step does beyond Keras's: averaged weights, mixed labels; and answers from two looks at a picture."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines import assemble, frontends
from pipelines.errors import UserError
from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec.commands import fit as fit_entry
from tfrec.config import experiments
from tfrec.recognizer import Recognizer
from tfrec.tasks import classification
from tfrec.training.step import TrainingModel, training_model


def test_the_kept_weights_are_the_moving_average(corpus):  # noqa: F811
    recognizer = Recognizer(small(corpus, average=0.9), corpus.class_names)
    model, frontend = training_model(recognizer, corpus.splits["train"])
    model.compile(keras.optimizers.SGD(0.5), recognizer.task.loss())
    expected = recognizer.network.get_weights()
    batches = assemble.training_batches(corpus.splits["train"], frontend, 64, 0, 1)
    for step, (images, labels) in enumerate(batches.take(12), start=1):
        model.train_on_batch(images, labels)
        momentum = min(0.9, step / (9 + step))
        now = recognizer.network.get_weights()
        expected = [momentum * old + (1 - momentum) * new for old, new in zip(expected, now, strict=True)]
    for name, (one, other, raw) in zip(
        [weight.path for weight in recognizer.network.weights],
        zip(model.kept_net.get_weights(), expected, now, strict=True),
        strict=True,
    ):
        if one.dtype == "float32":
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
            assert name.endswith("beta") or np.abs(one - raw).max() > 1e-6, name


def test_averaging_is_validated_kept_and_resumed(corpus, tmp_path):  # noqa: F811
    config = small(corpus, epochs=4, average=0.95, schedule="constant")
    whole, history = fit(config, corpus, tmp_path / "whole")
    logits, targets = whole.logits(corpus.splits["validation"], 64)
    best = min(row["val_loss"] for row in history)
    assert whole.task.score(logits, targets)["loss"] == pytest.approx(best, rel=1e-3)
    raw, _ = fit(
        dataclasses.replace(config, fit=dataclasses.replace(config.fit, average=0.0)), corpus, tmp_path / "raw"
    )
    assert np.abs(raw.net.get_weights()[0] - whole.net.get_weights()[0]).max() > 1e-4
    fit(dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=2)), corpus, tmp_path / "parts")
    parts, _ = fit(config, corpus, tmp_path / "parts", resume=True)
    for one, other in zip(whole.net.get_weights(), parts.net.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_mixed_examples_is_that_of_mixed_labels(smoothing):
    random = np.random.default_rng(0)
    logits = random.normal(size=(6, 3)).astype("float32")
    labels, own = random.integers(0, 3, 6), random.uniform(size=6).astype("float32")
    given, share = keras.Input((3,)), keras.Input(())
    model = TrainingModel([given, share], {"logits": given * 1.0, "weight": share * 1.0})
    task = classification.Task(classification.Config(label_smoothing=smoothing), "abc")
    model.compile(loss=task.loss(), metrics=task.metrics())
    result = model.test_on_batch([logits, own], labels, return_dict=True)
    target = np.eye(3)[labels] * own[:, None] + np.eye(3)[np.roll(labels, 1)] * (1 - own[:, None])
    target = target * (1 - smoothing) + smoothing / 3
    expected = -(target * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1).mean()
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    assert result["accuracy"] == pytest.approx((logits.argmax(1) == labels).mean())


@pytest.mark.parametrize("fields", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}])
def test_mixing_trains_and_leaves_validation_alone(corpus, tmp_path, fields):  # noqa: F811
    config = small(corpus, epochs=2)
    config = dataclasses.replace(config, frontend=dataclasses.replace(config.frontend, **fields))
    recognizer, history = fit(config, corpus, tmp_path / "run")
    logits, targets = recognizer.logits(corpus.splits["validation"], 64)
    best = min(row["val_loss"] for row in history)
    assert recognizer.task.score(logits, targets)["loss"] == pytest.approx(best, rel=1e-3)
    model, _ = training_model(recognizer, corpus.splits["train"])
    images = next(iter(corpus.splits["train"].examples.batch(16)))["image"]
    assert (model(images, training=False)["weight"].numpy() == 1).all()
    assert (model(images, training=True)["weight"].numpy() < 1).any()


def test_two_looks_at_a_picture(corpus):  # noqa: F811
    config = dataclasses.replace(small(corpus), task=classification.Config(test_flip=True))
    recognizer = Recognizer(config, corpus.class_names)
    split = corpus.splits["test"]
    images = np.stack([example["image"] for example in split.examples.take(5).as_numpy_iterator()])
    features = recognizer.frontend(images)
    expected = (recognizer.network(features) + recognizer.network(features[:, :, ::-1])) / 2
    np.testing.assert_allclose(recognizer.logits(split, 64)[0][:5], expected, atol=1e-5)
    one, mirrored = recognizer.answer(images), recognizer.answer(images[:, :, ::-1])
    np.testing.assert_allclose(one["probabilities"], mirrored["probabilities"], atol=1e-6)
    assert np.abs(recognizer.network(features) - expected).max() > 1e-3


def test_two_looks_are_exported(tmp_path, monkeypatch):
    """`publish` compares the answers of the export with those of the recognizer, so it need only get through."""
    monkeypatch.chdir(tmp_path)
    words = ["--task.test_flip", "--fit.epochs", "1", "--model.width", "4", "--run", str(tmp_path / "run")]
    assert fit_entry.main(words) == 0
    assert (tmp_path / "saved_models" / "run" / "1").is_dir()


def test_sounds_have_no_mirror_image():
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
