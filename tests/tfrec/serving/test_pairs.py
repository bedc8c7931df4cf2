"""Exports of pairs: a picture and a clip in each row, and signatures that take one of them."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.serving import layout, publish, savedmodel
from tfrec.serving.certificate import sample_files
from tfrec.serving.exported import ExportedRecognizer
from tfrec.serving.lint import report

RATE_HZ = 8000


def files(count):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, 20, 30, 1)).astype("uint8")
    clips = [random.integers(-3000, 3000, 1500 + 100 * i).astype("float32") / 32768 for i in range(count)]
    images = [sample_files.picture("PNG", picture) for picture in pictures]
    return pictures, clips, images, [sample_files.sound("WAV of 16 bits", clip, RATE_HZ) for clip in clips]


def call(model, signature, **inputs):
    return {name: value.numpy() for name, value in model.signatures[signature](**_tensors(inputs)).items()}


def _tensors(inputs):
    return {name: tf.constant(value) for name, value in inputs.items()}


@pytest.mark.slow
def test_certificate_and_linter(trained, tmp_path):
    published = publish.publish(trained("dual_encoder")[1], tmp_path, "pairs")
    certificate = json.loads((published / layout.CERTIFICATE).read_text())
    parts = ["embed_audio", "embed_audio_tensor", "embed_image", "embed_image_tensor"]
    expected = [*parts, "encoded", "features", "score", "serving_default", "tensor"]
    assert (certificate["passed"], certificate["signatures"]) == (True, expected)
    findings = report.check(report.open_folder(published))
    assert {each.rule: each.text for each in findings if each.status != "ok"} == {}
    description = json.loads((published / layout.DESCRIPTION).read_text())
    assert (description["modality"], description["channels"], description["sample_rate_hz"]) == ("image_audio", 1, 8000)
    assert {"rows", "pixels", "seconds"} <= set(description["limits"])
    assert (
        "pictures with 1 channel, or JPEG and PNG files; and audio at 8,000 Hz" in (published / layout.CARD).read_text()
    )


def test_signatures_agree(exported, trained):
    published = exported("dual_encoder")
    recognizer, model = trained("dual_encoder")[1], tf.saved_model.load(str(published))
    pictures, clips, images, sounds = files(3)
    both = call(model, "serving_default", encoded_image=images, encoded_audio=sounds)
    for part, encoded in (("image", images), ("audio", sounds)):
        alone = call(model, f"embed_{part}", **{f"encoded_{part}": encoded})
        np.testing.assert_allclose(alone[f"{part}_embedding"], both[f"{part}_embedding"], atol=1e-5)
    products = (both["image_embedding"] * both["audio_embedding"]).sum(axis=1)
    np.testing.assert_allclose(both["score"], products, atol=1e-5)
    answers = list(recognizer.predict([*images, *sounds]))
    vectors = np.stack([answer.vector for answer in answers])
    np.testing.assert_allclose(vectors, np.concatenate([both["image_embedding"], both["audio_embedding"]]), atol=1e-4)
    again = np.stack([answer.vector for answer in ExportedRecognizer.open(published).predict([*pictures, *clips])])
    np.testing.assert_allclose(again, vectors, atol=1e-4)


def test_refusals(exported):
    published = exported("dual_encoder")
    model = tf.saved_model.load(str(published))
    _, _, images, sounds = files(2)
    for inputs, message in (
        ({"encoded_image": images, "encoded_audio": sounds[:1]}, "a row needs an input of each kind"),
        ({"encoded_image": sounds, "encoded_audio": sounds}, "row 0 is a file of the kind WAV"),
        ({"encoded_image": images, "encoded_audio": [sounds[0], b""]}, "row 1 has no bytes"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            call(model, "serving_default", **inputs)
    empty = call(model, "serving_default", encoded_image=np.zeros(0, "S1"), encoded_audio=np.zeros(0, "S1"))
    assert empty["score"].shape == (0,)
    with pytest.raises(UserError, match="neither a picture nor audio"):
        ExportedRecognizer.open(published).read("notes.txt")


@pytest.mark.slow
def test_bad_rows_can_be_filled(trained, tmp_path):
    recognizer = trained("dual_encoder")[1]
    config = recognizer.config
    filled = dataclasses.replace(config, export=dataclasses.replace(config.export, on_bad_row="fill"))
    savedmodel.write(recognizer.replace(config=filled), tmp_path / "filled")
    _, _, images, sounds = files(3)
    model = tf.saved_model.load(str(tmp_path / "filled"))
    outputs = call(
        model, "serving_default", encoded_image=[images[0], b"x", images[2]], encoded_audio=[*sounds[:2], b""]
    )
    assert outputs["status"][0] == b""
    assert outputs["status"][1].startswith(b"row 1 is no JPEG or PNG file")
    assert outputs["status"][2].startswith(b"row 2 has no bytes")
    assert outputs["score"][0] != 0
    assert (outputs["score"][1:] == 0).all()
