"""The keyword Transformer against plain NumPy, and the paper's sizes."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import numpy_reference as reference
from tfrec import architectures
from tfrec.architectures.speech import transformer

SMALL = transformer.Config(width=8, depth=2, heads=2, expansion=2, dropout=0.0)
EPSILON = 1e-6


def expected(clip, net, norm, pool):
    of = {layer.name: reference.randomize(layer) for layer in net.layers if layer.weights}
    x = reference.dense(clip, *of["stem_project"]) + reference.sinusoids(len(clip), 8)
    if pool == "class":
        x = np.concatenate([of["stem_class"][0][None], x])
    for name in ("block0", "block1"):
        if norm == "pre":
            x = reference.block(x, net, name, EPSILON)
            continue
        mixed = reference.attention(x, net.get_layer(f"{name}_attention"))
        x = reference.layer_norm(x + mixed, *of[f"{name}_norm1"], EPSILON)
        hidden = reference.gelu(reference.dense(x, *of[f"{name}_expand"]))
        x = reference.layer_norm(x + reference.dense(hidden, *of[f"{name}_shrink"]), *of[f"{name}_norm2"], EPSILON)
    if norm == "pre":
        x = reference.layer_norm(x, *of["final_norm"], EPSILON)
    return reference.dense(x[0] if pool == "class" else x.mean(axis=0), *of["logits"])


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("pool", ["mean", "class"])
def test_whole_network(norm, pool):
    net = transformer.build((None, 5), 3, dataclasses.replace(SMALL, norm=norm, pool=pool))
    clips = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    counts = [6, 4]
    wanted = [expected(clip[:count], net, norm, pool) for clip, count in zip(clips, counts, strict=True)]
    np.testing.assert_allclose(net({"features": clips, "frames": np.array(counts)}), wanted, atol=1e-4)


@pytest.mark.parametrize(("name", "thousands"), [("kwt_1", 607), ("kwt_2", 2394), ("kwt_3", 5361)])
def test_parameters_of_the_paper(name, thousands):
    """Table 1 of arXiv:2104.00769, for 40 mels, 98 frames and 12 classes; the 99 positions are not learned here."""
    config = architectures.default_config(name)
    with keras.StatelessScope():
        net = architectures.build_network(config, (98, 40), 12, "sequence")
    count = sum(math.prod(weight.shape) for weight in net.trainable_weights) + 99 * config.width
    assert count / 1000 == pytest.approx(thousands, abs=0.5)


@pytest.mark.parametrize("name", ["block0_attention_dropout", "block1_expand_dropout", "block1_dense_dropout"])
def test_drops_in_training(name):
    net = transformer.build((None, 5), 3, dataclasses.replace(SMALL, dropout=0.25))
    assert net.get_layer(name).rate == 0.25


@pytest.mark.parametrize(("changes", "received"), [({"heads": 5}, r"\(96, 5\)"), ({"depth": 0}, r"\(96, 0, 4, 4\)")])
def test_refuses_wrong_arguments(changes, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        transformer.build((None, 5), 3, dataclasses.replace(transformer.Config(), **changes))
