"""CTC between the blocks of an encoder: the same head, no change when off, and self-conditioning by hand."""

import keras
import numpy as np
import pytest

from pipelines import frontends
from tests.tfrec.architectures import small_networks
from tests.tfrec.architectures.test_sequence_outputs import TOKENS, check_gradients, check_padding
from tfrec import architectures, tasks
from tfrec.architectures.layers.ctc_head import StackConfig
from tfrec.pretrained import pretrained_weights

FEW = ("conformer_ctc", "lstm_ctc")
NAMES = ["conformer_ctc", "speech_transformer", "lstm_ctc", "bilstm_ctc", "deepspeech2"]
CASES = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FEW)) for name in NAMES]
# The layer whose output is read after the first block, but for the network that normalizes it once more.
STATES = {"conformer_ctc": "block0_norm", "deepspeech2": "gru0_states", "lstm_ctc": "lstm0_norm"}
STATES |= {"bilstm_ctc": "lstm0_norm", "speech_transformer": "block0_dense_add"}


def build(name, **changes):
    return small_networks.perturb(small_networks.build(name, "sequence", TOKENS, depth=3, **changes))


def inputs_of(net):
    batch = small_networks.batch("sequence", 3)
    return {**batch, "tokens": np.int32([[0, 1, 2]] * 3)} if "tokens" in net.input else batch


def test_every_stack_of_blocks_has_it():
    stacks = {name for name, (_, config) in architectures.ARCHITECTURES.items() if isinstance(config, StackConfig)}
    assert stacks == {*NAMES, "gru_ctc", "conformer_s", "conformer_m", "conformer_l"}


@pytest.mark.parametrize("name", CASES)
def test_intermediate_logits_are_of_the_same_head(name):
    net, without = build(name, intermediate=1), build(name)
    assert [tuple(weight.shape) for weight in net.weights] == [tuple(weight.shape) for weight in without.weights]
    for layer in net.layers:
        if layer.weights:
            without.get_layer(layer.name).set_weights(layer.get_weights())
    inputs = inputs_of(net)
    outputs, expected = net(inputs), without(inputs)
    assert set(outputs) - set(expected) == {"intermediate1", "intermediate2"}
    for output, value in expected.items():
        np.testing.assert_array_equal(outputs[output], value)
    states = keras.Model(without.input, without.get_layer(STATES[name]).output)(inputs)
    states = net.get_layer("final_norm")(states) if name == "speech_transformer" else states
    np.testing.assert_allclose(outputs["intermediate1"], net.get_layer("logits")(states), atol=1e-5)
    assert set(architectures.encoder(net).output) - {"encoded"} == {"logits", "steps"}


@pytest.mark.parametrize("name", CASES)
def test_self_conditioning_reaches_every_weight_and_no_other_clip(name):
    net = build(name, intermediate=2, self_condition=True)
    assert "intermediate1" not in net.output
    check_gradients(net, "sequence")
    check_padding(net, "sequence")


def test_self_conditioning_adds_the_answers():
    net = build("conformer_ctc", intermediate=1, self_condition=True)
    inputs = inputs_of(net)
    names = ("block0_norm", "condition1_add", "logits", "condition")
    states, read = keras.Model(net.input, [net.get_layer(name).output for name in names[:2]])(inputs)
    head, condition = (net.get_layer(name).get_weights() for name in names[2:])
    logits = np.asarray(states) @ head[0] + head[1]
    answers = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(read, np.asarray(states) + answers @ condition[0] + condition[1], atol=1e-5)
    assert net.get_layer("condition").output.shape == (None, None, 12)


def test_what_depends_on_the_vocabulary_is_of_the_head():
    net = build("conformer_ctc", intermediate=1, self_condition=True)
    backbone, head = pretrained_weights.split_at_embedding(net)
    assert [layer.name for layer in head] == ["logits", "condition"]
    assert {layer.name for layer in backbone}.isdisjoint({"logits", "condition"})
    assert not {"logits", "condition1"} & set(architectures.backbone_blocks(net))


def test_pretraining_by_codes_takes_it():
    config = small_networks.small_config("conformer_ctc", depth=2, intermediate=1, self_condition=True)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000, form="sequence"))
    net = tasks.build(tasks.default_config("best_rq"), []).build_network(config, frontend)
    assert set(net.output) == {"logits", "steps"}
