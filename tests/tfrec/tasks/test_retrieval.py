"""Retrieval: losses against loops in numpy, scores of each picture and clip once, and one training."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from scipy import special

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.commands import evaluate, noise_report, predict
from tfrec.evaluation import other_data
from tfrec.evaluation.noise_conditions import Conditions
from tfrec.evaluation.retrieval_noise import measure_retrieval
from tfrec.recognizer import Recognizer
from tfrec.tasks.retrieval import Config, Retrieval

GROUPS = np.array([0, 1, 0, 2, 3])


def outputs(size=5, units=6):
    random = np.random.default_rng(0)
    image, audio = (row / np.linalg.norm(row, axis=1, keepdims=True) for row in random.normal(size=(2, size, units)))
    return {
        "image": image.astype("float32"),
        "audio": audio.astype("float32"),
        "log_scale": np.full(size, 1.5, "float32"),
    }


def loss(config, values, groups=GROUPS):
    return float(Retrieval(config, []).loss(values, groups))


def info_nce(similarities, groups, smoothing):
    """A loop over queries; those of the same group are no candidates, but for the query's own."""
    losses = []
    for i, row in enumerate(similarities):
        candidates = [j for j in range(len(row)) if j == i or groups[j] != groups[i]]
        shares = special.log_softmax(row[candidates])
        losses.append(-(1 - smoothing) * shares[candidates.index(i)] - smoothing * shares.mean())
    return np.mean(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_info_nce(smoothing):
    values = outputs()
    scaled = np.exp(1.5) * values["image"] @ values["audio"].T
    expected = (info_nce(scaled, GROUPS, smoothing) + info_nce(scaled.T, GROUPS, smoothing)) / 2
    assert loss(Config(label_smoothing=smoothing), values) == pytest.approx(expected, rel=1e-5)


def triplet(similarities, groups, impostors):
    losses = []
    for i, row in enumerate(similarities):
        others = [(i + k) % len(row) for k in range(1, len(row)) if groups[(i + k) % len(row)] != groups[i]]
        softer = [row[j] for j in others if row[j] < row[i]]
        semi_hard = max(0.0, 0.2 + max(softer) - row[i]) if softer else 0.0
        sampled = max(0.0, 0.2 + row[others[0]] - row[i]) if others else 0.0
        losses.append({"both": semi_hard + sampled, "semi_hard": semi_hard, "sampled": sampled}[impostors])
    return np.mean(losses)


@pytest.mark.parametrize("impostors", ["both", "semi_hard", "sampled"])
def test_triplet(impostors):
    values = outputs()
    similarities = values["image"] @ values["audio"].T
    expected = (triplet(similarities, GROUPS, impostors) + triplet(similarities.T, GROUPS, impostors)) / 2
    assert loss(Config(loss="triplet", impostors=impostors), values) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("config", [Config(), Config(loss="triplet")])
def test_a_batch_of_one_group_has_no_loss(config):
    assert loss(config, outputs(), np.zeros(5, int)) == pytest.approx(0, abs=1e-6)
    assert loss(config, {name: value[:1] for name, value in outputs().items()}, GROUPS[:1]) == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("config", [Config(), Config(loss="triplet")])
def test_similarities_of_the_network_replace_inner_products(config):
    values, others = outputs(), np.random.default_rng(1).normal(size=(5, 5)).astype("float32")
    same = loss(config, {**values, "similarity": values["image"] @ values["audio"].T})
    assert same == pytest.approx(loss(config, values), rel=1e-5)
    assert loss(config, {**values, "similarity": others}) != pytest.approx(same, rel=0.01)


def test_inference_leaves_the_similarities_of_a_batch_out():
    shape = {"image": (16, 16, 1), "audio": (None, 8)}
    task = Retrieval(Config(), [])
    network = architectures.build("davenet", shape, 8, similarity="misa", width_multiplier=0.06)
    answering = task.inference_network(network)
    assert set(network.output) - set(answering.output) == {"similarity"}
    assert {weight.path for weight in answering.weights} == {weight.path for weight in network.weights}
    assert task.inference_network(answering) is answering


def test_weights_are_those_of_examples():
    values = outputs()
    weighted = float(Retrieval(Config(), []).loss(values, GROUPS, np.zeros(5)))
    assert weighted == 0


def test_metric_of_a_batch():
    task = Retrieval(Config(), [])
    (metric,) = task.metrics()
    same = {"image": np.eye(3, dtype="float32"), "audio": np.eye(3, dtype="float32")[[0, 2, 1]]}
    task.update_metrics([metric], same, np.array([0, 1, 2]))
    assert float(metric.result()) == pytest.approx(1 / 3)


def test_refusals(trained):
    _, recognizer = trained("dual_encoder")
    with pytest.raises(UserError, match="digits has no pairs of pictures and clips"):
        tasks.labels(Config(), datasets.load(datasets.digits.Config()))
    with pytest.raises(UserError, match="--decode"):
        recognizer.predictor(decode="beam")
    with pytest.raises(ValueError, match="embedding_dim must be from 2"):
        Config(embedding_dim=1)


def test_training_finds_pairs(trained):
    run, recognizer = trained("dual_encoder")
    scores = run.read_json("metrics.json")["test"]
    assert scores["recall_at_1"] > 0.8
    assert scores["image_to_audio"]["candidates"] == scores["audio_to_image"]["queries"] == 16
    restored = Recognizer.from_run(run)
    assert restored.task.config == recognizer.task.config
    assert (run.path / "predictions_test.csv").read_text().startswith("direction,path,answer,similarity,matches\n")


def test_each_picture_is_a_candidate_once(trained):
    _, recognizer = trained("dual_encoder")
    split = datasets.load(recognizer.config.data).splits["test"]
    names = ["same"] * 4 + list(split.image_sources)[4:]
    shared = dataclasses.replace(split, image_sources=names)
    scores = recognizer.evaluate(shared)
    assert (scores["audio_to_image"]["candidates"], scores["image_to_audio"]["candidates"]) == (13, 16)
    assert len(recognizer.task.per_example(recognizer, shared, 8).counts) == 16


def test_noise_report(trained, noise, capsys):
    """Clips in noise, each once, among the pictures; the report is that of speech."""
    run, recognizer = trained("dual_encoder")
    words = ["--noise", str(noise), "--seen", "hiss", "--seen-fraction", "0.5", "--snr", "clean,40,-30"]
    assert noise_report.main([str(run.path), *words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    test = run.read_json("metrics.json")["test"]["audio_to_image"]
    assert (result["measure"], result["candidates"], result["examples"]) == ("recall_at_1", test["candidates"], 16)
    assert result["clean"]["recall_at_1"] == pytest.approx(test["recall_at_1"])
    scores = {ratio: cell["recall_at_1"] for ratio, cell in result["sets"]["all"]["snr"].items()}
    assert scores["-30"] < scores["40"] >= test["recall_at_1"] - 0.1
    assert result["noises"]["hum"]["set"] == "B"
    assert {"noise.json", "noise.csv", "heat_map.png", "curves.png"} <= {
        path.name for path in (run.path / "noise").iterdir()
    }
    corpus = datasets.load(recognizer.config.data)
    names = ["same"] * 4 + list(corpus.splits["test"].image_sources)[4:]
    split = dataclasses.replace(corpus.splits["test"], image_sources=names, audio_sources=names)
    corpus = dataclasses.replace(corpus, splits={"test": split})
    conditions = Conditions(str(noise), snr_db=(0.0,), seen=())
    shared = measure_retrieval(recognizer, corpus, conditions)
    assert (shared["candidates"], shared["examples"]) == (13, 13)


def test_commands(trained, pairs, capsys):
    run, _ = trained("dual_encoder")
    assert evaluate.main([str(run.path)]) == 0
    assert "audio to image" in capsys.readouterr().out
    files = [str(pairs.parent / name) for name in ("0.png", "1.png", "0.wav")]
    assert predict.main([str(run.path), *files, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["kind"] for answer in answers] == ["image", "image", "audio"]
    image, other, audio = (np.array(answer["embedding"]) for answer in answers)
    assert image @ audio > other @ audio
    listed = pairs.parent / "two.csv"
    listed.write_text("image,audio\n0.png,0.wav\n1.png,0.wav\n", encoding="utf-8")
    assert predict.main([str(run.path), str(listed), "--json"]) == 0
    similarities = [answer["similarity"] for answer in json.loads(capsys.readouterr().out)]
    np.testing.assert_allclose(similarities, [image @ audio, other @ audio], atol=1e-4)
    assert predict.main([str(run.path), *files, str(listed)]) == 0
    shown = capsys.readouterr().out
    assert "nearest" in shown
    assert shown.index("nearest") < shown.index("pair")
    assert predict.main([str(run.path), *files, str(listed), "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "file,kind,similarity"
    assert rows[1].endswith(",image,")
    assert ",pair," in rows[4]


@pytest.mark.slow
def test_new_clips_find_the_pictures_of_the_run(trained, pairs, tmp_path, capsys):
    """A folder with a sub-folder per class is ranked among what the run's own split has of the other kind."""
    run, recognizer = trained("dual_encoder")
    labels = recognizer.task.labels
    other = Recognizer(recognizer.config, ["0", "1", "2", "3"])
    with pytest.raises(UserError, match="is a folder, but the run has no classes"):
        other_data.load(recognizer, str(tmp_path))
    assert labels == []
    for i in range(8):
        (tmp_path / str(i % 4)).mkdir(exist_ok=True)
        shutil.copy(pairs.parent / f"{i}.wav", tmp_path / str(i % 4) / f"{i}.wav")
    other.run = run
    corpus = other_data.load(other, str(tmp_path))
    split = corpus.splits["test"]
    assert (len(set(split.audio_sources)), len(set(split.image_sources))) == (8, 16)
    scores = recognizer.evaluate(corpus)
    assert (scores["audio_to_image"]["queries"], scores["audio_to_image"]["candidates"]) == (8, 16)
    assert scores["recall_at_1"] > 0.8
    assert evaluate.main([str(run.path), "--data.path", str(pairs), "--split", "validation"]) == 0
    assert "recall at 1" in capsys.readouterr().out
