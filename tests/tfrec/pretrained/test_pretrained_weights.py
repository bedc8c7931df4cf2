"""Which weights `model.weights` names, and what a run knows about its own."""

import dataclasses

import numpy as np
import pytest

from pipelines import frontends
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tests.tfrec.pretrained.helpers import CNN, LABELS, config, random_net, run_folder
from tfrec import architectures
from tfrec.pretrained import pretrained_weights, transfer

CLASSES = 5


def test_a_run_knows_its_classes_and_features(tmp_path):
    net = random_net(config())
    settings = config(weights=run_folder(tmp_path / "run", net, model=CNN))
    source = pretrained_weights.find(settings)
    assert source.normalize == "unit"
    target = architectures.build_network(settings.model, (8, 8, 3), CLASSES, "image")
    first, *others = transfer.load(source, target, settings, LABELS)
    assert first.endswith("loaded all 5 layers.")
    assert others == [f"{source.name} was trained with frontend.normalize unit; now it is per_image."]
    settings.frontend.normalize = "unit"
    (first,) = transfer.load(source, target, settings, LABELS[::-1])
    assert first.endswith("loaded 4 of 5 layers; randomly initialized: 'logits', because the classes differ.")


def test_another_architecture_is_refused(tmp_path):
    path = run_folder(tmp_path / "run", random_net(config()), model=CNN)
    with pytest.raises(UserError, match=r"run is a 'cnn', but this network is a 'mlp': set --model.name cnn"):
        pretrained_weights.find(config("mlp", weights=path))


def test_weights_of_images_decide_the_range_of_spectrograms(trained):
    run, recognizer = trained("digits")
    stored = recognizer.config
    model = dataclasses.replace(stored.model, weights=str(run.path))
    settings = dataclasses.replace(stored, model=model, frontend=frontends.SpeechConfig())
    source = pretrained_weights.find(settings)
    assert source.normalize == stored.frontend.normalize == "per_image"
    corpus = Corpus("words", "audio", ("yes", "no"), {}, 8000)
    frontend = frontends.resolve(frontends.SpeechConfig(form="picture"), corpus, source.normalize, ("image",))
    assert (frontend.picture_normalize, frontend.picture_channels) == ("per_image", 3)
    settings = dataclasses.replace(settings, frontend=frontend)
    net = architectures.build_network(model, frontends.build(frontend).feature_shape, 2, "image")
    notes = transfer.load(source, net, settings, ["yes", "no"])
    assert "randomly initialized: 'logits'" in notes[0]
    assert len(notes) == 2  # the second is about the channels; none is about settings that images do not have
    np.testing.assert_array_equal(
        net.get_layer("block1_0_conv").kernel, recognizer.network.get_layer("block1_0_conv").kernel
    )
