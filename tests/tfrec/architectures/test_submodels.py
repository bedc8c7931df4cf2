"""The encoder and the decoder of a network as models of their own: the same weights, the same outputs."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec import architectures
from tfrec.architectures import submodels

CONFORMER = {"width": 8, "depth": 1, "heads": 2, "kernel": 3, "filters": 4}
DECODERS = {
    "conformer_s": {**CONFORMER, "decoder": 5},
    "las": {"units": 4, "decoder": 5, "width": 6},
    "speech_transformer": {"width": 8, "depth": 1, "decoder_depth": 2, "heads": 2, "filters": 4},
}
RANDOM = np.random.default_rng(0)
INPUTS = {
    "features": tf.constant(RANDOM.normal(size=(2, 21, 20)), "float32"),
    "frames": tf.constant([21, 6]),
    "tokens": tf.constant([[0, 3, 1, 2], [0, 4, 4, 0]]),
}


def build(name, **changes):
    keras.utils.set_random_seed(1)
    config = dataclasses.replace(architectures.default_config(name), **changes)
    return architectures.build_network(config, (None, 20), 5, "sequence", "sequence")


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name == "conformer_s")) for name in DECODERS]
)
def net(request):
    return build(request.param, **DECODERS[request.param])


def encode(encoder):
    return encoder({name: INPUTS[name] for name in ("features", "frames")})


def compute(net):
    """The outputs of encoder and decoder, one after the other."""
    encoded = encode(submodels.encoder(net))
    assert set(encoded) == {"encoded", "logits", "steps"}
    inputs = {"encoded": encoded["encoded"], "steps": encoded["steps"], "tokens": INPUTS["tokens"]}
    return {**encoded, "decoder": submodels.decoder(net)(inputs)}


def check_same(result, expected):
    for name in ("logits", "steps", "decoder"):
        np.testing.assert_allclose(result[name], expected[name], atol=1e-6)


def test_encoder_and_decoder_equal_the_network(net):
    expected = net(INPUTS)
    check_same(compute(net), expected)
    np.testing.assert_array_equal(expected["steps"], compute(net)["steps"])
    decoder = submodels.decoder(net)
    assert set(decoder.input) == {"encoded", "steps", "tokens"}
    assert decoder.output.dtype == "float32"
    assert {name: tensor.dtype for name, tensor in decoder.input.items() if name != "encoded"} == {
        "steps": "int32",
        "tokens": "int32",
    }


def test_weights_are_shared(net):
    encoder, decoder = submodels.encoder(net), submodels.decoder(net)
    ours, theirs = ({id(weight) for weight in part.weights} for part in (encoder, decoder))
    assert ours | theirs == {id(weight) for weight in net.weights}
    assert not ours & theirs
    before = np.asarray(net(INPUTS)["decoder"])
    for weight in net.trainable_weights:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.05, seed=3))
    expected = net(INPUTS)
    assert np.abs(before - expected["decoder"]).max() > 1e-3
    check_same(compute(net), expected)


def test_copies_have_submodels_too(net, tmp_path):
    """Also a network whose submodels were made before it was saved or copied."""
    expected = compute(net)
    clone = keras.models.clone_model(net)
    clone.set_weights(net.get_weights())
    check_same(compute(clone), expected)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    check_same(compute(loaded), expected)
    check_same(loaded(INPUTS), expected)


@pytest.mark.slow
def test_saved_model(net, tmp_path):
    encoder, decoder = submodels.encoder(net), submodels.decoder(net)
    archive = keras.export.ExportArchive()
    archive.track(net)

    def transcribe(features, frames, tokens):
        encoded = encoder({"features": features, "frames": frames})
        inputs = {"encoded": encoded["encoded"], "steps": encoded["steps"], "tokens": tokens}
        return {"logits": encoded["logits"], "steps": encoded["steps"], "decoder": decoder(inputs)}

    shapes = [
        tf.TensorSpec((None, None, 20), "float32", name="features"),
        tf.TensorSpec((None,), "int32", name="frames"),
        tf.TensorSpec((None, None), "int32", name="tokens"),
    ]
    archive.add_endpoint("serve", transcribe, input_signature=shapes)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))  # without a reference its weights are deleted
    check_same(loaded.serve(*INPUTS.values()), net(INPUTS))


def test_a_token_never_depends_on_later_ones_nor_on_what_lies_past_a_clip(net):
    encoded = encode(submodels.encoder(net))
    decoder = submodels.decoder(net)
    encoded = {name: np.asarray(encoded[name]) for name in ("encoded", "steps")}
    tokens = np.asarray(INPUTS["tokens"])
    expected = np.asarray(decoder({**tensors(encoded), "tokens": tf.constant(tokens)}))
    for i in range(1, 4):
        later = tokens.copy()
        later[:, i:] = (later[:, i:] + 1) % 5
        result = np.asarray(decoder({**tensors(encoded), "tokens": tf.constant(later)}))
        np.testing.assert_allclose(result[:, :i], expected[:, :i], atol=1e-6)
        assert np.abs(result[0, i:] - expected[0, i:]).max() > 1e-5
        shorter = decoder({**tensors(encoded), "tokens": tf.constant(tokens[:, :i])})
        np.testing.assert_allclose(shorter, expected[:, :i], atol=1e-6)
    past = encoded["encoded"].copy()
    past[1, encoded["steps"][1] :] = 9.0
    result = decoder({**tensors({**encoded, "encoded": past}), "tokens": tf.constant(tokens)})
    np.testing.assert_allclose(result, expected, atol=1e-6)
    past[1, : encoded["steps"][1]] += 1.0
    result = np.asarray(decoder({**tensors({**encoded, "encoded": past}), "tokens": tf.constant(tokens)}))
    assert np.abs(result[1] - expected[1]).max() > 1e-5  # the encoder matters


def tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}


def test_without_a_decoder():
    net = build("conformer_ctc", **CONFORMER)
    assert submodels.decoder(net) is None
    encoded = encode(submodels.encoder(net))
    assert set(encoded) == {"logits", "steps"}
    np.testing.assert_array_equal(encoded["logits"], net({name: INPUTS[name] for name in net.input})["logits"])
