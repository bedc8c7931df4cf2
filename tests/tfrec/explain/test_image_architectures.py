"""Maps of every image architecture at 64 pixels, after a short training on the digits."""

import dataclasses

import numpy as np
import pytest

from pipelines import datasets
from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import small_config
from tfrec import architectures, tasks
from tfrec.architectures.registry import ARCHITECTURES
from tfrec.config import flags
from tfrec.explain import checks
from tfrec.explain.example import of_class
from tfrec.explain.grad_cam import grad_cam
from tfrec.explain.integrated_gradients import TOLERANCE, integrate, integrated_gradients
from tfrec.recognizer import Recognizer
from tfrec.training import loop, session

PICTURES = [name for name in ARCHITECTURES if "image" in architectures.find(name).input_kinds]
SIDE = {"inception_v3": 75}  # the smallest that it takes; 64 otherwise
EXAMPLES = 4  # that are explained
EPOCHS, ROUNDS, LEARNED = 4, 5, 0.6  # trains until this accuracy: before, maps show nothing


@pytest.fixture(scope="module")
def digits():
    """The digits."""
    return datasets.load(datasets.digits.Config(name="digits"))


def trained(name, digits):
    """A small network of an architecture that has learned the digits, and the same before any training."""
    side = str(SIDE.get(name, 64))
    words = ["--model.name", name, "--frontend.height", side, "--frontend.width", side]
    words += ["--fit.epochs", str(EPOCHS), "--fit.learning_rate", "2e-3"]
    config, _ = session.resolve(flags.to_config(flags.parse_fit(words)[1]))
    config = dataclasses.replace(config, model=small_config(name))
    labels = tasks.labels(config.task, digits)
    recognizer = Recognizer(config, labels)
    for _ in range(ROUNDS):
        loop.train_on(recognizer, digits.splits["train"])
        if recognizer.evaluate(digits.splits["test"])["accuracy"] >= LEARNED:
            break
    return recognizer, Recognizer(config, labels).inference_network


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_maps_of_a_trained_network(name, digits):
    recognizer, untrained = trained(name, digits)
    similarity = {"integrated_gradients": [], "grad_cam": []}
    for each in digits.splits["test"].examples.take(EXAMPLES).as_numpy_iterator():
        example, probabilities = of_class(recognizer, each["image"])
        assert np.isfinite(probabilities).all()
        found = integrate(example)
        assert found.error <= TOLERANCE
        method = integrated_gradients
        similarity["integrated_gradients"].append(
            checks.randomized_similarity(example, method, method(example), untrained)
        )
        if name == "mlp":
            with pytest.raises(UserError, match="mlp has no layer whose output keeps places"):
                grad_cam(example)
            continue
        found = grad_cam(example)
        assert found.shape == example.cells
        assert found.min() >= 0
        similarity["grad_cam"].append(checks.randomized_similarity(example, grad_cam, found, untrained))
    for method, values in similarity.items():
        assert not values or np.mean(values) < checks.SIMILAR, (method, values)
