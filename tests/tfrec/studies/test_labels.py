"""The study of labels: its plan, its table and its plot."""

import csv

import numpy as np
import pytest

from pipelines import datasets
from pipelines.errors import UserError
from tests.tfrec.studies.helpers import finished_run
from tfrec.config import flags
from tfrec.studies import labels, tables


def test_both_start_from_the_same_examples_and_seeds(tmp_path):
    options = labels.Options(seeds=(0, 7), fractions=(1.0, 0.01), epochs=5, pretraining_epochs=3, frozen=True)
    steps = labels.steps(options, ["--fit.batch_size", "32"], tmp_path)
    assert len(steps) == len({step.label for step in steps}) == 2 * (1 + 2 * 3)
    assert [step.row for step in steps[:3]] == [None, "1 %", "1 %"]
    for seed in ("0", "7"):
        mine = {step.label: step.words for step in steps if step.label.endswith(f"-{seed}")}
        assert mine[f"pretraining-{seed}"][-2:] == ("--fit.epochs", "3")
        scratch = mine[f"scratch-0.01-{seed}"]
        added = ("--model.weights", str(tmp_path / f"pretraining-{seed}"))
        assert mine[f"pretrained-0.01-{seed}"] == (*scratch, *added)
        assert mine[f"frozen-0.01-{seed}"] == (*scratch, *added, "--fit.freeze", "backbone")
        assert scratch[scratch.index("--fit.epochs") + 1] == "50"
        config = flags.to_config(flags.parse_fit(list(scratch))[1])
        assert (config.data.train_fraction, config.data.split_seed, config.seed) == (0.01, int(seed), int(seed))


@pytest.mark.parametrize(
    ("options", "words", "sentence"),
    [
        ({"pretraining": "cifar10_cnn"}, [], "--pretraining cifar10_cnn needs labels"),
        ({"training": "an4_conformer"}, [], "has another network than"),
        ({}, ["--fit.epochs", "3"], "The study sets --fit.epochs itself"),
    ],
)
def test_experiments_that_do_not_fit(tmp_path, options, words, sentence):
    with pytest.raises(UserError, match=sentence):
        labels.steps(labels.Options(**options), words, tmp_path)


def test_speech(tmp_path):
    steps = labels.steps(labels.Options(pretraining="an4_best_rq", training="an4_conformer"), [], tmp_path)
    assert {step.words[0] for step in steps} == {"an4_best_rq", "an4_conformer"}


def test_table_and_plot(tmp_path):
    steps = labels.steps(labels.Options(seeds=(0, 1, 2), fractions=(0.1, 1.0)), [], tmp_path / "runs")
    for step in steps:
        seed = int(step.label[-1])
        base = {"10 %": 0.5, "100 %": 0.8}.get(step.row, 0.1) + 0.01 * seed
        finished_run(tmp_path, step.label, base + (0.06 + 0.01 * seed if step.group == labels.PRETRAINED else 0.0))
    (table,) = labels.tables(tmp_path, steps)
    assert [line[:3] for line in table.lines][:2] == [("10 %", "from scratch", "51.0"), ("10 %", "pre-trained", "58.0")]
    record = table.records[1]
    assert record["margin"] == pytest.approx(0.07)
    margins = tables.t_interval([0.06, 0.07, 0.08])
    assert (record["margin_low"], record["margin_high"]) == pytest.approx(margins)
    assert "higher is better" in table.title
    tables.write(tmp_path, [table])
    with open(tmp_path / "labels.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert labels.draw(tmp_path, steps).stat().st_size > 1000


def test_fractions_are_nested_and_have_every_class():
    sizes, before = {}, None
    for fraction in (1.0, 0.3, 0.03, 0.001):
        corpus = datasets.load(datasets.digits.Config(name="digits", train_fraction=fraction))
        split = corpus.splits["train"]
        found = {example["image"].tobytes() for example in split.examples.as_numpy_iterator()}
        assert before is None or found < before
        before, sizes[fraction] = found, split.size
        assert set(split.labels) == set(range(10))
        assert corpus.splits["test"].size == 360
        if fraction == 0.3:
            np.testing.assert_allclose(np.bincount(split.labels), 0.3 * sizes[1.0] / 10, rtol=0.1)
    assert sizes[0.001] == 10
    other = datasets.load(datasets.digits.Config(name="digits", train_fraction=0.001, split_seed=1)).splits["train"]
    assert {example["image"].tobytes() for example in other.examples.as_numpy_iterator()} != before


def test_fractions_of_texts(melodies):
    texts = []
    for fraction in (0.5, 0.1):
        config = datasets.manifest.Config(name="manifest", path=str(melodies), train_fraction=fraction)
        split = datasets.load(config).splits["train"]
        texts.append({row.path for row in split.rows})
        assert len(split.texts) == split.size == np.ceil(32 * fraction)
    assert texts[1] < texts[0]
    with pytest.raises(ValueError, match=r"data\.train_fraction must be above 0 and at most 1"):
        datasets.manifest.Config(train_fraction=0.0)
