"""The registry of architectures: a name, the module that builds it, and the config that makes it what it is called.

A module offers `Config`, `build(input_shape, num_classes, config)` and `TAKES`, the kinds of features it accepts:
"image" (height, width, channels), "sequence" (frames, bins) or "waveform" (samples, 1). Where `keras.applications` has
the same network, it offers `IMAGENET`: the registry's name -> (name there, the `frontend.normalize` that its weights
were trained with). Where nothing of a network sees the future, it offers `CAUSAL`: the name -> the last layer with
frames (batch, frames, units), each of which depends only on what it covers and what came before. `describe(config)`,
where a module offers it, is a sentence for the user. `GIVES` is what the network answers with: "classes" where a module
does not say, logits (batch, num_classes), or "tokens", the text of a clip: a dict with "logits" (batch, steps,
num_classes) for CTC and "steps" (batch,), and with "decoder" (batch, length, num_classes) where there is one.

Names of layers carry what transfer learning needs. The output of the layer `embedding` is the features; what comes
after it is the head, what comes before the backbone. A layer's block is its name up to the first underscore.
"""

import dataclasses

import keras
from keras import layers

from pipelines.errors import UserError, unknown
from tfrec.architectures.image import (
    airbench,
    alexnet,
    cct,
    cnn,
    coatnet,
    efficientnet,
    googlenet,
    inception_v3,
    mlp,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    squeezenet,
    vgg,
    vit,
)
from tfrec.architectures.speech import (
    bc_resnet,
    cnn_lstm,
    conformer,
    conformer_asr,
    deepspeech2,
    las,
    recurrent,
    recurrent_ctc,
    resnet_mel,
    speech_transformer,
    transformer,
    wavenet,
    wavenet_ctc,
)

ARCHITECTURES = {
    "airbench": (airbench, airbench.Config()),
    "alexnet": (alexnet, alexnet.Config()),
    "bc_resnet_1": (bc_resnet, bc_resnet.Config()),
    "bc_resnet_1_5": (bc_resnet, bc_resnet.Config(channels=12)),
    "bc_resnet_2": (bc_resnet, bc_resnet.Config(channels=16)),
    "bc_resnet_3": (bc_resnet, bc_resnet.Config(channels=24)),
    "bc_resnet_6": (bc_resnet, bc_resnet.Config(channels=48)),
    "bc_resnet_8": (bc_resnet, bc_resnet.Config(channels=64)),
    "bilstm": (recurrent, recurrent.BILSTM),
    "bilstm_ctc": (recurrent_ctc, recurrent_ctc.BILSTM),
    "cct_7_3x1": (cct, cct.Config()),
    "cnn": (cnn, cnn.Config()),
    "cnn_lstm": (cnn_lstm, cnn_lstm.Config()),
    "cnn_lstm_concat": (cnn_lstm, cnn_lstm.CONCAT),
    "coatnet_0": (coatnet, coatnet.Config()),
    "conformer": (conformer, conformer.Config()),
    "conformer_ctc": (conformer_asr, conformer_asr.Config()),
    "conformer_l": (conformer_asr, conformer_asr.LARGE),
    "conformer_m": (conformer_asr, conformer_asr.MEDIUM),
    "conformer_s": (conformer_asr, conformer_asr.SMALL),
    "deepspeech2": (deepspeech2, deepspeech2.Config()),
    "efficientnet_b0": (efficientnet, efficientnet.scaled("efficientnet_b0")),
    "efficientnet_b1": (efficientnet, efficientnet.scaled("efficientnet_b1")),
    "efficientnet_b2": (efficientnet, efficientnet.scaled("efficientnet_b2")),
    "efficientnet_b3": (efficientnet, efficientnet.scaled("efficientnet_b3")),
    "efficientnet_b4": (efficientnet, efficientnet.scaled("efficientnet_b4")),
    "efficientnet_b5": (efficientnet, efficientnet.scaled("efficientnet_b5")),
    "efficientnet_b6": (efficientnet, efficientnet.scaled("efficientnet_b6")),
    "efficientnet_b7": (efficientnet, efficientnet.scaled("efficientnet_b7")),
    "googlenet": (googlenet, googlenet.Config()),
    "gru": (recurrent, recurrent.GRU),
    "gru_ctc": (recurrent_ctc, recurrent_ctc.GRU),
    "inception_v3": (inception_v3, inception_v3.Config()),
    "kwt_1": (transformer, transformer.kwt(64)),
    "kwt_2": (transformer, transformer.kwt(128)),
    "kwt_3": (transformer, transformer.kwt(192)),
    "las": (las, las.Config()),
    "lstm": (recurrent, recurrent.Config()),
    "lstm_ctc": (recurrent_ctc, recurrent_ctc.Config()),
    "mlp": (mlp, mlp.Config()),
    "mobilenet_v2": (mobilenet_v2, mobilenet_v2.Config()),
    "mobilenet_v3_large": (mobilenet_v3, mobilenet_v3.Config()),
    "mobilenet_v3_small": (mobilenet_v3, mobilenet_v3.SMALL),
    "resnet101": (resnet, resnet.RESNET101),
    "resnet152": (resnet, resnet.RESNET152),
    "resnet18": (resnet, resnet.RESNET18),
    "resnet34": (resnet, resnet.RESNET34),
    "resnet50": (resnet, resnet.Config()),
    "resnet_mel": (resnet_mel, resnet_mel.Config()),
    "rnn": (recurrent, recurrent.RNN),
    "speech_transformer": (speech_transformer, speech_transformer.Config()),
    "squeezenet": (squeezenet, squeezenet.Config()),
    "squeezenet_1_0": (squeezenet, squeezenet.V1_0),
    "squeezenet_1_1": (squeezenet, squeezenet.Config()),
    "transformer": (transformer, transformer.Config()),
    "vgg16": (vgg, vgg.Config()),
    "vgg19": (vgg, vgg.VGG19),
    "vit_base": (vit, vit.Config(width=768)),
    "vit_small": (vit, vit.Config(width=384)),
    "vit_tiny": (vit, vit.Config()),
    "wavenet": (wavenet, wavenet.Config()),
    "wavenet_ctc": (wavenet_ctc, wavenet_ctc.Config()),
}


def default_config(name):
    """The config that an architecture's name stands for; UserError for an unknown name."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    return dataclasses.replace(ARCHITECTURES[name][1], name=name)


def takes(config):
    """The kinds of features that the architecture of a config accepts; UserError for an unknown name."""
    if config.name not in ARCHITECTURES:
        raise unknown("architecture", config.name, ARCHITECTURES)
    return ARCHITECTURES[config.name][0].TAKES


def gives(config):
    """What the architecture of a config answers with, "classes" or "tokens"; UserError for an unknown name."""
    if config.name not in ARCHITECTURES:
        raise unknown("architecture", config.name, ARCHITECTURES)
    return getattr(ARCHITECTURES[config.name][0], "GIVES", "classes")


def describe(config):
    """What is worth knowing about an architecture as configured, such as how far it sees: a sentence, or None."""
    module = ARCHITECTURES[config.name][0]
    return module.describe(config) if hasattr(module, "describe") else None


def build(input_shape, num_classes, config, takes, gives="classes"):
    """The Keras model of `config` from features of kind `takes` to an answer of kind `gives`.

    UserError when the architecture does not take that kind of features, or not of that shape, or answers otherwise.
    """
    module = ARCHITECTURES[config.name][0]
    if takes not in module.TAKES:
        raise UserError(
            f"model.name {config.name!r} takes {' or '.join(module.TAKES)} features, but the data gives {takes}"
            " features: choose one that takes those, see `python -m tfrec list architectures --json`."
        )
    if gives != getattr(module, "GIVES", "classes"):
        names = [name for name, (other, _) in ARCHITECTURES.items() if getattr(other, "GIVES", "classes") == gives]
        raise UserError(
            f"model.name {config.name!r} does not answer with {gives}, which the data asks for: choose one that does,"
            f" such as {names[0]!r}, see `python -m tfrec list architectures`."
        )
    try:
        return module.build(input_shape, num_classes, config)
    except ValueError as error:
        raise UserError(f"Cannot build model.name {config.name!r} as configured: {error}") from error


def features(net):
    """The network without its head: features -> (batch, units), or (batch, steps, units) of one that gives tokens.

    The inputs are the network's, without the "tokens" that only a decoder reads; a map becomes the means over its
    places.
    """
    x = net.get_layer("embedding").output
    if len(x.shape) > 3:
        x = layers.GlobalAveragePooling2D(name="features_mean")(x)
    return keras.Model(_below(net), x, name=f"{net.name}_features")


def _below(net):
    """The inputs of what lies below the embedding."""
    if not isinstance(net.input, dict):
        return net.input
    return {name: tensor for name, tensor in net.input.items() if name != "tokens"}


def backbone(net):
    """The backbone's layers by block, from the input on: {"stem": [layers], "stage1": ...}.

    Blocks without weights are left out.
    """
    below = keras.Model(_below(net), net.get_layer("embedding").output)
    blocks = {}
    for layer in below.layers:
        blocks.setdefault(layer.name.split("_")[0], []).append(layer)
    return {name: members for name, members in blocks.items() if any(layer.weights for layer in members)}


def causal_names(output_kind):
    """Names of the architectures with outputs of a kind that are causal with their default settings."""
    return [
        name
        for name, (module, _) in ARCHITECTURES.items()
        if getattr(module, "GIVES", "classes") == output_kind and name in getattr(module, "CAUSAL", {})
    ]
