"""One of two inputs is dropped in training, so that a network answers with either alone."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.types import Shape, Tensor

INPUTS = ("image", "audio")  # in the order of "given"


@keras.saving.register_keras_serializable("tfrec")
class ModalityDropout(layers.Layer):
    """Sets the features of a picture or of a clip to 0, example by example, in training (Neverova et al. 2016).

    ModDrop is arXiv:1501.00102. Here at most one input of an example is dropped. Features of an input that is missing
    are 0, too, so that the layers after this one do not distinguish both.

    Args:
        rate: probability that one of the two inputs is dropped, either as likely; at least 0 and at most 1.
        tokens: number of tokens of a picture and of a clip that are missing, where features are tokens.
        seed: makes the draws reproducible; None takes a seed from Keras's global one.
        **kwargs: those of `keras.layers.Layer`.

    Raises:
        ValueError: for a rate outside [0, 1].
    """

    def __init__(self, rate: float, tokens: Sequence[int] = (1, 1), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check(0 <= rate <= 1, "ModalityDropout's rate must be from 0 to 1", rate)
        self.rate, self.tokens, self.seed = rate, tuple(tokens), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, inputs_shape: dict[str, Shape]) -> None:
        """Does nothing: the layer has no weights."""

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Drops inputs, and fills in a missing one.

        Args:
            inputs: "image" and "audio", features (batch, units) or tokens (batch, tokens, units) with as many units; or
                one of them, where the other is missing. With tokens of clips "mask", bool (batch, tokens), true inside
                the clip; without it all are.
            training: whether inputs are dropped.

        Returns:
            "image" and "audio", 0 where they are dropped or missing; "given", bool (batch, 2), whether the picture and
            the clip of an example are there; and with tokens "mask".
        """
        x = next(inputs[name] for name in INPUTS if name in inputs)
        batch, has_tokens = ops.shape(x)[0], len(x.shape) == 3
        features = dict(inputs)
        for name, tokens in zip(INPUTS, self.tokens, strict=True):
            if name not in inputs:
                zeros = ops.zeros_like(x)
                features[name] = ops.repeat(zeros[:, :1], tokens, axis=1) if has_tokens else zeros
        given = ops.broadcast_to(ops.convert_to_tensor([[name in inputs for name in INPUTS]]), (batch, 2))
        if training and self.rate and len(set(inputs) & set(INPUTS)) == 2:
            draws = keras.random.uniform((batch, 1), seed=self.seed_generator)
            dropped = ops.concatenate([draws < self.rate / 2, draws >= 1 - self.rate / 2], axis=1)
            given = ops.logical_not(dropped)
            for i, name in enumerate(INPUTS):
                keep = ops.reshape(given[:, i], (batch, *[1] * (len(x.shape) - 1)))
                features[name] = ops.where(keep, features[name], ops.zeros((), x.dtype))
        outputs = {**features, "given": given}
        if has_tokens and "mask" not in inputs:
            outputs["mask"] = ops.ones(ops.shape(features["audio"])[:2], "bool")
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "tokens": list(self.tokens), "seed": self.seed}
