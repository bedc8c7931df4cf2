"""wav2vec: the quantizer and both losses against loops, and the transfer to a network with CTC."""

import json

import keras
import numpy as np
import pytest

from pipelines import assemble
from tests.tfrec.tasks.pretrained_starts import assert_starts_from
from tests.tfrec.tasks.test_best_rq import SMALL
from tests.tfrec.tasks.test_simclr import parsed
from tfrec import tasks
from tfrec.architectures.layers.gumbel_quantizer import GumbelQuantizer, TargetSteps
from tfrec.architectures.layers.span_mask import SpanMask
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import wav2vec
from tfrec.training import session
from tfrec.training.step import Training

TASK = ["--task.name", "wav2vec", "--task.entries", "8", "--task.code_dim", "8", "--task.projection", "16"]
TASK += ["--task.mask_ms", "120", "--task.mask_probability", "0.03"]


def test_an_entry_of_each_codebook():
    keras.utils.set_random_seed(1)
    layer = GumbelQuantizer(2, 5, 3, seed=2)
    x = np.random.default_rng(0).normal(size=(2, 40, 7)).astype("float32")
    sure, drawn = layer(x), layer(x, training=True)
    logits = (x @ np.asarray(layer.kernel)).reshape(2, 40, 2, 5)
    np.testing.assert_array_equal(sure["codes"], logits.argmax(-1))
    for chosen in (sure, drawn):
        codes = np.asarray(chosen["codes"])
        vectors = np.concatenate([np.asarray(layer.codebook)[group][codes[..., group]] for group in range(2)], axis=-1)
        np.testing.assert_allclose(chosen["vectors"], vectors, atol=1e-6)
        expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        np.testing.assert_allclose(chosen["probabilities"], expected, atol=1e-5)
    differ = (np.asarray(drawn["codes"]) != np.asarray(sure["codes"])).mean()
    assert 0.05 < differ < 0.95
    # As often as the probabilities say.
    many = np.tile(x[:1, :1], (1, 20000, 1))
    shares = np.bincount(np.asarray(layer(many, training=True)["codes"])[0, :, 0], minlength=5) / 20000
    np.testing.assert_allclose(shares, np.asarray(layer(many[:, :1])["probabilities"])[0, 0, 0], atol=0.02)
    copy = GumbelQuantizer.from_config(json.loads(json.dumps(layer.get_config())))
    assert (copy.groups, copy.entries, copy.size) == (2, 5, 3)


def test_the_mask_keeps_clean_features():
    x = np.random.default_rng(0).normal(2.0, 3.0, (2, 50, 6)).astype("float32")
    inputs, targets = SpanMask(4, 0.0, 8)({"features": x, "frames": np.array([50, 37], "int32")})
    np.testing.assert_array_equal(inputs["clean"], x)
    changed = (np.asarray(inputs["features"]) != x).any(axis=-1)
    assert changed.sum(axis=1).tolist() == [8, 8]
    for row, hidden in zip(changed, np.asarray(targets["hidden"]), strict=True):
        np.testing.assert_array_equal(hidden, np.pad(row, (0, 2)).reshape(13, 4).all(axis=1))
    steps = np.asarray(TargetSteps(4)(x, np.array([50, 37], "int32")))
    clip = (x[1, :37] - x[1, :37].mean(0)) / x[1, :37].std(0)
    np.testing.assert_allclose(steps[1, :9].reshape(36, 6), clip[:36], atol=1e-4)
    assert not steps[1, 10:].any()


def test_the_losses_are_those_of_a_loop():
    random = np.random.default_rng(3)
    context, targets = random.normal(size=(2, 2, 6, 4)).astype("float32")
    codes = random.integers(0, 2, (2, 6, 2)).astype("int32")
    probabilities = random.dirichlet(np.ones(5), (2, 6, 2)).astype("float32")
    hidden = np.float32([[1, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1]])
    task = wav2vec.Wav2Vec(wav2vec.Config(entries=5, diversity=0.3), [])
    outputs = {"context": context, "targets": targets, "codes": codes, "probabilities": probabilities}
    losses, correct = [], []
    for b, t in np.argwhere(hidden):
        others = [s for s in np.flatnonzero(hidden[b]) if (codes[b, s] != codes[b, t]).any()]
        if not others:
            continue
        cosine = [
            context[b, t] @ targets[b, s] / np.linalg.norm(context[b, t]) / np.linalg.norm(targets[b, s])
            for s in [t, *others]
        ]
        logits = np.array(cosine) / 0.1
        losses.append(np.log(np.exp(logits).sum()) - logits[0])
        correct.append(logits.argmax() == 0)
    shares = probabilities[hidden > 0].mean(axis=0)
    perplexity = np.exp(-(shares * np.log(shares)).sum(axis=-1))
    expected = np.mean(losses) + 0.3 * (1 - perplexity.sum() / 10)
    assert float(task.loss(outputs, {"hidden": hidden})) == pytest.approx(expected, rel=1e-4)
    metrics = task.metrics()
    task.update_metrics(metrics, outputs, {"hidden": hidden})
    assert float(metrics[0].result()) == pytest.approx(np.mean(correct))
    assert 0 < float(metrics[1].result()) < 0.7
    assert "almost all frames have the same codes" in task.epoch_warnings({"val_code_entropy": 0.1})[0]


def recognizer_of(*words):
    config, corpus = session.resolve(parsed(*words))
    return Recognizer(config, tasks.labels(config.task, corpus)), corpus


def of_tones(tones):
    return ["--data.name", "folder", "--data.path", str(tones), *TASK, "--model.name", "conformer_ctc", *SMALL]


@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_step_changes_every_weight(tones):
    recognizer, corpus = recognizer_of(*of_tones(tones))
    assert recognizer.task.check_training(recognizer, corpus) == []
    split = recognizer.task.targets(corpus.splits["train"])
    training = Training(recognizer, split)
    training.compile(keras.optimizers.Adam(0.01))
    before = [np.array(weight) for weight in training.trainable_weights]
    logs = training.train_step(next(iter(assemble.evaluation_batches(split, training.frontend, 8))))
    assert np.isfinite(float(logs["loss"]))
    weights = training.trainable_weights
    same = [new.path for old, new in zip(before, weights, strict=True) if np.array_equal(old, new)]
    assert same in ([], [path for path in same if path.startswith("logits")])  # CTC's head, which is dropped
    assert set(recognizer.inference_network.input) == {"features", "frames"}


def test_a_network_with_ctc_starts_from_it(tones, melodies, tmp_path):
    learned, _ = recognizer_of(*of_tones(tones))
    learned.save(tmp_path / "run")
    words = ["--data.name", "manifest", "--data.path", str(melodies), "--task.name", "transcribe", "--model.name"]
    recognizer, _ = recognizer_of(*words, "conformer_ctc", *SMALL, "--model.weights", str(tmp_path / "run"))
    assert_starts_from(learned.network, recognizer.network, recognizer.config, recognizer.task.class_names)


@pytest.mark.slow
def test_a_training_learns_from_clips_alone(tones, tmp_path):
    words = [*of_tones(tones), "--fit.epochs", "8", "--fit.learning_rate", "0.003", "--fit.batch_size", "16"]
    result = session.train(parsed(*words), Run(tmp_path / "run"), verbose=0)
    history = result.run.read_history()
    assert history[-1]["loss"] < history[0]["loss"]
    assert {"val_contrast_accuracy", "val_code_entropy"} <= history[-1].keys()
    assert result.recognizer.export(tmp_path / "served", "wav2vec")
