"""Mixes and figures of the noise report, with recognizers whose answers are known."""

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
from pipelines.frontends import SpeechConfig
from tests.tfrec import pitches
from tests.tfrec.pitches import RATE, tone
from tfrec.evaluation import noise as noise_reporting
from tfrec.evaluation.metrics import classification
from tfrec.evaluation.noise import CLEAN, Conditions, conditions_of, measure, mixtures, write
from tfrec.recognizer import Recognizer
from tfrec.tasks import classification as classify


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return pitches.write_noises(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def corpus():
    return pitches.ten_classes()


class Known:
    """A recognizer that answers by `rule(noise's pitch or None, ratio in dB, class)`; "j" where it is wrong."""

    def __init__(self, corpus, rule):
        self.config = types.SimpleNamespace(frontend=types.SimpleNamespace(sample_rate_hz=RATE))
        self.task = classify.Task(classify.Config(), corpus.class_names)
        self.clean = [example["audio"] for example in corpus.splits["test"].examples.as_numpy_iterator()]
        self.rule, self.heard = rule, []

    def logits(self, split, batch_size):
        logits, targets = [], []
        for example in split.examples.as_numpy_iterator():
            number = int(example["label"])
            added = example["audio"] - self.clean[number]
            pitch, ratio = None, math.inf
            if np.abs(added).max() > 1e-6:
                spectrum = np.abs(np.fft.rfft(added * np.hanning(len(added))))
                pitch = spectrum.argmax() * RATE / len(added)
                ratio = 10 * np.log10(np.mean(self.clean[number] ** 2) / np.mean(added**2))
            self.heard.append((number, pitch, ratio, added))
            logits.append(np.eye(10)[number if self.rule(pitch, ratio, number) else 9])
            targets.append(number)
        assert len(logits) == split.size
        return np.array(logits), np.array(targets)


def is_hum(pitch):
    return min(abs(pitch - 400), abs(pitch - 800)) < 50


def rule(pitch, ratio, number):
    """Hum is understood above 7 dB; hiss above -2 dB, by the even classes alone; class 3 never."""
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
    # class 9 is right even where it is not understood
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
    """Half of the clips are always right, half never: as uncertain as ten throws, not as a hundred."""
    result = measure(Known(corpus, lambda pitch, ratio, number: number % 2), corpus, Conditions(noise))
    average = result["averages"]["all"]
    assert average["accuracy"] == 0.5
    np.testing.assert_allclose(average["interval"], [0.2, 0.8], atol=0.1)


def test_without_the_ratios_of_the_average_there_is_none(corpus, noise):
    result = measure(Known(corpus, rule), corpus, Conditions(noise, snr_db=(20.0, 2.5, 0.0)))
    assert result["averages"] == {}
    assert result["clean"] is None
    assert result["noises"]["hum"]["average"] is None
    assert list(result["noises"]["hum"]["snr"]) == list(result["sets"]["B"]["snr"]) == ["20", "2.5", "0"]
    assert "A" not in result["sets"]


def heard(corpus, noise, **options):
    """(class, pitch, ratio, noise added) of each clip, as a recognizer hears them."""
    recognizer = Known(corpus, rule)
    result = measure(recognizer, corpus, Conditions(noise, **options))
    return recognizer.heard, result


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a[3], b[3]) for a, b in zip(one, other, strict=True))


def test_the_seed_decides(corpus, noise):
    first, result = heard(corpus, noise, seed=3)
    again, result_again = heard(corpus, noise, seed=3)
    assert same(first, again)
    assert result == result_again
    assert not same(first, heard(corpus, noise, seed=4)[0])


def test_a_clip_has_the_same_piece_at_all_ratios(corpus, noise, monkeypatch):
    monkeypatch.setattr(noise_reporting, "CLIPS", 4)  # several blocks
    mixed, _ = heard(corpus, noise, snr_db=(20.0, 0.0))
    pieces = {}
    for number, pitch, ratio, added in mixed:
        pieces.setdefault((number, is_hum(pitch)), []).append((ratio, added / np.abs(added).max()))
    assert len(pieces) == 20
    for (first_ratio, first), (second_ratio, second) in pieces.values():
        assert first_ratio - second_ratio == pytest.approx(20, abs=0.01)
        np.testing.assert_allclose(first, second, atol=1e-4)


def test_pieces_depend_on_nothing_else(corpus, noise, monkeypatch):
    """Not on the other ratios, the size of a block, or what else is mixed."""
    few = heard(corpus, noise, snr_db=(5.0,))[0]
    monkeypatch.setattr(noise_reporting, "CLIPS", 3)
    many = heard(corpus, noise, snr_db=(20.0, 5.0), repeats=2)[0]
    kept = {(number, is_hum(pitch)): added for number, pitch, ratio, added in few}
    for place, added in kept.items():
        found = [a for number, pitch, ratio, a in many if (number, is_hum(pitch)) == place and ratio < 12]
        assert len(found) == 2
        assert sum(np.allclose(a, added, atol=1e-6) for a in found) == 1


def test_repeats_are_other_pieces_and_no_more_clips(corpus, noise):
    mixed, result = heard(corpus, noise, repeats=3)
    assert len(mixed) == 10 * (1 + 2 * 3 * 6)
    cell = result["noises"]["hiss"]["snr"]["0"]
    assert (cell["correct"], cell["examples"]) == (18, 30)
    assert cell["interval"] == classification.wilson_interval(6, 10)
    assert result["clean"]["examples"] == 10


def test_the_ratio_asked_for():
    """Over the active speech: silence around a word leaves the noise nearly as it was, but for P.56's hangover."""
    word, random = tone(800, 3.0), np.random.default_rng(0)
    padded = np.r_[np.zeros(3 * RATE, "float32"), word, np.zeros(3 * RATE, "float32")]
    pieces = [tone(1200, 3.0), tone(1200, 9.0)]
    for ratio, mixed in zip((10.0, -5.0), mixtures([word, padded], pieces, (10.0, -5.0), RATE), strict=True):
        for clip, with_noise in zip((word, padded), mixed, strict=True):
            assert len(with_noise) == len(clip)
            power = np.mean((with_noise - clip) ** 2)
            assert 10 * np.log10(np.mean(word**2) / power) == pytest.approx(ratio, abs=0.7)
    quiet = [np.zeros(800, "float32"), random.normal(size=800).astype("float32")]
    (mixed,) = mixtures(quiet, quiet[::-1], (0.0,), RATE)
    for clip, with_noise in zip(quiet, mixed, strict=True):
        np.testing.assert_array_equal(with_noise, clip)


def test_set_a_is_what_training_did_not_hear(corpus, noise):
    """The last 30 % of each file sound an octave higher."""
    mixed, _ = heard(corpus, noise, seen=("hum",), seen_fraction=0.7, repeats=4)
    hum = {round(pitch / 400) for _, pitch, *_ in mixed if pitch and is_hum(pitch)}
    hiss = {round(pitch / 1200) for _, pitch, *_ in mixed if pitch and not is_hum(pitch)}
    assert hum == {2}
    assert hiss == {1, 2}


def test_what_a_run_heard(noise):
    clean = SpeechConfig()
    assert conditions_of(clean, noise) == Conditions(noise)
    same_sets = conditions_of(clean, noise, seen=("hum",), seen_fraction=0.65, seed=2)
    assert same_sets == Conditions(noise, seen=("hum",), seen_fraction=0.65, seed=2)
    run = SpeechConfig(noise_path=noise, noise_types=("hum",), noise_fraction=0.65)
    assert conditions_of(run, noise, seed=2) == same_sets
    assert conditions_of(dataclasses.replace(run, noise_probability=0.0), noise) == Conditions(noise)
    everything = dataclasses.replace(run, noise_types=())
    assert conditions_of(everything, noise).seen == ("hiss", "hum")
    assert conditions_of(dataclasses.replace(run, noise_path=f"{noise}/hiss", noise_types=()), noise).seen == ("hiss",)
    assert conditions_of(run, noise, seen=()) == Conditions(noise)
    assert conditions_of(run, f"{noise}/hiss") == Conditions(f"{noise}/hiss")
    whole = dataclasses.replace(run, noise_fraction=1.0)
    with pytest.raises(UserError, match=r"whole of each noise hum, so that nothing is left for set A"):
        conditions_of(whole, noise)
    assert conditions_of(whole, noise, seen_fraction=0.0).seen_fraction == 0
    with pytest.raises(UserError, match=r"Unknown type of noise in .* 'humm': did you mean 'hum'"):
        conditions_of(run, noise, seen=("humm",))
    with pytest.raises(UserError, match="--seen needs --seen-fraction"):
        conditions_of(clean, noise, seen=("hum",))
    with pytest.raises(UserError, match="is gone: name its types by --seen"):
        conditions_of(dataclasses.replace(everything, noise_path="/nowhere"), noise)


def test_files(corpus, noise, tmp_path):
    result = measure(Known(corpus, rule), corpus, Conditions(noise, seen=("hum",), seen_fraction=0.5))
    write(tmp_path / "noise", result)
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


def test_every_placement_answers_alike(trained, noise):
    """A real network: as `tfrec.evaluate` has it without noise, and the same figures from features of the host."""
    run, recognizer = trained("cnn")
    corpus = datasets.load(recognizer.config.data)
    conditions = Conditions(noise, snr_db=(CLEAN, 0.0, -10.0))
    result = measure(recognizer, corpus, conditions)
    assert result["clean"]["accuracy"] == run.read_json("metrics.json")["test"]["accuracy"]
    assert result["confusion"]["clean"] == run.read_json("metrics.json")["test"]["confusion"]
    frontend = dataclasses.replace(recognizer.config.frontend, placement="host")
    host = Recognizer(dataclasses.replace(recognizer.config, frontend=frontend), corpus.class_names)
    host.net.set_weights(recognizer.net.get_weights())
    assert measure(host, corpus, conditions, batch_size=5) == result


class Counting:
    """A recognizer that is right about clips whose number is not among `wrong`."""

    def __init__(self, corpus, wrong):
        self.task, self.wrong = classify.Task(classify.Config(), corpus.class_names), wrong

    def logits(self, split, batch_size):
        given = [9 if i in self.wrong else label for i, label in enumerate(split.labels)]
        return np.eye(10)[given], split.labels


def own(conditions):
    """A corpus of one clip in each condition."""
    split = memory.clips([tone(800, 0.1)] * len(conditions), [0] * len(conditions), [""] * len(conditions))
    split = dataclasses.replace(split, conditions=conditions)
    return Corpus("noisy", "audio", tuple("abcdefghij"), {"test": split}, RATE)


def test_noises_that_the_corpus_has_mixed_in(tmp_path):
    ratios = (math.inf, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0)
    corpus = own([(name, ratio) for name in ("car", "car", "street") for ratio in ratios])
    # the first clip in a car at 5 dB and less, and the street at -5 dB
    result = noise_reporting.measure_own(Counting(corpus, {4, 5, 6, 20}), corpus)
    assert json.loads(json.dumps(result)) == result
    assert (result["clean"]["correct"], result["clean"]["examples"]) == (3, 3)
    car = {ratio: cell["correct"] for ratio, cell in result["noises"]["car"]["snr"].items()}
    assert car == {"20": 2, "15": 2, "10": 2, "5": 1, "0": 1, "-5": 1}
    assert result["noises"]["car"]["average"]["accuracy"] == pytest.approx(0.8)
    assert result["averages"]["all"]["accuracy"] == pytest.approx(0.9)  # each noise counts alike
    assert result["sets"]["all"]["snr"]["-5"]["accuracy"] == pytest.approx(0.25)
    low, high = result["averages"]["all"]["interval"]
    assert low == pytest.approx(0.8)  # the bad clip in a car twice
    assert high == pytest.approx(1.0)
    write(tmp_path, result)
    assert "car,20,1.0" in (tmp_path / "noise.csv").read_text()
    assert Image.open(tmp_path / "heat_map.png").size


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (None, "noisy comes without noises of its own: give --noise FOLDER"),
        ([(None, math.inf)], "holds clean speech alone"),
        ([("car", 20.0), ("car", 20.0), ("car", 5.0)], "does not have the same clips of a noise"),
        ([("car", 20.0), ("street", 20.0), ("car", 5.0)], "does not have the same clips of a noise"),
    ],
)
def test_corpora_without_such_noises(conditions, said):
    corpus = own(conditions or [("car", 5.0)])
    corpus.splits["test"] = dataclasses.replace(corpus.splits["test"], conditions=conditions)
    with pytest.raises(UserError, match=said):
        noise_reporting.measure_own(Counting(corpus, ()), corpus)
