"""Every architecture of the registry that gives tokens, with each kind of features it takes."""

import dataclasses
import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES

TOKENS = 7  # the blank among them
SHAPES = {"sequence": (None, 20), "waveform": (None, 1)}
STEPS = {"sequence": 30, "waveform": 800}  # frames or samples of the longest clip
# Trainable weights of the default configuration for 80 mels or samples and 29 tokens: the paper's figure, or counted.
PAPER_SHAPES = {"sequence": (None, 80), "waveform": (None, 1)}
PAPER_TOKENS = 29
PARAMETERS = {
    ("bilstm_ctc", "sequence"): 2_510_397,
    ("conformer_ctc", "sequence"): 8_211_549,
    # The paper's are for 1,000 word pieces, see tests/tfrec/architectures/test_conformer_asr.py.
    ("conformer_l", "sequence"): 120_590_906,
    ("conformer_m", "sequence"): 30_756_922,
    ("conformer_s", "sequence"): 9_634_714,
    ("deepspeech2", "sequence"): 1_897_101,
    ("gru_ctc", "sequence"): 1_367_421,
    ("las", "sequence"): 3_770_874,
    ("lstm_ctc", "sequence"): 1_759_101,
    ("speech_transformer", "sequence"): 4_006_298,
    ("wavenet_ctc", "sequence"): 1_161_885,
    ("wavenet_ctc", "waveform"): 1_148_573,
}
# As few layers and units as show all that there is.
CONFORMER = {"width": 12, "depth": 1, "heads": 2, "kernel": 3, "filters": 4}
LESS = {
    "conformer_ctc": CONFORMER,
    **{f"conformer_{size}": {**CONFORMER, "decoder": 8} for size in "lms"},
    "las": {"units": 6, "depth": 2, "pyramid": 1, "decoder": 8, "width": 6},
    "speech_transformer": {"width": 12, "depth": 1, "decoder_depth": 1, "heads": 2, "filters": 4},
    **{name: {"units": 12, "depth": 2, "filters": 4} for name in ("bilstm_ctc", "gru_ctc", "lstm_ctc")},
    "deepspeech2": {"units": 12, "depth": 2, "filters": 4},
    "wavenet_ctc": {"channels": 8, "skip_channels": 12, "layers": 2, "stacks": 1, "convolutions": 2, "block": 5},
}
# Networks that have nothing of their own beside another one's but size; their tests are marked slow.
ONLY_LARGER = {"conformer_l", "conformer_m", "conformer_s", "gru_ctc"}
# Other networks of the same file: the config's changes, and how many frames or samples the embedding sees ahead of what
# a step covers. None is the whole clip.
VARIANTS = [
    pytest.param("lstm_ctc", "sequence", {"subsampling": 1}, 0, id="lstm-1", marks=pytest.mark.slow),
    pytest.param("lstm_ctc", "sequence", {"subsampling": 2, "norm": "batch"}, 0, id="lstm-2-batch"),
    pytest.param("deepspeech2", "sequence", {"lookahead": 2, "subsampling": 2, "cell": "rnn"}, 4, id="row-rnn"),
    pytest.param("deepspeech2", "sequence", {"convolutions": 3}, None, id="three-convolutions", marks=pytest.mark.slow),
    pytest.param("wavenet_ctc", "sequence", {"causal": True}, 0, id="wavenet-causal"),
    pytest.param("wavenet_ctc", "waveform", {"causal": True, "convolutions": 0}, 0, id="wavenet-causal-raw"),
    pytest.param("wavenet_ctc", "sequence", {"subsampling": 1}, 6, id="wavenet-1"),
]

TRANSCRIBERS = {
    name: entry
    for name, entry in ARCHITECTURES.items()
    if architectures.gives(architectures.default_config(name)) == "tokens"
}
CASES = [
    pytest.param(name, kind, marks=[pytest.mark.slow] * (name in ONLY_LARGER))
    for name, (module, _) in TRANSCRIBERS.items()
    for kind in module.TAKES
]


def light(name, **changes):
    """The architecture's config, small enough for a test: every part of it once, with few units."""
    return dataclasses.replace(architectures.default_config(name), **{**LESS.get(name, {}), **changes})


@functools.cache
def build(name, kind, **changes):
    """A small network with moved weights, so that nothing is hidden behind a branch that starts as zeros.

    Its batch normalization has the statistics of a batch, so that no signal fades away.
    """
    keras.utils.set_random_seed(1)
    net = architectures.build(SHAPES[kind], TOKENS, light(name, **changes), kind, "tokens")
    for weight in net.trainable_weights:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.02))
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    net({**batch(kind, examples=6), **tokens(net, 6)}, training=True)
    return net


def batch(kind, examples=3):
    random = np.random.default_rng(3)
    counts = np.linspace(STEPS[kind] // 2, STEPS[kind], examples).astype("int32")
    features = random.normal(size=(examples, STEPS[kind], SHAPES[kind][1])).astype("float32")
    return {"features": features, "frames": counts}


def tokens(net, examples, length=5):
    """What a decoder is given, {} for a network without one: the same for each example, the first the start."""
    if "tokens" not in net.input:
        return {}
    given = np.random.default_rng(4).integers(1, TOKENS, (1, length)).repeat(examples, axis=0).astype("int32")
    given[:, 0] = 0
    return {"tokens": given}


def answer(net, features, frames):
    """The network's outputs as arrays, for clips (batch, frames, bins) of so many true frames."""
    given = tokens(net, len(features))
    outputs = net({"features": features, "frames": np.array(frames, "int32"), **given})
    return {name: np.asarray(value) for name, value in outputs.items()}


def test_every_case_is_pinned():
    assert set(PARAMETERS) == {tuple(case.values) for case in CASES}
    assert set(LESS) | ONLY_LARGER <= set(TRANSCRIBERS)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_parameters(name, kind):
    with keras.StatelessScope():  # nothing is drawn, only counted
        config = architectures.default_config(name)
        net = architectures.build(PAPER_SHAPES[kind], PAPER_TOKENS, config, kind, "tokens")
    assert sum(math.prod(weight.shape) for weight in net.trainable_weights) == PARAMETERS[name, kind]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_outputs(name, kind):
    net = build(name, kind)
    inputs = batch(kind)
    outputs = answer(net, **inputs)
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
        pytest.skip("XLA takes no gradient of the speller's loop, which says so itself")
    check_gradients(net, kind, lambda function: tf.function(function, jit_compile=jit_compile))


def check_gradients(net, kind, run=lambda function: function):
    """Every weight has a finite one that is not zero everywhere; `run` makes of the function what is called."""
    weights = effective(net)

    @run
    def gradients(inputs):
        with tf.GradientTape() as tape:
            outputs = net(inputs, training=True)
            inside = tf.sequence_mask(outputs["steps"], tf.shape(outputs["logits"])[1], dtype="float32")
            # Not the plain sum: the gradient of that through a layer normalization is zero.
            loss = tf.reduce_sum(inside[:, :, None] * outputs["logits"] ** 2)
            if "decoder" in outputs:
                loss += tf.reduce_sum(outputs["decoder"] ** 2)
        found = tape.gradient(loss, [weight.value for weight in weights])
        return [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in found]

    inputs = {name: tf.constant(value) for name, value in {**batch(kind), **tokens(net, 3)}.items()}
    for weight, gradient in zip(weights, gradients(inputs), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


def effective(net):
    """The trainable weights but attention's key biases, which add the same to every score of a softmax."""
    return net.trainable_weights


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_saves_and_loads(name, kind, tmp_path):
    net = build(name, kind)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    expected, outputs = answer(net, **batch(kind)), answer(loaded, **batch(kind))
    assert set(outputs) == set(expected)
    for output, value in expected.items():
        np.testing.assert_allclose(outputs[output], value, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_padding_and_neighbors_never_change_a_clip(name, kind):
    check_padding(build(name, kind), kind)


@pytest.mark.parametrize(("name", "kind", "changes", "ahead"), VARIANTS)
def test_variants_neither(name, kind, changes, ahead):
    check_padding(build(name, kind, **changes), kind)


def check_padding(net, kind):
    """A clip of 1 frame and others answer alone as in a batch, whatever lies past their ends."""
    random = np.random.default_rng(5)
    longest, bins = STEPS[kind] + 3, SHAPES[kind][1]
    other = random.normal(size=(1, longest, bins)).astype("float32")
    assert np.std(answer(net, other, [longest])["logits"], axis=1).max() > 1e-3
    for frames in (1, 2, 7, STEPS[kind] // 2 + 2):
        clip = random.normal(size=(1, frames, bins)).astype("float32")
        alone = answer(net, clip, [frames])
        steps = alone["steps"][0]
        assert steps == alone["logits"].shape[1]
        past = ((0, 0), (0, longest - frames), (0, 0))
        padded = [np.pad(clip, past, constant_values=value) for value in (0.0, 7.0, np.nan)]
        together = answer(net, np.concatenate([*padded, other]), [frames] * 3 + [longest])
        assert list(together["steps"][:3]) == [steps] * 3
        assert np.isfinite(together["logits"]).all()
        for i in range(3):
            np.testing.assert_allclose(together["logits"][i, :steps], alone["logits"][0], atol=1e-4)
            if "decoder" in together:
                np.testing.assert_allclose(together["decoder"][i], alone["decoder"][0], atol=1e-4)


CAUSAL = {
    name: module.CAUSAL[name] for name, (module, _) in TRANSCRIBERS.items() if name in getattr(module, "CAUSAL", {})
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in ONLY_LARGER)) for name in CAUSAL]
)
def test_causal_layers_never_see_the_future(name):
    for kind in TRANSCRIBERS[name][0].TAKES:
        check_look_ahead(build(name, kind), kind, CAUSAL[name], 0)


@pytest.mark.parametrize(("name", "kind", "changes", "ahead"), VARIANTS)
def test_variants_see_as_far_ahead_as_they_say(name, kind, changes, ahead):
    check_look_ahead(build(name, kind, **changes), kind, "embedding", ahead)
    said = architectures.describe(light(name, **changes))
    assert ("whole clip" if ahead is None else "no look-ahead" if ahead == 0 else f"{ahead} ") in said


def check_look_ahead(net, kind, layer, ahead):
    """A step depends on what it covers and so many frames after it, and what comes before; None is the whole clip."""
    inside = keras.Model(architectures.features(net).input, net.get_layer(layer).output)
    random = np.random.default_rng(6)
    frames = STEPS[kind]
    clip = random.normal(size=(1, frames, SHAPES[kind][1])).astype("float32")
    before = np.asarray(inside({"features": clip, "frames": np.array([frames])}))
    stride = -(-frames // before.shape[1])  # a step covers so many frames
    for step in (0, 1, before.shape[1] // 2):
        last = stride * step + stride + (ahead or 0)  # the first frame that it cannot know
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
    features = architectures.features(net)
    assert set(features.input) == {"features", "frames"}
    encoded = features(batch(kind))
    assert encoded.shape == (3, answer(net, **batch(kind))["logits"].shape[1], features.output.shape[-1])
    blocks = architectures.backbone(net)
    below = {id(weight) for layers in blocks.values() for layer in layers for weight in layer.weights}
    assert below == {id(weight) for weight in features.weights}
    assert {id(weight) for weight in net.get_layer("logits").weights}.isdisjoint(below)


def test_answers_of_another_kind_are_refused():
    with pytest.raises(UserError, match=r"does not answer with tokens.*bilstm_ctc"):
        architectures.build((None, 20), 5, architectures.default_config("lstm"), "sequence", "tokens")
    with pytest.raises(UserError, match=r"does not answer with classes.*airbench"):
        architectures.build((None, 20), 5, light("lstm_ctc"), "sequence")
