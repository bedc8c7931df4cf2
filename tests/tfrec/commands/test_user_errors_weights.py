"""`model.weights` on the command line: user errors in one sentence, and runs that start from weights."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from tfrec.commands import fit
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run

WIDTH = ["--model.width", "8"]  # the "digits" run's
PLAIN = ["--fit.epochs", "1", "--export.no_after_fit"]


@pytest.fixture
def source(tmp_path, trained):
    """A copy of a good run."""
    return pathlib.Path(shutil.copytree(trained("digits")[0].path, tmp_path / "source"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "model.weights 'nowhere' is neither imagenet, nor a run folder, nor a .weights.h5 file"),
        (["imagnet"], "model.weights 'imagnet' is neither imagenet"),
        (["imagenet"], "model.weights imagenet does not exist for model.name 'cnn': choose"),
        (["empty"], "empty is not a run"),
        (["letter.txt", *WIDTH], "letter.txt is damaged or not a .weights.h5 file"),
        (
            ["source", "--model.name", "mlp"],
            "source is a 'cnn', but this network is a 'mlp': set --model.name cnn",
        ),
        (
            ["source"],
            "Conv2D 'block0_0_conv' has shape (3, 3, 1, 8) in the weights and (3, 3, 1, 32) in this network; set"
            " --model.width 8",
        ),
        (
            ["source", *WIDTH, "--model.depth", "1"],
            "this network has no layer 'block1_0_conv'; set --model.depth 2, or",
        ),
        (
            ["source", *WIDTH, "--model.depth", "3"],
            "'block2_0_conv' is missing in the weights; set --model.depth 2, or",
        ),
        (["source/best.weights.h5"], "has shape (3, 3, 1, 8) in the weights and (3, 3, 1, 32) in this network; use"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_weights_that_do_not_fit(fails, tmp_path, source, words, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.txt").write_text("dear")
    assert message in fails(fit, *PLAIN, "--model.weights", *words)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "[]", "source is damaged: config.json must hold a JSON object"),
        ("config.json", "{", "source/config.json is damaged"),
        ("config.json", '{"fit": {"magic": 1}}', "source/config.json: Unknown key 'fit.magic'"),
        ("labels.json", "{}", "source/labels.json is damaged: it must hold a JSON list of at least two strings."),
        ("labels.json", None, "source/labels.json"),
        ("best.weights.h5", None, "source has no weights yet"),
        ("best.weights.h5", "", "best.weights.h5 is damaged"),
    ],
)
def test_damaged_runs(fails, source, name, content, message):
    (source / name).unlink()
    if content is not None:
        (source / name).write_text(content)
    assert message in fails(fit, *PLAIN, *WIDTH, "--model.weights", "source")


@pytest.mark.slow
def test_a_run_starts_from_another(tmp_path, monkeypatch, caplog, source):
    """It takes over the normalization; with a learning rate near 0 the weights stay; resuming needs no source."""
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    stored = json.loads((source / "config.json").read_text())
    stored["frontend"]["normalize"] = "symmetric"
    (source / "config.json").write_text(json.dumps(stored))
    before = Recognizer.from_run(Run("source"))
    fit.main(["--model.weights", "source", "--run", "next", "--fit.learning_rate", "1e-12", *PLAIN, *WIDTH])
    assert "Weights of source: loaded all 9 layers." in caplog.text
    shutil.rmtree(source)
    fit.main(["--run", "next", "--resume", "--fit.epochs", "2", "--export.no_after_fit"])
    after = Recognizer.from_run(Run("next"))
    assert after.config.frontend.normalize == "symmetric"
    assert after.config.model.weights == "source"
    for old, new in zip(before.network.trainable_weights, after.network.trainable_weights, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_without_weights_images_are_normalized_per_image(trained):
    assert trained("digits")[0].read_json("config.json")["frontend"]["normalize"] == "per_image"
