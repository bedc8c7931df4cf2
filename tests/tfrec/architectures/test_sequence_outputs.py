"""Every architecture with logits for each step, with each kind of features it takes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfrec.architectures import small_networks
from tests.tfrec.architectures.small_networks import SCALED, SHAPES, STEPS, batch_norms, cases, perturb, small_config
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES

TOKENS = 7  # with the blank
# Other configs: changed fields, and how many frames or samples the embedding sees beyond those that a step covers; None
# is the whole clip.
VARIANTS = [
    pytest.param("lstm_ctc", "sequence", {"subsampling": 1}, 0, id="lstm-1", marks=pytest.mark.slow),
    pytest.param("lstm_ctc", "sequence", {"subsampling": 2, "norm": "batch"}, 0, id="lstm-2-batch"),
    pytest.param("deepspeech2", "sequence", {"lookahead": 2, "subsampling": 2, "cell": "rnn"}, 4, id="row-rnn"),
    pytest.param("deepspeech2", "sequence", {"convolutions": 3}, None, id="three-convolutions", marks=pytest.mark.slow),
    pytest.param("wavenet_ctc", "sequence", {"causal": True}, 0, id="wavenet-causal"),
    pytest.param("wavenet_ctc", "waveform", {"causal": True, "convolutions": 0}, 0, id="wavenet-causal-raw"),
    pytest.param("wavenet_ctc", "sequence", {"subsampling": 1}, 6, id="wavenet-1"),
]

CASES = [case for case in cases("sequence") if case.values[1] != "audio_visual"]
ENTRIES = {name: architectures.find(name) for name in ARCHITECTURES}
CAUSAL = {
    name: entry.causal_layer
    for name, entry in ENTRIES.items()
    if entry.output_kind == "sequence" and entry.causal_layer
}


@functools.cache
def build(name, kind, **changes):
    """A small network with perturbed weights and the batch statistics of one batch, so that no signal fades away."""
    net = perturb(small_networks.build(name, kind, TOKENS, **changes))
    for layer in batch_norms(net):
        layer.momentum = 0.0
    net({**batch(kind, examples=6), **tokens(net, 6)}, training=True)
    return net


def batch(kind, examples=3):
    return small_networks.batch(kind, examples)


def tokens(net, examples, length=5):
    """The tokens for a decoder, {} for a network without one: the same for each example, 0 first."""
    if "tokens" not in net.input:
        return {}
    given = np.random.default_rng(4).integers(1, TOKENS, (1, length)).repeat(examples, axis=0).astype("int32")
    given[:, 0] = 0
    return {"tokens": given}


def compute(net, features, frames):
    """The network's outputs as arrays, for clips (batch, frames, bins) with their numbers of true frames."""
    decoder_inputs = tokens(net, len(features))
    outputs = net({"features": features, "frames": np.array(frames, "int32"), **decoder_inputs})
    return {name: np.asarray(value) for name, value in outputs.items()}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_outputs(name, kind):
    net = build(name, kind)
    inputs = batch(kind)
    outputs = compute(net, **inputs)
    assert set(outputs) == {"logits", "steps"} | ({"decoder"} if "tokens" in net.input else set())
    logits, steps = outputs["logits"], outputs["steps"]
    assert logits.dtype == "float32"
    assert logits.shape == (3, steps.max(), TOKENS)
    assert steps.dtype == "int32"
    assert list(steps) == sorted(steps)
    assert 1 <= steps[0] < steps[-1] <= STEPS[kind]
    assert np.isfinite(logits).all()
    assert {net.get_layer("logits").output.dtype, net.get_layer("steps").output.dtype} == {"float32", "int32"}
    if "decoder" in outputs:
        assert outputs["decoder"].shape == (3, 5, TOKENS)
        assert outputs["decoder"].dtype == "float32"
        assert np.isfinite(outputs["decoder"]).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_every_weight(name, kind):
    check_gradients(build(name, kind), kind)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_in_a_graph_that_knows_no_sizes(name, kind):
    net = build(name, kind)
    inputs = {**batch(kind), **tokens(net, 3)}
    spec = {key: tf.TensorSpec([None, None, *x.shape[2:]][: x.ndim], x.dtype) for key, x in inputs.items()}
    check_gradients(net, kind, lambda function: tf.function(function, input_signature=[spec]))


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_in_mixed_precision(name, kind, jit_compile):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = build.__wrapped__(name, kind)
    finally:
        keras.config.set_dtype_policy("float32")
    if jit_compile and "decoder_spell" in {layer.name for layer in net.layers}:
        pytest.skip("XLA takes no gradient of the LSTM decoder's loop; the layer declares it")
    check_gradients(net, kind, lambda function: tf.function(function, jit_compile=jit_compile))


def check_gradients(net, kind, run=lambda function: function):
    """Every weight has a finite gradient that is not zero everywhere; `run` wraps the function, as tf.function does."""
    weights = net.trainable_weights

    @run
    def gradients(inputs):
        with tf.GradientTape() as tape:
            outputs = net(inputs, training=True)
            inside = tf.sequence_mask(outputs["steps"], tf.shape(outputs["logits"])[1], dtype="float32")
            # Not the plain sum: the gradient of that through a layer normalization is zero.
            loss = tf.reduce_sum(inside[:, :, None] * outputs["logits"] ** 2)
            if "decoder" in outputs:
                loss += tf.reduce_sum(outputs["decoder"] ** 2)
        result = tape.gradient(loss, [weight.value for weight in weights])
        return [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in result]

    inputs = {name: tf.constant(value) for name, value in {**batch(kind), **tokens(net, 3)}.items()}
    for weight, gradient in zip(weights, gradients(inputs), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = build(name, kind)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    expected, outputs = compute(net, **batch(kind)), compute(loaded, **batch(kind))
    assert set(outputs) == set(expected)
    for output, value in expected.items():
        np.testing.assert_allclose(outputs[output], value, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_padding_and_neighbors_never_change_a_clip(name, kind):
    check_padding(build(name, kind), kind)


@pytest.mark.parametrize(("name", "kind", "changes", "ahead"), VARIANTS)
def test_padding_never_changes_a_clip_in_variants(name, kind, changes, ahead):
    check_padding(build(name, kind, **changes), kind)


def check_padding(net, kind):
    """Clips of 1 frame and more have the same outputs in a batch, whatever values lie past their ends."""
    random = np.random.default_rng(5)
    longest, bins = STEPS[kind] + 3, SHAPES[kind][1]
    other = random.normal(size=(1, longest, bins)).astype("float32")
    assert np.std(compute(net, other, [longest])["logits"], axis=1).max() > 1e-3
    for frames in (1, 2, 7, STEPS[kind] // 2 + 2):
        clip = random.normal(size=(1, frames, bins)).astype("float32")
        expected = compute(net, clip, [frames])
        steps = expected["steps"][0]
        assert steps == expected["logits"].shape[1]
        past = ((0, 0), (0, longest - frames), (0, 0))
        padded = [np.pad(clip, past, constant_values=value) for value in (0.0, 7.0, np.nan)]
        together = compute(net, np.concatenate([*padded, other]), [frames] * 3 + [longest])
        assert list(together["steps"][:3]) == [steps] * 3
        assert np.isfinite(together["logits"]).all()
        for i in range(3):
            np.testing.assert_allclose(together["logits"][i, :steps], expected["logits"][0], atol=1e-4)
            if "decoder" in together:
                np.testing.assert_allclose(together["decoder"][i], expected["decoder"][0], atol=1e-4)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SCALED)) for name in CAUSAL])
def test_causal_layers_never_see_the_future(name):
    for kind in ENTRIES[name].input_kinds:
        check_look_ahead(build(name, kind), kind, CAUSAL[name], 0)


@pytest.mark.parametrize(("name", "kind", "changes", "ahead"), VARIANTS)
def test_variants_see_as_far_ahead_as_described(name, kind, changes, ahead):
    check_look_ahead(build(name, kind, **changes), kind, "embedding", ahead)
    description = architectures.describe(small_config(name, **changes))
    assert ("whole clip" if ahead is None else "no look-ahead" if ahead == 0 else f"{ahead} ") in description


def check_look_ahead(net, kind, layer, ahead):
    """A step depends on earlier frames, those it covers, and `ahead` frames after them; None is the whole clip."""
    inside = keras.Model(architectures.feature_extractor(net).input, net.get_layer(layer).output)
    random = np.random.default_rng(6)
    frames = STEPS[kind]
    clip = random.normal(size=(1, frames, SHAPES[kind][1])).astype("float32")
    before = np.asarray(inside({"features": clip, "frames": np.array([frames])}))
    stride = -(-frames // before.shape[1])  # frames that a step covers
    for step in (0, 1, before.shape[1] // 2):
        last = stride * step + stride + (ahead or 0)  # the first frame that it cannot depend on
        for first, changed in ((last, ahead is None), (last - stride, True)):
            if first >= frames:
                continue
            after = np.asarray(inside({"features": changed_from(clip, first), "frames": np.array([frames])}))
            assert (np.abs(after[:, : step + 1] - before[:, : step + 1]).max() > 1e-5) == changed, (step, first)
            assert np.abs(after[:, step + 1 :] - before[:, step + 1 :]).max() > 1e-5  # the past matters


def changed_from(clip, first):
    changed = clip.copy()
    changed[:, first:] += 3.0
    return changed


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_features_and_blocks(name, kind):
    net = build(name, kind)
    features = architectures.feature_extractor(net)
    assert set(features.input) == {"features", "frames"}
    encoded = features(batch(kind))
    assert encoded.shape == (3, compute(net, **batch(kind))["logits"].shape[1], features.output.shape[-1])
    blocks = architectures.backbone_blocks(net)
    below = {id(weight) for layers in blocks.values() for layer in layers for weight in layer.weights}
    assert below == {id(weight) for weight in features.weights}
    assert {id(weight) for weight in net.get_layer("logits").weights}.isdisjoint(below)
