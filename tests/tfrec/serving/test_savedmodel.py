"""The SavedModel: what TensorFlow Serving needs, hostile requests, and publication."""

import dataclasses
import functools
import importlib.util
import itertools
import json
import os
import pathlib
import platform
import re
import shutil
import struct
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import saved_model_pb2

import tfrec
from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.recognizer import Recognizer
from tfrec.serving import layout, protos, publish, savedmodel
from tfrec.serving.exported import ExportedRecognizer
from tfrec.serving.loaders import process
from tfrec.utils import startup

SPEECH = ["cnn", pytest.param("lstm", marks=pytest.mark.slow)]
EVERY = ["digits", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cnn", "lstm"))]
OUTPUTS = {"label", "probability", "probabilities", "accepted", "logits", "top_labels", "top_probabilities"}


@pytest.fixture(scope="session")
def call(exported):
    """`call(name, signature, **inputs)`: the outputs of the SavedModel as numpy arrays."""
    load = functools.cache(lambda name: tf.saved_model.load(str(exported(name))))

    def answer(name, signature, **inputs):
        outputs = load(name).signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    return answer


def meta_graph(folder):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    assert len(saved.meta_graphs) == 1
    return saved, saved.meta_graphs[0]


@pytest.mark.parametrize("name", EVERY)
def test_only_ops_that_a_server_can_run(name, exported):
    _, graph = meta_graph(exported(name))
    assert list(graph.meta_info_def.tags) == ["serve"]
    assert {"serving_default", "encoded", "tensor"} <= set(graph.signature_def)
    functions = [function.node_def for function in graph.graph_def.library.function]
    for node in itertools.chain(graph.graph_def.node, *functions):
        assert ">" not in node.op, node.op
        assert not node.op.startswith(("PyFunc", "EagerPyFunc", "Cudnn")), node.op
        assert "GPU" not in node.device, node.device
    for signature in (graph.signature_def[key] for key in ("serving_default", "encoded", "tensor")):
        for tensor in [*signature.inputs.values(), *signature.outputs.values()]:
            assert tensor.name
            assert tensor.dtype != tf.float16.as_datatype_enum
            assert tensor.tensor_shape.dim[0].size == -1
        assert set(signature.outputs) == OUTPUTS


def test_image_bytes_and_pixels_agree(call):
    image = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype("uint8")
    raw = call("digits", "tensor", image=image)
    png = call("digits", "encoded", encoded=[tf.io.encode_png(one).numpy() for one in image])
    np.testing.assert_allclose(raw["probabilities"], png["probabilities"], atol=1e-6)
    assert raw["label"].tolist() == png["label"].tolist()
    larger = call("digits", "tensor", image=np.repeat(np.repeat(image, 3, axis=1), 2, axis=2))
    assert larger["probabilities"].shape == (5, 10)


@pytest.mark.parametrize("name", SPEECH)
def test_answers_do_not_depend_on_other_clips_of_a_batch(name, call):
    random = np.random.default_rng(0)
    clips = [random.normal(scale=0.1, size=size).astype("float32") for size in (8000, 3001, 200)]
    lengths = np.int32([len(clip) for clip in clips])
    single = [call(name, "tensor", audio=clip[None], length=[len(clip)])["probabilities"][0] for clip in clips]
    for filler in (0.0, 0.7, np.nan):
        audio = np.stack([np.pad(clip, (0, 8500 - len(clip)), constant_values=filler) for clip in clips])
        together = call(name, "tensor", audio=audio, length=lengths)
        np.testing.assert_allclose(together["probabilities"], single, atol=1e-5)


@pytest.mark.parametrize("name", SPEECH)
def test_rules_for_odd_speech_requests(name, call):
    def ask(audio, length):
        return call(name, "tensor", audio=np.float32(audio), length=np.int32(length))["probabilities"]

    assert ask(np.zeros((0, 100)), []).shape == (0, 2)
    tone = np.sin(np.arange(800))[None]
    assert ask(tone[:, :200], [200]).shape == (1, 2)
    odd = np.where(np.arange(800) == 7, np.nan, tone[0])
    for audio, length, fault in (
        (tone, 801, "has the length 801, past its 800 samples: send"),
        (tone, -5, "has the length -5: send"),
        (tone, 0, "has no samples: send at least 200 samples (25 ms at 8,000 Hz)"),
        (tone, 199, "has 199 samples, less than one analysis window: send at least 200"),
        (odd, 800, "has a sample that is NaN or infinite: send"),
        (np.where(np.isnan(odd), -np.inf, odd), 800, "has a sample that is NaN or infinite: send"),
        (tone * 32768, 800, "has samples up to 32768 instead of 1: divide them"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(f"[row 1 {fault}")):
            ask(np.concatenate([tone, np.reshape(audio, (1, -1))]), [800, length])


def test_empty_image_batches(call):
    assert call("digits", "tensor", image=np.zeros((0, 8, 8, 1), "uint8"))["probabilities"].shape == (0, 10)
    assert call("digits", "encoded", encoded=tf.zeros([0], tf.string))["probabilities"].shape == (0, 10)


def bomb(width, height):
    """A PNG of 60 bytes that claims a huge picture."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


HOSTILE = {
    "digits": [
        ("tensor", {"image": np.zeros((8, 8, 1), "uint8")}),
        ("tensor", {"image": np.zeros((1, 8, 8, 3), "uint8")}),
        ("tensor", {"image": np.zeros((1, 0, 8, 1), "uint8")}),
        ("encoded", {"encoded": np.array([b"not a picture"], object)}),
        ("encoded", {"encoded": np.array([b""], object)}),
        ("encoded", {"encoded": np.array([[b"x"]], object)}),
        ("encoded", {"encoded": np.array([bomb(60000, 60000)], object)}),
        ("encoded", {"encoded": np.array([bomb(2**32 - 1, 2**32 - 1)], object)}),
        ("encoded", {"encoded": np.array([b"GIF89a" + b"\xff" * 8], object)}),
        ("encoded", {"encoded": np.array([b"BM" + b"\xff" * 60], object)}),
        ("encoded", {"encoded": np.array([b"\xff\xd8\xff"], object)}),
    ],
    "cnn": [
        ("tensor", {"audio": np.zeros(100, "float32"), "length": np.int32([100])}),
        ("tensor", {"audio": np.zeros((1, 100, 1), "float32"), "length": np.int32([100])}),
        ("tensor", {"audio": np.zeros((2, 100), "float32"), "length": np.int32([100])}),
        ("tensor", {"audio": np.zeros((1, 100), "float32"), "length": np.int32([[100]])}),
        ("encoded", {"encoded": np.array([b"RIFF"], object)}),
        ("encoded", {"encoded": np.array([b""], object)}),
    ],
}


def ask_hostile(folder, name):
    """Feeds malformed requests through the session loader; prints whether each was answered or refused."""
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
        for signature, inputs in HOSTILE[name]:
            definition = loaded.signature_def[signature]
            feed = {definition.inputs[key].name: value for key, value in inputs.items()}
            try:
                session.run([tensor.name for tensor in definition.outputs.values()], feed)
                print("answered", flush=True)
            except tf.errors.InvalidArgumentError:
                print("refused", flush=True)


@pytest.mark.parametrize("name", HOSTILE)
def test_malformed_requests_are_refused_and_the_process_lives(name, exported, tmp_path):
    """In a process of its own, because a failure would abort it."""
    folder = tmp_path / "saved"
    shutil.copytree(exported(name), folder)
    saved, graph = meta_graph(folder)
    # Python's session checks the shapes of its inputs, the server's does not: without declared shapes neither does.
    for node in graph.graph_def.node:
        if node.op == "Placeholder":
            node.attr["shape"].shape.CopyFrom(tensor_shape_pb2.TensorShapeProto(unknown_rank=True))
            node.attr.pop("_output_shapes", None)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    script = f"from tests.tfrec.serving import test_savedmodel; test_savedmodel.ask_hostile({str(folder)!r}, {name!r})"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=pathlib.Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["refused"] * len(HOSTILE[name])


@pytest.mark.parametrize("name", ["digits", pytest.param("cnn", marks=pytest.mark.slow)])
def test_publish_refuses_a_model_that_answers_differently(name, trained, tmp_path, monkeypatch):
    _, recognizer = trained(name)
    clone = savedmodel.without_cudnn

    def changed(network):
        copy = clone(network)
        last = copy.get_layer("logits")
        kernel, bias = last.get_weights()
        last.set_weights([kernel, bias + np.linspace(0, 0.05, len(bias))])
        return copy

    monkeypatch.setattr(savedmodel, "without_cudnn", changed)
    with pytest.raises(UserError, match="Not published"):
        publish.publish(recognizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SPEECH)
def test_run_and_export_predict_alike(name, trained, exported, tones):
    files = [next((tones / label).iterdir()) for label in ("high", "low")]
    run, export = tfrec.load(trained(name)[0].path), tfrec.load(exported(name))
    assert (type(run), type(export)) == (Recognizer, ExportedRecognizer)
    for one, other in zip(run.predict(files), export.predict(files), strict=True):
        assert one.class_names == other.class_names == ("high", "low")
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_a_description_without_its_task_is_damaged(exported, tmp_path):
    folder = tmp_path / "saved"
    shutil.copytree(exported("cnn"), folder)
    path = folder / layout.DESCRIPTION
    description = json.loads(path.read_text())
    assert description.pop("task") == "classify"
    path.write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"tfrec\.json is damaged: export the run again"):
        tfrec.load(folder)


def test_predict_resamples(exported, tmp_path):
    time = np.arange(48000) / 48000
    soundfile.write(tmp_path / "high.wav", 0.3 * np.sin(2 * np.pi * 1500 * time), 48000)
    soundfile.write(tmp_path / "same.wav", 0.3 * np.sin(2 * np.pi * 1500 * time[::6]), 8000)
    one, other = tfrec.load(exported("cnn")).predict([tmp_path / "high.wav", tmp_path / "same.wav"])
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.05)


def check_other_kernels(folder, loaded, clip):
    """OpenVINO converts the graph of a recurrent network with its frontend, and gives the same logits."""
    if importlib.util.find_spec("openvino") is None:
        return
    inputs = {"audio": np.stack([clip, clip]), "length": np.int32([len(clip), 5000])}
    answers = process.answer("openvino", folder, {(0, "logits"): inputs})
    expected = loaded.signatures["logits"](**{name: tf.constant(value) for name, value in inputs.items()})
    np.testing.assert_allclose(answers["0/logits"], expected["logits"], atol=1e-4)


@pytest.mark.parametrize(("name", "width"), [("bilstm_ctc", 1), pytest.param("las", 8, marks=pytest.mark.slow)])
def test_an_export_that_transcribes(name, width, tmp_path):
    built = untrained.recognizer.__wrapped__(name)
    export = dataclasses.replace(built.config.export, beam_width=width)
    built.config = dataclasses.replace(built.config, export=export)
    savedmodel.write(built, tmp_path / "saved")
    sounds = [untrained.sound(seconds, seed=3) for seconds in (1.7, 0.6, 0.05)]
    soundfile.write(tmp_path / "clip.wav", sounds[0], untrained.RATE_HZ, subtype="PCM_16")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))

    def ask(clips, lengths):
        audio = np.stack([np.pad(clip, (0, 20000 - len(clip)), constant_values=0.3) for clip in clips])
        answer = loaded.signatures["tensor"](audio=tf.constant(audio), length=tf.constant(np.int32(lengths)))
        return [text.decode() for text in answer["text"].numpy()], answer["confidence"].numpy()

    if width == 1:
        check_other_kernels(tmp_path / "saved", loaded, sounds[0])
    texts, confidences = ask(sounds, [len(clip) for clip in sounds])
    for clip, text, confidence in zip(sounds, texts, confidences, strict=True):
        single = built.answers(built.batch_of_one(clip))
        assert (text, confidence) == (single["text"][0].decode(), pytest.approx(single["confidence"][0], abs=1e-5))
    assert len(texts[0]) > 5
    assert (texts[0] == untrained.offline(built, sounds[0])[1]) == (width == 1)
    empty = loaded.signatures["tensor"](audio=tf.zeros([0, 9]), length=tf.zeros([0], tf.int32))
    assert empty["text"].shape == empty["confidence"].shape == (0,)
    (transcript,) = tfrec.load(tmp_path / "saved").predict(tmp_path / "clip.wav")
    assert transcript.text == texts[0]
    if width == 1:  # as the run answers, in one chunk and in several, with the times of words
        soundfile.write(tmp_path / "long.wav", np.tile(sounds[0], 4), untrained.RATE_HZ, subtype="PCM_16")
        options = {"chunk_seconds": 2.0, "overlap_seconds": 0.5}
        for name, lengths in (("clip.wav", {}), ("long.wav", options)):
            (ours,) = built.predict(tmp_path / name, **lengths)
            (theirs,) = tfrec.load(tmp_path / "saved").predict(tmp_path / name, **lengths)
            assert theirs.text == ours.text
            assert [word.word for word in theirs.words] == ours.text.split()
            np.testing.assert_allclose([w[1:] for w in theirs.words], [w[1:] for w in ours.words], atol=1e-4)
    (tmp_path / "saved" / "assets.extra" / "tfrec.json").write_text(
        json.dumps({"task": "transcribe", "modality": "audio", "sample_rate_hz": untrained.RATE_HZ})
    )
    (transcript,) = tfrec.load(tmp_path / "saved").predict(tmp_path / "clip.wav")  # an export of an older version
    assert (transcript.text, transcript.words) == (texts[0], None)


def test_a_beam_is_refused_for_classification(trained):
    _, recognizer = trained("digits")
    export = dataclasses.replace(recognizer.config.export, beam_width=4)
    with pytest.raises(UserError, match=r"export\.beam_width: task.name classify has no beam search"):
        recognizer.task.check_export(export)


@pytest.mark.parametrize("moment", ["written", "replayed"])
def test_an_interrupted_export_leaves_nothing(trained, tmp_path, monkeypatch, moment):
    """Also where TensorFlow has lost the interrupt, or another process was interrupted too."""
    monkeypatch.setattr(startup, "_interrupted", [])
    if moment == "written":
        monkeypatch.setattr(savedmodel, "write", lambda *_: startup._interrupted.append(True))
    else:
        done = types.SimpleNamespace(returncode=-2, stderr="")
        monkeypatch.setattr(process.subprocess, "run", lambda *_, **__: startup._interrupted.append(True) or done)
    _, recognizer = trained("digits")
    with pytest.raises(KeyboardInterrupt):
        publish.publish(recognizer, tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "signature", "inputs", "message"),
    [
        ("digits", "tensor", {"image": np.zeros((100_000, 1, 1, 1), "uint8")}, "may have 1,024 rows, not"),
        (
            "digits",
            "tensor",
            {"image": np.zeros((3, 10_000, 9_000, 1), "uint8")},
            "may have 100,000,000 pixels together",
        ),
        ("digits", "encoded", {"encoded": [b""] * 5000}, "may have 1,024 rows, not"),
        ("digits", "encoded", {"encoded": None}, "may have 100,000,000 pixels together"),
        ("cnn", "tensor", {"audio": np.zeros((2000, 1)), "length": np.ones(2000, int)}, "may have 256 rows, not"),
        (
            "cnn",
            "tensor",
            {"audio": np.zeros((5, 960_000)), "length": np.full(5, 960_000)},
            "may last 480 s together, each padded to the longest",
        ),
    ],
)
def test_requests_that_would_exhaust_the_memory(name, signature, inputs, message, call):
    types = {"audio": "float32", "length": "int32", "image": "uint8"}
    inputs = {key: np.asarray(value, types[key]) if key in types else value for key, value in inputs.items()}
    if inputs.get("encoded", "") is None:
        image = tf.io.encode_png(np.zeros((6000, 6000, 1), "uint8")).numpy()
        inputs["encoded"] = [image] * 3
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(name, signature, **inputs)


def test_an_export_says_what_it_refuses(exported):
    export = ExportedRecognizer.open(exported("cnn"))
    with pytest.raises(UserError, match=r"refuses its input: row 0 lasts 125.0 s: send clips of at most 120 s"):
        export.answers(export.batch_of_one(np.zeros(1_000_000, "float32")))


def test_short_clips_with_a_long_one_are_bounded(call):
    long, short = (tf.audio.encode_wav(np.zeros((count, 1), "float32"), 8000).numpy() for count in (800_000, 300))
    assert call("cnn", "encoded", encoded=[long, short])["label"].shape == (2,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="may last 480 s together"):
        call("cnn", "encoded", encoded=[long] + [short] * 60)


@pytest.mark.slow
def test_the_next_version_without_what_a_killed_export_leaves(trained, tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    node, base = platform.node(), tmp_path / "digits"
    for name in (f".tmp-{node}-{process.pid}-abc", f".tmp-{node}-{os.getpid()}-abc", ".tmp-elsewhere-1-abc", "3", "x"):
        (base / name).mkdir(parents=True)
    before = os.umask(0o077)
    try:
        version = publish.publish(trained("digits")[1], tmp_path, "digits")
    finally:
        os.umask(before)
    assert version == base / "4"
    assert {path.name for path in base.iterdir()} == {
        ".tmp-elsewhere-1-abc",
        f".tmp-{node}-{os.getpid()}-abc",
        "3",
        "4",
        "x",
    }
    for path in [version, *version.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("name", EVERY)
def test_each_signature_is_written_once(name, exported):
    """And both names of the first one are the same tensors, for which a session prepares one graph."""
    _, graph = meta_graph(exported(name))
    assert graph.signature_def["encoded"] == graph.signature_def["serving_default"]
    assert set(tf.saved_model.load(str(exported(name))).signatures) == set(protos.signatures(exported(name)))
    names = [function.signature.name for function in graph.graph_def.library.function]
    # Of encoded, tensor, features and embedding.
    assert sum(each.startswith("__inference_answered_") for each in names) == 4
