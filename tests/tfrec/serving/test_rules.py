"""Requests with bad rows, further signatures, and files as a run reads them."""

import dataclasses
import io
import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.tfrec import untrained
from tfrec.serving import layout, savedmodel
from tfrec.serving.graph import rules, speech


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory):
    """An untrained transcriber, and its export that fills bad rows."""
    built = untrained.recognizer.__wrapped__("bilstm_ctc")
    export = dataclasses.replace(built.config.export, on_bad_row="fill", max_seconds=3.0, max_rows=6)
    built.config = dataclasses.replace(built.config, export=export)
    folder = tmp_path_factory.mktemp("export") / "saved"
    savedmodel.write(built, folder)
    return built, folder


@pytest.fixture(scope="module")
def call(transcriber):
    loaded = tf.saved_model.load(str(transcriber[1]))

    def answer(signature, **inputs):
        outputs = loaded.signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    return answer


def wav(samples, rate=untrained.RATE_HZ, subtype="PCM_16", form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


SOUND = untrained.sound(1.7, seed=3)
LONG = np.zeros(4 * untrained.RATE_HZ)


def test_bad_rows_are_filled(transcriber, call):
    contents = [
        wav(SOUND),
        wav(SOUND, form="FLAC"),
        wav(SOUND[:9]),
        wav(SOUND * 1000, subtype="FLOAT"),
        wav(LONG),
        wav(SOUND),
    ]
    answer = call("encoded", encoded=contents)
    expected = transcriber[0].answers(transcriber[0].batch_of_one(SOUND))
    status = [text.decode() for text in answer["status"]]
    assert [text.split(":")[0] for text in status] == [
        "",
        "row 1 is a file of the kind FLAC, which is not read",
        "row 2 has 9 samples, less than one analysis window",
        status[3].split(":")[0],
        "row 4 lasts 4.0 s",
        "",
    ]
    assert status[3].startswith("row 3 has samples up to")
    for row in (0, 5):
        assert answer["text"][row] == expected["text"][0] != b""
        np.testing.assert_allclose(answer["scores"][row], expected["scores"][0], atol=1e-3)
        np.testing.assert_array_equal(answer["tokens"][row], expected["tokens"][0])
        assert b" ".join(word for word in answer["words"][row] if word) == answer["text"][row]
    for name, value in answer.items():
        assert name == "status" or not np.any(
            value[1:5] != np.zeros([], value.dtype) if value.dtype != object else value[1:5] != b""
        )
    audio, length = np.stack([SOUND, SOUND, SOUND * np.nan]), np.int32([len(SOUND), 10**6, len(SOUND)])
    answer = call("tensor", audio=audio, length=length)
    assert answer["text"].tolist() == [expected["text"][0], b"", b""]
    assert [text.decode().split(":")[0] for text in answer["status"]] == [
        "",
        "row 1 has the length 1000000, past its 13600 samples",
        "row 2 has a sample that is NaN or infinite",
    ]
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request may have 6 rows, not 7: send fewer at once"):
        call("encoded", encoded=contents + contents[:1])


def test_features_and_embedding(transcriber, call):
    built, folder = transcriber
    inputs = built.batch_of_one(SOUND)
    expected = built.features({name: tf.constant(value) for name, value in inputs.items()})
    found = call("features", **inputs)
    np.testing.assert_allclose(found["features"], expected["features"], atol=1e-4)
    assert found["frames"].tolist() == np.asarray(expected["frames"]).tolist()
    embedding = call("embedding", **inputs)
    logits = call("logits", **inputs)
    kernel, bias = built.network.get_layer("logits").get_weights()
    np.testing.assert_allclose(embedding["embedding"] @ kernel + bias, logits["logits"], atol=1e-3)
    assert embedding["steps"].tolist() == logits["steps"].tolist()
    description = json.loads((folder / layout.DESCRIPTION).read_text())
    assert description["limits"] == {"rows": 6, "seconds": 3.0, "total_seconds": 480.0, "samples": 200}
    assert description["on_bad_row"] == "fill"


@pytest.mark.parametrize(("rate", "subtype"), [(8000, "PCM_U8"), (44100, "PCM_24"), (16000, "DOUBLE")])
def test_files_are_answered_as_the_run_answers_them(transcriber, call, rate, subtype):
    sound = np.interp(np.arange(0, 1.5, 1 / rate), np.arange(len(SOUND)) / untrained.RATE_HZ, SOUND)
    contents = wav(np.stack([sound, sound * 0.7], axis=1), rate, subtype)
    built = transcriber[0]
    expected = built.answers(built.batch_of_one(built.read(contents)))
    answer = call("serving_default", encoded=[contents])
    assert answer["text"].tolist() == expected["text"].tolist()
    np.testing.assert_allclose(answer["confidence"], expected["confidence"], atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "samples", "squared", "message"),
    [
        (16, 240_000, None, None),
        (16, 240_001, None, "may last 480 s together"),
        (17, 240_000, None, "may last 480 s together"),
        (16, 240_000, 120.0**2, None),
        (1, 960_000, 120.0**2, None),
        (4, 480_001, 120.0**2, "self-attention"),
    ],
)
def test_work_is_bounded_to_the_sample(rows, samples, squared, message):
    limits = rules.Limits(256, 10**8, 120.0, 480.0, squared, False)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([], tf.int32)])
    def require(inputs, longest):
        return speech.require_work(inputs, longest, 8000, limits)

    if message is None:
        assert require(tf.zeros([rows, 1]), samples).shape == (rows, 1)
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            require(tf.zeros([rows, 1]), samples)
