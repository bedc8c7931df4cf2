"""The registry of architectures: a name, the module that builds it, and the config that makes it what it is called.

A module offers `Config`, `build(input_shape, num_classes, config)` and `TAKES`, the kinds of features it accepts:
"image" (height, width, channels), "sequence" (frames, bins) or "waveform" (samples, 1). Where `keras.applications` has
the same network, it offers `IMAGENET`: the registry's name -> (name there, the `frontend.normalise` that its weights
were trained with). Where nothing of a network sees the future, it offers `CAUSAL`: the name -> the last layer with
frames (batch, frames, units), each of which depends only on what it covers and what came before. `describe(config)`,
where a module offers it, is a sentence for the user.

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
from tfrec.architectures.speech import bc_resnet, cnn_lstm, conformer, recurrent, resnet_mel, transformer, wavenet

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
    "cct_7_3x1": (cct, cct.Config()),
    "cnn": (cnn, cnn.Config()),
    "cnn_lstm": (cnn_lstm, cnn_lstm.Config()),
    "cnn_lstm_concat": (cnn_lstm, cnn_lstm.CONCAT),
    "coatnet_0": (coatnet, coatnet.Config()),
    "conformer": (conformer, conformer.Config()),
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
    "inception_v3": (inception_v3, inception_v3.Config()),
    "kwt_1": (transformer, transformer.kwt(64)),
    "kwt_2": (transformer, transformer.kwt(128)),
    "kwt_3": (transformer, transformer.kwt(192)),
    "lstm": (recurrent, recurrent.Config()),
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


def describe(config):
    """What is worth knowing about an architecture as configured, such as how far it sees: a sentence, or None."""
    module = ARCHITECTURES[config.name][0]
    return module.describe(config) if hasattr(module, "describe") else None


def build(input_shape, num_classes, config, takes):
    """The Keras model of `config` from features of kind `takes` to logits.

    UserError when the architecture does not take that kind of features, or not of that shape.
    """
    module = ARCHITECTURES[config.name][0]
    if takes not in module.TAKES:
        raise UserError(
            f"model.name {config.name!r} takes {' or '.join(module.TAKES)} features, but the data gives {takes}"
            " features: choose one that takes those, see `python -m tfrec.list architectures --json`."
        )
    try:
        return module.build(input_shape, num_classes, config)
    except ValueError as error:
        raise UserError(f"Cannot build model.name {config.name!r} as configured: {error}") from error


def features(net):
    """The network without its head: the same inputs -> features (batch, units), the means of a map over its places."""
    x = net.get_layer("embedding").output
    if len(x.shape) > 2:
        x = layers.GlobalAveragePooling2D(name="features_mean")(x)
    return keras.Model(net.input, x, name=f"{net.name}_features")


def backbone(net):
    """The backbone's layers by block, from the input on: {"stem": [layers], "stage1": ...}.

    Blocks without weights are left out.
    """
    below = keras.Model(net.input, net.get_layer("embedding").output)
    blocks = {}
    for layer in below.layers:
        blocks.setdefault(layer.name.split("_")[0], []).append(layer)
    return {name: members for name, members in blocks.items() if any(layer.weights for layer in members)}
