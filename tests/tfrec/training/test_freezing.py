"""Freezing policies: which blocks learn in which epochs."""

import dataclasses

import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.training.test_loop import corpus, fit, small  # noqa: F401
from tfrec import architectures
from tfrec.config.schema import FitConfig
from tfrec.recognizer import Recognizer
from tfrec.training import freezing

BLOCKS = {"stem": [], "one": [], "two": []}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [(0, 6, ())]),
        ({"freeze": "backbone"}, [(0, 6, ("stem", "one", "two"))]),
        ({"freeze": "until:one"}, [(0, 6, ("stem", "one"))]),
        ({"head_epochs": 2}, [(0, 2, ("stem", "one", "two")), (2, 6, ())]),
        ({"freeze": "until:stem", "head_epochs": 1}, [(0, 1, ("stem", "one", "two")), (1, 6, ("stem",))]),
        (
            {"freeze": "gradual"},
            [(0, 1, ("stem", "one", "two")), (1, 2, ("stem", "one")), (2, 3, ("stem",)), (3, 6, ())],
        ),
        (
            {"freeze": "gradual", "head_epochs": 2, "unfreeze_epochs": 3},
            [(0, 2, ("stem", "one", "two")), (2, 5, ("stem", "one")), (5, 6, ("stem",))],
        ),
    ],
)
def test_stages(fields, expected):
    assert freezing.stages(FitConfig(epochs=6, **fields), BLOCKS) == expected


def test_user_errors_name_the_blocks():
    with pytest.raises(UserError, match="stem"):
        freezing.stages(FitConfig(freeze="until:stern"), BLOCKS)
    with pytest.raises(UserError, match=r"until:BLOCK. Received: everything"):
        freezing.stages(FitConfig(freeze="everything"), BLOCKS)
    with pytest.raises(ValueError, match=r"fit.head_epochs"):
        FitConfig(epochs=2, head_epochs=2)


def before_and_after(corpus, path, **fields):  # noqa: F811
    """Names of the layers whose weights of any kind have changed in training."""
    config = small(corpus, **fields)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, depth=2))
    start = Recognizer(config, corpus.class_names).network
    recognizer, _ = fit(config, corpus, path)
    pairs = zip(start.layers, recognizer.network.layers, strict=True)
    return {
        one.name
        for one, other in pairs
        if any((np.array(a) != np.array(b)).any() for a, b in zip(one.weights, other.weights, strict=True))
    }


def test_what_is_frozen_does_not_change_and_the_rest_does(corpus, tmp_path):  # noqa: F811
    everything = before_and_after(corpus, tmp_path / "none")
    assert "block0_0_norm" in everything
    assert before_and_after(corpus, tmp_path / "backbone", freeze="backbone") == {"logits"}
    changed = before_and_after(corpus, tmp_path / "until", freeze="until:block0")
    assert changed == {name for name in everything if not name.startswith("block0_")}
    # The backbone learns from the second epoch on.
    assert before_and_after(corpus, tmp_path / "head", epochs=3, head_epochs=1, monitor="accuracy") >= {"logits"}


def test_frozen_batch_normalization_stays_in_inference_mode(corpus):  # noqa: F811
    network = Recognizer(small(corpus), corpus.class_names).network
    blocks = architectures.backbone_blocks(network)
    freezing.freeze(blocks, list(blocks))
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
    norm = architectures.feature_extractor(network)
    np.testing.assert_allclose(norm(images, training=True), norm(images, training=False), atol=1e-6)
    freezing.freeze(blocks, [])
    assert np.abs(norm(images, training=True) - norm(images, training=False)).max() > 1e-3


@pytest.mark.slow
def test_stages_are_trained_one_after_the_other_and_resume(corpus, tmp_path):  # noqa: F811
    """Gradual freeing, interrupted between its stages, ends with the same weights as without the interruption."""
    config = small(corpus, epochs=4, freeze="gradual", backbone_rate=0.5, optimizer="adam", schedule="constant")
    whole, _ = fit(config, corpus, tmp_path / "whole")
    short = dataclasses.replace(config, fit=dataclasses.replace(config.fit, epochs=2))
    fit(short, corpus, tmp_path / "parts")
    parts, history = fit(config, corpus, tmp_path / "parts", resume=True)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    for one, other in zip(whole.network.weights, parts.network.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
