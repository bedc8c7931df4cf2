"""Every architecture that embeds a picture and a clip."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.architectures.small_networks import SHAPES, STEPS, batch, batch_norms, build, cases, perturb
from tfrec import architectures

UNITS = 16
CASES = cases("pair")


def effective(net):
    """The trainable weights without biases before a batch normalization, which cancels them."""
    layers = [part for layer in net.layers for part in getattr(layer, "layers", [layer])]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    canceled = {f"{layer.name.removesuffix('norm')}conv/bias" for layer in norms}
    return [weight for weight in net.trainable_weights if "/".join(weight.path.split("/")[-2:]) not in canceled]


def contrast(outputs):
    """A loss that reads all outputs."""
    logits = outputs["image"] @ tf.transpose(outputs["audio"]) * tf.exp(outputs["log_scale"][0])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(len(logits)), logits)
    return tf.reduce_mean(losses) + tf.reduce_mean(outputs.get("similarity", 0.0))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_outputs(name, kind):
    net = build(name, kind, UNITS)
    outputs = net(batch(kind))
    for part in ("image", "audio"):
        assert (outputs[part].shape, outputs[part].dtype) == ((4, UNITS), "float32")
        np.testing.assert_allclose(np.linalg.norm(outputs[part], axis=1), 1, rtol=1e-5)
    assert (outputs["log_scale"].shape, outputs["log_scale"].dtype) == ((4,), "float32")
    assert set(outputs) - {"image", "audio", "log_scale", "similarity"} == set()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_every_weight(name, kind):
    net = perturb(build(name, kind, UNITS))
    with tf.GradientTape() as tape:
        loss = contrast(net(batch(kind), training=True))
    gradients = tape.gradient(loss, [weight.value for weight in effective(net)])
    for weight, gradient in zip(effective(net), gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_pictures_and_clips_of_zeros_have_a_finite_gradient(name, kind):
    net, inputs = build(name, kind, UNITS), {key: np.zeros_like(value) for key, value in batch(kind).items()}
    with tf.GradientTape() as tape:
        loss = contrast(net(inputs))
    gradients = tape.gradient(loss, [weight.value for weight in net.trainable_weights])
    assert all(gradient is None or np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = perturb(build(name, kind, UNITS))
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")(batch(kind))
    for part, value in net(batch(kind)).items():
        np.testing.assert_allclose(loaded[part], value, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_learns_eight_pairs(name, kind):
    """Every picture is nearest to its clip, and every clip to its picture."""
    net, inputs, optimizer = build(name, kind, UNITS), batch(kind, examples=8), keras.optimizers.Adam(3e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            outputs = net(inputs, training=True)
            loss = contrast({**outputs, "similarity": 0.0})
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return outputs["image"] @ tf.transpose(outputs["audio"])

    for _ in range(150):
        similarities = step().numpy()
        found = [*similarities.argmax(axis=0), *similarities.argmax(axis=1)]
        if found == [*range(8)] * 2:
            break
    assert found == [*range(8)] * 2


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_trains_in_mixed_precision(name, kind, jit_compile):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = perturb(build(name, kind, UNITS))
    finally:
        keras.config.set_dtype_policy("float32")
    before = [np.array(weight) for weight in effective(net)]
    optimizer = keras.optimizers.SGD(1e-1)

    @tf.function(jit_compile=jit_compile)
    def step(inputs):
        with tf.GradientTape() as tape:
            loss = contrast(net(inputs, training=True))
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return loss

    assert np.isfinite(step(batch(kind)))
    assert all((np.array(weight) != old).any() for weight, old in zip(effective(net), before, strict=True))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_padding_and_neighbors_never_change_a_pair(name, kind):
    net = perturb(build(name, kind, UNITS))
    for layer in batch_norms(net):
        layer.momentum = 0.0  # the statistics of one batch, so that no signal fades away
    net(batch(kind, examples=6), training=True)
    random = np.random.default_rng(5)
    longest, bins = STEPS["sequence"] + 3, SHAPES["sequence"][1]
    pictures = random.normal(size=(2, *SHAPES["image"])).astype("float32")
    other = random.normal(size=(1, longest, bins)).astype("float32")
    for frames in (1, 2, 16, STEPS["sequence"] // 2 + 1, STEPS["sequence"] - 1):
        clip = random.normal(size=(1, frames, bins)).astype("float32")
        expected = net({"image": pictures[:1], "audio": clip, "frames": np.array([frames])})
        for value in (0.0, 7.0, np.nan):  # values past the end may be anything
            padded = np.concatenate([clip, np.full((1, longest - frames, bins), value, "float32")], axis=1)
            inputs = {
                "image": pictures,
                "audio": np.concatenate([padded, other]),
                "frames": np.array([frames, longest]),
            }
            together = net(inputs)
            for part in expected:
                of_pair = together[part][:1, :1] if part == "similarity" else together[part][:1]
                np.testing.assert_allclose(of_pair, expected[part], atol=1e-3)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_parts_equal_the_network(name, kind):
    """Each encoder alone gives the embeddings of the whole, from its own inputs."""
    net, inputs = perturb(build(name, kind, UNITS)), batch(kind)
    for part, names in (("image", {"image"}), ("audio", {"audio", "frames"})):
        encoder = architectures.part_encoder(net, part)
        assert set(encoder.input) == names
        output = encoder({name: inputs[name] for name in names})[part]
        np.testing.assert_allclose(output, net(inputs)[part], atol=1e-6)
    assert set(architectures.backbone_blocks(net)) == {"image", "speech"}
