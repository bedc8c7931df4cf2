"""The advice where pretrained weights do not fit, and what is reported where they do."""

import dataclasses
import types

import pytest

from pipelines.errors import UserError
from tests.tfrec.pretrained.helpers import LABELS, LIGHT, SQUEEZENET, config, random_net, run_folder
from tfrec import architectures
from tfrec.pretrained import pretrained_weights, transfer

CLASSES = 5


def test_advice_names_the_settings_of_the_run(tmp_path):
    net = random_net(config("mlp"), shape=(8, 8, 3))
    path = run_folder(tmp_path / "run", net, model={"name": "mlp"})
    settings = config("mlp", shape=(9, 9, 3), weights=path)
    target = architectures.build_network(settings.model, (9, 9, 3), CLASSES, "image")
    with pytest.raises(UserError, match=r"; set --frontend.height 8 --frontend.width 8, or leave"):
        transfer.load(pretrained_weights.find(settings), target, settings, LABELS)
    wide = dataclasses.replace(settings.model, width=8)
    settings = types.SimpleNamespace(model=wide, frontend=settings.frontend)
    target = architectures.build_network(wide, (9, 9, 3), CLASSES, "image")
    with pytest.raises(UserError, match=r"; set --model.width \d+, or leave"):
        transfer.load(pretrained_weights.find(settings), target, settings, LABELS)


def test_advice_names_the_stem_that_auto_resolved_to(tmp_path):
    net = random_net(config("alexnet"), shape=(32, 32, 3))
    path = run_folder(tmp_path / "run", net, model={"name": "alexnet", **LIGHT})
    settings = config("alexnet", shape=(80, 80, 3), weights=path)
    target = architectures.build_network(settings.model, (80, 80, 3), CLASSES, "image")
    with pytest.raises(
        UserError,
        match=r"\(3, 3, 3, 24\) in the weights and \(11, 11, 3, 24\) in this network; set --model.stem small",
    ):
        transfer.load(pretrained_weights.find(settings), target, settings, LABELS)


def test_another_stem_that_fits_is_reported(tmp_path):
    path = run_folder(tmp_path / "run", random_net(config("squeezenet"), shape=(32, 32, 3)), model=SQUEEZENET)
    settings = config("squeezenet", shape=(80, 80, 3), weights=path)
    target = architectures.build_network(settings.model, (80, 80, 3), CLASSES, "image")
    notes = transfer.load(pretrained_weights.find(settings), target, settings, LABELS)
    assert f"{path} was trained with model.stem small; now it is large." in notes
