"""The CTC head, with which the encoder of every sequence output ends, and CTC between the blocks of an encoder."""

import dataclasses

import keras
from keras import layers, ops

from tfrec.architectures.config import ModelConfig, check
from tfrec.architectures.layers.masking import MaskFrames
from tfrec.architectures.types import Tensor


@dataclasses.dataclass(frozen=True)
class StackConfig(ModelConfig):
    """The fields of CTC encoders that are a stack of blocks."""

    intermediate: int = 0  # N: CTC after blocks N, 2 N, ... too, for a second loss (arXiv:2102.03216); 0 for none
    self_condition: bool = False  # later blocks read what CTC answers there (arXiv:2104.02724)


@keras.saving.register_keras_serializable("tfrec")
class CountSteps(layers.Layer):
    """The number of true steps of each clip: bool (batch, steps) -> int32 (batch,)."""

    def call(self, keep: Tensor) -> Tensor:
        """Counts true values."""
        return ops.sum(ops.cast(keep, "int32"), axis=1)


class IntermediateCTC:
    """CTC between the blocks of an encoder, by the layer that computes the last logits.

    With self-conditioning the answers there, by one more linear layer, are added to what the next block reads (Nozaki &
    Komatsu 2021, arXiv:2104.02724, equation 12).

    Args:
        config: whether and after which blocks.
        depth: number of blocks.
        outputs: number of logits at each step.

    Attributes:
        head: the layer "logits".
        logits: {"intermediateN": logits (batch, steps, outputs) after block N, counted from 1}.

    Raises:
        ValueError: for settings that do not fit the depth.
    """

    def __init__(self, config: StackConfig, depth: int, outputs: int) -> None:
        check(
            0 <= config.intermediate < depth,
            f"model.intermediate must be 0 or a number of blocks below all {depth}",
            config.intermediate,
        )
        check(
            config.intermediate or not config.self_condition,
            "model.self_condition needs model.intermediate above 0",
            config.intermediate,
        )
        self.config, self.depth = config, depth
        self.head = layers.Dense(outputs, dtype="float32", name="logits")
        self.logits: dict[str, Tensor] = {}
        self._condition: layers.Dense | None = None

    def between(self, x: Tensor, block: int, norm: layers.Layer | None = None) -> Tensor:
        """What the next block reads.

        Args:
            x: the states after a block, (batch, steps, units).
            block: its number, from 1.
            norm: the normalization before the last logits, where blocks do not end with one.

        Returns:
            The states, plus the answers with self-conditioning.
        """
        if not self.config.intermediate or block % self.config.intermediate or block == self.depth:
            return x
        logits = self.head(x if norm is None else norm(x))
        self.logits[f"intermediate{block}"] = logits
        if not self.config.self_condition:
            return x
        if self._condition is None:
            self._condition = layers.Dense(x.shape[-1], name="condition")
        answers = layers.Activation("softmax", dtype="float32", name=f"condition{block}_answers")(logits)
        return layers.Add(name=f"condition{block}_add")([x, self._condition(answers)])


def ctc_head(
    x: Tensor, mask: Tensor, outputs: int, dropout: float = 0.0, between: IntermediateCTC | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The encoder's output and the logits for CTC (Graves et al. 2006, ICML, pages 369-376).

    Args:
        x: (batch, steps, units).
        mask: bool (batch, steps), true inside the clip.
        outputs: number of logits at each step; output 0 is the blank.
        dropout: fraction of the units, before the logits.
        between: CTC between the blocks before, with whose head this one shares its weights.

    Returns:
        The output of the layer "embedding": `x`, set to 0 past each clip's end; and the network's outputs {"logits":
        float32 (batch, steps, outputs), "steps": int32 (batch,)}, with those of `between`.
    """
    encoded = MaskFrames(name="embedding")(x, mask)
    head = layers.Dense(outputs, dtype="float32", name="logits") if between is None else between.head
    logits = head(layers.Dropout(dropout, name="dropout")(encoded))
    further = {} if between is None else between.logits
    return encoded, {"logits": logits, "steps": CountSteps(name="steps")(mask), **further}
