"""What transcribers have in common: the CTC head, and a network's encoder and decoder as models of their own.

A transcriber is one flat functional model. Its layer "embedding" gives the encoder's result (batch, steps, units), the
layer "steps" how many of the steps each clip really has; a decoder reads these two and what its layer
"decoder_tokens" makes of the tokens, nothing else.
"""

import keras
from keras import layers, ops

from tfrec.architectures.base import MaskFrames


@keras.saving.register_keras_serializable("tfrec")
class CountSteps(layers.Layer):
    """How many steps each clip really has: bool (batch, steps) -> int32 (batch,)."""

    def call(self, keep):
        """The number of true ones."""
        return ops.sum(ops.cast(keep, "int32"), axis=1)


def ctc_head(x, mask, num_classes, dropout=0.0):
    """The end of every transcriber's encoder: its result, CTC's logits and how many steps are true, the head itself.

    Steps (batch, steps, units) and mask (batch, steps) -> the layer "embedding", 0 past a clip's end; the outputs
    {"logits": float32 (batch, steps, num_classes), "steps": int32 (batch,)}; and the layer that gives the logits, of
    which output 0 is the blank (Graves et al. 2006, ICML, pages 369-376).
    """
    encoded = MaskFrames(name="embedding")(x, mask)
    head = layers.Dense(num_classes, dtype="float32", name="logits")
    logits = head(layers.Dropout(dropout, name="dropout")(encoded))
    return encoded, {"logits": logits, "steps": CountSteps(name="steps")(mask)}, head


def encoder(net):
    """{"features": (batch, frames, bins), "frames": (batch,)} -> {"logits": (batch, steps, n + 1), "steps": (batch,)}.

    Of a network with a decoder also "encoded" (batch, steps, units), what its decoder reads.
    """
    outputs = {name: net.output[name] for name in ("logits", "steps")}
    if "decoder" in net.output:
        outputs["encoded"] = net.get_layer("embedding").output
    inputs = {name: tensor for name, tensor in net.input.items() if name != "tokens"}
    return keras.Model(inputs, outputs, name=f"{net.name}_encoder")


def decoder(net):
    """{"encoded": (batch, steps, units), "steps": (batch,), "tokens": (batch, length)} -> (batch, length, n + 1).

    The logits of the next token after each given one; None for a network without a decoder.
    """
    if "decoder" not in net.output:
        return None
    words = net.get_layer("decoder_tokens")
    encoded, steps = net.get_layer("embedding").output, net.get_layer("steps").output
    # Not from the network's own input on: a model of Keras 3.15 that begins both there and in the middle rewires that
    # input, and the network can be saved no more. Nor can inputs in the middle be named, hence a model around it.
    inner = keras.Model([encoded, steps, words.output], net.output["decoder"], name=f"{net.name}_decode")
    inputs = {
        "encoded": keras.Input(encoded.shape[1:], dtype=encoded.dtype, name="encoded"),
        "steps": keras.Input((), dtype="int32", name="steps"),
        "tokens": keras.Input((None,), dtype="int32", name="tokens"),
    }
    logits = inner([inputs["encoded"], inputs["steps"], words(inputs["tokens"])])
    return keras.Model(inputs, logits, name=f"{net.name}_decoder")
