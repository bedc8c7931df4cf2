"""Exports of classifiers of pairs: both inputs in each row, and signatures that take one of them."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.serving.test_pairs import call, files
from tfrec.serving import protos, savedmodel
from tfrec.serving.certificate import cases
from tfrec.serving.exported import ExportedRecognizer
from tfrec.serving.lint import report
from tfrec.serving.publish import publish


@pytest.mark.slow
def test_one_input_is_answered_as_by_the_run(exported, trained):
    published, recognizer = exported("av_fusion"), trained("av_fusion")[1]
    model = tf.saved_model.load(str(published))
    pictures, clips, images, sounds = files(3)
    pairs = [{"image": image, "audio": sound} for image, sound in zip(images, sounds, strict=True)]
    expected = {
        "serving_default": recognizer.predict(pairs),
        "image_only": recognizer.predict(images),
        "audio_only": recognizer.predict(sounds),
    }
    inputs = {"encoded_image": images, "encoded_audio": sounds}
    found = {}
    for signature, answers in expected.items():
        own = {name: value for name, value in inputs.items() if signature == "serving_default" or signature[:5] in name}
        found[signature] = call(model, signature, **own)["probabilities"]
        rows = np.stack([answer.probabilities for answer in answers])
        np.testing.assert_allclose(found[signature], rows, atol=1e-4)
    assert np.abs(found["image_only"] - found["audio_only"]).max() > 1e-3
    raw = [
        *pictures,
        *clips,
        *({"image": picture, "audio": clip} for picture, clip in zip(pictures, clips, strict=True)),
    ]
    again = np.stack([answer.probabilities for answer in ExportedRecognizer.open(published).predict(raw)])
    order = ("image_only", "audio_only", "serving_default")
    np.testing.assert_allclose(again, np.concatenate([found[name] for name in order]), atol=1e-4)


def test_the_certificate_expects_of_one_input_what_the_model_answers_to_it(trained):
    recognizer = trained("av_fusion")[1]
    case = next(case for case in cases.collect(recognizer) if case.contents)
    for part in ("image", "audio"):
        alone = next(iter(recognizer.predict([case.contents[part]]))).probabilities
        for signature in (f"{part}_only", f"{part}_only_tensor"):
            np.testing.assert_allclose(case.expected_by(signature)["probabilities"], alone, atol=1e-6)
        assert np.abs(alone - case.expected_by("serving_default")["probabilities"]).max() > 1e-5


@pytest.mark.slow
def test_a_model_that_needs_both_inputs_has_no_signature_for_one(trained, tmp_path):
    recognizer = trained("av_fusion")[1]
    model = dataclasses.replace(recognizer.config.model, modality_dropout=0.0)
    savedmodel.write(recognizer.replace(config=dataclasses.replace(recognizer.config, model=model)), tmp_path)
    assert not [name for name in protos.signatures(tmp_path) if "_only" in name]


@pytest.mark.slow
def test_linter(trained, tmp_path):
    findings = report.check(report.open_folder(publish(trained("av_fusion")[1], tmp_path, "pairs")))
    assert {each.rule: each.text for each in findings if each.status != "ok"} == {}
