"""The networks inside a network for pairs start from runs, each with its own features."""

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.training import freezing, session

WIDTHS = [
    "--model.image.width",
    "8",
    "--model.image.depth",
    "2",
    "--model.speech.width",
    "4",
    "--model.speech.depth",
    "3",
]


def config(pairs, *words):
    data = ["--data.name", "paired", "--data.path", str(pairs), "--data.channels", "1", "--task.embedding_dim", "8"]
    return flags.to_config(flags.parse_fit([*data, *WIDTHS, "--export.no_after_fit", *words])[1])


def weights_of(network):
    return {weight.path: np.array(weight) for weight in network.weights}


def test_each_network_starts_from_a_run(trained, pairs, tmp_path):
    (digits, of_digits), (tones, of_tones) = trained("digits"), trained("cnn")
    words = ("--model.image.weights", str(digits.path), "--model.speech.weights", str(tones.path))
    recognizer = session.dry_run(config(pairs, *words), Run(tmp_path / "run"))
    for name, source in (("image_network", of_digits), ("speech_network", of_tones)):
        stored = weights_of(source.network)
        own = weights_of(recognizer.network.get_layer(name))
        assert len(own) > 10
        for path, value in own.items():
            np.testing.assert_array_equal(value, stored[path], err_msg=path)
    assert recognizer.config.model.is_pretrained
    assert freezing.warnings(recognizer.config.fit, recognizer.config.model) == []


def test_one_of_them_can_be_frozen(pairs):
    shape = {"image": (12, 16, 1), "audio": (None, 40)}
    model = config(pairs).model
    network = architectures.build_network(model, shape, 8, "pair", "pair")
    blocks = architectures.backbone_blocks(network)
    assert list(blocks) == ["image", "speech"]
    freezing.freeze(blocks, ("image",))
    frozen = network.get_layer("image_network")
    assert not frozen.trainable_weights
    trainable = {weight.path for weight in network.trainable_weights}
    assert any("image_projection" in path for path in trainable)
    assert len(network.get_layer("speech_network").trainable_weights) > 10


def test_refusals(pairs, tmp_path, trained):
    with pytest.raises(UserError, match=r"name the weights of a network for pairs by model\.image\.weights"):
        session.dry_run(config(pairs, "--model.weights", str(tmp_path)), Run(tmp_path / "run"))
    lstm = config(pairs, "--model.speech.weights", str(trained("lstm")[0].path))
    with pytest.raises(UserError, match=r"is a 'lstm', but this network is a 'cnn'"):
        session.dry_run(lstm, Run(tmp_path / "run"))
