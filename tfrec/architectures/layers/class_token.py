"""The class token: a learned token before all others, whose final state represents the example."""

import keras
from keras import layers, ops

from tfrec.architectures.layers.attention import truncated_normal
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class ClassToken(layers.Layer):
    """Prepends a learned token: (batch, tokens, units) -> (batch, 1 + tokens, units)."""

    def build(self, x_shape: Shape) -> None:
        """Creates the token."""
        self.token = self.add_weight(shape=(x_shape[-1],), initializer=truncated_normal(), name="token")

    def call(self, x: Tensor) -> Tensor:
        """The same token before each example's own tokens."""
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """One token more."""
        return (x_shape[0], None if x_shape[1] is None else x_shape[1] + 1, x_shape[2])


@keras.saving.register_keras_serializable("tfrec")
class KeepClass(layers.Layer):
    """The mask of tokens behind a class token: bool (batch, tokens) -> (batch, 1 + tokens)."""

    def call(self, keep: Tensor) -> Tensor:
        """The class token is never masked."""
        return ops.pad(keep, ((0, 0), (1, 0)), constant_values=True)

    def compute_output_shape(self, keep_shape: Shape) -> Shape:
        """One token more."""
        return (keep_shape[0], None if keep_shape[1] is None else keep_shape[1] + 1)


@keras.saving.register_keras_serializable("tfrec")
class FirstToken(layers.Layer):
    """Selects the first token, which `ClassToken` prepended: (batch, tokens, units) -> (batch, units)."""

    def call(self, x: Tensor) -> Tensor:
        """The first token."""
        return x[:, 0]

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """(batch, units)."""
        return (x_shape[0], x_shape[2])
