"""Untrained recognizers of every kind of network."""

from tests.tfrec import untrained
from tfrec.config import flags
from tfrec.recognizer import Recognizer

PICTURES = ["--data.name", "folder", "--data.path", "none", "--frontend.name", "image", "--frontend.channels", "3"]
SOUNDS = ["--data.name", "folder", "--data.path", "none", "--frontend.name", "speech"]
SOUNDS += ["--frontend.sample_rate_hz", "16000"]
SIDE = ["--frontend.height", "32", "--frontend.width", "32"]
NETWORKS = {
    "cnn of pictures": [*PICTURES, *SIDE, "--model.name", "cnn"],
    "mobilenet_v2": [*PICTURES, *SIDE, "--model.name", "mobilenet_v2"],
    "cnn of sounds": [*SOUNDS, "--model.name", "cnn"],
    "lstm": [*SOUNDS, "--model.name", "lstm"],
    "transformer": [*SOUNDS, "--model.name", "transformer"],
    "bilstm_ctc": None,
}


def build(name):
    """An untrained recognizer of one of NETWORKS."""
    words = NETWORKS[name]
    if words is None:
        return untrained.recognizer(name)
    return Recognizer(flags.to_config(flags.parse_fit(words)[1]), ["high", "low", "middle"])
