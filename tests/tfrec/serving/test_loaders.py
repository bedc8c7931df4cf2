"""Loaders of exports in processes of their own agree with the trained model's process."""

import os
import pickle
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tfrec.serving import protos
from tfrec.serving.loaders import c_api, process, stored

ROOT = os.path.dirname(os.path.abspath(__file__))


class Echo(tf.Module):
    """Answers inputs of several dtypes; refuses negative numbers."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None, 2], tf.int32, name="number"),
        ]
    )
    def answer(self, text, number):
        with tf.control_dependencies([tf.debugging.assert_non_negative(number, "row 0 is negative")]):
            return {
                "text": tf.strings.join([text, "!"]),
                "half": tf.cast(number, tf.float32) / 2,
                "even": number % 2 == 0,
            }


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    folder, module = tmp_path_factory.mktemp("echo") / "1", Echo()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.answer.get_concrete_function()})
    return folder


@pytest.mark.parametrize("loader", ["c_api", "v1_session"])
def test_strings_and_numbers_pass(loader, echo):
    text = np.array([b"", "snow ☃".encode(), b"a" * 100, b"\0\xff\0"], object)
    number = np.arange(8, dtype="int32").reshape(4, 2)
    empty = {"text": np.array([], object), "number": np.zeros((0, 2), "int32")}
    requests = {(0, "serving_default"): {"text": text, "number": number}, (1, "serving_default"): empty}
    answers = process.answer(loader, echo, requests)
    expected = [(row + b"!").decode(errors="surrogateescape") for row in text]
    assert answers["0/text"].tolist() == expected
    np.testing.assert_array_equal(answers["0/half"], number / 2)
    np.testing.assert_array_equal(answers["0/even"], number % 2 == 0)
    assert [answers[f"1/{name}"].shape for name in ("text", "half", "even")] == [(0,), (0, 2), (0, 2)]


def test_a_failing_request_is_named(echo):
    inputs = {"text": np.array([b"a"], object), "number": np.int32([[1, -2]])}
    for loader in ("c_api", "v1_session"):
        with pytest.raises(
            process.LoaderError, match=r"request 5, of the signature serving_default, fails: .*row 0 is neg"
        ):
            process.answer(loader, echo, {(5, "serving_default"): inputs})
    with pytest.raises(process.LoaderError, match=r"^warm-up request 2, of the signature .*: .*row"):
        process.answer("c_api", echo, {}, {(2, "serving_default"): inputs})
    with pytest.raises(process.LoaderError, match="cannot be loaded"):
        process.answer("c_api", echo.parent, {})


def test_the_c_library_checks_no_shape_before_the_graph(echo):
    """As a server; and the error has its code."""
    model = c_api.SavedModel(str(echo))
    with pytest.raises(c_api.TensorFlowError) as caught:
        model("serving_default", {"text": np.array([b"a"], object), "number": np.int32([[-1, 2]])})
    assert caught.value.code == c_api.INVALID_ARGUMENT
    copied = pickle.loads(pickle.dumps(caught.value))  # as another process gets it
    assert (copied.code, str(copied)) == (caught.value.code, str(caught.value))
    assert "row 0 is negative" in str(copied)
    assert model("serving_default", {"text": np.array([b"a"], object), "number": np.int32([[1, 2]])})[
        "even"
    ].tolist() == [[False, True]]


def test_the_c_library_takes_arrays_with_gaps(echo):
    model = c_api.SavedModel(str(echo))
    for rows in (20, 500, 5_000, 50_000):
        number = np.arange(4 * rows, dtype="int32").reshape(-1, 4)[:, ::2]
        answered = model("serving_default", {"text": np.full(rows, b"a", object), "number": number})
        np.testing.assert_array_equal(answered["half"], number / np.float32(2))


def test_stored_arrays_round_trip(tmp_path):
    inputs = {"encoded": np.array([[b"\0", b"ab\0"]], object), "x": np.float32([[1.5]])}
    stored.write_requests(tmp_path / "r.npz", {(3, "tensor"): inputs})
    read = stored.read_requests(tmp_path / "r.npz")[3, "tensor"]
    assert read["encoded"].tolist() == inputs["encoded"].tolist()
    np.testing.assert_array_equal(read["x"], inputs["x"])


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_program_in_c_answers_as_python(exported, tmp_path):
    """What a server does, with no Python in the process."""
    folder, headers = exported("digits"), protos.tensorflow_folder()
    program = tmp_path / "session"
    libraries = [str(next(headers.glob(f"libtensorflow_{name}.so*"))) for name in ("cc", "framework")]
    words = ["cc", os.path.join(ROOT, "session.c"), f"-I{headers / 'include'}", *libraries, f"-Wl,-rpath,{headers}"]
    subprocess.run([*words, "-o", str(program)], check=True, capture_output=True)
    signature = protos.read_saved_model(folder).meta_graphs[0].signature_def["tensor"]
    names = signature.inputs["image"].name.split(":")[0], signature.outputs["probabilities"].name
    done = subprocess.run([program, folder, *names, "8", "1"], capture_output=True, text=True, check=True)
    image = np.zeros((1, 8, 8, 1), "uint8")
    expected = c_api.SavedModel(str(folder))("tensor", {"image": image})["probabilities"]
    np.testing.assert_allclose(np.float32(done.stdout.split())[None], expected, atol=1e-6)
