"""The CTC head, with which the encoder of every sequence output ends."""

import keras
from keras import layers, ops

from tfrec.architectures.layers.masking import MaskFrames
from tfrec.architectures.types import Tensor


@keras.saving.register_keras_serializable("tfrec")
class CountSteps(layers.Layer):
    """The number of true steps of each clip: bool (batch, steps) -> int32 (batch,)."""

    def call(self, keep: Tensor) -> Tensor:
        """Counts true values."""
        return ops.sum(ops.cast(keep, "int32"), axis=1)


def ctc_head(
    x: Tensor, mask: Tensor, outputs: int, dropout: float = 0.0
) -> tuple[Tensor, dict[str, Tensor], layers.Dense]:
    """The encoder's output and the logits for CTC (Graves et al. 2006, ICML, pages 369-376).

    Args:
        x: (batch, steps, units).
        mask: bool (batch, steps), true inside the clip.
        outputs: number of logits at each step; output 0 is the blank.
        dropout: fraction of the units, before the logits.

    Returns:
        The output of the layer "embedding": `x`, set to 0 past each clip's end; the network's outputs {"logits":
        float32 (batch, steps, outputs), "steps": int32 (batch,)}; and the layer that computes the logits.
    """
    encoded = MaskFrames(name="embedding")(x, mask)
    head = layers.Dense(outputs, dtype="float32", name="logits")
    logits = head(layers.Dropout(dropout, name="dropout")(encoded))
    return encoded, {"logits": logits, "steps": CountSteps(name="steps")(mask)}, head
