"""Every benchmark runs and prints its table; the times depend on the machine and are not tested."""

import importlib.util
import os
import pathlib
import types

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import (
    augmentation,
    beam_search,
    decoding,
    embedding_search,
    features,
    first_request,
    fit,
    noise,
    recording,
    resnet,
    serving,
    shards,
    timing,
    transcribing,
    tuning,
)
from benchmarks import input as benchmark
from tests.serving import targets
from tfrec.serving import layout
from tfrec.serving.deployment import batching_config
from tfrec.serving.warmup import records

TORCH = importlib.util.find_spec("torch")


def test_medians():
    calls = []
    seconds = timing.medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm_ups=2)
    assert sorted(calls) == ["a"] * 5 + ["b"] * 5
    assert list(seconds) == ["a", "b"]
    assert min(seconds.values()) > 0


def test_features(monkeypatch, capsys):
    monkeypatch.setattr(features, "CLIPS", 2)
    monkeypatch.setattr(features, "SECONDS", 1)
    monkeypatch.setattr(features, "REPETITIONS", 1)
    features.main()
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("log-mel", "MFCC", "ours, XLA", "tf.signal, graph"))


def test_augmentation(monkeypatch, capsys):
    monkeypatch.setattr(augmentation, "SIZES", ((16, 2),))
    monkeypatch.setattr(augmentation, "ROUNDS", 1)
    monkeypatch.setattr(augmentation, "candidates", lambda rows=augmentation.candidates(): rows[:2])
    augmentation.main()
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("four Keras layers", "ImageAffine"))


def test_embedding_search(tmp_path, capsys):
    embedding_search.main(
        ["--items", "2000", "--units", "16", "--repetitions", "1", "--peers", "--folder", str(tmp_path)]
    )
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("the index, mapped", "one sum over all", "float16, converted"))
    assert list(tmp_path.iterdir()) == []


def test_input(capsys):
    workers = ["--workers", "0"]  # processes started here would inherit TensorFlow's threads
    assert benchmark.main(["--files", "40", "--size", "32", "--repetitions", "1", *workers]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("WAV", "FLAC", "JPG"))
    assert ("not installed" in printed) == (TORCH is None)


@pytest.mark.slow
def test_shards(monkeypatch, capsys):
    monkeypatch.setattr(shards, "KINDS", shards.KINDS[:1])
    assert shards.main(["--files", "40", "--repetitions", "1", "--starts", "1"]) == 0
    assert "png of 32 px" in capsys.readouterr().out


def test_input_of_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    benchmark.make_files(tmp_path / "clips", "wav", 40)
    words = ["--data", "clips", "--batch_size", "8", "--repetitions", "1", "--workers", "0"]
    assert benchmark.main(words) == 0
    assert "clips" in capsys.readouterr().out


@pytest.mark.skipif(TORCH is None, reason="needs torch, of the extra `benchmark`")
@pytest.mark.parametrize(("kind", "tolerance"), [("flac", 2e-3), ("jpg", 0.02)])
def test_both_sides_do_the_same_work(tmp_path, kind, tolerance):
    benchmark.make_files(tmp_path, kind, 40)
    corpus, split = benchmark.load(tmp_path)
    mine, _ = next(iter(benchmark.ours(corpus, split, 64, 8)))
    theirs = next(iter(benchmark.peer(corpus, split, 64, 8, 0)))
    if kind == "flac":
        np.testing.assert_array_equal(mine["frames"], theirs[1])
        features, theirs = mine["features"].numpy()[:, : theirs[0].shape[1]], theirs[0].numpy()
    else:
        features, theirs = mine.numpy(), theirs.numpy().transpose(0, 2, 3, 1)
    assert np.quantile(abs(features - theirs), 0.999) < tolerance


def test_each_pass_reads_the_files_again(tmp_path):
    benchmark.make_files(tmp_path, "wav", 40)
    corpus, split = benchmark.load(tmp_path)
    batches = benchmark.ours(corpus, split, 64, 8)
    assert sum(len(label) for _, label in batches) == split.size
    for file in tmp_path.glob("*/*.wav"):
        file.unlink()
    with pytest.raises(tf.errors.OpError):
        list(batches)


@pytest.mark.slow
def test_fit(capsys):
    assert fit.main(["--steps", "3", "--epochs", "2", "--repetitions", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("tfrec.training.train", fit.BARE, "model.fit, arrays"))


def small_networks(shape, networks=resnet.networks):
    """Small networks of the same names; the real ones are built, too."""
    return {
        name: keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(10)])
        for name in networks(shape)
    }


@pytest.mark.slow
def test_resnet(monkeypatch, capsys):
    monkeypatch.setattr(resnet, "networks", small_networks)
    monkeypatch.setattr(resnet, "CLASSES", 10)
    if TORCH:
        from benchmarks import torch_resnet

        monkeypatch.setattr(torch_resnet, "DEPTHS", (1, 1))
    assert resnet.main(["--batch_size", "2", "--repetitions", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in (resnet.OURS, "keras.applications.ResNet50"))
    assert ("PyTorch, channels_last" in printed) == (TORCH is not None)


@pytest.mark.skipif(TORCH is None, reason="needs torch, of the extra `benchmark`")
def test_the_pytorch_resnet_is_the_same_network():
    import torch

    from benchmarks import torch_resnet

    net, peer = resnet.networks((45, 32, 3))[resnet.OURS], torch_resnet.ResNet50(resnet.CLASSES).eval()
    draw = np.random.default_rng(0)
    modules = {name: module for name, module in peer.named_modules() if isinstance(module, torch.nn.Conv2d)}
    assert len(modules) == sum(len(layer.kernel.shape) == 4 for layer in net.layers if hasattr(layer, "kernel"))
    for name, conv in modules.items():
        *place, last = name.split(".")  # stages.STAGE.BLOCK.convNUMBER, or conv
        ours = f"stage{int(place[1]) + 1}_{place[2]}_{last[4:]}" if place else "stem"
        kernel = net.get_layer(f"{ours}_conv").kernel
        conv.weight.data = torch.from_numpy(np.transpose(kernel, (3, 2, 0, 1)).copy())
        statistics = [draw.uniform(0.5, 1.5, kernel.shape[-1]).astype("float32") for _ in range(4)]
        net.get_layer(f"{ours}_norm").set_weights(statistics)
        norm = peer.get_submodule(name.replace("conv", "norm"))
        for target, value in zip(
            (norm.weight, norm.bias, norm.running_mean, norm.running_var), statistics, strict=True
        ):
            target.data = torch.from_numpy(value)
    kernel, bias = net.get_layer("logits").get_weights()
    peer.logits.weight.data, peer.logits.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
    images = draw.normal(size=(4, 45, 32, 3)).astype("float32")
    with torch.no_grad():
        expected = peer(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(net(images), expected, rtol=0, atol=1e-3 * expected.std(axis=0).mean())


@pytest.mark.slow
def test_noise(capsys):
    assert noise.main(["--batch_size", "2", "--repetitions", "1", "--width", "4"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in (noise.PLAIN, noise.NOISY))


def test_decoding(capsys):
    assert decoding.main(["--batch_size", "2", "--steps", "20", "--words", "10", "--repetitions", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("decoding.ctc.losses", "beam and language model", "alignment"))


@pytest.mark.slow
def test_beam_search(capsys, data_dir):
    words = ["--path", str(data_dir / "an4"), "--clips", "4", "--repetitions", "1"]
    assert beam_search.main(words) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("beam and language model", "WER", "pyctcdecode"))


def test_transcribing(capsys):
    assert transcribing.main(["--models", "lstm_ctc", "--seconds", "1", "--repetitions", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("lstm_ctc", "times real time"))


@pytest.mark.slow
def test_tuning(capsys):
    assert tuning.main(["--trials", "2", "--epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("without the sweep", "the whole sweep", "MB after the last"))


@pytest.mark.slow
def test_recording(monkeypatch, capsys):
    monkeypatch.setattr(recording, "REPETITIONS", 1)
    recording.main()
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("none", *recording.PARTS, "all"))


def test_first_request(tmp_path, capsys):
    network = tf.Module()
    function = tf.function(
        lambda audio, length: {"y": tf.reduce_sum(audio, axis=1) + tf.cast(length, tf.float32)},
        input_signature=[tf.TensorSpec([None, None], name="audio"), tf.TensorSpec([None], tf.int32, name="length")],
    )
    tf.saved_model.save(network, str(tmp_path / "1"), signatures={"tensor": function.get_concrete_function()})
    inputs = {"audio": np.ones((1, 100), "float32"), "length": np.int32([90])}
    (tmp_path / "1" / layout.WARMUP_RECORDS).parent.mkdir()
    tensors = {name: records.tensor_proto(value) for name, value in inputs.items()}
    records.write(tmp_path / "1" / layout.WARMUP_RECORDS, [("tensor", tensors)])
    first_request.main([str(tmp_path), "--repetitions", "1", "--processes", "1"])
    printed = capsys.readouterr().out
    assert printed.count("new lengths") == printed.count("shapes of the") == 2


class ServerInThisProcess(serving.Process):
    """A stand-in without a process of its own, which takes seconds to start."""

    def __init__(self, folder, *words):
        batching = batching_config.parse(pathlib.Path(words[1]).read_text(), words[1]) if words else None
        self.server = targets.start(folder, batching=batching).__enter__()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.grpc_port}")
        self.predict = self.channel.unary_unary(serving.PREDICT)
        self.process = types.SimpleNamespace(pid=os.getpid())

    def __exit__(self, *_):
        self.channel.close()
        self.server.close()


@pytest.mark.slow
def test_serving(monkeypatch, capsys):
    monkeypatch.setattr(serving, "Process", ServerInThisProcess)
    monkeypatch.setattr(serving, "ROUNDS", 1)
    monkeypatch.setattr("tfrec.serving.server.models.POLL_INTERVAL_S", 0.05)
    words = ["--models", "mlp", "--clients", "2", "--seconds", "0.3", "--repetitions", "2", "--swaps", "2"]
    assert serving.main(words) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("the SavedModel", "no batching", "versions under load", "p99"))
