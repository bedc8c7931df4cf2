"""Tests of maps: those of random weights and random maps must fail them."""

import keras
import numpy as np
import pytest
from scipy import special

from tfrec.explain import checks
from tfrec.explain.example import Example, of_class, probabilities
from tfrec.explain.integrated_gradients import integrated_gradients
from tfrec.recognizer import Recognizer

R = np.random.default_rng(0)


@pytest.fixture
def linear():
    """Two classes, of which the first has as logit the sum over the left half."""
    inputs = keras.Input((8, 8, 1))
    left = keras.layers.Cropping2D(((0, 0), (0, 4)))(inputs)
    logit = keras.layers.Dense(2, use_bias=False, name="logits")(keras.layers.Flatten()(left))
    network = keras.Model(inputs, logit)
    network.get_layer("logits").set_weights([np.stack([np.ones(32), np.zeros(32)], axis=-1) * 0.1])
    picture = np.ones((8, 8, 1), "float32")
    return Example(network, picture, {}, lambda outputs: outputs[:, 0], np.zeros_like(picture))


def test_the_right_map_is_better_than_a_random_one(linear):

    def probability(variants):
        return special.softmax(linear.network.predict(variants, verbose=0), axis=-1)[:, 0]

    own = checks.curves(linear, integrated_gradients(linear), probability)
    random = checks.random_curves(linear, probability)
    assert own.deletion[0] == pytest.approx(own.insertion[-1]) == pytest.approx(1 / (1 + np.exp(-0.1 * 32)), abs=1e-4)
    assert own.deletion[-1] == pytest.approx(own.insertion[0]) == pytest.approx(0.5)
    assert own.deletion_area < random.deletion_area - 0.05
    assert own.insertion_area > random.insertion_area + 0.05
    wrong = checks.curves(linear, -integrated_gradients(linear), probability)
    assert wrong.deletion_area > random.deletion_area + 0.05


def test_a_map_that_does_not_depend_on_the_weights_is_found(linear):
    def edges(example):
        return np.abs(np.arange(64).reshape(8, 8) - 20.0)

    untrained = keras.models.clone_model(linear.network)
    assert checks.randomized_similarity(linear, edges, edges(linear), untrained) == pytest.approx(1)


def test_maps_of_a_trained_network_are_not_those_of_random_weights(trained):
    recognizer = trained("digits")[1]
    example, _ = of_class(recognizer, R.integers(0, 255, (8, 8, 1)).astype("uint8"))
    untrained = Recognizer(recognizer.config, recognizer.task.labels).inference_network
    found = integrated_gradients(example)
    assert checks.randomized_similarity(example, integrated_gradients, found, untrained) < checks.SIMILAR
    same = checks.randomized_similarity(example, integrated_gradients, found, example.network)
    assert same == pytest.approx(1)


def test_the_curves_have_the_probabilities_of_the_answer(trained, monkeypatch):
    recognizer = trained("digits")[1]
    monkeypatch.setattr(recognizer.task, "temperature", 3.0)
    example, answer = of_class(recognizer, R.integers(0, 255, (8, 8, 1)).astype("uint8"))
    found = checks.curves(
        example, integrated_gradients(example), lambda variants: probabilities(recognizer, example, variants)[:, 2]
    )
    np.testing.assert_allclose([found.deletion[0], found.insertion[-1]], answer[2], rtol=1e-5)
    untrained = Recognizer(recognizer.config, recognizer.task.labels).inference_network
    figures = checks.figures(recognizer, example, integrated_gradients, integrated_gradients(example), 2, untrained)
    assert figures["deletion"] == pytest.approx(found.deletion_area, abs=1e-4)
