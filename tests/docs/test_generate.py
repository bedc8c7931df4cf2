"""The pages that docs/generate.py makes from the registries."""

import dataclasses
import importlib.util
import re

import pytest

from pipelines.datasets import DATASETS
from pipelines.layers import LAYERS
from tests.docs.blocks import ROOT
from tfrec.architectures import ARCHITECTURES
from tfrec.config.experiments import EXPERIMENTS
from tfrec.config.schema import FitConfig


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate):
    return generate.pages()


def test_every_page_is_in_the_navigation(pages):
    listed = set(re.findall(r"- (\S+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert listed == written | set(pages)


@pytest.mark.parametrize(
    ("page", "names"),
    [("architectures", ARCHITECTURES), ("datasets", DATASETS), ("experiments", EXPERIMENTS)],
)
def test_every_name_is_listed(pages, page, names):
    text = pages[f"reference/{page}.md"]
    for name in names:
        assert re.search(rf"(<code>|## ){name}\b", text), name


def test_every_layer_is_listed(pages):
    for layer in LAYERS.values():
        assert f"[`{layer.__name__}`]" in pages["reference/layers.md"]
        assert f"::: {layer.__module__}.{layer.__name__}\n" in pages["reference/api/layers.md"]


def test_numbers_of_weights(pages):
    assert "| <code>resnet50</code> | image | 25,583,592 |" in pages["reference/architectures.md"]


def test_every_flag_has_its_help(pages):
    text = pages["reference/flags.md"]
    for field in dataclasses.fields(FitConfig):
        assert re.search(rf"\| <code>--fit\.{field.name}</code> \| .+ \| .* \| \w.+ \|", text), field.name
    for flag in ("--seed", "--run", "--frontend.snr_db", "--task.text.language", "--data.split_by", "--model.stem"):
        assert text.count(f"<code>{flag}</code>") >= 1, flag
    assert not [line for line in text.splitlines() if line.startswith("| <code>--") and line.endswith("|  |")]
    assert "| <code>--fit.optimizer</code> | <code>sgd</code>, <code>adam</code>" in text
    assert "| <code>--frontend.snr_db</code> | two: number | <code>0.0 20.0</code> |" in text
    assert re.search(r"### model: cnn\n.*?--model\.dropout</code> \| number \| <code>0\.3<", text, re.DOTALL)


def test_fields_in_source(generate):
    fields = generate.fields_in_source(FitConfig)
    assert fields["epochs"] == ("10", "passes over the training split")
    assert list(fields) == [field.name for field in dataclasses.fields(FitConfig)]
