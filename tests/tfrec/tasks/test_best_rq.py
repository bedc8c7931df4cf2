"""BEST-RQ: codes and masks against loops, the loss at masked steps, and the transfer to a network with CTC."""

import dataclasses
import json

import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.tasks.test_simclr import parsed
from tfrec import architectures, tasks
from tfrec.architectures.layers.random_quantizer import RandomQuantizer
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import best_rq
from tfrec.training import session

FRAMES = np.array([50, 37], "int32")
SMALL = ["--model.width", "16", "--model.depth", "1", "--model.heads", "2", "--model.filters", "4"]
SMALL += ["--model.kernel", "5", "--model.dropout", "0"]


def features():
    x = np.random.default_rng(0).normal(2.0, 3.0, (2, 50, 6)).astype("float32")
    x[1, 37:] = 0
    return {"features": x, "frames": FRAMES}


def quantizer(**changes):
    return RandomQuantizer(**{"bins": 6, "step": 4, "codes": 32, "size": 8, "span": 8, "seed": 3, **changes})


def test_codes_are_those_of_a_loop():
    layer, inputs = quantizer(), features()
    codes = np.asarray(layer(inputs)[1]["codes"])
    assert codes.shape == (2, 13)
    for clip, frames, row in zip(inputs["features"], FRAMES, codes, strict=True):
        x = np.zeros((52, 6))
        x[:frames] = (clip[:frames] - clip[:frames].mean(0)) / clip[:frames].std(0)
        for step in range(frames // 4):
            projected = x[4 * step : 4 * step + 4].reshape(-1) @ np.asarray(layer.projection)
            distances = np.linalg.norm(projected / np.linalg.norm(projected) - np.asarray(layer.codebook).T, axis=1)
            assert row[step] == distances.argmin()
    assert len(set(codes[0])) > 4


def test_masked_frames_are_noise_and_the_others_stay():
    inputs = features()
    masked, targets = quantizer(probability=0.0)(inputs)
    changed = (np.asarray(masked["features"]) != inputs["features"]).any(axis=-1)
    assert changed.sum(axis=1).tolist() == [8, 8]  # one span
    assert np.abs(np.asarray(masked["features"])[changed]).max() < 0.6
    for row, hidden in zip(changed, np.asarray(targets["hidden"]), strict=True):
        steps = np.pad(row, (0, 2)).reshape(13, 4).all(axis=1)
        np.testing.assert_array_equal(hidden, steps)
    many = quantizer(probability=0.1)
    share = np.mean([(np.asarray(many(inputs)[0]["features"])[0] != inputs["features"][0]).any(-1) for _ in range(50)])
    assert 0.4 < share < 0.8  # 1 - 0.9 ** 8 = 0.57, and one span more


def test_the_seed_decides_projection_and_codebook():
    one, same, other = quantizer(), quantizer(), quantizer(seed=4)
    np.testing.assert_array_equal(one.projection, same.projection)
    np.testing.assert_array_equal(one.codebook, same.codebook)
    assert not np.array_equal(one.codebook, other.codebook)
    assert one.trainable_weights == []
    copy = RandomQuantizer.from_config(json.loads(json.dumps(one.get_config())))
    np.testing.assert_array_equal(copy.projection, one.projection)


def test_the_loss_is_the_mean_over_masked_steps():
    random = np.random.default_rng(1)
    logits, codes = random.normal(size=(2, 5, 7)).astype("float32"), random.integers(0, 7, (2, 5))
    hidden = np.float32([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0]])
    task = best_rq.BestRQ(best_rq.Config(codes=7), [])
    values = [-np.log(np.exp(logits[i, k, codes[i, k]]) / np.exp(logits[i, k]).sum()) for i, k in np.argwhere(hidden)]
    targets = {"codes": codes.astype("int32"), "hidden": hidden}
    assert float(task.loss({"logits": logits}, targets)) == pytest.approx(np.mean(values), rel=1e-5)
    metrics = task.metrics()
    task.update_metrics(metrics, {"logits": logits}, targets)
    correct = (logits.argmax(-1) == codes)[hidden > 0]
    assert float(metrics[0].result()) == pytest.approx(correct.mean())


def test_entropy_of_codes():
    entropy = best_rq.Entropy(4, "codes")
    entropy.update_state(np.array([[0, 1], [2, 3]]))
    assert float(entropy.result()) == pytest.approx(1.0)
    entropy.reset_state()
    entropy.update_state(np.array([1, 1, 2]), sample_weight=np.float32([1, 1, 0]))
    assert float(entropy.result()) == pytest.approx(0.0, abs=1e-6)
    task = best_rq.BestRQ(best_rq.Config(), [])
    assert "almost all frames have the same codes" in task.epoch_warnings({"val_code_entropy": 0.1})[0]
    assert task.epoch_warnings({"val_code_entropy": 0.9}) == []


@pytest.fixture(scope="module")
def learned(melodies, tmp_path_factory):
    """A run that is trained on the clips of the melodies, from a list without texts."""
    rows = [json.loads(line) for line in melodies.read_text(encoding="utf-8").splitlines()]
    paths = melodies.with_name("paths.jsonl")
    paths.write_text(
        "\n".join(json.dumps({"path": row["path"], "split": row["split"]}) for row in rows), encoding="utf-8"
    )
    words = ["--data.name", "manifest", "--data.path", str(paths), "--task.name", "best_rq", "--task.codes", "32"]
    words += ["--task.mask_ms", "120", "--fit.epochs", "3", "--fit.learning_rate", "0.005", "--fit.batch_seconds", "10"]
    return session.train(parsed(*words, *SMALL), Run(tmp_path_factory.mktemp("best_rq") / "run"), verbose=0)


def test_a_training_learns_from_clips_alone(learned):
    history = learned.run.read_history()
    assert history[-1]["loss"] < history[0]["loss"] < 1.2 * np.log(32)
    assert history[-1]["val_code_entropy"] > 0.5
    assert {"val_loss", "val_code_accuracy", "val_answer_entropy"} <= history[-1].keys()
    assert learned.recognizer.config.model.name == "conformer_ctc"
    assert learned.scores.keys() == {"embedding_std", "examples"}


def test_a_network_with_ctc_starts_from_it(learned, melodies, tmp_path, caplog):
    caplog.set_level("INFO")
    words = ["--data.name", "manifest", "--data.path", str(melodies), "--task.name", "transcribe", "--fit.epochs", "1"]
    words += ["--model.name", "conformer_ctc", *SMALL, "--model.weights", str(learned.run.path), "--task.shown", "0"]
    result = session.train(parsed(*words, "--fit.freeze", "backbone"), Run(tmp_path / "run"), verbose=0)
    assert any("randomly initialized: 'logits'" in message for message in caplog.messages)
    before, after = Recognizer.from_run(learned.run).network, result.recognizer.network
    for one, two in zip(
        before.get_layer("stem_project").get_weights(), after.get_layer("stem_project").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["conformer", "transformer"])
def test_classifiers_take_it_too(name, tones):
    words = ["--data.name", "folder", "--data.path", str(tones), "--model.width", "16", "--model.depth", "1"]
    words += ["--model.heads", "2", "--model.name", name]
    config, corpus = session.resolve(parsed(*words, "--task.name", "best_rq"))
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    step = getattr(config.model, "subsampling", 1)
    shapes = {"features": np.zeros((2, 21, 80), "f"), "frames": np.array([21, 8])}
    shapes["features"] = np.zeros((2, 21, recognizer.frontend.feature_shape[-1]), "f")
    outputs = recognizer(recognizer.as_features(shapes), training=True)
    assert outputs["logits"].shape == (2, -(-21 // step), 512)
    assert outputs["steps"].numpy().tolist() == [-(-21 // step), -(-8 // step)]
    assert recognizer(recognizer.as_features(shapes))["embedding"].shape == (2, 16)
    classifier = tasks.build(tasks.default_config("classify"), ["a", "b"]).build_network(
        config.model, recognizer.frontend
    )
    backbone = {layer.name for block in architectures.backbone_blocks(classifier).values() for layer in block}
    assert backbone - {layer.name for layer in recognizer.network.layers} == set()


def test_settings_that_do_not_fit(tones):
    words = ["--data.name", "folder", "--data.path", str(tones), "--task.name", "best_rq"]
    for model in ("wavenet", "kwt_1"):
        config, corpus = session.resolve(parsed(*words, "--model.name", model))
        with pytest.raises(UserError, match=r"choose a network over frames|needs a network with steps"):
            Recognizer(config, tasks.labels(config.task, corpus))
    with pytest.raises(UserError, match="has no clips alone"):
        tasks.labels(best_rq.Config(), dataclasses.replace(corpus, modality="image"))
    config, corpus = session.resolve(parsed(*words, *SMALL, "--frontend.time_masks", "1"))
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    assert "hide features before they become targets" in recognizer.task.check_training(recognizer, corpus)[0]
