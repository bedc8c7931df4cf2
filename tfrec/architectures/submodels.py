"""Parts of a network as models of their own, with the same weights: feature extractor, encoder, decoder, backbone.

They rely on the names of layers. The output of the layer "embedding" is the features; later layers are the head,
earlier ones the backbone. A layer's block is its name up to the first underscore. The layers of `HEAD` belong to the
head although, with self-conditioning, an encoder reads their outputs.

A network with the output kind "sequence" is one flat functional model. Its layer "embedding" outputs what the encoder
makes of a clip (batch, steps, units), its layer "steps" the number of true steps of each clip. A decoder reads these
two and the output of the layer "decoder_tokens", nothing else.

A network with an input "visible" reads those patches of a picture alone, see `registry.patch_encoder`; its layer
"stem_position" has the grid of all patches.
"""

import math

import keras
from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.layers.patches import EveryPatch
from tfrec.architectures.types import Tensor

HEAD = ("logits", "condition")  # layers whose weights depend on the number of outputs


def feature_extractor(net: keras.Model) -> keras.Model:
    """The network without its head.

    Args:
        net: a network of the registry.

    Returns:
        A model from the network's inputs, without the "tokens" of a decoder, to features: (batch, units), or (batch,
        steps, units) of a network with the output kind "sequence". A map of features becomes its mean over all places;
        a network for visible patches reads all of them.
    """
    x = net.get_layer("embedding").output
    if len(x.shape) > 3:
        x = layers.GlobalAveragePooling2D(name="features_mean")(x)
    extractor = keras.Model(_encoder_inputs(net), x, name=f"{net.name}_features")
    return _of_all_patches(extractor) if _reads_visible(net) else extractor


def _reads_visible(net: keras.Model) -> bool:
    return isinstance(net.input, dict) and "visible" in net.input


def _of_all_patches(extractor: keras.Model) -> keras.Model:
    """A model from pictures to the features (batch, units) of all their patches, the output of a layer "embedding"."""
    features = keras.Input(extractor.input["features"].shape[1:], name="features")
    patches = math.prod(extractor.get_layer("stem_position").grid)
    x = extractor({"features": features, "visible": EveryPatch(patches, name="visible")(features)})
    return keras.Model(features, layers.Identity(name="embedding")(x), name=extractor.name)


def token_extractor(net: keras.Model) -> keras.Model:
    """The network up to the pooling that makes one vector of its features.

    Args:
        net: a network of the registry with the output kind "vector".

    Returns:
        A model from the network's inputs to {"tokens": (batch, tokens, units)}, the cells of a map or the frames of a
        clip, and for clips "mask", bool (batch, tokens), true inside the clip.

    Raises:
        ValueError: where one vector is all that there is before the head.
    """
    pooling = net.get_layer("embedding")
    if isinstance(pooling, layers.Identity) and len(pooling.input.shape) == 2:  # the name of what another layer pooled
        pooling = next(layer for layer in net.layers if layer.output is pooling.input)
    before = pooling.input
    x, *masks = before if isinstance(before, list | tuple) else [before]
    is_sequence = isinstance(net.input, dict)
    check(
        len(x.shape) > 2 and bool(masks) >= is_sequence,
        f"{net.name} does not end in a pooling over cells or frames, to which another input could attend: choose"
        " another network, such as cnn",
        x.shape[1:],
    )
    if len(x.shape) == 4:
        x = layers.Reshape((-1, x.shape[-1]), name="tokens")(x)
    outputs = {"tokens": x, "mask": masks[0]} if masks else {"tokens": x}
    return keras.Model(_encoder_inputs(net), outputs, name=f"{net.name}_tokens")


def embedder(net: keras.Model) -> keras.Model:
    """The network without its head, with named outputs.

    Args:
        net: a network of the registry.

    Returns:
        A model like `feature_extractor`'s with the output {"embedding": float32}, and of a network with the output kind
        "sequence" "steps" (batch,), the number of true steps of each clip.
    """
    extractor = feature_extractor(net)
    outputs = {"embedding": extractor.output}
    if isinstance(net.output, dict) and "steps" in net.output:
        outputs["steps"] = net.output["steps"]
    return keras.Model(extractor.input, outputs, name=f"{net.name}_embedder")


def backbone_blocks(net: keras.Model) -> dict[str, list[keras.layers.Layer]]:
    """The layers of the backbone by block, from the input on.

    Args:
        net: a network of the registry.

    Returns:
        {"stem": [layers], "stage1": ..., ...}, without blocks that have no weights; of a network for pairs the networks
        in it, {"image": [network], "speech": [network]}.
    """
    if isinstance(net.output, dict) and "image" in net.output:
        return {layer.name.split("_")[0]: [layer] for layer in net.layers if isinstance(layer, keras.Model)}
    backbone = keras.Model(_encoder_inputs(net), net.get_layer("embedding").output)
    blocks: dict[str, list[keras.layers.Layer]] = {}
    for layer in backbone.layers:
        if layer.name in HEAD:
            continue
        blocks.setdefault(layer.name.split("_")[0], []).append(layer)
    return {name: members for name, members in blocks.items() if any(layer.weights for layer in members)}


def part_encoder(net: keras.Model, name: str) -> keras.Model:
    """The part of a network for pairs that embeds pictures, or the one that embeds clips.

    Args:
        net: a network with the output kind "pair".
        name: "image" or "audio".

    Returns:
        A model from the dict of this part's features to {name: (batch, units)}.
    """
    return keras.Model(_inputs_of(net, name), {name: net.output[name]}, name=f"{net.name}_{name}")


def single_input(net: keras.Model, name: str) -> keras.Model:
    """The network for pairs as it answers with one of its inputs, the other missing.

    Args:
        net: a network with a layer "given", see `av_fusion`.
        name: "image" or "audio".

    Returns:
        A model from the dict of this input's features to the network's output.
    """
    layer = net.get_layer("given")
    # Keras flattens dicts in the order of their keys.
    features = dict(zip(("audio", "image", "mask"), layer.input, strict=False))
    own = {each: features[each] for each in features if (each == "image") == (name == "image")}
    alone = keras.Model(_inputs_of(net, name), own, name=f"{net.name}_{name}_features")
    # Not from the network's own input on, see `decoder`.
    inner = keras.Model(layer.output, net.output, name=f"{net.name}_fuse")
    inputs = {each: keras.Input(x.shape[1:], dtype=x.dtype, name=each) for each, x in alone.input.items()}
    filled = layer(alone(inputs))
    return keras.Model(inputs, inner([filled[each] for each in sorted(filled)]), name=f"{net.name}_{name}_only")


def _inputs_of(net: keras.Model, name: str) -> dict[str, Tensor]:
    """The inputs of a network for pairs that belong to the picture, or to the clip."""
    return {each: tensor for each, tensor in net.input.items() if (each == "image") == (name == "image")}


def encoder(net: keras.Model) -> keras.Model:
    """The network without its decoder.

    Args:
        net: a network with the output kind "sequence".

    Returns:
        A model from {"features": (batch, frames, bins), "frames": (batch,)} to {"logits": (batch, steps, outputs),
        "steps": (batch,)}, and "encoded" (batch, steps, units), what the decoder reads, if there is a decoder.
    """
    outputs = {name: net.output[name] for name in ("logits", "steps")}
    if "decoder" in net.output:
        outputs["encoded"] = net.get_layer("embedding").output
    return keras.Model(_encoder_inputs(net), outputs, name=f"{net.name}_encoder")


def decoder(net: keras.Model) -> keras.Model | None:
    """The decoder of a network.

    Args:
        net: a network with the output kind "sequence".

    Returns:
        A model from {"encoded": (batch, steps, units), "steps": (batch,), "tokens": (batch, length)} to the logits of
        the token after each (batch, length, outputs); None for a network without a decoder.
    """
    if "decoder" not in net.output:
        return None
    embedding = net.get_layer("decoder_tokens")
    encoded, steps = net.get_layer("embedding").output, net.get_layer("steps").output
    # Not from the network's own input on: in Keras 3.15 a model that begins both there and in the middle rewires that
    # input, and the network can no longer be saved. Inputs in the middle cannot be named, hence a model around it.
    inner = keras.Model([encoded, steps, embedding.output], net.output["decoder"], name=f"{net.name}_decode")
    inputs = {
        "encoded": keras.Input(encoded.shape[1:], dtype=encoded.dtype, name="encoded"),
        "steps": keras.Input((), dtype="int32", name="steps"),
        "tokens": keras.Input((None,), dtype="int32", name="tokens"),
    }
    logits = inner([inputs["encoded"], inputs["steps"], embedding(inputs["tokens"])])
    return keras.Model(inputs, logits, name=f"{net.name}_decoder")


def _encoder_inputs(net: keras.Model) -> Tensor | dict[str, Tensor]:
    """The inputs of a network without those of its decoder."""
    if not isinstance(net.input, dict):
        return net.input
    return {name: tensor for name, tensor in net.input.items() if name != "tokens"}
