"""Predictive coding: targets and loss against loops, networks that see too much, and the transfer to other tasks."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from pipelines import assemble
from pipelines.errors import UserError
from tests.tfrec.tasks.pretrained_starts import assert_starts_from
from tests.tfrec.tasks.test_simclr import parsed
from tfrec import tasks
from tfrec.architectures.layers.future_frames import FutureFrames
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import predictive_coding
from tfrec.training import session
from tfrec.training.step import Training

LSTM = ["--model.name", "lstm", "--model.units", "16", "--model.depth", "1"]
LSTM_CTC = ["--model.name", "lstm_ctc", "--model.units", "16", "--model.depth", "1", "--model.filters", "4"]
NETWORKS = {"lstm": LSTM, "lstm_ctc": LSTM_CTC}


def features():
    x = np.random.default_rng(0).normal(2.0, 3.0, (2, 10, 3)).astype("float32")
    return {"features": x, "frames": np.array([10, 7], "int32")}


@pytest.mark.parametrize(("step", "ahead"), [(1, 3), (2, 2), (4, 5)])
def test_targets_are_the_frames_that_follow(step, ahead):
    inputs = features()
    same, targets = FutureFrames(step, ahead)(inputs)
    np.testing.assert_array_equal(same["features"], inputs["features"])
    steps = -(-10 // step)
    frames = np.asarray(targets["frames"]).reshape(2, steps, step, 3)
    for clip, length in enumerate((10, 7)):
        for t, j in np.ndindex(steps, step):
            place = (t + ahead) * step + j
            assert np.asarray(targets["inside"])[clip, t, j] == (place < length)
            if place < length:
                np.testing.assert_array_equal(frames[clip, t, j], inputs["features"][clip, place])
    copy = FutureFrames.from_config(json.loads(json.dumps(FutureFrames(step, ahead).get_config())))
    assert (copy.step, copy.ahead) == (step, ahead)


def test_the_loss_is_the_mean_over_the_frames_of_clips():
    _, targets = FutureFrames(2, 1)(features())
    outputs = {"frames": np.random.default_rng(1).normal(size=(2, 5, 6)).astype("float32")}
    task = predictive_coding.PredictiveCoding(predictive_coding.Config(), [])
    distance = np.abs(outputs["frames"] - np.asarray(targets["frames"])).reshape(2, 5, 2, 3)
    expected = distance[np.asarray(targets["inside"]) > 0].mean()
    assert float(task.loss(outputs, targets)) == pytest.approx(expected, rel=1e-5)


def test_metrics():
    inputs = features()
    _, targets = FutureFrames(1, 3)(inputs)
    task = predictive_coding.PredictiveCoding(predictive_coding.Config(), [])
    means = [x[3:length].mean(axis=0) for x, length in zip(inputs["features"], (10, 7), strict=True)]
    for frames, explained in ((targets["frames"], 1.0), (np.stack(means)[:, None].repeat(10, axis=1), 0.0)):
        metrics = task.metrics()
        task.update_metrics(metrics, {"frames": frames, "embedding": np.eye(2, 4, dtype="float32")}, targets)
        assert float(metrics[0].result()) == pytest.approx(explained, abs=1e-5)
        assert float(metrics[1].result()) == pytest.approx(0.5)  # two directions of four
    assert "features of all examples are about the same" in task.epoch_warnings({"val_embedding_std": 0.01})[0]
    assert task.epoch_warnings({"val_embedding_std": 0.01, "val_explained": 0.4}) == []


def words(tones, *others):
    fixed = ["--data.name", "folder", "--data.path", str(tones), "--task.name", "predictive_coding"]
    return [*fixed, "--fit.batch_size", "16", "--fit.learning_rate", "0.01", *others]


def recognizer_of(*words):
    config, corpus = session.resolve(parsed(*words))
    return Recognizer(config, tasks.labels(config.task, corpus)), corpus


@pytest.mark.parametrize(("name", "step"), [("lstm", 1), ("lstm_ctc", 4)])
@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_step_changes_every_weight(name, step, tones):
    recognizer, corpus = recognizer_of(*words(tones, *NETWORKS[name]))
    assert recognizer.task.check_training(recognizer, corpus) == []
    assert recognizer.task.pretext(recognizer).step == step
    split = recognizer.task.targets(corpus.splits["train"])
    training = Training(recognizer, split)
    training.compile(keras.optimizers.Adam(0.01))
    before = [np.array(weight) for weight in training.trainable_weights]
    logs = training.train_step(next(iter(assemble.evaluation_batches(split, training.frontend, 8))))
    assert np.isfinite(float(logs["loss"]))
    assert not any(np.array_equal(old, new) for old, new in zip(before, training.trainable_weights, strict=True))
    (embedder,) = recognizer.task.embedders(recognizer.network).values()
    for network in (recognizer.inference_network, embedder):  # of steps the mean, in the export too
        assert {key: value.shape for key, value in network.output.items()} == {"embedding": (None, 16)}


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ([*LSTM, "--model.bidirectional"], "predicts later frames, which model.name lstm as configured sees"),
        (["--model.name", "kwt_1", "--model.depth", "1"], "needs a network with steps"),
    ],
)
def test_networks_that_do_not_fit(network, sentence, tones):
    def check():
        recognizer, corpus = recognizer_of(*words(tones, *network))
        recognizer.task.check_training(recognizer, corpus)

    with pytest.raises(UserError, match=sentence):
        check()


@pytest.mark.parametrize(
    ("name", "task"), [pytest.param("lstm", "classify", marks=pytest.mark.slow), ("lstm_ctc", "transcribe")]
)
def test_the_supervised_network_starts_from_it(name, task, tones, melodies, tmp_path):
    learned, _ = recognizer_of(*words(tones, *NETWORKS[name]))
    learned.save(tmp_path / "run")
    data = ["folder", "--data.path", str(tones)] if task == "classify" else ["manifest", "--data.path", str(melodies)]
    settings = ["--data.name", *data, "--task.name", task, *NETWORKS[name], "--model.weights", str(tmp_path / "run")]
    recognizer, _ = recognizer_of(*settings)
    assert_starts_from(learned.network, recognizer.network, recognizer.config, recognizer.task.class_names)


@pytest.mark.slow
def test_a_training_learns_from_clips_alone(tones, tmp_path):
    config = parsed(*words(tones, *LSTM, "--fit.epochs", "4"))
    result = session.train(config, Run(tmp_path / "run"), verbose=0)
    history = result.run.read_history()
    assert history[-1]["val_loss"] < history[0]["val_loss"]
    assert history[-1]["val_explained"] > history[0]["val_explained"]
    assert result.scores["probe_accuracy"] > 0.5
    assert dataclasses.asdict(result.recognizer.config.task) == {"name": "predictive_coding", "ahead": 3}
