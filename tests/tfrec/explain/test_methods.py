"""Maps of relevance: small networks of which the right map is known, and networks of the registry."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures.registry import ARCHITECTURES, find
from tfrec.explain import METHODS
from tfrec.explain.example import Example, of_class
from tfrec.explain.grad_cam import grad_cam, token_grid
from tfrec.explain.integrated_gradients import TOLERANCE, integrate

R = np.random.default_rng(0)
ENTRIES = [find(name) for name in reversed(ARCHITECTURES)]
PICTURES = {
    entry.module: entry.name for entry in ENTRIES if "image" in entry.input_kinds
}.values()  # of each module one
FAST = ("cnn", "mlp", "squeezenet")


def example_of(network, features, index=0, others=None):
    baseline = np.zeros_like(features)
    return Example(network, features, others or {}, lambda outputs: outputs[:, index], baseline)


@pytest.fixture(scope="module")
def corner():
    """A network whose only logit is the mean of the brightest map over the upper left quarter of a picture."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="map")(inputs)
    x = keras.layers.Cropping2D(((0, 4), (0, 4)), name="quarter")(x)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, x, name="corner")


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_relevance_is_where_the_score_comes_from(corner, method):
    found = METHODS[method](example_of(corner, np.ones((8, 8, 1), "float32")))
    assert found.shape == (8, 8)
    assert found[:4, :4].min() > 0
    np.testing.assert_allclose(found[5:, 5:], 0, atol=1e-6)


def test_integrated_gradients_share_the_score(corner):
    picture = R.random((8, 8, 1)).astype("float32")
    relevance, error = integrate(example_of(corner, picture))
    np.testing.assert_allclose(relevance[:4, :4], picture[:4, :4] / 16, rtol=1e-4)
    assert error < 1e-5


def test_grad_cam_of_a_named_layer(corner):
    picture = np.zeros((8, 8, 1), "float32")
    picture[2, 5] = 1
    found = grad_cam(example_of(corner, picture), layer="map")
    assert np.unravel_index(found.argmax(), found.shape) == (2, 5)
    with pytest.raises(UserError, match="did you mean 'map'"):
        grad_cam(example_of(corner, picture), layer="mop")
    with pytest.raises(UserError, match="embedding outputs no map"):
        grad_cam(example_of(corner, picture), layer="embedding")


def test_grids_of_tokens():
    assert token_grid(65, (32, 32)) == (8, 8)
    assert token_grid(8, (16, 32)) == (2, 4)
    assert token_grid(7, (32, 32)) is None
    assert token_grid(None, (32, 32)) is None


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in PICTURES]
)
def test_pictures_of_every_architecture(name):
    side = 96 if name == "inception_v3" else 32 if name in FAST else 64
    keras.utils.set_random_seed(0)
    network = architectures.build(name, (side, side, 1), 3)
    example = example_of(network, R.normal(size=(side, side, 1)).astype("float32"))
    assert integrate(example).error <= TOLERANCE
    if name == "mlp":
        with pytest.raises(UserError, match="mlp has no layer whose output keeps places"):
            grad_cam(example)
        return
    found = grad_cam(example)
    assert found.shape == (side, side)
    assert found.min() >= 0


@pytest.mark.parametrize("name", ["vit_tiny", pytest.param("cct_7_3x1", marks=pytest.mark.slow), "transformer"])
def test_attention_rollout(name):
    keras.utils.set_random_seed(0)
    if name == "transformer":
        network = architectures.build(name, (None, 40), 3)
        features, others = R.normal(size=(60, 40)).astype("float32"), {"frames": np.int32([60])}
    else:
        network = architectures.build(name, (32, 32, 1), 3)
        features, others = R.normal(size=(32, 32, 1)).astype("float32"), {}
    found = METHODS["attention_rollout"](example_of(network, features, others=others))
    assert found.shape == features.shape[:2]
    assert found.min() > 0


def test_a_network_without_attention_has_no_rollout(corner):
    with pytest.raises(UserError, match="corner has no self-attention: use --method grad_cam"):
        METHODS["attention_rollout"](example_of(corner, np.ones((8, 8, 1), "float32")))


@pytest.mark.parametrize("name", ["digits", "cnn", pytest.param("lstm", marks=pytest.mark.slow)])
def test_maps_of_trained_networks(name, trained):
    recognizer = trained(name)[1]
    raw = recognizer.frontend.noise(np.random.default_rng(1))
    example, probabilities = of_class(recognizer, raw)
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-5)
    assert integrate(example).error <= TOLERANCE
    for method in ("integrated_gradients", "grad_cam", "occlusion"):
        found = METHODS[method](example)
        assert found.shape == example.cells
        np.testing.assert_array_equal(found, METHODS[method](example))
    other, _ = of_class(recognizer, raw, 1)
    assert np.abs(integrate(other).relevance - integrate(of_class(recognizer, raw, 0)[0]).relevance).max() > 1e-4


def test_variants_are_computed_in_batches(corner):
    example = example_of(corner, np.ones((8, 8, 1), "float32"))
    variants = R.random((70, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(example.scores(variants), variants[:, :4, :4].mean(axis=(1, 2, 3)), rtol=1e-5)
    assert dataclasses.replace(example, score=lambda outputs: 2 * outputs[:, 0]).gradients(variants).shape == (
        70,
        8,
        8,
        1,
    )
