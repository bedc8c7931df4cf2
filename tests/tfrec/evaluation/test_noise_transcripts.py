"""Scores in noise of recognizers that transcribe: error rates in place of accuracies."""

import csv
import dataclasses
import json
import math
import types

import numpy as np
import pytest

from pipelines.datasets import memory
from pipelines.datasets.base import Corpus
from tests.tfrec import pitches
from tests.tfrec.pitches import RATE
from tfrec import tasks
from tfrec.config import flags
from tfrec.evaluation.metrics import transcription
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.evaluation.noise import measure, measure_noisy_corpus
from tfrec.evaluation.noise_conditions import CLEAN, Conditions
from tfrec.recognizer import Recognizer
from tfrec.reports.noise import report, tables


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return pitches.write_noises(tmp_path_factory.mktemp("noise"))


TEXTS = [" ".join(["ab"] * i + ["b"]) for i in range(1, 11)]  # of 2 to 11 words


@pytest.fixture(scope="module")
def spoken():
    """Ten clips with texts."""
    split = memory.clips(pitches.ten_clips(), None, list(map(str, range(10))), RATE, texts=TEXTS)
    return Corpus("texts", "audio", (), {"train": split, "test": split}, RATE)


class Transcriber:
    """Transcribes clean speech without errors, misses the last word in noise, and all of clip 0 at 0 dB and less."""

    def __init__(self, corpus):
        self.config = types.SimpleNamespace(frontend=types.SimpleNamespace(sample_rate_hz=RATE))
        self.task = types.SimpleNamespace(
            class_names=("a", "b"), per_example=self.per_example, reliability=lambda scores, examples: {}
        )
        self.clean = [example["audio"] for example in corpus.splits["test"].examples.as_numpy_iterator()]

    def per_example(self, recognizer, split, batch_size):
        texts = []
        for text, seconds, example in zip(split.texts, split.seconds, split.examples.as_numpy_iterator(), strict=True):
            number = TEXTS.index(text)
            assert seconds == pytest.approx(len(example["audio"]) / RATE)
            added = example["audio"] - self.clean[number]
            noisy, loud = np.abs(added).max() > 1e-6, np.mean(added**2) > 0.5 * np.mean(self.clean[number] ** 2)
            texts.append("" if loud and number == 0 else text.rpartition(" ")[0] if noisy else text)
        return PerExampleScores("wer", *transcription.counts(split.texts, texts))


def test_error_rates_of_a_transcriber(spoken, noise, tmp_path):
    result = measure(Transcriber(spoken), spoken, Conditions(noise, seen=("hum",), seen_fraction=0.5, repeats=2))
    words = sum(range(2, 12))
    assert json.loads(json.dumps(result)) == result
    assert (result["measure"], result["examples"], result["classes"]) == ("wer", 10, [])
    assert result["clean"] == {"wer": 0.0, "interval": [0.0, 0.0], "edits": 0, "words": words}
    cells = result["noises"]["hum"]["snr"]
    assert {ratio: cell["edits"] for ratio, cell in cells.items()} == {
        "20": 20, "15": 20, "10": 20, "5": 20, "0": 22, "-5": 22,
    }  # fmt: skip
    assert cells["0"]["wer"] == pytest.approx(11 / words)
    assert cells["0"]["words"] == 2 * words
    low, high = cells["0"]["interval"]
    assert low < cells["0"]["wer"] < high
    assert high - low < 0.2  # that of ten clips, each with one or two edits
    assert result["averages"]["all"]["wer"] == pytest.approx((4 * 10 + 11) / 5 / words)
    assert result["sets"]["B"]["snr"]["-5"]["wer"] == pytest.approx(11 / words)
    report.write(tmp_path, result)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "heat_map.png", "noise.csv", "noise.json"]
    rows = list(csv.DictReader((tmp_path / "noise.csv").open()))
    assert rows[0] | {"low": "", "high": ""} == {
        "set": "", "noise": "", "snr_db": "clean", "wer": "0.0", "low": "", "high": "", "edits": "0", "words": "65",
    }  # fmt: skip
    assert tables.for_terminal(result).title.startswith("word error rate among noises, %: 10 clips")


def test_error_rates_of_a_corpus_with_noises(spoken):
    conditions = [("car", ratio) for ratio in (math.inf, 20.0, 5.0)] + [("street", ratio) for ratio in (20.0, 5.0)]
    split = dataclasses.replace(spoken.splits["test"], conditions=conditions)
    scores = PerExampleScores("wer", np.array([0, 1, 2, 0, 5]), np.array([10, 10, 10, 5, 5]))
    recognizer = types.SimpleNamespace(
        task=types.SimpleNamespace(class_names=(), per_example=lambda recognizer, split, batch_size: scores)
    )
    result = measure_noisy_corpus(recognizer, dataclasses.replace(spoken, splits={"test": split}))
    assert result["clean"]["wer"] == 0
    assert result["noises"]["street"]["snr"]["5"]["wer"] == 1
    assert result["sets"]["all"]["snr"]["5"]["wer"] == pytest.approx((0.2 + 1) / 2)  # each noise has the same weight


def test_a_task_counts_the_edits_of_its_texts(spoken, monkeypatch):
    config = tasks.default_config("transcribe")
    task = tasks.build(config, tasks.labels(config, spoken))
    texts = ["", *TEXTS[1:9], "ab c"]
    monkeypatch.setattr(task, "transcribe", lambda recognizer, split, batch_size, *_: texts)
    scores = task.per_example(None, spoken.splits["test"], 4)
    assert scores.name == "wer"
    assert scores.counts.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 10]
    assert scores.sizes.tolist() == list(range(2, 12))


@pytest.mark.slow
def test_a_network_that_transcribes(spoken, noise):
    """Clean speech among the mixes has the scores of the split."""
    words = "--data.name an4 --data.path x --task.shown 0 --frontend.sample_rate_hz 8000 --model.name gru_ctc"
    words = f"{words} --model.units 8 --model.depth 1 --model.filters 4"
    config = flags.to_config(flags.parse_fit(words.split())[1])
    recognizer = Recognizer(config, tasks.labels(config.task, spoken))
    result = measure(recognizer, spoken, Conditions(noise, snr_db=(CLEAN, 0.0)))
    scores = recognizer.evaluate(spoken, 4)
    assert result["clean"]["wer"] == scores["wer"]
    assert result["clean"]["interval"] == scores["wer_interval"]
    assert result["clean"]["edits"] == sum(scores[kind] for kind in ("substitutions", "deletions", "insertions"))
    assert result["noises"]["hum"]["snr"]["0"]["words"] == scores["words"]
