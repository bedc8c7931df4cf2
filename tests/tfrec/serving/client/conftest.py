"""Exports with random weights, a server of them, and what a command prints."""

import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets, frontends
from tests.serving.targets import start
from tests.tfrec import untrained
from tests.tfrec.architectures.multimodal.test_combinations import recognizer_of
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import savedmodel


def untrained_classifier():
    """Pictures of digits, with random weights."""
    words = ["--model.name", "mlp", "--model.width", "8"]
    config = flags.to_config(flags.parse_fit(words)[1])
    frontend = frontends.resolve(config.frontend, datasets.load(config.data))
    return Recognizer(dataclasses.replace(config, frontend=frontend), [str(i) for i in range(10)])


@pytest.fixture(scope="module")
def exports(request, tmp_path_factory):
    """A folder of exports: "digits", "speech", and those of pairs that the module names; and files for them."""
    folder = tmp_path_factory.mktemp("exports")
    savedmodel.write(untrained_classifier(), folder / "saved_models" / "digits" / "1")
    savedmodel.write(untrained.recognizer("lstm_ctc"), folder / "saved_models" / "speech" / "1")
    for name in getattr(request.module, "PAIRS", ()):
        savedmodel.write(recognizer_of(name, "mlp", "lstm"), folder / "saved_models" / name / "1")
    random = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(random.integers(0, 255, (8, 8), "uint8")).save(folder / f"{i}.png")
    soundfile.write(folder / "clip.wav", untrained.sound(1.0), untrained.RATE_HZ, subtype="PCM_16")
    (folder / "list.csv").write_text("image,audio\n0.png,clip.wav\n1.png,clip.wav\n")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"broken" * 20)
    return folder


@pytest.fixture(scope="module")
def urls(exports):
    """A function from a kind of interface and a model to its URL."""
    with start(exports / "saved_models") as server:
        yield lambda kind, name: {
            "rest": f"http://127.0.0.1:{server.rest_port}/v1/models/{name}",
            "grpc": f"grpc://127.0.0.1:{server.grpc_port}/{name}",
        }[kind]


@pytest.fixture
def printed(capsys):
    """A function that runs a command's `main`, checks its status and returns what it prints."""

    def run(main, *words, status=0):
        capsys.readouterr()
        assert main([*map(str, words)]) == status
        return capsys.readouterr()

    return run
