"""Scores in noise of recognizers whose answers are known."""

import csv
import dataclasses
import json
import math
import types

import numpy as np
import pytest
from PIL import Image

from pipelines import datasets
from pipelines.datasets import memory
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tests.tfrec import pitches
from tests.tfrec.pitches import RATE, tone
from tfrec.evaluation import noise_mixing
from tfrec.evaluation.metrics import classification
from tfrec.evaluation.noise import measure, measure_noisy_corpus
from tfrec.evaluation.noise_conditions import CLEAN, Conditions
from tfrec.recognizer import Recognizer
from tfrec.reports.noise import report
from tfrec.tasks.classification import Classification, Config


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return pitches.write_noises(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def corpus():
    return pitches.ten_classes()


class Known:
    """A recognizer that is right as `rule(pitch of the noise or None, ratio in dB, class)` says, or answers "j"."""

    def __init__(self, corpus, rule):
        self.config = types.SimpleNamespace(frontend=types.SimpleNamespace(sample_rate_hz=RATE))
        self.task = Classification(Config(), corpus.class_names)
        self.clean = [example["audio"] for example in corpus.splits["test"].examples.as_numpy_iterator()]
        self.rule, self.clips = rule, []

    def outputs(self, split, batch_size):
        logits, targets = [], []
        for example in split.examples.as_numpy_iterator():
            number = int(example["label"])
            added = example["audio"] - self.clean[number]
            pitch, ratio = None, math.inf
            if np.abs(added).max() > 1e-6:
                spectrum = np.abs(np.fft.rfft(added * np.hanning(len(added))))
                pitch = spectrum.argmax() * RATE / len(added)
                ratio = 10 * np.log10(np.mean(self.clean[number] ** 2) / np.mean(added**2))
            self.clips.append((number, pitch, ratio, added))
            logits.append(np.eye(10)[number if self.rule(pitch, ratio, number) else 9])
            targets.append(number)
        assert len(logits) == split.size
        return np.array(logits), np.array(targets)


def is_hum(pitch):
    return min(abs(pitch - 400), abs(pitch - 800)) < 50


def rule(pitch, ratio, number):
    """Right in hum above 7 dB; in hiss above -2 dB only for even classes; never for class 3."""
    if number == 3:
        return False
    return pitch is None or (ratio > 7 if is_hum(pitch) else ratio > -2 and number % 2 == 0)


def test_the_table_of_known_answers(corpus, noise):
    result = measure(Known(corpus, rule), corpus, Conditions(noise, seen=("hum",), seen_fraction=0.5))
    assert json.loads(json.dumps(result)) == result
    assert result["clean"] == {
        "accuracy": 0.9,
        "interval": classification.wilson_interval(9, 10),
        "correct": 9,
        "examples": 10,
    }
    hum, hiss = result["noises"]["hum"], result["noises"]["hiss"]
    assert list(result["noises"]) == ["hiss", "hum"]
    assert (hum["set"], hiss["set"]) == ("A", "B")
    # class 9 is also the wrong answer, so that it is always right
    assert {key: cell["correct"] for key, cell in hum["snr"].items()} == {
        "20": 9, "15": 9, "10": 9, "5": 1, "0": 1, "-5": 1,
    }  # fmt: skip
    assert [cell["correct"] for cell in hiss["snr"].values()] == [6, 6, 6, 6, 6, 1]
    assert hiss["snr"]["0"]["interval"] == classification.wilson_interval(6, 10)
    assert hum["average"]["accuracy"] == pytest.approx((3 * 0.9 + 2 * 0.1) / 5)
    averages = {name: cell["accuracy"] for name, cell in result["averages"].items()}
    assert averages == pytest.approx({"A": 0.58, "B": 0.6, "all": 0.59})
    assert result["sets"]["all"]["noises"] == ["hiss", "hum"]
    assert result["sets"]["all"]["snr"]["5"]["accuracy"] == pytest.approx(0.35)
    assert result["sets"]["A"]["snr"]["5"]["accuracy"] == pytest.approx(0.1)
    assert np.diag(result["confusion"]["clean"]).tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert result["confusion"]["clean"][3][9] == 1
    assert np.diag(result["confusion"]["0"]).tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1, 2]
    assert np.sum(result["confusion"]["noisy"]) == 10 * 2 * 6
    assert result["recall"]["0"] == dict(zip("abcdefghij", [0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 1], strict=True))
    assert result["recall"]["noisy"]["b"] == 3 / 12


def test_intervals_of_averages_are_over_clips(corpus, noise):
    """Half of the clips are always right, half never: the interval is that of 10 clips, not of 100."""
    result = measure(Known(corpus, lambda pitch, ratio, number: number % 2), corpus, Conditions(noise))
    average = result["averages"]["all"]
    assert average["accuracy"] == 0.5
    np.testing.assert_allclose(average["interval"], [0.2, 0.8], atol=0.1)


def test_no_average_without_all_its_ratios(corpus, noise):
    result = measure(Known(corpus, rule), corpus, Conditions(noise, snr_db=(20.0, 2.5, 0.0)))
    assert result["averages"] == {}
    assert result["clean"] is None
    assert result["noises"]["hum"]["average"] is None
    assert list(result["noises"]["hum"]["snr"]) == list(result["sets"]["B"]["snr"]) == ["20", "2.5", "0"]
    assert "A" not in result["sets"]


def mixes(corpus, noise, **options):
    """Class, pitch, ratio and added noise of each clip that a recognizer receives, and the result."""
    recognizer = Known(corpus, rule)
    result = measure(recognizer, corpus, Conditions(noise, **options))
    return recognizer.clips, result


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a[3], b[3]) for a, b in zip(one, other, strict=True))


def test_the_seed_determines_the_mixes(corpus, noise):
    first, result = mixes(corpus, noise, seed=3)
    second, second_result = mixes(corpus, noise, seed=3)
    assert same(first, second)
    assert result == second_result
    assert not same(first, mixes(corpus, noise, seed=4)[0])


def test_a_clip_has_the_same_piece_at_all_ratios(corpus, noise, monkeypatch):
    monkeypatch.setattr(noise_mixing, "BLOCK_CLIPS", 4)  # several blocks
    mixed, _ = mixes(corpus, noise, snr_db=(20.0, 0.0))
    pieces = {}
    for number, pitch, ratio, added in mixed:
        pieces.setdefault((number, is_hum(pitch)), []).append((ratio, added / np.abs(added).max()))
    assert len(pieces) == 20
    for (first_ratio, first), (second_ratio, second) in pieces.values():
        assert first_ratio - second_ratio == pytest.approx(20, abs=0.01)
        np.testing.assert_allclose(first, second, atol=1e-4)


def test_pieces_do_not_depend_on_other_settings(corpus, noise, monkeypatch):
    """Such as the other ratios, the size of a block, or repeats."""
    few = mixes(corpus, noise, snr_db=(5.0,))[0]
    monkeypatch.setattr(noise_mixing, "BLOCK_CLIPS", 3)
    many = mixes(corpus, noise, snr_db=(20.0, 5.0), repeats=2)[0]
    kept = {(number, is_hum(pitch)): added for number, pitch, ratio, added in few}
    for place, added in kept.items():
        same_ratio = [a for number, pitch, ratio, a in many if (number, is_hum(pitch)) == place and ratio < 12]
        assert len(same_ratio) == 2
        assert sum(np.allclose(a, added, atol=1e-6) for a in same_ratio) == 1


def test_repeats_mix_other_pieces_and_add_no_clips(corpus, noise):
    mixed, result = mixes(corpus, noise, repeats=3)
    assert len(mixed) == 10 * (1 + 2 * 3 * 6)
    cell = result["noises"]["hiss"]["snr"]["0"]
    assert (cell["correct"], cell["examples"]) == (18, 30)
    assert cell["interval"] == classification.wilson_interval(6, 10)
    assert result["clean"]["examples"] == 10


def test_set_a_is_held_out_from_training(corpus, noise):
    """The last 30 % of each file are an octave higher."""
    mixed, _ = mixes(corpus, noise, seen=("hum",), seen_fraction=0.7, repeats=4)
    hum = {round(pitch / 400) for _, pitch, *_ in mixed if pitch and is_hum(pitch)}
    hiss = {round(pitch / 1200) for _, pitch, *_ in mixed if pitch and not is_hum(pitch)}
    assert hum == {2}
    assert hiss == {1, 2}


def test_files(corpus, noise, tmp_path):
    result = measure(Known(corpus, rule), corpus, Conditions(noise, seen=("hum",), seen_fraction=0.5))
    report.write(tmp_path / "noise", result)
    assert json.loads((tmp_path / "noise" / "noise.json").read_text()) == result
    rows = list(csv.DictReader((tmp_path / "noise" / "noise.csv").open()))
    assert len(rows) == 1 + (2 + 3) * 7
    cells = {(row["set"], row["noise"], row["snr_db"]): float(row["accuracy"]) for row in rows}
    assert cells["", "", "clean"] == 0.9
    assert cells["B", "hiss", "0"] == 0.6
    assert cells["A", "", "20 to 0"] == pytest.approx(0.58)
    for name in ("heat_map", "curves", "confusion", "confusion_0_dB"):
        with Image.open(tmp_path / "noise" / f"{name}.png") as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_every_placement_gives_the_same_scores(trained, noise):
    """A real network: clean speech as in metrics.json, and the same scores with features of the host."""
    run, recognizer = trained("cnn")
    corpus = datasets.load(recognizer.config.data)
    conditions = Conditions(noise, snr_db=(CLEAN, 0.0, -10.0))
    result = measure(recognizer, corpus, conditions)
    assert result["clean"]["accuracy"] == run.read_json("metrics.json")["test"]["accuracy"]
    assert result["confusion"]["clean"] == run.read_json("metrics.json")["test"]["confusion"]
    frontend = dataclasses.replace(recognizer.config.frontend, placement="host")
    host = Recognizer(dataclasses.replace(recognizer.config, frontend=frontend), corpus.class_names)
    host.network.set_weights(recognizer.network.get_weights())
    other = measure(host, corpus, conditions, batch_size=5)
    calibration, expected = other.pop("calibration"), result.pop("calibration")
    assert other == result
    assert calibration["ece"] == pytest.approx(expected["ece"], abs=1e-4)


class WrongAboutSome:
    """A recognizer that is wrong about the clips whose numbers are in `wrong`."""

    def __init__(self, corpus, wrong):
        self.task, self.wrong = Classification(Config(), corpus.class_names), wrong

    def outputs(self, split, batch_size):
        answers = [9 if i in self.wrong else label for i, label in enumerate(split.labels)]
        return np.eye(10)[answers], split.labels


def noisy_corpus(conditions):
    """A corpus of one clip in each condition."""
    split = memory.clips([tone(800, 0.1)] * len(conditions), [0] * len(conditions), [""] * len(conditions))
    split = dataclasses.replace(split, conditions=conditions)
    return Corpus("noisy", "audio", tuple("abcdefghij"), {"test": split}, RATE)


def test_a_corpus_with_noises(tmp_path):
    ratios = (math.inf, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0)
    corpus = noisy_corpus([(name, ratio) for name in ("car", "car", "street") for ratio in ratios])
    # wrong: the first clip in a car at 5 dB and less, and the street at -5 dB
    result = measure_noisy_corpus(WrongAboutSome(corpus, {4, 5, 6, 20}), corpus)
    assert json.loads(json.dumps(result)) == result
    assert (result["clean"]["correct"], result["clean"]["examples"]) == (3, 3)
    car = {ratio: cell["correct"] for ratio, cell in result["noises"]["car"]["snr"].items()}
    assert car == {"20": 2, "15": 2, "10": 2, "5": 1, "0": 1, "-5": 1}
    assert result["noises"]["car"]["average"]["accuracy"] == pytest.approx(0.8)
    assert result["averages"]["all"]["accuracy"] == pytest.approx(0.9)  # each noise has the same weight
    assert result["sets"]["all"]["snr"]["-5"]["accuracy"] == pytest.approx(0.25)
    low, high = result["averages"]["all"]["interval"]
    assert low == pytest.approx(0.8)  # the bad clip in a car, drawn twice
    assert high == pytest.approx(1.0)
    report.write(tmp_path, result)
    assert "car,20,1.0" in (tmp_path / "noise.csv").read_text()
    assert Image.open(tmp_path / "heat_map.png").size


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (None, "noisy comes without noises: give --noise FOLDER"),
        ([(None, math.inf)], "holds only clean speech"),
        ([("car", 20.0), ("car", 20.0), ("car", 5.0)], "does not have the same clips of a noise"),
        ([("car", 20.0), ("street", 20.0), ("car", 5.0)], "does not have the same clips of a noise"),
    ],
)
def test_corpora_without_comparable_noises(conditions, message):
    corpus = noisy_corpus(conditions or [("car", 5.0)])
    corpus.splits["test"] = dataclasses.replace(corpus.splits["test"], conditions=conditions)
    with pytest.raises(UserError, match=message):
        measure_noisy_corpus(WrongAboutSome(corpus, ()), corpus)
