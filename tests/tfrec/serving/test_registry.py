"""Every architecture of the registry exports, and passes the linter and the certificate."""

import json

import pytest

from tests.tfrec.serving.hostile.networks import PICTURES, SOUNDS
from tfrec.architectures.registry import ARCHITECTURES, find
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import layout, publish
from tfrec.serving.lint import report
from tfrec.text import vocabulary

TEXTS = ["--data.name", "an4", "--data.path", "none", "--frontend.sample_rate_hz", "16000"]
PAIRS = ["--data.name", "paired", "--frontend.speech.sample_rate_hz", "8000", "--frontend.image.channels", "3"]
PAIRS += ["--frontend.image.height", "64", "--frontend.image.width", "64"]
SIDES = {"inception_v3": 96}  # where 64 pixels are too few


def build(name):
    """An untrained recognizer with the architecture's own settings."""
    architecture = find(name)
    words = ["--model.name", name]
    if "pair" in architecture.input_kinds:
        if architecture.output_kind == "pair":
            return Recognizer(flags.to_config(flags.parse_fit([*PAIRS, *words])[1]), [])
        words += ["--task.name", "classify"]
        return Recognizer(flags.to_config(flags.parse_fit([*PAIRS, *words])[1]), ["high", "low", "middle"])
    if architecture.output_kind == "sequence":
        config = flags.to_config(flags.parse_fit([*TEXTS, *words])[1])
        return Recognizer(config, vocabulary.build("characters", ["abc de"]).as_json())
    if "image" in architecture.input_kinds and name not in ("cnn", "mlp"):
        side = str(SIDES.get(name, 64))
        words += [*PICTURES, "--frontend.height", side, "--frontend.width", side]
    else:
        words += SOUNDS if "sequence" in architecture.input_kinds else [*SOUNDS, "--frontend.form", "waveform"]
    return Recognizer(flags.to_config(flags.parse_fit(words)[1]), ["high", "low", "middle"])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if "audio_visual" not in find(name).input_kinds])
def test_an_architecture_is_published(name, tmp_path):
    version = publish.publish(build(name), tmp_path, name)
    findings = report.check(report.open_folder(version))
    assert {each.rule: each.text for each in findings if each.status == "problem"} == {}
    certificate = json.loads((version / layout.CERTIFICATE).read_text())
    for loader in certificate["loaders"].values():
        assert isinstance(loader["result"], dict) or loader["result"].startswith("not run: it is not installed")
