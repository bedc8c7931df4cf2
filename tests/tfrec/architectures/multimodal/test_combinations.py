"""Networks for pairs of any two networks of the registry: built, trained for a step, exported."""

import itertools

import keras
import numpy as np
import pytest

from pipelines import assemble
from pipelines.datasets import memory
from tests.tfrec.architectures.small_networks import FIELDS
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import publish
from tfrec.serving.lint import report
from tfrec.training.step import Training

RATE_HZ = 8000
SIDE = 32  # pixels
IMAGE = {  # name: settings of a small network for pictures
    "mlp": {"width": 8},
    "resnet18": {"width_multiplier": 0.1, "depth_multiplier": 0.01},
    "vit_tiny": {"width_multiplier": 0.25, "depth_multiplier": 0.01, "patch": 8},
}
SPEECH = {  # likewise, for clips: of frames, of frames with a mask of its own, and of samples
    "lstm": {"units": 8},
    "conformer": {"width": 16, "depth": 1, "heads": 2},
    "wavenet": FIELDS["wavenet"],
}
TASKS = {"dual_encoder": ["--task.embedding_dim", "8"], "av_fusion": ["--task.name", "classify", "--model.units", "8"]}


@pytest.fixture(scope="module")
def corpus():
    """Four random pictures with four random clips, of two classes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, SIDE, SIDE, 3)).astype("uint8")
    waves = [random.normal(scale=0.1, size=samples).astype("float32") for samples in (900, 1200, 1500, 1600)]
    places = np.stack([np.arange(4)] * 2, axis=1)
    return memory.pairs(images, waves, places, np.array([0, 0, 1, 1]), list("abcd"), list("efgh"))


def recognizer_of(name, image, speech):
    words = [
        "--data.name",
        "paired",
        "--frontend.speech.sample_rate_hz",
        str(RATE_HZ),
        "--frontend.image.channels",
        "3",
    ]
    words += [
        "--frontend.image.height",
        str(SIDE),
        "--frontend.image.width",
        str(SIDE),
        "--model.name",
        name,
        *TASKS[name],
    ]
    words += ["--frontend.speech.form", "waveform" if speech == "wavenet" else "sequence"]
    for part, (network, settings) in (("image", (image, IMAGE[image])), ("speech", (speech, SPEECH[speech]))):
        words += [f"--model.{part}.name", network]
        for field, value in settings.items():
            words += [f"--model.{part}.{field}", str(value)]
    return Recognizer(flags.to_config(flags.parse_fit(words)[1]), ["x", "y"] if name == "av_fusion" else [])


FIRST = [(name, "mlp", "lstm") for name in TASKS]  # the default suite has one pair of each task
combinations = pytest.mark.parametrize(
    ("name", "image", "speech"),
    [
        pytest.param(*each, marks=[pytest.mark.slow] * (each not in FIRST))
        for each in itertools.product(TASKS, IMAGE, SPEECH)
    ],
)


@combinations
@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_step_of_training(name, image, speech, corpus):
    """From raw pictures and clips; the loss is finite, and the step changes both networks."""
    recognizer = recognizer_of(name, image, speech)
    training = Training(recognizer, corpus)
    training.compile(keras.optimizers.SGD(0.1))
    parts = [recognizer.network.get_layer(f"{part}_network") for part in ("image", "speech")]
    before = [[np.array(weight) for weight in part.trainable_weights] for part in parts]
    logs = training.train_step(next(iter(assemble.evaluation_batches(corpus, training.frontend, 4))))
    assert np.isfinite(float(logs["loss"]))
    for part, old in zip(parts, before, strict=True):
        new = [np.array(weight) for weight in part.trainable_weights]
        assert all(np.isfinite(value).all() for value in new)
        assert any((value != start).any() for value, start in zip(new, old, strict=True))


@pytest.mark.slow
@combinations
def test_an_export(name, image, speech, tmp_path):
    """Publication compares the export with the recognizer in another process; the linter finds nothing."""
    version = publish.publish(recognizer_of(name, image, speech), tmp_path, "pairs")
    findings = report.check(report.open_folder(version))
    assert {each.rule: each.text for each in findings if each.status == "problem"} == {}
