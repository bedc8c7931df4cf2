"""Confidences of words: scaling, alignment, and the same in runs and in exports."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from scipy import special

from tests.tfrec import untrained
from tfrec.commands import evaluate
from tfrec.decoding.word_confidence import WordConfidence, fit
from tfrec.decoding.words import Word
from tfrec.evaluation import word_confidence
from tfrec.inference.streaming import Stream
from tfrec.recognizer import Recognizer
from tfrec.runs import splits
from tfrec.runs.run import Run
from tfrec.serving import savedmodel
from tfrec.serving.exported import ExportedRecognizer


def drawn(count, slope=6.0, offset=1.5, seed=0):
    """Log-probabilities, and which words are right with the probability that the scaling gives."""
    random = np.random.default_rng(seed)
    log_probabilities = -random.exponential(0.4, count)
    return log_probabilities, random.random(count) < special.expit(slope * log_probabilities + offset)


def test_the_fit_finds_the_scaling():
    found = fit(*drawn(20_000))
    assert found.slope == pytest.approx(6, rel=0.1)
    assert found.offset == pytest.approx(1.5, rel=0.1)
    log_probabilities, correct = drawn(20_000, seed=1)
    scores = word_confidence.score(log_probabilities, correct, found)
    assert scores["ece"] < 0.015 < 0.1 < scores["ece_unscaled"]
    assert scores["words"] == 20_000
    assert fit(np.zeros(0), np.zeros(0, bool)) == WordConfidence()
    few = fit(np.array([-0.1, -0.2]), np.array([True, True]))
    assert 0.6 < few.of(-0.15) < 0.9  # two right words do not make the third certain
    assert fit(np.array([-2.0, -0.1] * 20), np.array([True, False] * 20)).slope == 0  # the order is not turned around


def test_which_words_are_right():
    words = [
        [Word("one", None, None, 0.9), Word("to", None, None, 0.5), Word("free", None, None, 0.25)],
        [Word("four", None, None, 1.0)],
        [],
    ]
    log_probabilities, correct = word_confidence.compare(["one two three", "", "five"], words, str)
    np.testing.assert_allclose(np.exp(log_probabilities), [0.9, 0.5, 0.25, 1.0])
    assert correct.tolist() == [True, False, False, False]
    assert word_confidence.score(*word_confidence.compare(["five"], [[]], str), WordConfidence()) is None


def test_a_run_is_calibrated_and_reports_it(trained, tmp_path, capsys):
    run = Run.open(shutil.copytree(trained("bilstm_ctc")[0].path, tmp_path / "run"))
    recognizer = Recognizer.from_run(run)
    assert recognizer.task.word_confidence == WordConfidence()
    validation = splits.load(run, recognizer.config, recognizer.task.labels, ("validation",)).splits["validation"]
    recognizer.calibrate(run, validation, 8)
    decision = run.read_json("decision.json")
    assert decision["word_confidence"] == recognizer.task.word_confidence.to_dict()
    assert decision["words"] > 5
    assert Recognizer.from_run(run).task.word_confidence == recognizer.task.word_confidence
    assert evaluate.main([str(run.path), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["test"]["word_confidence"]
    assert sum(each["examples"] for each in scores["bins"]) == scores["words"]
    assert (pathlib.Path(run.path) / "reliability.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm_ctc"])
def test_runs_streams_and_exports_scale_alike(name, tmp_path):
    built = untrained.recognizer(name, "--frontend.normalize", "running")
    plain = built.task.word_confidence
    sound = untrained.sound(4.0, seed=3)
    try:
        before = next(iter(built.predict(sound))).words
        built.task.word_confidence = WordConfidence(2.0, 0.5)
        words = next(iter(built.predict(sound))).words
        expected = [special.expit(2.0 * np.log(word.confidence) + 0.5) for word in before]
        assert words
        np.testing.assert_allclose([word.confidence for word in words], expected, rtol=1e-5)
        stream = Stream(built)
        stream.feed(sound)
        stream.end()
        np.testing.assert_allclose([word.confidence for word in stream.words], expected, atol=1e-4)
        savedmodel.write(built, tmp_path / "export")
    finally:
        built.task.word_confidence = plain
    exported = ExportedRecognizer.open(tmp_path / "export")
    answers = exported.answers(exported.batch_of_one(sound))
    np.testing.assert_allclose(answers["word_confidences"][0], expected, atol=1e-4)
    answer = next(iter(exported.predict(sound)))
    np.testing.assert_allclose([word.confidence for word in answer.words], expected, atol=1e-4)
