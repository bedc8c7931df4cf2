"""Masked pixels: patches against loops, an encoder of visible patches alone, transfer, and what such a run answers."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

import tfrec
from pipelines import assemble, frontends
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tests.tfrec.tasks.pretrained_starts import assert_starts_from
from tests.tfrec.tasks.test_simclr import NAMES, parsed, pictures, relabeled
from tfrec import architectures, tasks
from tfrec.architectures.layers.patches import HiddenPatches, join_patches, split_image
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.tasks import masked_pixels
from tfrec.training import loop, session
from tfrec.training.step import Training

VIT = ["--model.name", "vit_tiny", "--model.width_multiplier", "0.125", "--model.depth_multiplier", "0.1"]
VIT += ["--model.patch", "3", "--task.decoder_width", "32", "--task.decoder_depth", "1"]
CCT = ["--model.name", "cct_7_3x1", "--model.width_multiplier", "0.125", "--model.depth_multiplier", "0.1"]


def images(size=3, shape=(6, 9, 2)):
    return np.random.default_rng(0).normal(2.0, 3.0, (size, *shape)).astype("float32")


def squares(image, side):
    """Patches of an image, row by row, as a loop cuts them."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    places = [(side * i, side * j) for i in range(rows) for j in range(columns)]
    return np.array([image[i : i + side, j : j + side].reshape(-1) for i, j in places])


@pytest.mark.parametrize("normalize", [False, True])
def test_hidden_patches_are_those_of_a_loop(normalize):
    x = images()
    features, targets = HiddenPatches(3, 1, fraction=0.5, normalize=normalize, seed=1)(x)
    hidden = np.asarray(targets["hidden"])
    for image, changed, row, pixels in zip(x, np.asarray(features), hidden, np.asarray(targets["pixels"]), strict=True):
        patches = squares(row.reshape(6, 9), 3).mean(axis=1)
        assert sorted(patches) == [0, 0, 0, 1, 1, 1]  # whole patches
        np.testing.assert_array_equal(changed, np.where(row.reshape(6, 9, 1) > 0, 0, image))
        if normalize:
            values = squares(image, 3)
            values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
            image = np.asarray(join_patches(values[None], 3, (6, 9, 2)))[0]
        np.testing.assert_allclose(pixels, image.reshape(54, 2), atol=1e-4)
    assert len({tuple(row) for row in hidden}) > 1
    np.testing.assert_array_equal(split_image(x, 3)[0], squares(x[0], 3))


def test_visible_patches_are_listed():
    features, targets = HiddenPatches(3, fraction=0.9, lists=True)(images())
    assert features["visible"].shape == (3, 1)  # at least one
    assert targets["pixels"].shape == (3, 6, 18)
    for place, hidden in zip(np.asarray(features["visible"])[:, 0], np.asarray(targets["hidden"]), strict=True):
        np.testing.assert_array_equal(hidden, np.arange(6) != place)
    copy = HiddenPatches.from_config(json.loads(json.dumps(HiddenPatches(4, 2, lists=True).get_config())))
    assert (copy.side, copy.cell, copy.lists) == (4, 2, True)


def vit(**changes):
    config = dataclasses.replace(
        architectures.default_config("vit_tiny"), width_multiplier=0.25, depth_multiplier=0.2, patch=3, **changes
    )
    return config, architectures.patch_encoder(config, (6, 9, 2))


def test_the_encoder_reads_visible_patches_alone():
    keras.utils.set_random_seed(1)
    config, encoder = vit()
    x, visible = images(), np.int32([[0, 4], [1, 2], [5, 3]])
    tokens = encoder({"features": x, "visible": visible})["tokens"]
    assert tokens.shape == (3, 3, 48)
    changed = x.copy()
    for image, places in zip(changed, visible, strict=True):
        for place in set(range(6)) - set(places.tolist()):
            row, column = divmod(place, 3)
            image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3] = np.nan
    np.testing.assert_array_equal(encoder({"features": changed, "visible": visible})["tokens"], tokens)
    # All of them, in any order, are what the network without a mask reads.
    net = architectures.build_network(config, (6, 9, 2), 4, "image")
    for layer in encoder.layers:
        net.get_layer(layer.name if layer.name not in ("stem_visible", "visible") else "features").set_weights(
            layer.get_weights()
        )
    expected = architectures.feature_extractor(net)(x)
    every = np.tile(np.int32([3, 1, 0, 2, 5, 4]), (3, 1))
    np.testing.assert_allclose(encoder({"features": x, "visible": every})["embedding"], expected, atol=1e-5)
    np.testing.assert_allclose(architectures.feature_extractor(encoder)(x), expected, atol=1e-5)


@pytest.mark.parametrize("distance", ["squared", "absolute"])
def test_the_loss_is_the_mean_over_hidden_pixels(distance):
    random = np.random.default_rng(2)
    pixels, expected = random.normal(size=(2, 2, 5, 7)).astype("float32")
    hidden = np.float32([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0]])
    task = masked_pixels.MaskedPixels(masked_pixels.Config(distance=distance), [])
    difference = (pixels - expected)[hidden > 0]
    targets = {"pixels": expected, "hidden": hidden}
    mean = np.mean(difference**2 if distance == "squared" else np.abs(difference))
    assert float(task.loss({"pixels": pixels}, targets)) == pytest.approx(mean, rel=1e-5)
    constant = np.stack([np.full((5, 7), image[row > 0].mean()) for image, row in zip(expected, hidden, strict=True)])
    for answer, explained in ((expected, 1.0), (constant, 0.0)):
        metrics = task.metrics()
        outputs = {"pixels": answer.astype("float32"), "embedding": np.ones((2, 4), "float32")}
        task.update_metrics(metrics, outputs, targets)
        assert float(metrics[0].result()) == pytest.approx(explained, abs=1e-5)
        assert float(metrics[1].result()) == 0
    assert "features of all examples are about the same" in task.epoch_warnings({"val_embedding_std": 0.01})[0]
    assert task.epoch_warnings({"val_embedding_std": 0.01, "val_explained": 0.4}) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of pictures without classes."""
    folder = tmp_path_factory.mktemp("flat") / "pictures"
    folder.mkdir()
    for i, example in enumerate(pictures(64, 0).examples.as_numpy_iterator()):
        Image.fromarray(example["image"][..., 0]).save(folder / f"{i}.png")
    return folder


def words(folder, *others):
    fixed = ["--data.name", "folder", "--data.path", str(folder), "--data.channels", "1", "--frontend.height", "12"]
    return [
        *fixed,
        "--frontend.width",
        "12",
        "--task.name",
        "masked_pixels",
        "--fit.batch_size",
        "16",
        "--fit.learning_rate",
        "0.005",
        *others,
    ]


NETWORKS = {"vit": VIT, "cct": CCT}


@pytest.fixture(scope="module", params=NETWORKS)
def learned(request, folder, tmp_path_factory):
    """The result of a training."""
    config = parsed(*words(folder, *NETWORKS[request.param], "--fit.epochs", "3"))
    return session.train(config, Run(tmp_path_factory.mktemp("masked") / "run"), verbose=0)


@pytest.mark.slow
def test_a_training_learns_from_pictures_alone(learned):
    history = learned.run.read_history()
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["explained"] > history[0]["explained"]
    assert {"val_loss", "val_explained", "val_embedding_std"} <= history[-1].keys()
    assert learned.scores.keys() == {"embedding_std", "examples"}


@pytest.mark.slow
def test_answers_are_features_of_whole_pictures(learned, folder):
    files = [str(folder / f"{i}.png") for i in range(2)]
    recognizer = Recognizer.from_run(learned.run)
    x = recognizer.frontend(np.stack([recognizer.read(file) for file in files]))
    expected = architectures.feature_extractor(recognizer.network)(x)
    for answer, vector in zip(recognizer.predict(files), np.asarray(expected), strict=True):
        np.testing.assert_allclose(answer.vector, vector, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_step_changes_every_weight(name, folder):
    recognizer = recognizer_of(folder, *NETWORKS[name])
    split = recognizer.task.targets(pictures(16, 0))
    training = Training(recognizer, split)
    training.compile(keras.optimizers.Adam(0.01))
    before = [np.array(weight) for weight in training.trainable_weights]
    logs = training.train_step(next(iter(assemble.evaluation_batches(split, training.frontend, 16))))
    assert np.isfinite(float(logs["loss"]))
    same = [old for old, new in zip(before, training.trainable_weights, strict=True) if np.array_equal(old, new)]
    assert len(same) == (name == "cct")  # the pooling, which no pixel depends on


@pytest.mark.parametrize("name", NETWORKS)
def test_the_supervised_network_starts_from_it(name, folder, tmp_path):
    masked = recognizer_of(folder, *NETWORKS[name])
    for weight in masked.network.weights:
        weight.assign(np.random.default_rng(3).normal(size=weight.shape))
    masked.save(tmp_path / "run")
    network = [word for word in NETWORKS[name] if not word.startswith("--task")][: 8 if name == "vit" else 6]
    settings = ["digits", *network, "--frontend.height", "12", "--frontend.width", "12"]
    config, corpus = session.resolve(parsed(*settings, "--model.weights", str(tmp_path / "run")))
    after = Recognizer(config, tasks.labels(config.task, corpus)).network
    assert_starts_from(masked.network, after, config, corpus.class_names)


@pytest.mark.slow
def test_labels_are_not_used(tmp_path):
    sizes = {"train": 32, "validation": 16, "test": 16}
    corpus = Corpus("bars", "image", NAMES, {name: pictures(size, i) for i, (name, size) in enumerate(sizes.items())})
    weights = []
    for i, data in enumerate((corpus, relabeled(corpus))):
        config = parsed("digits", "--task.name", "masked_pixels", *VIT, "--fit.epochs", "1")
        config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, data))
        recognizer = Recognizer(config, tasks.labels(config.task, data))
        (run := Run(tmp_path / str(i))).create()
        loop.train(recognizer, data, run, verbose=0)
        weights.append(recognizer.network.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_the_export_answers_as_the_run(learned, folder, tmp_path):
    recognizer, file = Recognizer.from_run(learned.run), str(next(folder.iterdir()))
    exported = tfrec.load(recognizer.export(tmp_path / "served", "masked"))
    (one,), (two,) = recognizer.predict([file]), exported.predict([file])
    np.testing.assert_allclose(one.vector, two.vector, rtol=1e-3, atol=1e-4)


def recognizer_of(folder, *others):
    config, corpus = session.resolve(parsed(*words(folder, *others)))
    return Recognizer(config, tasks.labels(config.task, corpus))


def test_what_is_hidden_by_default(folder):
    pretext = (recognizer := recognizer_of(folder, *CCT)).task.pretext(recognizer)
    assert (pretext.side, pretext.cell, pretext.lists) == (2, 2, False)
    pretext = (recognizer := recognizer_of(folder, *CCT, "--task.patch", "6")).task.pretext(recognizer)
    assert (pretext.side, pretext.cell) == (6, 2)
    pretext = (recognizer := recognizer_of(folder, *VIT)).task.pretext(recognizer)
    assert (pretext.side, pretext.cell, pretext.lists) == (3, 3, True)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([*VIT, "--task.patch", "4"], "has patches of 3 pixels of its own; set model.patch"),
        ([*CCT, "--task.patch", "5"], "must be a multiple of 2 pixels.*set one of 2, 4, 6"),
        (["--model.name", "mlp"], "needs a network with cells or patches"),
    ],
)
def test_settings_that_do_not_fit(folder, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        recognizer_of(folder, *settings)


def test_clips_of_frames_are_refused(tones):
    config, corpus = session.resolve(
        parsed(
            "--data.name", "folder", "--data.path", str(tones), "--task.name", "masked_pixels", "--model.name", "lstm"
        )
    )
    with pytest.raises(UserError, match="choose a network for pictures"):
        Recognizer(config, tasks.labels(config.task, corpus))
